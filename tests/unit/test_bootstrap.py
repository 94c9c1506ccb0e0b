from __future__ import annotations

import ast
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from infra import ports, settings
from infra.errors import ConfigurationError, EngineError, RefusedError, SlipwayError, UsageError
from infra.process import Completed
from scripts.bootstrap import Needs, bootstrap, needs_of
from scripts.bootstrap_steps import (
    daemon,
    engine,
    env_choices,
    env_file,
    images,
    plugins,
)
from scripts.bootstrap_steps.apt import Apt
from scripts.bootstrap_steps.env_file import Choice
from scripts.bootstrap_steps.machine import Detached, Machine
from scripts.bootstrap_steps.virtualenv import Virtualenv

CHECKOUT = Path(__file__).resolve().parents[2]

EXAMPLE = """\
# Slipway's only configuration.
DB_IMAGE=
DB_PORT=5432
# Its password.
DB_PASSWORD=change-me
POSTGRES_PASSWORD=change-me
DB_VOLUME=./data/db
REDIS_PORT=6379
REDIS_VOLUME=./data/redis
BUILD_CA_FILE=
SOURCE_DB_PASSWORD=change-me
SUPABASE_DB_HOST=change-me
NEON_DB_USER=change-me
"""

MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 27 0:40 / /mnt/c rw,noatime - 9p C:\\134 rw
32 27 0:41 / /home rw - ext4 /dev/vdb rw
33 32 0:42 / /home/ana/my\\040disk rw shared:7 master:1 - fuseblk /dev/sdb1 rw
34 27 0:43 / /srv rw - ext4 /dev/vdc rw
35 27 0:44 / /srv rw - nfs4 server:/srv rw
"""

Reply = int | tuple[int, str]


class Recorder:
    """Records what would be started; answers by the first words of a command."""

    def __init__(self, replies: Mapping[str, Reply] | None = None) -> None:
        self.replies = dict(replies or {})
        self.started: list[str] = []

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Completed:
        del env
        code, output = self._answer(argv)
        return Completed(tuple(argv), code, output, output)

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        del cwd
        return self._answer(argv)[0]

    def detach(self, argv: Sequence[str], log: Path) -> Detached:
        raise AssertionError((argv, log))

    def _answer(self, argv: Sequence[str]) -> tuple[int, str]:
        line = " ".join(argv)
        self.started.append(line)
        longest = max((key for key in self.replies if line.startswith(key)), key=len, default="")
        reply = self.replies.get(longest, 0)
        return reply if isinstance(reply, tuple) else (reply, "")


def machine(
    checkout: Path = CHECKOUT,
    terminal: Recorder | None = None,
    *,
    system: str = "Linux",
    release: Mapping[str, str] | None = None,
    programs: Sequence[str] = ("docker", "dockerd", "debootstrap"),
    environment: Mapping[str, str] | None = None,
    superuser: bool = False,
) -> Machine:
    terminal = terminal or Recorder()
    return Machine(
        checkout=checkout,
        system=system,
        release=release or {"ID": "debian"},
        environment=environment or {},
        terminal=terminal,
        say=_silent,
        apt=Apt(terminal.run, _silent) if superuser else None,
        which=lambda name: f"/bin/{name}" if name in programs else None,
    )


def _silent(line: str) -> None:
    del line


# --- the script itself --------------------------------------------------------------------------


def test_an_older_python_can_read_the_script_far_enough_to_refuse() -> None:
    source = (CHECKOUT / "scripts/bootstrap.py").read_text("utf-8")

    ast.parse(source, feature_version=(3, 8))


def test_the_script_imports_nothing_that_must_be_installed() -> None:
    words = [sys.executable, "-S", "-I", "-c"]
    program = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import scripts.bootstrap"
    done = subprocess.run([*words, program], capture_output=True, text=True, check=False)

    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["up"], Needs("operator.txt")),
        (["restore", "today", "--to", "neon"], Needs("operator.txt")),
        (["test"], Needs("development.txt")),
        (["bench"], Needs("development.txt")),
        (["lint"], Needs("development.txt", stack=False, images=False)),
        (["lint", "test"], Needs("development.txt")),
        (["build-images"], Needs("operator.txt", images=False)),
        (["build-images", "up"], Needs("operator.txt")),
        (["--list"], Needs("operator.txt", stack=False, images=False)),
        (["up", "--help"], Needs("operator.txt", stack=False, images=False)),
        (["-l"], Needs("operator.txt", stack=False, images=False)),
        (["logs", "-l"], Needs("operator.txt")),
    ],
)
def test_a_task_gets_what_it_needs_and_no_more(words: list[str], expected: Needs) -> None:
    assert needs_of(words) == expected


def test_a_second_run_starts_nothing_but_questions_and_invoke(checkout: Path) -> None:
    (checkout / ".env").write_text("PG_MAJOR=14\n")
    terminal = Recorder(
        {"docker compose": (0, "2.26.1-4"), "docker buildx": (0, "0.13.1"), str(checkout): 5}
    )
    here = machine(checkout, terminal)
    _stamp(here)

    assert bootstrap(here, ["up"]) == 5
    questions = [line for line in terminal.started if line.startswith("docker ")]
    assert terminal.started == [*questions, f"{_program(checkout, 'invoke')} up"]
    assert not [line for line in questions if "pull" in line]


# --- the virtual environment --------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    for name in ("operator.txt", "development.txt"):
        (tmp_path / "requirements" / name).write_text(f"# {name}\n")
    return tmp_path


class Installer(Recorder):
    """Makes the two programs that a real installation would leave behind."""

    def __init__(self, checkout: Path, replies: Mapping[str, Reply] | None = None) -> None:
        super().__init__(replies)
        self._checkout = checkout

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Completed:
        if "venv" in argv:
            _touch(_program(self._checkout, "python"))
        return super().run(argv, env=env)

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        code = super().attach(argv, cwd=cwd)
        if code == 0:
            _touch(_program(self._checkout, "invoke"))
        return code

    @property
    def installed(self) -> list[str]:
        return [Path(line.split()[-1]).name for line in self.started if " install " in line]

    @property
    def made(self) -> int:
        return sum(" venv " in line for line in self.started)


def _program(checkout: Path, name: str) -> Path:
    windows = os.name == "nt"
    folder = checkout / ".venv" / ("Scripts" if windows else "bin")
    return folder / (f"{name}.exe" if windows else name)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _stamp(here: Machine, requirements: str = "operator.txt") -> None:
    terminal = Installer(here.checkout)
    Virtualenv(machine(here.checkout, terminal)).ensure(requirements)


def test_requirements_are_installed_once_and_again_when_they_change(checkout: Path) -> None:
    terminal = Installer(checkout)
    virtualenv = Virtualenv(machine(checkout, terminal))
    virtualenv.ensure("operator.txt")
    virtualenv.ensure("operator.txt")
    (checkout / "requirements/operator.txt").write_text("# newer\n")
    virtualenv.ensure("operator.txt")
    (checkout / "requirements/operator.txt").write_text("# operator.txt\n")
    virtualenv.ensure("operator.txt")

    assert terminal.installed == ["operator.txt"] * 3
    assert terminal.made == 1
    assert all("--require-hashes" in line for line in terminal.started if " install " in line)
    assert not any("index" in line for line in terminal.started)


def test_development_requirements_hold_the_operators(checkout: Path) -> None:
    terminal = Installer(checkout)
    virtualenv = Virtualenv(machine(checkout, terminal))
    virtualenv.ensure("development.txt")
    virtualenv.ensure("operator.txt")

    assert terminal.installed == ["development.txt"]


def test_an_environment_that_was_killed_half_way_is_made_anew(checkout: Path) -> None:
    leftover = checkout / ".venv" / "half"
    _touch(_program(checkout, "python"))
    _touch(checkout / ".venv" / "unfinished")
    _touch(leftover)
    terminal = Installer(checkout)
    Virtualenv(machine(checkout, terminal)).ensure("operator.txt")

    assert terminal.made == 1
    assert not leftover.exists()


def test_an_environment_of_the_users_own_is_kept_even_when_pip_fails(checkout: Path) -> None:
    own = checkout / ".venv" / "own"
    _touch(_program(checkout, "python"))
    _touch(own)
    python = _program(checkout, "python")
    terminal = Installer(checkout, {f"{python} -m pip install": 1})
    for _ in range(2):
        with pytest.raises(UsageError, match="pip cannot install"):
            Virtualenv(machine(checkout, terminal)).ensure("operator.txt")

    assert terminal.made == 0
    assert own.exists()


def test_an_environment_of_a_moved_checkout_is_made_anew(checkout: Path) -> None:
    _stamp(machine(checkout))
    for stamp in (checkout / ".venv").glob("*.stamp"):
        stamp.write_text("/elsewhere/.venv")
    terminal = Installer(checkout)
    Virtualenv(machine(checkout, terminal)).ensure("operator.txt")

    assert terminal.made == 1


# --- .env ---------------------------------------------------------------------------------------


def test_secrets_are_generated_and_those_that_exist_elsewhere_are_left() -> None:
    tokens = iter(["first", "second"])
    values = env_file.parse(env_file.fill(EXAMPLE, {}, lambda: next(tokens)))

    assert (values["DB_PASSWORD"], values["POSTGRES_PASSWORD"]) == ("first", "second")
    for name in ("SOURCE_DB_PASSWORD", "SUPABASE_DB_HOST", "NEON_DB_USER"):
        assert values[name] == "change-me"


def test_only_chosen_lines_differ_from_the_example() -> None:
    choices = {
        "DB_PORT": Choice("5433", "port 5432 is taken on 127.0.0.1"),
        "BUILD_CA_FILE": Choice("/etc/my certs/ca.pem"),
    }
    filled = env_file.fill(EXAMPLE, choices, lambda: "change-me")

    assert filled == EXAMPLE.replace(
        "DB_PORT=5432", "# port 5432 is taken on 127.0.0.1\nDB_PORT=5433"
    ).replace("BUILD_CA_FILE=", "BUILD_CA_FILE='/etc/my certs/ca.pem'")


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    path = env_file.ensure(machine(tmp_path), lambda *_: {})
    values = env_file.read(path)

    assert len(values["DB_PASSWORD"]) == 32
    assert values["DB_PASSWORD"] != values["POSTGRES_PASSWORD"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".env", ".env.example"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    (tmp_path / ".env").write_bytes(b"DB_PASSWORD=change-me\r\n")
    before = (tmp_path / ".env").stat()
    env_file.ensure(machine(tmp_path), lambda *_: {})
    after = (tmp_path / ".env").stat()

    assert (tmp_path / ".env").read_bytes() == b"DB_PASSWORD=change-me\r\n"
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_file_that_cannot_be_read_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()

    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read"):
        env_file.ensure(machine(tmp_path), lambda *_: {})


def test_a_line_is_set_and_every_other_byte_kept(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"# \xe9t\xe9\r\nDB_IMAGE=old # why\r\n\r\nexport PG_MAJOR = 14\r\nX='a b'")
    env_file.update(path, {"DB_IMAGE": "slipway/db:1", "PG_MAJOR": "17", "TOOLS_IMAGE": "t"})

    assert path.read_bytes() == (
        b"# \xe9t\xe9\r\nDB_IMAGE=slipway/db:1\r\n\r\nPG_MAJOR=17\r\nX='a b'\r\nTOOLS_IMAGE=t\r\n"
    )
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_two_lines_for_one_name_the_one_that_counts_is_set() -> None:
    text = env_file.set_values("A=1\nA_B=2\nA=3\n", {"A": "4"})

    assert text == "A=1\nA_B=2\nA=4\n"


def test_values_are_read_without_quotes_and_comments() -> None:
    values = env_file.parse("A='x y' # c\nB=\"z\"\nC=v # c\n#D=1\nE=\nF=#c\n")

    assert values == {"A": "x y", "B": "z", "C": "v", "E": "", "F": ""}


# --- what fits this machine ---------------------------------------------------------------------


def test_taken_ports_move_up_and_never_meet() -> None:
    example = {"DB_PORT": "5432", "REDIS_PORT": "5433"}
    choices = env_choices.free_ports(example, lambda port: port > 5433)

    assert {name: choice.value for name, choice in choices.items()} == {
        "DB_PORT": "5434",
        "REDIS_PORT": "5435",
    }
    assert choices["DB_PORT"].reason == "port 5432 is taken on 127.0.0.1"


def test_free_ports_stay() -> None:
    assert env_choices.free_ports({"DB_PORT": "5432"}, lambda _: True) == {}


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - the case to detect
def test_a_port_with_a_listener_is_taken(address: str) -> None:
    with socket.socket() as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]

        assert not ports.is_free(port)
    assert ports.is_free(port)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/opt/slipway", "ext4"),
        ("/mnt/c/slipway", "9p"),
        ("/mnt/certs", "ext4"),
        ("/home/ana/slipway", "ext4"),
        ("/home/ana/my disk/slipway", "fuseblk"),
        ("/srv/slipway", "nfs4"),
    ],
)
def test_the_longest_mount_point_and_the_latest_mount_count(folder: str, expected: str) -> None:
    assert env_choices.file_system_of(Path(folder), MOUNTS) == expected


@pytest.mark.parametrize(
    "unfit",
    ["ntfs", "ntfs3", "exfat", "vfat", "9p", "drvfs", "cifs", "nfs4", "vboxsf", "fuse.sshfs"],
)
def test_a_database_goes_into_a_named_volume_with_the_reason_beside_it(unfit: str) -> None:
    filled = env_file.fill(EXAMPLE, env_choices.volumes(unfit), lambda: "token")

    assert (
        f"file system ({unfit}) cannot hold a database: a named volume\nDB_VOLUME=db_data" in filled
    )
    assert "\nREDIS_VOLUME=redis_data\n" in filled


@pytest.mark.parametrize("fit", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "unknown"])
def test_an_ordinary_file_system_keeps_the_folder(fit: str) -> None:
    assert env_choices.volumes(fit) == {}


@pytest.mark.parametrize(("system", "expected"), [("Windows", "ntfs"), ("Darwin", "unknown")])
def test_systems_without_mountinfo(system: str, expected: str) -> None:
    assert env_choices.file_system(machine(system=system)) == expected


def test_the_first_ca_bundle_that_exists_is_taken(tmp_path: Path) -> None:
    bundle, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    bundle.touch()
    other.touch()
    gone = str(tmp_path / "gone.pem")

    assert env_choices.ca_bundle({"SSL_CERT_FILE": gone, "PIP_CERT": str(bundle)}, [other]) == str(
        bundle
    )
    assert env_choices.ca_bundle({"PIP_CERT": ""}, [Path(gone), other]) == str(other)
    assert env_choices.ca_bundle({}, [Path(gone)]) == ""


# --- the engine ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "message", "hint"),
    [
        (machine(system="Darwin", programs=()), "not installed", "Docker Desktop"),
        (machine(system="Windows", programs=()), "not installed", "Docker Desktop"),
        (machine(system="Darwin"), "does not answer", "Start Docker Desktop"),
        (machine(), "does not answer", "sudo systemctl start docker"),
        (machine(programs=()), "not installed", "as root"),
        (machine(programs=(), release={"ID": "fedora"}), "not installed", "moby-engine"),
        (
            machine(programs=(), release={"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}),
            "not installed",
            "docker-compose-v2",
        ),
        (machine(programs=(), release={"ID": "nixos"}), "not installed", "documentation"),
        (
            machine(environment={"DOCKER_HOST": "tcp://10.0.0.7:2375"}),
            "10.0.0.7",
            "unset DOCKER_HOST",
        ),
    ],
)
def test_a_machine_without_an_engine_is_told_what_to_do(
    here: Machine, message: str, hint: str
) -> None:
    error = engine.advice(here, socket_denied=False)

    assert error.exit_code == 4
    assert message in error.message
    assert hint in error.hint


def test_a_closed_socket_is_told_apart_from_a_stopped_engine() -> None:
    assert "usermod -aG docker" in engine.advice(machine(), socket_denied=True).hint


def test_an_engine_that_answers_is_left_alone() -> None:
    terminal = Recorder()
    engine.ensure(machine(terminal=terminal, superuser=True))

    assert terminal.started == ["docker version --format {{.Server.Version}}"]


def test_an_engine_on_another_machine_is_never_replaced_by_one_here() -> None:
    terminal = Recorder({"docker version": 1})
    elsewhere = {"DOCKER_HOST": "ssh://ops@build"}

    with pytest.raises(EngineError, match="DOCKER_HOST"):
        engine.ensure(machine(terminal=terminal, superuser=True, environment=elsewhere))
    assert len(terminal.started) == 1


def test_packages_are_installed_without_removing_any(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Recorder({"docker version": 1, "apt-cache policy": (0, "  Candidate: 26.1.5\n")})
    monkeypatch.setattr(daemon, "start", lambda *_: None)
    engine.ensure(machine(terminal=terminal, superuser=True, programs=()))
    install = next(line for line in terminal.started if " install " in line)

    assert "--no-install-recommends --no-remove" in install
    assert install.endswith("docker.io iptables ca-certificates docker-cli")


def test_a_foreign_source_that_fails_does_not_stop_the_installation() -> None:
    terminal = Recorder({"apt-get -o DPkg::Lock::Timeout=300 update": 100})
    Apt(terminal.run, _silent).install("debootstrap")

    assert terminal.started[-1].endswith("debootstrap")


def test_a_failed_installation_says_what_apt_said() -> None:
    reply = (100, "W: odd\nE: Unable to locate package debootstrap\n")
    terminal = Recorder({"apt-get -o DPkg::Lock::Timeout=300 install": reply})

    with pytest.raises(EngineError, match="Unable to locate package debootstrap"):
        Apt(terminal.run, _silent).install("debootstrap")


# --- the daemon ---------------------------------------------------------------------------------


@pytest.fixture
def processes(tmp_path: Path) -> Callable[[int, str], Path]:
    def add(pid: int, status: str) -> Path:
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "stat").write_text(f"{pid} {status} 1 1 1\n")
        return tmp_path / "proc"

    return add


@pytest.mark.parametrize(
    ("written", "stale"),
    [("7", False), ("8", True), ("9", True), ("10", True), ("11", True), ("", True), ("x", True)],
)
def test_only_the_file_of_a_live_daemon_is_kept(
    tmp_path: Path, processes: Callable[[int, str], Path], written: str, stale: bool
) -> None:
    processes(7, "(dockerd) S")
    processes(8, "(python3) S")
    processes(9, "(dockerd) Z")
    proc = processes(10, "(a) (dockerd) S")
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(written)

    assert daemon.is_stale(pid_file, "dockerd", proc) is stale


def test_real_processes_that_are_no_daemon_leave_a_stale_file(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    pid_file = tmp_path / "docker.pid"
    for pid in (ended.pid, os.getpid()):
        pid_file.write_text(f"{pid}\n")

        assert daemon.is_stale(pid_file, "dockerd")


def test_no_file_is_not_a_stale_file(tmp_path: Path) -> None:
    assert not daemon.is_stale(tmp_path / "docker.pid", "dockerd")


class Ended:
    def poll(self) -> int | None:
        return 1


@pytest.mark.parametrize(
    ("process", "what"), [(Ended(), "ended at once"), (None, "does not answer after 0 seconds")]
)
def test_a_daemon_that_never_answers_is_quoted(process: Detached | None, what: str) -> None:
    log = "\n".join(f"line {number}" for number in range(9))

    with pytest.raises(EngineError, match=f"{what}.*\n  line 4\n") as caught:
        daemon.await_answer(lambda: False, process, lambda: log, deadline=0.0)
    assert "line 3" not in caught.value.message


# --- the plugins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "numbers", "enough"),
    [
        ("2.24.0", (2, 24, 0), True),
        ("v2.26.1-4\n", (2, 26, 1), True),
        ("5.0", (5, 0), True),
        ("2.40.3+ds1-0ubuntu1~24.04.1", (2, 40, 3), True),
        ("2.23.3", (2, 23, 3), False),
        ("1.29.2-3", (1, 29, 2), False),
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1", (0, 13, 1), False),
        ("unknown", (), False),
    ],
)
def test_versions_compare_by_their_numbers(
    text: str, numbers: tuple[int, ...], enough: bool
) -> None:
    assert plugins.version_of(text) == numbers
    assert (plugins.version_of(text) >= plugins.COMPOSE.minimum) is enough


@pytest.mark.parametrize(
    ("offers", "package"),
    [
        ({"docker-compose": "1.29.2-3"}, None),
        ({"docker-compose": "2.26.1-4"}, "docker-compose"),
        ({"docker-compose-v2": "2.40.3", "docker-compose": "1.29.2-6"}, "docker-compose-v2"),
        (
            {"docker-compose-plugin": "5.0.1-1~x", "docker-compose": "2.26.1"},
            "docker-compose-plugin",
        ),
    ],
)
def test_the_distributions_own_package_is_taken_if_new_enough(
    offers: dict[str, str], package: str | None
) -> None:
    replies: dict[str, Reply] = {
        f"apt-cache policy {name}": (0, f"{name}:\n  Candidate: {version}\n")
        for name, version in offers.items()
    }
    terminal = ExactPolicy(replies)

    assert plugins.offered(Apt(terminal.run, _silent), plugins.COMPOSE) == package


class ExactPolicy(Recorder):
    """Answers for a package by its whole name: one package's name begins another's."""

    def _answer(self, argv: Sequence[str]) -> tuple[int, str]:
        reply = self.replies.get(" ".join(argv), (0, "  Candidate: (none)\n"))
        return reply if isinstance(reply, tuple) else (reply, "")


def test_the_mirror_is_debians_main_archive() -> None:
    targets = (
        "http://a.invalid/security/|Debian|Debian-Security|main\n"
        "cdrom://disk/|Debian|Debian|main\n"
        "http://b.invalid/tools/|Somebody|Tools|main\n"
        "http://c.invalid/debian/|Debian|Debian|contrib\n"
        "http://d.invalid/debian/|Debian|Debian|main\n"
    )

    assert plugins.mirror(targets) == "http://d.invalid/debian/"
    assert plugins.mirror("") is None


def test_the_isolated_apt_writes_into_its_own_folder_only(tmp_path: Path) -> None:
    settings = dict(word.split("=", 1) for word in plugins.isolated(tmp_path)[1::2])

    assert settings.pop("APT::Default-Release") == ""
    assert {"Dir::State::lists", "Dir::State::status", "Dir::Cache"} <= settings.keys()
    assert all(
        value == "/dev/null" or Path(value).is_relative_to(tmp_path) for value in settings.values()
    )


@pytest.mark.parametrize(
    ("here", "hint"),
    [("Darwin", "Update Docker Desktop"), ("Windows", "Update Docker Desktop"), ("Linux", "root")],
)
def test_an_old_compose_is_named_where_it_cannot_be_replaced(here: str, hint: str) -> None:
    terminal = Recorder({"docker compose": (0, "2.20.2"), "docker buildx": (0, "0.13.1")})

    with pytest.raises(EngineError, match=r"docker compose 2\.24 or newer is missing") as caught:
        plugins.ensure(machine(terminal=terminal, system=here))
    assert hint in caught.value.hint


# --- the images ---------------------------------------------------------------------------------

NOT_THERE = {"docker image inspect": 1}
NO_REGISTRY = {**NOT_THERE, "docker pull": 1}


@pytest.fixture
def env(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text("PG_MAJOR=14\nDB_IMAGE=\nDB_PASSWORD=secret\n")
    return path


def _must_not_build() -> int:
    raise AssertionError


def test_defaults_are_the_composes_files_own() -> None:
    assert images.wanted({})["DB_IMAGE"] == "timescale/timescaledb:latest-pg14"
    assert images.wanted({"PG_MAJOR": "16"})["DB_IMAGE"] == "timescale/timescaledb:latest-pg16"
    compose = (CHECKOUT / "docker-compose.yml").read_text("utf-8")
    for name in ("REDIS_IMAGE", "PYTHON_IMAGE", "TOOLS_IMAGE"):
        assert f"${{{name}:-{images.wanted({})[name]}}}" in compose


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({}, False),
        ({"PG_MAJOR": "16", "DB_IMAGE": ""}, False),
        ({"DB_IMAGE": "timescale/timescaledb:latest-pg${PG_MAJOR}"}, False),
        ({"REDIS_IMAGE": "redis:8-alpine"}, False),
        ({"REDIS_IMAGE": "valkey/valkey:8"}, True),
    ],
)
def test_a_default_written_out_is_no_choice(values: dict[str, str], chosen: bool) -> None:
    assert images.is_chosen(values) is chosen


def test_images_that_are_there_cost_one_question(env: Path) -> None:
    terminal = Recorder()
    images.ensure(machine(terminal=terminal), env, _must_not_build)

    assert len(terminal.started) == 1


def test_missing_images_are_pulled(env: Path) -> None:
    terminal = Recorder(NOT_THERE)
    images.ensure(machine(terminal=terminal), env, _must_not_build)
    pulled = [line.split()[-1] for line in terminal.started if line.startswith("docker pull")]

    assert pulled == list(images.wanted({}).values())


def test_without_a_registry_the_stack_is_built_and_named(env: Path) -> None:
    terminal = Recorder(NO_REGISTRY)
    here = machine(env.parent, terminal, superuser=True)
    images.ensure(here, env, lambda: 0)

    assert sum(line.startswith("docker pull") for line in terminal.started) == 1
    assert env_file.read(env) == {"DB_PASSWORD": "secret", **images.BUILT}


def test_a_failed_build_leaves_the_settings(env: Path) -> None:
    before = env.read_bytes()

    with pytest.raises(EngineError, match="cannot be built"):
        images.ensure(machine(env.parent, Recorder(NO_REGISTRY), superuser=True), env, lambda: 3)
    assert env.read_bytes() == before


def test_data_of_another_major_is_not_put_under_the_built_image(env: Path) -> None:
    version = env.parent / "data/db/pgdata/PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("14\n")

    with pytest.raises(RefusedError, match=r"postgresql 14.*postgresql 17"):
        images.ensure(
            machine(env.parent, Recorder(NO_REGISTRY), superuser=True), env, _must_not_build
        )
    version.write_text("17\n")
    images.ensure(machine(env.parent, Recorder(NO_REGISTRY), superuser=True), env, lambda: 0)


def test_a_registry_that_fails_half_way_is_not_taken_for_none(env: Path) -> None:
    terminal = Recorder({**NOT_THERE, "docker pull redis": 1})

    with pytest.raises(EngineError, match="redis:8-alpine cannot be pulled"):
        images.ensure(machine(terminal=terminal, superuser=True), env, _must_not_build)


def test_an_image_of_the_users_own_is_not_replaced(env: Path) -> None:
    env.write_text("DB_IMAGE=registry.invalid/db:1\n")

    with pytest.raises(EngineError, match=r"registry\.invalid/db:1 cannot be pulled"):
        images.ensure(machine(terminal=Recorder(NO_REGISTRY), superuser=True), env, _must_not_build)


def test_built_images_that_are_gone_are_built_again(env: Path) -> None:
    env_file.update(env, images.BUILT)
    terminal = Recorder(NOT_THERE)
    builds = iter([0])
    images.ensure(machine(terminal=terminal), env, lambda: next(builds))

    assert next(builds, None) is None
    assert not [line for line in terminal.started if line.startswith("docker pull")]


def test_a_host_that_cannot_build_says_so() -> None:
    with pytest.raises(SlipwayError, match="as root only") as caught:
        images.ensure_debootstrap(machine(programs=()))
    assert caught.value.exit_code == 4


def test_the_images_it_pulls_are_the_settings_defaults() -> None:
    # The bootstrap cannot import the settings, which need libraries that it is about to install.
    assert images.wanted({}) == {
        "DB_IMAGE": f"timescale/timescaledb:latest-pg{settings.DEFAULT_PG_MAJOR}",
        "REDIS_IMAGE": settings.DEFAULT_REDIS_IMAGE,
        "PYTHON_IMAGE": settings.DEFAULT_PYTHON_IMAGE,
        "TOOLS_IMAGE": settings.DEFAULT_TOOLS_IMAGE,
    }
