"""Whatever two values of a type can differ in changes the digest of a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from backend.config import Endpoint, Secret
from infra.postgres import digest
from infra.postgres.connection import Connection, connect
from infra.postgres.digest import Column
from tests.fixtures.servers import Server

# Values of one type that must all hash differently; PostgreSQL's own hashes take some for equal.
DIFFERENT = {
    "bool": ["true", "false"],
    "int2": ["0", "1", "-1", "-32768"],
    "int4": ["0", "1", "-1", "65536"],
    "int8": ["0", "1", "-1", "4294967297", "-4294967297", "9223372036854775807"],
    "float4": ["0", "-0.0", "1", "NaN", "Infinity", "-Infinity", "1e-45"],
    "float8": ["0", "-0.0", "0.42857142857142855", "0.4285714285714286", "NaN", "Infinity"],
    "numeric": ["1.5", "-1.5", "1.50", "0", "0.0", "NaN", "1e40", "1e-40"],
    "text": ["", "a", "A", "a ", "é"],
    "varchar": ["", "a", "a "],
    "timestamptz": [
        "2026-01-01 12:00:00Z", "2026-01-01 10:48:25.032705Z", "2026-01-01 12:00:00.000001Z",
        "infinity", "-infinity", "294276-01-01Z", "294276-01-01 00:00:00.000001Z",
    ],
    "timestamp": ["2026-01-01 12:00:00", "2026-01-01 10:48:25.032705", "infinity", "-infinity"],
    "date": ["2026-01-01", "2026-01-02", "infinity", "-infinity", "5874897-01-01", "4713-01-01 BC"],
    "time": ["00:00", "24:00", "12:00:00.000001", "12:00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"],
    "interval": ["1 day", "24 hours", "-1 day"],
    "jsonb": ['{"a": 1}', '{"a": 1.0}', "null"],
    "bytea": ["", "\\x00", "\\x0000"],
    "_int4": ["{}", "{1}", "{NULL}", "[0:0]={1}"],
    "bpchar": ["a", "b"],
}  # fmt: skip


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    endpoint = Endpoint(
        "local", "admin", "127.0.0.1", server.port, "postgres", "postgres", Secret(server.password)
    )
    with connect(endpoint, "target") as opened:
        digest.pin(opened)
        yield opened


def digest_of(connection: Connection, kind: str, *values: str | None) -> tuple[int, str]:
    type_ = sql.SQL("pg_catalog.{}").format(sql.Identifier(kind))
    rows = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}::{} AS v").format(sql.Literal(value), type_) for value in values
    )
    relation = sql.SQL("({}) AS given").format(rows)
    column = Column("v", kind, kind, not_null=False)
    row = connection.execute(digest.query([relation], [column], recode=False)).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


@pytest.mark.parametrize("kind", DIFFERENT)
def test_no_two_values_share_a_digest(connection: Connection, kind: str) -> None:
    digests = [digest_of(connection, kind, value) for value in [*DIFFERENT[kind], None]]

    assert len(set(digests)) == len(digests)


def test_the_order_of_rows_does_not_matter_and_their_number_does(connection: Connection) -> None:
    one = digest_of(connection, "text", "a", "b", "b")

    assert one == digest_of(connection, "text", "b", "a", "b")
    assert one != digest_of(connection, "text", "a", "a", "b")
    assert one != digest_of(connection, "text", "a", "b")
