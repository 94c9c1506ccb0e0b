from __future__ import annotations

import re
from collections.abc import Callable

import docker
import pytest
from docker.errors import DockerException

from infra.engine.client import Engine
from infra.engine.compose import Compose, parse_version, selection_for
from infra.errors import ConfigurationError, EngineError
from tests.unit.conftest import CHECKOUT, MakeSettings, RecordingRunner

FILE = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
OVERLAY = (CHECKOUT / "docker-compose.cloud.yml").read_text(encoding="utf-8")

VERSION = ["docker", "compose", "version", "--short"]


@pytest.fixture
def compose(make_settings: MakeSettings) -> Compose:
    return Compose(make_settings(COMPOSE_PROJECT_NAME="second"))


def base(compose: Compose) -> list[str]:
    root = compose.settings.root
    return [
        "docker",
        "compose",
        "--project-directory",
        str(root),
        "--project-name",
        "second",
        "--file",
        f"{root}/docker-compose.yml",
    ]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda compose: compose.base(), []),
        (lambda compose: compose.build_migrator(), ["build", "--quiet", "migrator"]),
        (
            lambda compose: compose.up(["db", "redis"]),
            ["up", "--detach", "db", "redis"],
        ),
        (lambda compose: compose.migrate(), ["run", "--rm", "--no-deps", "-T", "migrator"]),
        (lambda compose: compose.down(), ["--profile", "*", "down", "--remove-orphans"]),
        (lambda compose: compose.services(), ["config", "--services"]),
        (lambda compose: compose.remove(["db"]), ["rm", "--stop", "--force", "db"]),
        (
            lambda compose: compose.logs([], follow=False, tail=100),
            ["logs", "--tail", "100"],
        ),
        (
            lambda compose: compose.logs(["db"], follow=True, tail=5),
            ["logs", "--tail", "5", "--follow", "db"],
        ),
        (
            lambda compose: compose.psql("owner", "my db", ["--command", "select 1"]),
            [
                *["exec", "db", "psql", "--username", "owner", "--dbname", "my db"],
                *["--command", "select 1"],
            ],
        ),
    ],
)
def test_a_command_line_names_project_and_files(
    compose: Compose, build: Callable[[Compose], list[str]], words: list[str]
) -> None:
    assert build(compose) == [*base(compose), *words]


def test_every_compose_file_is_named(make_settings: MakeSettings) -> None:
    compose = Compose(make_settings(COMPOSE_FILE="docker-compose.yml:docker-compose.cloud.yml"))

    root = compose.settings.root
    assert compose.base()[-4:] == [
        "--file",
        f"{root}/docker-compose.yml",
        "--file",
        f"{root}/docker-compose.cloud.yml",
    ]


BASE, CLOUD = "docker-compose.yml", "docker-compose.cloud.yml"


@pytest.mark.parametrize(
    ("files", "hosted", "local"),
    [
        ("", f"{BASE}:{CLOUD}", BASE),
        (BASE, f"{BASE}:{CLOUD}", BASE),
        (f"{BASE}:{CLOUD}", f"{BASE}:{CLOUD}", BASE),
        (f"{BASE}:app.yml", f"{BASE}:{CLOUD}:app.yml", f"{BASE}:app.yml"),
        (f"{BASE}:app.yml:{CLOUD}", f"{BASE}:{CLOUD}:app.yml", f"{BASE}:app.yml"),
        (f"first.yml:./{BASE}", f"first.yml:./{BASE}:{CLOUD}", f"first.yml:./{BASE}"),
        (f"{BASE}:./{CLOUD}:../app/x.yml", f"{BASE}:{CLOUD}:../app/x.yml", f"{BASE}:../app/x.yml"),
    ],
)
def test_the_overlay_comes_and_goes_and_an_applications_files_stay(
    make_settings: MakeSettings, files: str, hosted: str, local: str
) -> None:
    settings = make_settings(COMPOSE_FILE=files)

    assert selection_for(settings, "neon") == {"DB_TARGET": "neon", "COMPOSE_FILE": hosted}
    assert selection_for(settings, "local") == {"DB_TARGET": "local", "COMPOSE_FILE": local}


def test_the_files_are_separated_as_the_settings_say(make_settings: MakeSettings) -> None:
    settings = make_settings(COMPOSE_FILE=f"{BASE};app.yml", COMPOSE_PATH_SEPARATOR=";")

    assert selection_for(settings, "neon")["COMPOSE_FILE"] == f"{BASE};{CLOUD};app.yml"


def test_files_without_the_stacks_own_are_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        selection_for(make_settings(COMPOSE_FILE="app.yml"), "neon")

    assert caught.value.message == "COMPOSE_FILE does not name docker-compose.yml: app.yml"


def test_the_version_is_asked_without_a_project(compose: Compose) -> None:
    assert compose.version() == VERSION


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2.26.1-4\n", (2, 26, 1)),
        ("v2.40.0", (2, 40, 0)),
        ("2.24.0-desktop.1", (2, 24, 0, 1)),
        ("2.29.7+ds1", (2, 29, 7)),
        ("5.0.1", (5, 0, 1)),
        ("2.24", (2, 24)),
        ("dev", (0,)),
        ("", (0,)),
    ],
)
def test_versions_are_read_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == numbers


@pytest.mark.parametrize("version", ["2.23.3", "1.29.2", "unknown"])
def test_an_old_compose_is_refused(
    runner: RecordingRunner, compose: Compose, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(Engine, "client", None)
    runner.expect(VERSION, stdout=f"{version}\n")

    with pytest.raises(EngineError) as caught:
        Engine(runner).check(compose)

    assert caught.value.message == f"docker compose {version} is too old"
    assert caught.value.hint == "Update the Compose plugin to 2.24 or newer."


@pytest.mark.parametrize("version", ["2.24", "2.24.0", "v2.40.3", "5.0.0"])
def test_a_new_compose_is_accepted(
    runner: RecordingRunner, compose: Compose, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(Engine, "client", None)
    runner.expect(VERSION, stdout=f"{version}\n")

    Engine(runner).check(compose)


def test_a_missing_compose_is_named(
    runner: RecordingRunner, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "client", None)
    runner.expect(VERSION, returncode=1, stderr="docker: 'compose' is not a docker command.")

    with pytest.raises(EngineError, match=r"^docker compose is not installed$"):
        Engine(runner).check(compose)


def test_a_missing_docker_is_named(runner: RecordingRunner, compose: Compose) -> None:
    runner.expect(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], returncode=127
    )

    with pytest.raises(EngineError) as caught:
        Engine(runner).check(compose)

    assert caught.value.message == "the docker command is not installed"
    assert "`python3 scripts/bootstrap.py`" in caught.value.hint


def test_an_engine_that_does_not_answer_is_named(
    runner: RecordingRunner, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def connect(base_url: str) -> docker.DockerClient:
        asked.append(base_url)
        raise DockerException("connection refused")

    monkeypatch.setattr(docker, "DockerClient", connect)
    runner.expect(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        stdout="unix:///context/docker.sock\n",
    )

    with pytest.raises(EngineError, match=r"^the docker engine does not answer$"):
        Engine(runner).check(compose)

    assert asked == ["unix:///context/docker.sock"]


def test_ports_are_published_on_this_machine_only() -> None:
    published = re.findall(r'^ +- "?([^"\n]*:\d+)"?$', FILE, re.MULTILINE)

    assert published == [
        "127.0.0.1:${DB_PORT:-5432}:5432",
        "127.0.0.1:${REDIS_PORT:-6379}:6379",
    ]


@pytest.mark.parametrize("text", [FILE, OVERLAY])
def test_no_password_has_a_value_in_the_file(text: str) -> None:
    values = re.findall(r"^ +\w*PASSWORD\w*: (.+)$", text, re.MULTILINE)

    assert values
    assert [value for value in values if not value.startswith(("${", "!reset"))] == []
    assert not re.findall(r"\$\{\w*PASSWORD\w*:-[^}]", text)


@pytest.mark.parametrize(
    "name",
    [
        "DB_NAME",
        "DB_USER",
        "DB_PASSWORD",
        "DB_OWNER_USER",
        "DB_OWNER_PASSWORD",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
    ],
)
def test_what_has_no_default_is_required_by_name(name: str) -> None:
    uses = re.findall(rf"\$\{{{name}\b[^}}]*\}}", FILE)

    assert set(uses) == {f"${{{name}:?set {name} in .env}}"}


def test_the_migrator_is_told_that_it_runs_in_a_container() -> None:
    assert 'SLIPWAY_IN_CONTAINER: "1"' in FILE


def test_every_service_network_and_volume_carries_the_label() -> None:
    services = FILE.split("\nservices:\n")[1].split("\nsecrets:\n")[0]
    others = FILE.split("\nnetworks:\n")[1]

    for part in (services, others):
        names = re.findall(r"^  \w+:$", part, re.MULTILINE)
        assert len(names) > 1
        assert len(re.findall(r"^    labels: \*labels$", part, re.MULTILINE)) == len(names)
