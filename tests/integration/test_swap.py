"""Staging databases go live by rename, while clients go on asking."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import psycopg
import pytest

from backend.config import Endpoint, Secret
from infra.errors import RefusedError
from infra.transfer import swap
from tests.fixtures.servers import Server

LIVE = "trading"


@pytest.fixture
def superuser(server: Server) -> Iterator[Endpoint]:
    """Point at a live database that says `old`, with a staging one beside it that says `new`."""
    for name, word in ((LIVE, "old"), (swap.staging_name(LIVE), "new")):
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        server.execute(f"CREATE TABLE word AS SELECT '{word}' AS word", name)
    yield Endpoint(
        "local", "admin", "127.0.0.1", server.port, LIVE, "postgres", Secret(server.password)
    )
    left = server.execute(f"SELECT datname FROM pg_database WHERE datname ~ '^{LIVE}'")
    for row in left:
        server.execute(f"DROP DATABASE {row[0]} WITH (FORCE)")


def no_boundary(point: str) -> None:
    del point


class Reader(threading.Thread):
    """Asks for the word on a new connection each time, until it is told to stop."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._done = threading.Event()
        self.words: set[object] = set()
        self.missing = 0

    def run(self) -> None:
        while not self._done.is_set():
            try:
                self.words |= {row[0] for row in self._server.execute("TABLE word", LIVE)}
            except psycopg.OperationalError as error:
                # Being disconnected is part of a swap, and so is a login that waited for its end;
                # a name that is gone is not.
                text = str(error)
                self.missing += "does not exist" in text and "just been" not in text

    def stop(self) -> None:
        self._done.set()
        self.join()


def test_readers_see_the_old_or_the_new_database_and_never_none(
    server: Server, superuser: Endpoint
) -> None:
    readers = [Reader(server) for _ in range(4)]
    for reader in readers:
        reader.start()
    with swap.maintenance(superuser, "restore") as connection:
        swap.swap(connection, LIVE, no_boundary)
    for reader in readers:
        reader.stop()

    assert server.execute("TABLE word", LIVE) == [("new",)]
    assert server.execute("TABLE word", swap.previous_name(LIVE)) == [("old",)]
    assert set().union(*(reader.words for reader in readers)) <= {"old", "new"}
    assert sum(reader.missing for reader in readers) == 0


def test_the_next_swap_drops_the_copy_before_the_last(server: Server, superuser: Endpoint) -> None:
    with swap.maintenance(superuser, "restore") as connection:
        swap.swap(connection, LIVE, no_boundary)
        server.execute(f"CREATE DATABASE {swap.staging_name(LIVE)} TEMPLATE template0")
        server.execute("CREATE TABLE word AS SELECT 'newest' AS word", swap.staging_name(LIVE))
        swap.swap(connection, LIVE, no_boundary)

    assert server.execute("TABLE word", LIVE) == [("newest",)]
    assert server.execute("TABLE word", swap.previous_name(LIVE)) == [("new",)]
    names = server.execute(f"SELECT count(*) FROM pg_database WHERE datname ~ '^{LIVE}'")
    assert names == [(2,)]


def test_a_second_restore_is_refused(superuser: Endpoint) -> None:
    with (
        swap.maintenance(superuser, "restore"),
        pytest.raises(RefusedError, match=rf"slipway restore, pid {os.getpid()} on "),
        swap.maintenance(superuser, "restore"),
    ):
        pass


def test_what_was_swapped_goes_back_and_forth(server: Server, superuser: Endpoint) -> None:
    with swap.maintenance(superuser, "undo") as connection:
        swap.swap(connection, LIVE, no_boundary)
        swap.exchange(connection, LIVE, no_boundary)
        assert server.execute("TABLE word", LIVE) == [("old",)]
        assert server.execute("TABLE word", swap.previous_name(LIVE)) == [("new",)]
        swap.exchange(connection, LIVE, no_boundary)

    assert server.execute("TABLE word", LIVE) == [("new",)]
    assert swap.discarded_name(LIVE) not in str(server.execute("SELECT datname FROM pg_database"))


def test_the_lock_of_a_killed_command_is_taken_over(superuser: Endpoint) -> None:
    # As if this process had been killed: its first session goes on for a moment.
    with (
        swap.maintenance(superuser, "restore"),
        swap.maintenance(superuser, "recovery", instead_of=os.getpid()) as connection,
    ):
        assert swap.oid(connection, LIVE) is not None


def test_a_name_that_leaves_no_room_is_refused(superuser: Endpoint) -> None:
    long = Endpoint(**{**vars(superuser), "database": "d" * 49})

    with (
        pytest.raises(RefusedError, match="longer than 48 bytes"),
        swap.maintenance(long, "restore"),
    ):
        pass
