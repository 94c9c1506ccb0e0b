"""The commands that build images, their order, and what is said when one fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from infra.engine import images
from infra.errors import EngineError, UsageError
from infra.process import Completed, Conversation, LineSink

ROOT = Path("/checkout")


class RecordingRunner:
    """Answers each program as told, with success by default, and keeps what it was asked."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers: Mapping[str, tuple[int, str, str]] = {"id": (0, "0\n", ""), **answers}
        self.seen: list[list[str]] = []
        self.environments: list[Mapping[str, str] | None] = []
        self.packed: dict[str, str] = {}

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        assert stdin is None
        assert on_stderr is None
        self.seen.append(list(argv))
        self.environments.append(env)
        answer = self.answers.get(" ".join(argv[:2])) or self.answers.get(argv[0], (0, "", ""))
        if argv[0] == "debootstrap" and answer[0] == 0:
            _install(Path(argv[-1]))
        return Completed(tuple(argv), *answer)

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        raise AssertionError((argv, cwd))

    def converse(self, argv: Sequence[str]) -> Conversation:
        raise AssertionError(argv)

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> Completed:
        self.seen.append([*producer, "|", *consumer])
        system = Path(self.seen[-2][-1])
        files = [path for path in system.rglob("*") if path.is_file()]
        self.packed = {str(path.relative_to(system)): path.read_text() for path in files}
        return Completed(tuple(consumer), *self.answers.get("pipe", (0, "", "")))

    @property
    def programs(self) -> list[str]:
        return [" ".join(argv[:3]) if argv[0] == "docker" else argv[0] for argv in self.seen]


def _install(system: Path) -> None:
    (system / "usr/sbin").mkdir(parents=True)
    (system / "etc/apt").mkdir(parents=True)
    (system / "etc/apt/sources.list").write_text("deb http://mirror.example/debian trixie main\n")


def build(runner: RecordingRunner, *only: str) -> list[str]:
    reported: list[str] = []
    images.build_images(runner, root=ROOT, report=reported.append, only=only)
    return reported


def test_tags_are_the_ones_the_settings_and_compose_files_name() -> None:
    tags = (
        images.BASE,
        images.TIMESCALEDB,
        images.REDIS,
        images.PYTHON,
        images.TOOLS,
        images.POSTGRES_15,
        images.POSTGRES_17,
        images.HOSTED,
    )

    assert tags == (
        "slipway/base:trixie",
        "slipway/timescaledb:2.19.3-pg17",
        "slipway/redis:8",
        "slipway/python:3.13",
        "slipway/tools:17",
        "slipway/postgres:15",
        "slipway/postgres:17",
        "slipway/hosted:17",
    )
    assert set(tags) - {images.BASE} == set(images.ALL_TAGS)


def test_debootstrap_uses_its_default_mirror() -> None:
    argv = images.debootstrap("trixie", Path("/scratch"))

    assert argv == ["debootstrap", "--variant=minbase", "trixie", "/scratch"]


def test_tar_leaves_out_what_belongs_to_the_building_machine() -> None:
    argv = images.tar(Path("/scratch"))

    assert argv == [
        "tar",
        "--create",
        "--numeric-owner",
        "--directory=/scratch",
        "--exclude=./dev/*",
        "--exclude=./etc/hostname",
        "--exclude=./etc/machine-id",
        "--exclude=./etc/resolv.conf",
        "--exclude=./run/*",
        "--exclude=./usr/share/info/*",
        "--exclude=./usr/share/locale/*",
        "--exclude=./usr/share/man/*",
        "--exclude=./var/cache/apt/*",
        "--exclude=./var/cache/debconf/*-old",
        "--exclude=./var/lib/apt/lists/*",
        "--exclude=./var/log/*",
        ".",
    ]


def test_import_labels_the_image() -> None:
    argv = images.docker_import("slipway/base:trixie")

    assert argv == [
        "docker",
        "import",
        "--change",
        "LABEL io.slipway.project=slipway",
        "--change",
        'CMD ["bash"]',
        "-",
        "slipway/base:trixie",
    ]


def test_build_of_the_database_image() -> None:
    argv = images.docker_build(images.STACK_IMAGES[0], root=ROOT)

    assert argv == [
        "docker",
        "build",
        "--progress",
        "plain",
        "--tag",
        "slipway/timescaledb:2.19.3-pg17",
        "--build-arg",
        "BASE=slipway/base:trixie",
        "--build-arg",
        "PG_MAJOR=17",
        "--build-arg",
        "PACKAGES=postgresql-17 postgresql-17-timescaledb postgresql-17-pgvector",
        "--build-arg",
        "TIMESCALEDB_VERSION=2.19.3",
        "/checkout/infra/images/postgres",
    ]


def test_every_image_has_its_folder_in_this_checkout() -> None:
    here = Path(images.__file__).parents[1] / "images"

    for image in (*images.STACK_IMAGES, *images.TEST_IMAGES):
        assert (here / image.folder / "Dockerfile").is_file(), image.tag


@pytest.mark.parametrize(
    "sources",
    [
        "deb http://mirror.example/debian trixie main\n",
        "deb [signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian/ trixie main\n",
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n",
    ],
)
def test_fixes_come_from_the_mirror_the_system_came_from(sources: str) -> None:
    fixes = images.security_sources(sources, "trixie")

    assert fixes == (
        "deb http://mirror.example/debian-security trixie-security main\n"
        "deb http://mirror.example/debian trixie-updates main\n"
    )


def test_base_comes_first_and_then_each_image_of_the_stack() -> None:
    runner = RecordingRunner()

    reported = build(runner)

    assert runner.programs == [
        "docker image ls",
        "id",
        "debootstrap",
        "tar",
        "docker build --progress",
        "docker build --progress",
        "docker build --progress",
        "docker build --progress",
    ]
    assert runner.environments[-1] == {"DOCKER_BUILDKIT": "1"}
    assert reported == [
        "building slipway/base:trixie",
        "building slipway/timescaledb:2.19.3-pg17",
        "building slipway/redis:8",
        "building slipway/python:3.13",
        "building slipway/tools:17",
    ]


def test_base_that_exists_is_kept_and_needs_no_root() -> None:
    runner = RecordingRunner(**{"docker image": (0, "05cc37bb667f\n", ""), "id": (0, "1000\n", "")})

    reported = build(runner, images.REDIS)

    assert runner.programs == ["docker image ls", "docker build --progress"]
    assert reported == ["slipway/base:trixie is there already", "building slipway/redis:8"]


def test_named_test_image_brings_its_own_base_and_nothing_else() -> None:
    runner = RecordingRunner()

    reported = build(runner, images.POSTGRES_15)

    assert reported == ["building slipway/base:bookworm", "building slipway/postgres:15"]


def test_a_plain_server_is_the_stacks_without_its_extensions() -> None:
    runner = RecordingRunner()

    reported = build(runner, images.POSTGRES_17)

    assert reported == ["building slipway/base:trixie", "building slipway/postgres:17"]
    assert "PACKAGES=postgresql-17" in runner.seen[-1]
    assert runner.seen[-1][-1] == "/checkout/infra/images/postgres"


def test_a_hosted_server_has_a_pooler_and_loads_timescaledb_only_where_it_is_told_to() -> None:
    runner = RecordingRunner()

    reported = build(runner, images.HOSTED)

    assert reported == ["building slipway/base:trixie", "building slipway/hosted:17"]
    assert (
        "PACKAGES=postgresql-17 postgresql-17-timescaledb postgresql-17-pgvector pgbouncer"
        in runner.seen[-1]
    )
    assert not any(word.startswith("TIMESCALEDB_VERSION=") for word in runner.seen[-1])


def test_base_gets_fixes_and_starts_no_server_while_a_package_is_installed() -> None:
    runner = RecordingRunner()

    build(runner, images.REDIS)

    assert runner.packed == {
        "etc/apt/sources.list": "deb http://mirror.example/debian trixie main\n",
        "etc/apt/sources.list.d/fixes.list": (
            "deb http://mirror.example/debian-security trixie-security main\n"
            "deb http://mirror.example/debian trixie-updates main\n"
        ),
        "etc/apt/apt.conf.d/90slipway": 'Acquire::Languages "none";\n',
        "etc/dpkg/dpkg.cfg.d/90slipway": "force-unsafe-io\n",
        "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    }


def test_scratch_directory_is_gone_afterwards() -> None:
    runner = RecordingRunner()

    build(runner, images.REDIS)

    scratch = next(argv[-1] for argv in runner.seen if argv[0] == "debootstrap")
    assert not Path(scratch).exists()


def test_unknown_image_is_refused_before_anything_runs() -> None:
    runner = RecordingRunner()

    with pytest.raises(UsageError, match="no such image: slipway/oracle:23"):
        build(runner, "slipway/oracle:23")

    assert runner.seen == []


def test_docker_that_does_not_answer() -> None:
    runner = RecordingRunner(docker=(1, "", "Cannot connect to the Docker daemon"))

    with pytest.raises(EngineError, match="docker does not answer: docker ended with") as caught:
        build(runner)

    assert "Cannot connect to the Docker daemon" in caught.value.hint


def test_missing_docker() -> None:
    runner = RecordingRunner(docker=(127, "", "No such file"))

    with pytest.raises(EngineError, match="docker is not installed") as caught:
        build(runner)

    assert caught.value.hint == "Install docker."


def test_missing_debootstrap() -> None:
    runner = RecordingRunner(debootstrap=(127, "", "No such file"))

    with pytest.raises(EngineError, match="debootstrap is not installed") as caught:
        build(runner)

    assert caught.value.hint == "Install debootstrap."


def test_base_wants_root_and_says_so_before_it_downloads() -> None:
    runner = RecordingRunner(id=(0, "1000\n", ""))

    with pytest.raises(EngineError, match="can only be built by root") as caught:
        build(runner)

    assert "sudo" in caught.value.hint
    assert "debootstrap" not in runner.programs


def test_failed_debootstrap_shows_what_it_said_on_standard_output() -> None:
    runner = RecordingRunner(debootstrap=(1, "E: Failed getting release file\n", ""))

    with pytest.raises(EngineError, match="debootstrap could not install trixie") as caught:
        build(runner)

    assert "E: Failed getting release file" in caught.value.hint


def test_failed_import() -> None:
    runner = RecordingRunner(pipe=(1, "", "no space left on device"))

    with pytest.raises(EngineError, match="slipway/base:trixie could not be imported") as caught:
        build(runner)

    assert "no space left on device" in caught.value.hint


def test_failed_build_shows_its_last_lines_and_stops_there() -> None:
    output = "".join(f"line {number}\n" for number in range(100))
    runner = RecordingRunner(**{"docker build": (1, "", output)})

    with pytest.raises(EngineError, match=r"timescaledb.* could not be built") as caught:
        build(runner)

    assert caught.value.hint.splitlines()[1:] == [f"line {number}" for number in range(85, 100)]
    assert runner.programs.count("docker build --progress") == 1
