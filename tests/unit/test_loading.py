"""A server is restarted into load settings, and always out of them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import psycopg
import pytest

from backend.config import Endpoint, Secret
from infra.errors import RefusedError, TargetError, TargetLostError
from infra.postgres import load_settings
from infra.postgres.connection import Connection
from infra.transfer import loading, swap
from infra.transfer.maintenance import Maintenance

SUPERUSER = Endpoint("local", "admin", "127.0.0.1", 1, "trading", "postgres", Secret("secret"))
KNOWN = {"wal_level": None, "max_wal_senders": "5"}

Settings = Mapping[str, str | None]


@dataclass
class Server:
    """A server that remembers what was done to it, and is away for a while after a restart."""

    loading: bool = False
    allowed: bool = True
    away: int = 0
    done: list[str] = field(default_factory=list)
    now: float = 0.0

    def apply(self, connection: Connection, known: Settings) -> None:
        del connection
        assert known == KNOWN
        self.done.append("apply")

    def restore(self, connection: Connection, known: Settings) -> None:
        del connection
        assert known == KNOWN
        self.done.append("restore")

    def restart(self) -> None:
        self.done.append("restart")

    @contextmanager
    def connect(self, *words: object, **options: object) -> Iterator[Connection]:
        del words, options
        if self.away and "restart" in self.done:
            self.away -= 1
            self.done.append("away")
            raise TargetLostError("nothing answers", "Start it.")
        self.done.append("connect")
        yield cast("Connection", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(loading, "connect", made.connect)
    monkeypatch.setattr("infra.transfer.loading.time", made)
    monkeypatch.setattr(load_settings, "apply", made.apply)
    monkeypatch.setattr(load_settings, "restore", made.restore)
    monkeypatch.setattr(load_settings, "before", lambda _: KNOWN)
    monkeypatch.setattr(load_settings, "allowed", lambda _: made.allowed)
    monkeypatch.setattr(load_settings, "in_force", lambda _: made.loading)
    return made


@dataclass
class Held:
    """A maintenance connection that is there."""

    server: Server
    connection: object = None

    def ensure(self) -> None:
        self.server.done.append("ensure")


def held(server: Server) -> Maintenance:
    return cast("Maintenance", Held(server))


@pytest.mark.parametrize(
    ("allowed", "in_force", "planned"),
    [(True, False, KNOWN), (False, False, None), (True, True, None)],
)
def test_a_server_gets_load_settings_where_nothing_is_against_it(
    server: Server, planned: Settings | None, *, allowed: bool, in_force: bool
) -> None:
    server.allowed, server.loading = allowed, in_force

    assert loading.plan(held(server)) == planned
    assert server.done == []


def test_settings_are_written_before_the_restart_that_reads_them(server: Server) -> None:
    loading.begin(held(server), KNOWN, server.restart)

    assert server.done == ["apply", "restart", "ensure"]


def test_a_server_is_brought_back_and_waited_for(server: Server) -> None:
    server.loading, server.away = True, 3

    loading.end(SUPERUSER, KNOWN, server.restart)

    there = ["connect", "connect", "restore", "restart"]
    assert server.done == [*there, *["away"] * 3, "connect"]


def test_a_server_on_its_way_from_an_interrupted_restart_is_waited_for(server: Server) -> None:
    server.done.append("restart")
    server.away = 3

    loading.end(SUPERUSER, KNOWN, server.restart)

    assert server.done[1:] == [*["away"] * 3, "connect", "connect", "restore"]


def test_a_server_that_never_came_so_far_is_not_restarted(server: Server) -> None:
    loading.end(SUPERUSER, KNOWN, server.restart)
    loading.end(SUPERUSER, KNOWN, server.restart)

    assert server.done == ["connect", "connect", "restore"] * 2


def test_a_server_that_stays_away_is_an_error_after_a_minute(server: Server) -> None:
    server.loading, server.away = True, 10_000

    with pytest.raises(TargetLostError):
        loading.end(SUPERUSER, KNOWN, server.restart)

    assert 60 <= server.now <= 61


# The maintenance connection


@dataclass
class Line:
    """A connection that may break."""

    broken: bool = False

    def execute(self, statement: str) -> None:
        assert statement == "SELECT 1"
        if self.broken:
            raise psycopg.OperationalError("the connection is closed")


@dataclass
class Lines:
    """Connections one after the other; an error stands for one that cannot be had."""

    coming: list[Line | Exception]
    closed: int = 0

    @contextmanager
    def open(self, superuser: Endpoint, command: str) -> Iterator[Line]:
        assert (superuser, command) == (SUPERUSER, "transfer")
        found = self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]
        if isinstance(found, Exception):
            raise found
        try:
            yield found
        finally:
            self.closed += 1


@dataclass
class Clock:
    """A clock on which only waiting takes time."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


LOST = TargetLostError("nothing answers", "Start it.")

Opens = Callable[..., Lines]


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Opens:
    def make(*coming: Line | Exception) -> Lines:
        lines = Lines(list(coming))
        monkeypatch.setattr(swap, "maintenance", lines.open)
        monkeypatch.setattr("infra.transfer.maintenance.time", Clock())
        return lines

    return make


def test_a_connection_that_answers_is_kept(opens: Opens) -> None:
    line = Line()
    lines = opens(line, AssertionError())

    with Maintenance(SUPERUSER, "transfer") as maintenance:
        maintenance.ensure()
        assert maintenance.connection is cast("Connection", line)
        assert lines.closed == 0
    assert lines.closed == 1


def test_a_connection_that_broke_is_made_again_once_the_server_is_back(opens: Opens) -> None:
    first, second = Line(), Line()
    lines = opens(first, LOST, LOST, second, AssertionError())

    with Maintenance(SUPERUSER, "transfer") as maintenance:
        first.broken = True
        maintenance.ensure()
        assert maintenance.connection is cast("Connection", second)
        assert lines.closed == 1
    assert lines.closed == 2


def test_a_server_that_does_not_come_back_is_lost(opens: Opens) -> None:
    first = Line()
    lines = opens(first, LOST)

    with Maintenance(SUPERUSER, "transfer") as maintenance:
        first.broken = True
        with pytest.raises(TargetLostError):
            maintenance.ensure()
    assert lines.closed == 1


@pytest.mark.parametrize(
    "error", [RefusedError("another command", "Wait."), TargetError("no password", "Set it.")]
)
def test_what_no_waiting_cures_is_told_at_once(opens: Opens, error: Exception) -> None:
    first = Line()
    opens(first, error)

    with Maintenance(SUPERUSER, "transfer") as maintenance:
        first.broken = True
        with pytest.raises(type(error)):
            maintenance.ensure()
