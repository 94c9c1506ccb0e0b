"""Which failures of a connection another try may cure, asked of a real server."""

from __future__ import annotations

import pytest

from backend.config import Endpoint, Secret
from infra.errors import SourceError, SourceLostError
from infra.postgres.connection import Connection, connect
from tests.fixtures.servers import Server

LOCKED = "pg_catalog.pg_foreign_server"
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ; "
FAILURES = {
    "a snapshot that is gone": (f"{READ}SET TRANSACTION SNAPSHOT '00000003-00000002-1'", True),
    "a lock that is not to be had": (
        "SET lock_timeout = 50; LOCK TABLE pg_catalog.pg_foreign_server",
        True,
    ),
    "a session that was ended": ("SELECT pg_catalog.pg_terminate_backend(pg_backend_pid())", True),
    "a table that is not there": ("SELECT FROM pg_catalog.missing", False),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_another_try_is_worth_it_where_server_snapshot_or_lock_are_gone(
    server: Server, failure: str
) -> None:
    statement, lost = FAILURES[failure]
    endpoint = Endpoint(
        "source",
        "admin",
        "127.0.0.1",
        server.port,
        "postgres",
        "postgres",
        Secret(server.password),
    )
    with server.connect("postgres") as other:
        other.execute(f"BEGIN; LOCK TABLE {LOCKED}".encode())

        with pytest.raises(SourceError) as caught, connect(endpoint, "source") as connection:
            execute(connection, statement)

    assert (type(caught.value) is SourceLostError) == lost


def execute(connection: Connection, statement: str) -> None:
    connection.set_autocommit(True)
    connection.execute(statement.encode())
