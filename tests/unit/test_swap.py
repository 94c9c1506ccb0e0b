from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import psycopg
import pytest
from psycopg import sql

from backend.config import Endpoint, Secret
from infra.errors import RefusedError, TargetError
from infra.transfer import swap


class Server:
    """A connection to databases that only have a name and a number."""

    def __init__(self, *names: str, busy: int = 0) -> None:
        self.databases = {name: number for number, name in enumerate(names, 1)}
        self.statements: list[str] = []
        self.disconnected: list[list[str]] = []
        self._busy = busy
        self._answer: tuple[int] | None = None

    def execute(self, query: sql.Composable | str, parameters: list[object] | None = None) -> Self:
        if isinstance(query, str):
            assert parameters is not None
            (parameter,) = parameters
            if isinstance(parameter, list):
                self.disconnected.append(parameter)
            else:
                number = self.databases.get(str(parameter))
                self._answer = None if number is None else (number,)
            return self
        statement = query.as_string()
        self.statements.append(statement)
        words = [word.strip('"') for word in statement.split()]
        if words[0] == "DROP":
            self.databases.pop(words[4], None)
        elif words[0] == "ALTER":
            if self._busy:
                self._busy -= 1
                raise psycopg.errors.ObjectInUse
            assert words[5] not in self.databases
            self.databases[words[5]] = self.databases.pop(words[2])
        return self

    def fetchone(self) -> tuple[int] | None:
        return self._answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = dict(self.databases)
        try:
            yield
        except BaseException:
            self.databases = before
            raise


def put_live(server: Server, points: list[str]) -> None:
    swap.swap(server, "db", points.append)  # type: ignore[arg-type] # it looks like one


def exchange(server: Server) -> None:
    swap.exchange(server, "db", lambda _: None)  # type: ignore[arg-type] # it looks like one


def test_the_first_swap_keeps_what_was_there() -> None:
    server, points = Server("db", "db__staging"), list[str]()

    put_live(server, points)

    assert server.databases == {"db__previous": 1, "db": 2}
    assert points == ["renaming", "committed"]


def test_a_later_swap_drops_the_copy_before_when_the_new_one_is_there() -> None:
    server = Server("db", "db__staging", "db__previous")

    put_live(server, [])

    assert server.databases == {"db__previous": 1, "db": 2}
    assert server.statements[-1] == 'DROP DATABASE IF EXISTS "db__discarded" WITH (FORCE)'


def test_a_swap_goes_on_over_what_a_killed_one_left() -> None:
    server = Server("db", "db__staging", "db__previous", "db__discarded")

    put_live(server, [])

    assert server.databases == {"db__previous": 1, "db": 2}


def test_without_a_live_database_the_staging_one_becomes_it() -> None:
    server, points = Server("db__staging"), list[str]()

    put_live(server, points)

    assert server.databases == {"db": 1}
    assert points == ["committed"]


def test_a_swap_that_dies_while_it_renames_changes_nothing() -> None:
    server = Server("db", "db__staging", "db__previous")

    class KilledError(Exception):
        pass

    def kill(point: str) -> None:
        assert point == "renaming"
        raise KilledError

    with pytest.raises(KilledError):
        swap.swap(server, "db", kill)  # type: ignore[arg-type] # it looks like one
    assert server.databases == {"db": 1, "db__staging": 2, "db__previous": 3}


def test_an_exchange_done_twice_changes_nothing() -> None:
    server = Server("db", "db__previous")

    exchange(server)
    assert server.databases == {"db__previous": 1, "db": 2}

    exchange(server)
    assert server.databases == {"db": 1, "db__previous": 2}


def test_clients_are_put_out_and_the_rename_tried_again() -> None:
    server = Server("db", "db__previous", busy=2)

    exchange(server)

    assert server.databases == {"db__previous": 1, "db": 2}
    assert server.disconnected == [["db", "db__previous", "db__discarded"]] * 3


def test_clients_that_reconnect_too_fast_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "_SWAP_SECONDS", -1.0)
    server = Server("db", "db__previous", busy=9)

    with pytest.raises(TargetError) as caught:
        exchange(server)

    assert caught.value.message == (
        "database 'db' could not be renamed: its clients reconnect too fast"
    )
    assert server.databases == {"db": 1, "db__previous": 2}


def test_names_stay_in_their_quotes() -> None:
    server = Server()

    swap.create_staging(server, 'my"db; --', 'the"owner')  # type: ignore[arg-type] # looks like one

    assert server.statements == [
        (
            'CREATE DATABASE "my""db; --__staging" TEMPLATE template0 ENCODING \'UTF8\' '
            'OWNER "the""owner"'
        )
    ]


def test_a_name_that_would_be_cut_is_refused_before_anything() -> None:
    # Nothing listens there, and nothing is asked.
    name = "ä" * 24 + "x"
    endpoint = Endpoint("local", "admin", "127.0.0.1", 1, name, "postgres", Secret("secret"))

    with (
        pytest.raises(RefusedError, match=r"is longer than 48 bytes$") as caught,
        swap.maintenance(endpoint, "restore"),
    ):
        pass
    assert caught.value.hint == "Set DB_NAME in .env to a shorter one."


@pytest.mark.parametrize("name", [swap.staging_name, swap.previous_name, swap.discarded_name])
def test_the_longest_name_has_room_for_its_suffix(name: object) -> None:
    assert callable(name)
    assert len(name("x" * 48)) <= 63
