"""Everything that a database holds besides rows is read, and each single change is told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.config import Endpoint, Secret
from infra.postgres import objects
from infra.postgres.connection import Connection, connect
from infra.postgres.digest import pin
from tests.fixtures.servers import Server

EXAMPLE = "objects_example"
ROLES = ("objects_reader", "objects_owner")
HERE = Path(__file__).parent
SCRIPT = (HERE / "objects.sql").read_text(encoding="utf-8")

Identity = tuple[str, str]

# Paragraphs of comment lines, which say what must be told, and of a statement.
CHANGES = (HERE / "object_changes.sql").read_text(encoding="utf-8").strip().split("\n\n")[1:]


@contextmanager
def made(server: Server, database: str) -> Iterator[Connection]:
    """Make a database from the script and connect to it as a receipt does."""
    server.execute(f"CREATE DATABASE {database} TEMPLATE template0")
    try:
        server.execute(SCRIPT.replace(EXAMPLE, database), database)
        endpoint = Endpoint(
            "local",
            "admin",
            "127.0.0.1",
            server.port,
            database,
            "postgres",
            Secret(server.password),
        )
        with connect(endpoint, "source") as connection:
            pin(connection)
            connection.commit()
            yield connection
    finally:
        server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def example(server: Server) -> Iterator[Connection]:
    for role in ROLES:
        server.execute(f"CREATE ROLE {role}")
    with made(server, EXAMPLE) as connection:
        yield connection
    for role in ROLES:
        server.execute(f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def before(example: Connection) -> dict[Identity, str]:
    return read(example)


@pytest.fixture
def connection(example: Connection) -> Iterator[Connection]:
    """Hand out the connection in a transaction that is rolled back."""
    yield example
    example.rollback()


def read(connection: Connection) -> dict[Identity, str]:
    found = objects.read(connection)
    result = {(each.kind, each.name): json.dumps(each.properties) for each in found}
    assert len(result) == len(found), "two objects go by one name"
    return result


def differing(one: dict[Identity, str], other: dict[Identity, str]) -> set[Identity]:
    return {identity for identity, _ in one.items() ^ other.items()}


def expected(change: str) -> set[Identity]:
    lines = [line[3:] for line in change.splitlines() if line.startswith("-- ")]
    named = [line.partition(": ") for line in lines if line != "nothing"]
    return {(kind.rstrip(":"), name) for kind, _, name in named}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.partition("\n")[0])
def test_a_change_is_told_and_nothing_else(
    connection: Connection, before: dict[Identity, str], change: str
) -> None:
    connection.execute(change.encode())

    assert differing(before, read(connection)) == expected(change)


@pytest.mark.parametrize(
    "statement",
    ["SELECT nextval('trading.ticket')", "SELECT setval('trading.ticket', 3)"],
)
def test_where_a_sequence_stands_is_told(
    connection: Connection, before: dict[Identity, str], statement: str
) -> None:
    connection.execute(statement.encode())
    after = read(connection)
    # No rollback takes this back.
    connection.execute("SELECT pg_catalog.setval('trading.ticket', 3, false)")

    assert differing(before, after) == {("sequence", "trading.ticket")}
    assert differing(before, read(connection)) == set()


def test_two_databases_of_the_same_making_are_equal(
    server: Server, before: dict[Identity, str]
) -> None:
    with made(server, "objects_twin") as twin:
        # Numbers of objects and positions in the log are others there.
        assert differing(before, read(twin)) == set()


def test_every_kind_has_an_example(before: dict[Identity, str]) -> None:
    queries = Path(objects.__file__).parent / "sql" / "objects"
    kinds = {path.stem.replace("_", " ") for path in queries.rglob("*.sql")}

    # A subscription would keep its database from being dropped; it is made in one of the changes.
    assert kinds - {kind for kind, _ in before} == {"subscription"}
    changed = {kind for change in CHANGES for kind, _ in expected(change)}
    assert kinds - changed == set()


def test_extensions_chunks_and_secrets_are_left_out(before: dict[Identity, str]) -> None:
    names = {name for _, name in before}

    assert [name for name in names if "_hyper_" in name or "timescaledb_internal" in name] == []
    assert [name for name in names if "time_bucket" in name] == []
    assert "ts_insert_blocker on trading.tick" not in names
    assert "canary" not in "".join(before.values())


def test_a_role_that_may_not_read_everything_is_told_so(
    connection: Connection, before: dict[Identity, str]
) -> None:
    connection.execute("SET LOCAL ROLE objects_reader")
    after = read(connection)

    sequence = json.loads(after["sequence", "trading.orders_id_seq"])
    assert (sequence["last_value"], sequence["unreadable"]) == (None, True)
    assert after["sequence", "trading.ticket"] == before["sequence", "trading.ticket"]
    assert json.loads(after["large objects", ""])["unreadable"] == 1
    assert json.loads(after["continuous aggregate", "trading.daily"])["watermark"] is None
    assert differing(before, after) == {
        ("sequence", '"Odd Schema"."Odd Sequence"'),
        ("sequence", "trading.instrument_id_seq"),
        ("sequence", "trading.orders_id_seq"),
        ("large objects", ""),
        ("continuous aggregate", "trading.daily"),
    }


def test_a_database_without_timescaledb_is_read(server: Server) -> None:
    server.execute("CREATE DATABASE objects_plain TEMPLATE template0")
    server.execute(
        # Nobody is fooled by names alone: this one would stop the reader.
        "CREATE SCHEMA timescaledb_information; "
        "CREATE VIEW timescaledb_information.jobs AS SELECT 1/0 AS job_id; "
        "CREATE TABLE only_one (id int)",
        "objects_plain",
    )
    with server.connect("objects_plain") as connection:
        names = [(found.kind, found.name) for found in objects.read(connection)]
    server.execute("DROP DATABASE objects_plain")

    assert names == [
        ("column", "public.only_one.id"),
        ("database", ""),
        ("extension", "plpgsql"),
        ("grant", "CONNECT on database to PUBLIC"),
        ("grant", "TEMPORARY on database to PUBLIC"),
        ("grant", "USAGE on language plpgsql to PUBLIC"),
        ("grant", "USAGE on language sql to PUBLIC"),
        ("grant", "USAGE on schema public to PUBLIC"),
        ("schema", "public"),
        ("table", "public.only_one"),
    ]
