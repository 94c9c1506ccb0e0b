"""Small fakes: a runner that starts nothing, an engine without Docker, settings of a new .env."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend import envfile
from infra import settings
from infra.engine.client import Engine, Service
from infra.postgres.objects import DatabaseObject
from infra.process import Completed, Conversation, LineSink
from infra.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / ".env.example"

PASSWORD_NAMES = ("DB_PASSWORD", "DB_OWNER_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD")

MakeSettings = Callable[..., Settings]


@dataclass
class Call:
    """What the runner was asked to start."""

    argv: list[str]
    stdin: str | None = None


@dataclass
class RecordingRunner:
    """Answers the commands it was told of, in their order, and fails on any other."""

    expected: list[tuple[list[str], Completed | BaseException]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def expect(
        self, argv: Sequence[str], returncode: int = 0, stdout: str = "", stderr: str = ""
    ) -> None:
        """Announce a command and its answer."""
        answer = Completed(tuple(argv), returncode, stdout, stderr)
        self.expected.append((list(argv), answer))

    def interrupt(self, argv: Sequence[str]) -> None:
        """Announce a command during which the user presses Ctrl-C."""
        self.expected.append((list(argv), KeyboardInterrupt()))

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        del env, on_stderr
        self.calls.append(Call(list(argv), stdin))
        assert self.expected, f"unexpected command: {list(argv)}"
        wanted, answer = self.expected.pop(0)
        assert list(argv) == wanted
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        raise AssertionError((list(argv), cwd))

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> Completed:
        raise AssertionError((list(producer), list(consumer)))

    def converse(self, argv: Sequence[str]) -> Conversation:
        raise AssertionError(list(argv))

    def assert_done(self) -> None:
        """Fail when an announced command was not run."""
        assert not self.expected, f"not run: {[argv for argv, _ in self.expected]}"


class FakeEngine(Engine):
    """Knows the services and port owners it was given, and what it was asked to remove."""

    def __init__(
        self,
        services: Sequence[Service] = (),
        ports: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(RecordingRunner())
        self.known = list(services)
        self.ports = dict(ports or {})
        self.removed: list[str] = []

    def services(self, project: str) -> list[Service]:
        del project
        return self.known

    def container_on_port(self, port: int) -> str | None:
        return self.ports.get(port)

    def remove_container(self, name: str) -> None:
        self.removed.append(name)


@pytest.fixture
def runner() -> Iterator[RecordingRunner]:
    recorder = RecordingRunner()
    yield recorder
    recorder.assert_done()


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Write a .env from the example, its local secrets filled in, and load it."""

    def make(**values: str) -> Settings:
        path = write_env(tmp_path, **values)
        return settings.load(path.parent, {})

    return make


def write_env(folder: Path, **values: str) -> Path:
    """Write a .env from the example with a password for each local role, and these values."""
    path = folder / ".env"
    path.write_bytes(EXAMPLE.read_bytes())
    secrets = {name: f"secret of {name}" for name in PASSWORD_NAMES}
    envfile.update(path, secrets | values)
    return path


def example_values() -> dict[str, str]:
    """Return the example's variables as they stand there."""
    return envfile.parse(EXAMPLE.read_text(encoding="utf-8"))


def names_in_example() -> set[str]:
    """Return the example's variables, read without our own parser."""
    return set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))


def grant(
    privilege: str, on: str, name: str, grantee: str = "reader", *, grantable: bool = False
) -> DatabaseObject:
    """Return a right as a receipt holds it."""
    properties = {
        "privilege": privilege,
        "on": on,
        "object": name,
        "grantee": grantee,
        "grantable": grantable,
    }
    return DatabaseObject("grant", f"{privilege} on {on} {name} to {grantee}", properties)
