from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from docker.errors import APIError, NotFound
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import Response

from backend.config import Endpoint, Secret
from infra.engine import tools
from infra.engine.client import Engine
from infra.engine.tools import ClientTools, Server
from infra.process import Completed, Conversation, LineSink
from tests.unit.conftest import FakeEngine, RecordingRunner

WRAPPER = (
    "IFS= read -r PGPASSWORD && export PGPASSWORD PGSERVICE=slipway PGSERVICEFILE=/tmp/services && "
    "printf '%s\\n' '[slipway]' connect_timeout=15 keepalives_idle=30 keepalives_interval=10 "
    'keepalives_count=3 >"$PGSERVICEFILE" && exec "$@"'
)


def endpoint(target: str, host: str) -> Endpoint:
    return Endpoint(target, "admin", host, 6000, "db", "u", Secret("secret"), "require")


def reached(target: str, host: str, *, desktop: bool) -> tuple[str, str, int]:
    found = tools.server(endpoint(target, host), "second", desktop=desktop)
    assert (found.user, found.sslmode, found.password) == ("u", "require", Secret("secret"))
    return found.network, found.host, found.port


@pytest.mark.parametrize("desktop", [True, False])
def test_the_compose_database_is_reached_in_its_own_network(*, desktop: bool) -> None:
    assert reached("local", "127.0.0.1", desktop=desktop) == ("second_default", "db", 5432)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_hosts_loopback_is_reached_in_the_hosts_network(host: str) -> None:
    assert reached("source", host, desktop=False) == ("host", host, 6000)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_docker_desktop_forwards_the_loopback_under_a_name(host: str) -> None:
    assert reached("source", host, desktop=True) == ("bridge", "host.docker.internal", 6000)


@pytest.mark.parametrize(("desktop", "network"), [(True, "bridge"), (False, "host")])
def test_a_server_elsewhere_is_reached_as_the_host_does(network: str, *, desktop: bool) -> None:
    assert reached("neon", "db.example", desktop=desktop) == (network, "db.example", 6000)


def test_a_tool_runs_in_a_container_of_its_own() -> None:
    argv = tools.docker_run(
        "postgres:17",
        ["pg_dump", "--version"],
        name="slipway-tool-1",
        network="host",
        environment={"PGHOST": "h", "PGPORT": "1"},
        mount=Path("/checkout/data/archives/a.partial"),
    )

    assert argv == [
        "docker",
        "run",
        "--rm",
        "--interactive",
        "--init",
        "--name",
        "slipway-tool-1",
        "--label",
        "io.slipway.project=slipway",
        "--label",
        f"io.slipway.pid={os.getpid()}",
        "--network",
        "host",
        "--volume",
        "/checkout/data/archives/a.partial:/archive",
        "--workdir",
        "/archive",
        "--user",
        f"{os.getuid()}:{os.getgid()}",
        "--env",
        "LC_MESSAGES=C",
        "--env",
        "PGHOST=h",
        "--env",
        "PGPORT=1",
        "--entrypoint",
        "sh",
        "postgres:17",
        "-c",
        WRAPPER,
        "sh",
        "pg_dump",
        "--version",
    ]


def test_the_environment_names_the_server_and_no_password() -> None:
    server = Server("host", "h", 5432, "u", "prefer", Secret("secret"))

    assert server.environment() == {
        "PGHOST": "h",
        "PGPORT": "5432",
        "PGUSER": "u",
        "PGSSLMODE": "prefer",
    }


def test_the_certificates_of_a_server_come_with_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store.pem"
    store.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    hosted = Endpoint("neon", "admin", "h", 1, "d", "u", Secret(""), "verify-full", "system")
    runner = Anything()

    ClientTools(runner, FakeEngine(), "image").run(
        ["pg_dump"], mount=Path("/a"), server=tools.server(hosted, "p", desktop=False)
    )

    words = set(runner.argv)
    assert {
        f"type=bind,source={store},target=/trust/server.pem,readonly",
        "PGSSLMODE=verify-full",
        "PGSSLROOTCERT=/trust/server.pem",
        "PGGSSENCMODE=disable",
    } <= words


class Anything:
    """Runs whatever it is given, as far as it says."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.stdin: str | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        assert env is None
        assert on_stderr is None
        self.argv, self.stdin = list(argv), stdin
        return Completed(tuple(argv), 0, "", "")

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        raise AssertionError((argv, cwd))

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> Completed:
        raise AssertionError((producer, consumer))

    def converse(self, argv: Sequence[str]) -> Conversation:
        raise AssertionError(argv)


@settings(max_examples=60)
@given(
    # A sign of its own, so that no password is by chance a part of a command.
    st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=12).map(
        "\N{SNOWMAN}".__add__
    )
)
def test_the_password_goes_by_standard_input_only(password: str) -> None:
    runner = Anything()
    server = Server("bridge", "h", 5432, "u", "prefer", Secret(password))

    ClientTools(runner, FakeEngine(), "image").run(
        ["pg_restore", "--list"], mount=Path("/a"), server=server
    )

    assert runner.stdin == f"{password}\n"
    assert not [word for word in runner.argv if password in word]
    assert password not in repr(server)


def test_without_a_server_there_is_no_network_and_no_password() -> None:
    runner = Anything()

    ClientTools(runner, FakeEngine(), "image").run(["pg_restore", "--list"], mount=Path("/a"))

    assert runner.argv[runner.argv.index("--network") + 1] == "none"
    assert [word for word in runner.argv if word.startswith("PG")] == []
    assert runner.stdin == "\n"


def test_two_tools_never_share_a_name() -> None:
    runner, names = Anything(), set()

    for _ in range(2):
        ClientTools(runner, FakeEngine(), "image").run(["true"], mount=Path("/a"))
        names.add(runner.argv[runner.argv.index("--name") + 1])

    assert len(names) == 2


def test_an_interrupted_tool_leaves_no_container(
    runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.engine.tools.secrets.token_hex", lambda _: "abc")
    engine = FakeEngine()
    runner.interrupt(
        tools.docker_run(
            "image",
            ["pg_dump"],
            name="slipway-tool-abc",
            network="none",
            environment={},
            mount=Path("/a"),
        )
    )

    with pytest.raises(KeyboardInterrupt):
        ClientTools(runner, engine, "image").run(["pg_dump"], mount=Path("/a"))

    assert engine.removed == ["slipway-tool-abc"]


def test_a_tool_that_ends_is_removed_by_docker_alone() -> None:
    engine = FakeEngine()

    ClientTools(Anything(), engine, "image").run(["true"], mount=Path("/a"))

    assert engine.removed == []


def refusal(status_code: int) -> APIError:
    response = Response()
    response.status_code = status_code
    return APIError("no", response=response)


class Containers:
    """Docker's containers, of which each one answers its removal with an error, or is not there."""

    def __init__(self, error: Exception) -> None:
        self.containers = self
        self._error = error

    def get(self, name: str) -> Containers:
        if isinstance(self._error, NotFound):
            raise self._error
        assert name == "slipway-tool-abc"
        return self

    def remove(self, *, force: bool) -> None:
        assert force
        raise self._error


@pytest.mark.parametrize("error", [NotFound("gone"), refusal(409)])
def test_a_container_that_is_gone_or_going_counts_as_removed(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(Engine, "client", Containers(error))

    Engine(RecordingRunner()).remove_container("slipway-tool-abc")


def test_a_container_that_cannot_be_removed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "client", Containers(refusal(500)))

    with pytest.raises(APIError):
        Engine(RecordingRunner()).remove_container("slipway-tool-abc")
