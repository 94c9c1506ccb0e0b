"""Difficult sources: what is awkward arrives equal, what cannot be carried is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import Shipment, export
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import (
    ask,
    blocked,
    complaint,
    databases,
    ended,
    started,
)
from tests.fixtures.servers import LITTLE, Server, put_file

WHARF = 'Zoë\'s "old" wharf'

# Independent of the receipt's own digests: each row as text, whatever its types.
TABLES = """
SELECT c.relname, x.content FROM pg_class c,
  LATERAL (SELECT query_to_xml(format(
    'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) AS sum FROM ONLY %s t',
    c.oid::regclass), true, false, '')::text AS content) x
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname LIKE 'Zoë%wharf')
  AND c.relkind IN ('r', 'm') ORDER BY 1
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, contype::text, convalidated, condeferrable, condeferred,
       pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace NOT IN ('pg_catalog'::regnamespace,
  'information_schema'::regnamespace) ORDER BY 1, 2
"""
COLUMNS = """
SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
       attidentity::text, attgenerated::text, pg_get_expr(adbin, adrelid)
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')
  AND relnamespace > 16383) ORDER BY attrelid::regclass::text, attnum
"""
SEQUENCES = """
SELECT schemaname, sequencename, start_value, min_value, max_value, increment_by, cycle, last_value
FROM pg_sequences ORDER BY 1, 2
"""
LARGE_OBJECTS = "SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid"


@pytest.fixture
def reader(stack: Checkout, source: Server) -> Iterator[Server]:
    """Let the stack read its source as a role that may log in and nothing else."""
    source.execute("CREATE ROLE reader LOGIN PASSWORD 'reads little'")
    before = {name: value for name, value in stack.values.items() if name.startswith("SOURCE_")}
    stack.set(SOURCE_DB_USER="reader", SOURCE_DB_PASSWORD="reads little", SOURCE_DB_NAME="private")
    source.load(LITTLE.replace("little", "private"))
    source.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "private")
    source.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader", "private")
    yield source
    stack.set(**before)
    source.execute("DROP DATABASE private WITH (FORCE)")
    source.execute("DROP ROLE reader")


@pytest.fixture
def moving(stack: Checkout, source: Server) -> Iterator[Server]:
    """Make the stack's source a copy of `little` whose tables a test may change."""
    source.load(LITTLE.replace("little", "moving"))
    stack.set(SOURCE_DB_NAME="moving")
    yield source
    source.execute("DROP DATABASE moving WITH (FORCE)")


def test_an_awkward_database_arrives_equal(stack: Checkout, source: Server) -> None:
    name = export(stack, "awkward")

    stack.expect("restore", name, "--to", "local", "--yes")

    for query in (TABLES, CONSTRAINTS, COLUMNS, SEQUENCES, LARGE_OBJECTS):
        expected = source.execute(query, "awkward")
        assert expected
        assert ask(stack, query, "trading") == expected
    stack.expect("verify", name, "local")
    stack.expect("verify", "source", "local")


def test_a_source_without_tables_is_refused(stack: Checkout, source: Server) -> None:
    source.execute("CREATE DATABASE hollow TEMPLATE template0")
    stack.set(SOURCE_DB_NAME="hollow")
    before = stack.archives
    try:
        line = complaint(stack.invoke("export-local"), 3)
    finally:
        source.execute("DROP DATABASE hollow")

    assert "'hollow' holds no tables" in line
    assert stack.archives == before


def test_a_restore_never_merges_with_what_the_target_holds(stack: Checkout, live: Shipment) -> None:
    stack.sql("CREATE TABLE ours (i int)")
    stack.sql("DELETE FROM ledger WHERE id > 100")

    stack.expect("restore", live.name, "--to", "local", "--yes")

    assert stack.sql("SELECT to_regclass('ours') IS NULL, count(*) FROM ledger") == "t|2000"
    assert stack.sql("SELECT count(*) FROM ledger", database="trading__previous") == "100"


def test_a_target_whose_database_is_gone_gets_it_back(stack: Checkout, live: Shipment) -> None:
    stack.sql("DROP DATABASE trading WITH (FORCE)", database="postgres")

    stack.expect("restore", live.name, "--to", "local", "--yes")

    assert stack.sql("SELECT count(*) FROM ledger") == "2000"


def test_a_role_that_row_level_security_holds_back_makes_no_archive(
    stack: Checkout, reader: Server
) -> None:
    reader.execute("ALTER TABLE child ENABLE ROW LEVEL SECURITY", "private")
    before = stack.archives

    line = complaint(stack.invoke("export-local"), 3)

    assert "child" in line
    assert stack.archives == before


@pytest.mark.parametrize(("kind", "name"), [("TABLE", "child"), ("SEQUENCE", "child_id_seq")])
def test_what_the_role_may_not_read_is_refused_by_name(
    stack: Checkout, reader: Server, kind: str, name: str
) -> None:
    reader.execute(f"REVOKE ALL ON {kind} {name} FROM reader", "private")
    before = stack.archives

    line = complaint(stack.invoke("export-local"), 3)

    assert name in line
    assert stack.archives == before


def test_an_extension_that_the_target_lacks_is_refused(stack: Checkout, moving: Server) -> None:
    ((folder,),) = moving.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")
    put_file(
        moving.container,
        f"{folder}/extension/seaworthy.control",
        b"default_version = '1.0'\nrelocatable = true\n",
    )
    put_file(moving.container, f"{folder}/extension/seaworthy--1.0.sql", b"SELECT 1;\n")
    moving.execute("CREATE EXTENSION seaworthy", "moving")
    name = export(stack, "moving")
    before = databases(stack)

    line = complaint(stack.invoke("restore", name, "--to", "local", "--yes"), 3)

    assert "seaworthy" in line
    assert databases(stack) == before


@pytest.mark.parametrize(
    ("change", "totals"),
    [
        ("TRUNCATE child", {2000, 1000}),
        ("TRUNCATE child; INSERT INTO child (price) SELECT generate_series(1, 500)", {2000, 1500}),
        ("DROP TABLE child", {2000, 1000}),
        ("ALTER TABLE child DROP COLUMN price", {2000}),
    ],
)
def test_a_table_that_changes_under_a_beginning_dump_is_whole_or_a_failure(
    stack: Checkout, moving: Server, change: str, totals: set[int]
) -> None:
    before = stack.archives
    with started(stack, "export-local") as process:
        # Begun before the dump's snapshot, finished after it: the snapshot sees neither side.
        with blocked(moving, "moving", change):
            pass
        done = ended(process)

    made = set(stack.archives) - set(before)
    if done.returncode == 0:
        (name,) = made
        rows = {total for total in totals if f" {total:,} rows" in done.stdout}
        assert rows, done.stdout
        stack.expect("verify", name, "source")
    else:
        assert "child" in complaint(done, 3, 5, 7)
        assert not made


def test_a_hostile_source_runs_nothing_on_the_target(stack: Checkout, source: Server) -> None:
    before = source.execute("SELECT rolname, rolsuper FROM pg_roles ORDER BY 1")
    name = export(stack, "hostile")
    try:
        done = stack.invoke("restore", name, "--to", "local", "--yes")
        superusers = ask(stack, "SELECT rolname FROM pg_roles WHERE rolsuper")
        boarded = stack.compose("exec", "-T", "db", "test", "-e", "/tmp/boarded").returncode == 0
    finally:
        stack.sql("ALTER ROLE trading_app NOSUPERUSER", database="postgres")
        stack.compose("exec", "-T", "db", "rm", "-f", "/tmp/boarded")

    assert superusers == [("postgres",)]
    assert not boarded
    assert source.execute("SELECT rolname, rolsuper FROM pg_roles ORDER BY 1") == before
    assert done.returncode == 0, done.stderr
    assert ask(stack, "SELECT pg_catalog.count(*) FROM public.cargo", "trading") == [(100,)]
