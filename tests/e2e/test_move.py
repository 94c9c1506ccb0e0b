"""Two real databases move from an old install into the stack, by the commands a user types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.checkout import Checkout
from tests.fixtures.servers import CHINOOK_ROWS, TICK_CHUNKS, TICK_ROWS, Server


@pytest.fixture
def chinook_archive(stack: Checkout) -> str:
    return export(stack, "chinook_serial")


@pytest.fixture
def tick_archive(stack: Checkout) -> str:
    return export(stack, "ticks")


def export(stack: Checkout, database: str) -> str:
    """Export a database of the old install and return the archive's name."""
    stack.set(SOURCE_DB_NAME=database)
    before = set(stack.archives)
    stack.expect("export-local")
    (made,) = set(stack.archives) - before
    return made


def test_chinook_arrives_with_every_row(
    fresh_stack: Checkout, source: Server, chinook_archive: str
) -> None:
    output = fresh_stack.expect("restore", chinook_archive, "--to", "local", "--yes")

    assert "verified: 11 tables, 15,607 rows" in output
    for table, rows in CHINOOK_ROWS.items():
        (expected,) = source.execute(f"SELECT count(*) FROM {table}", "chinook_serial")
        assert fresh_stack.sql(f"SELECT count(*) FROM {table}") == str(expected[0]) == str(rows)


def test_what_arrived_belongs_to_the_owner_and_serves_the_application(
    fresh_stack: Checkout, chinook_archive: str
) -> None:
    fresh_stack.expect("restore", chinook_archive, "--to", "local", "--yes")

    owners = fresh_stack.sql(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    )
    assert owners == "trading_owner"
    assert fresh_stack.sql("SELECT count(*) FROM artist", role="trading_app") == "275"
    fresh_stack.sql("INSERT INTO genre (name) VALUES ('Sea shanty')", role="trading_app")
    assert fresh_stack.sql("SELECT max(genre_id) FROM genre", role="trading_app") == "26"
    refused = fresh_stack.compose(
        "exec", "-T", "db", "psql", "-XU", "trading_app", "trading", "-c", "DROP TABLE genre"
    )
    assert "must be owner" in refused.stderr


def test_two_million_ticks_arrive_as_a_hypertable_of_sixty_chunks(
    fresh_stack: Checkout, source: Server, tick_archive: str
) -> None:
    output = fresh_stack.expect("restore", tick_archive, "--to", "local", "--yes")

    assert f"{TICK_ROWS:,}" in output
    digest = "SELECT count(*), sum(hash_record_extended(q, 0)::numeric) FROM quote q"
    ((rows, expected),) = source.execute(digest, "ticks")
    assert rows == TICK_ROWS
    assert fresh_stack.sql(digest) == f"{rows}|{expected}"
    chunks = "SELECT num_chunks FROM timescaledb_information.hypertables"
    assert fresh_stack.sql(chunks) == str(TICK_CHUNKS)
    # A chunk comes into being for a new day, made by the application's role.
    fresh_stack.sql(
        "INSERT INTO quote VALUES ('2030-01-01', 'EURUSD', 1, 1, 0)", role="trading_app"
    )
    assert fresh_stack.sql(chunks) == str(TICK_CHUNKS + 1)
    assert fresh_stack.sql("SHOW timescaledb.restoring") == "off"


def test_the_replaced_database_is_kept(fresh_stack: Checkout, chinook_archive: str) -> None:
    fresh_stack.sql("CREATE TABLE mine AS SELECT 1 AS one", role="trading_owner")

    fresh_stack.expect("restore", chinook_archive, "--to", "local", "--yes")

    assert fresh_stack.sql("SELECT one FROM mine", database="trading__previous") == "1"
    left = "SELECT datname FROM pg_database WHERE datname ~ '__(staging|discarded)'"
    assert fresh_stack.sql(left) == ""
    assert fresh_stack.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^slipway'") == ""


def test_alembic_touches_nothing_in_a_database_it_does_not_know(
    fresh_stack: Checkout, chinook_archive: str
) -> None:
    fresh_stack.expect("restore", chinook_archive, "--to", "local", "--yes")
    relations = "SELECT count(*) FROM pg_class"
    before = fresh_stack.sql(relations)

    for command in ("migrate", "up"):
        done = fresh_stack.invoke(command)
        assert done.returncode == 9
        assert 'database "trading" holds 11 tables that alembic does not know' in done.stderr
        assert "invoke stamp" in done.stderr
    stamped = fresh_stack.invoke("stamp")

    assert stamped.returncode == 9
    assert "artist" in stamped.stderr
    assert fresh_stack.sql(relations) == before
    assert "not known to alembic" in fresh_stack.expect("status")


@pytest.mark.parametrize("database", ["chinook_serial", "ticks"])
def test_the_commands_in_the_manifest_restore_the_archive_by_hand(
    fresh_stack: Checkout, source: Server, database: str
) -> None:
    name = export(fresh_stack, database)
    manifest = fresh_stack.folder / "data" / "archives" / name / "manifest.json"
    commands = json.loads(manifest.read_text(encoding="utf-8"))["commands"]["restore"]
    script = "set -e\n" + "\n".join(commands)
    fresh_stack.sql("DROP DATABASE IF EXISTS restored", database="postgres")

    done = fresh_stack.compose(
        "run", "--rm", "-T", "--workdir", f"/archives/{name}", "tools", "sh", "-c", script
    )

    assert done.returncode == 0, done.stderr
    table = "track" if database == "chinook_serial" else "quote"
    digest = f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t"
    ((rows, expected),) = source.execute(digest, database)
    assert fresh_stack.sql(digest, database="restored") == f"{rows}|{expected}"
    fresh_stack.sql("DROP DATABASE restored WITH (FORCE)", database="postgres")


def test_archives_lists_what_was_made(stack: Checkout, chinook_archive: str) -> None:
    listed = json.loads(stack.expect("archives", "--json"))

    (found,) = [entry for entry in listed if entry.get("name") == chinook_archive]
    assert found["rows"] == 15_607
    assert found["tables"] == 11
    assert chinook_archive in stack.expect("archives").replace("\n", "")


def test_an_archive_is_for_its_owner_only(stack: Checkout, chinook_archive: str) -> None:
    folder = stack.folder / "data" / "archives" / chinook_archive

    assert folder.stat().st_mode & 0o077 == 0
    assert Path(folder / "manifest.json").is_file()
    assert stack.env_file.stat().st_mode & 0o777 == 0o600
