"""What was written to a database is counted over tables and chunks, not over bookkeeping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from backend.config import Endpoint, Secret
from infra.postgres.changes import written
from infra.postgres.connection import Connection, connect
from tests.fixtures.faults import wait_until
from tests.fixtures.servers import Server

NAME = "ledger"


@pytest.fixture
def endpoint(server: Server) -> Iterator[Endpoint]:
    """Point at a database with a table and a hypertable."""
    server.execute(f"CREATE DATABASE {NAME} TEMPLATE template0")
    server.execute("CREATE EXTENSION timescaledb", NAME)
    server.execute("CREATE TABLE fee (id int PRIMARY KEY, amount numeric)", NAME)
    server.execute("CREATE TABLE alembic_version (version_num text)", NAME)
    server.execute("CREATE TABLE tick (at timestamptz NOT NULL, price float8)", NAME)
    server.execute("SELECT create_hypertable('tick', 'at')", NAME)
    yield Endpoint(
        "local", "admin", "127.0.0.1", server.port, NAME, "postgres", Secret(server.password)
    )
    server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@contextmanager
def opened(endpoint: Endpoint) -> Iterator[Connection]:
    with connect(endpoint, "target", autocommit=True) as connection:
        yield connection


def test_inserts_updates_and_deletes_are_counted_over_chunks_too(
    server: Server, endpoint: Endpoint
) -> None:
    with opened(endpoint) as connection:
        assert written(connection) == 0
        server.execute("INSERT INTO fee SELECT i, i FROM generate_series(1, 7) i", NAME)
        server.execute("UPDATE fee SET amount = 0 WHERE id < 4", NAME)
        server.execute("DELETE FROM fee WHERE id = 7", NAME)
        # Three chunks of a week each.
        server.execute(
            "INSERT INTO tick SELECT '2024-01-01Z'::timestamptz + i * interval '1 day', i "
            "FROM generate_series(0, 20) i",
            NAME,
        )
        server.execute("INSERT INTO alembic_version VALUES ('0001')", NAME)

        wait_until(lambda: written(connection) == 7 + 3 + 1 + 21)


def test_what_was_rolled_back_counts_and_what_was_read_does_not(
    server: Server, endpoint: Endpoint
) -> None:
    with opened(endpoint) as connection:
        with server.connect(NAME) as other, pytest.raises(psycopg.errors.DivisionByZero):
            other.execute("INSERT INTO fee SELECT i, 1 / (3 - i) FROM generate_series(1, 3) i")
        server.execute("SELECT * FROM tick", NAME)
        server.execute("ANALYZE", NAME)

        wait_until(lambda: written(connection) == 2)
