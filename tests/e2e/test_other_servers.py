"""Other servers than the stack's own: an older major version, and one without TimescaleDB."""

from __future__ import annotations

import pytest

from infra.engine import images as built
from tests.e2e.test_bad_input import complaint
from tests.e2e.test_move import export
from tests.fixtures.checkout import Checkout
from tests.fixtures.servers import Server


def test_without_timescaledb_the_ticks_lie_in_native_partitions(plain: Checkout) -> None:
    plain.expect("schema-check")

    partitions = plain.sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ticks'::regclass")
    assert int(partitions) > 1
    default = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'ticks_default'"
    assert plain.sql(default) == "DEFAULT"


def test_a_hypertable_is_refused_where_there_is_no_timescaledb(plain: Checkout) -> None:
    name = export(plain, "ticks")
    databases = "SELECT string_agg(datname || oid, ',' ORDER BY oid) FROM pg_database"
    before = plain.sql(databases)

    line = complaint(plain.invoke("restore", name, "--to", "local", "--yes"), 3)

    assert "extension timescaledb 2.19.3 is not in the target's image" in line
    assert plain.sql(databases) == before


def test_a_newer_server_moves_into_an_older_one_and_back(
    plain: Checkout, fresh_stack: Checkout, source: Server
) -> None:
    # `transaction_timeout`, which pg_restore 17 sets, is unknown to the older server.
    plain.expect("restore", export(plain, "little"), "--to", "local", "--yes")
    digest = "SELECT count(*), sum(hashtextextended(c::text, 0)::numeric) FROM child c"
    ((rows, expected),) = source.execute(digest, "little")
    assert plain.sql(digest) == f"{rows}|{expected}"

    before = {name: value for name, value in fresh_stack.values.items() if name[:7] == "SOURCE_"}
    fresh_stack.set(
        SOURCE_DB_PORT=plain.values["DB_PORT"],
        SOURCE_DB_PASSWORD=plain.values["POSTGRES_PASSWORD"],
    )
    try:
        name = export(fresh_stack, plain.values["DB_NAME"])
    finally:
        fresh_stack.set(**before)
    fresh_stack.expect("restore", name, "--to", "local", "--yes")

    assert fresh_stack.sql(digest) == f"{rows}|{expected}"


def test_a_client_older_than_the_source_is_refused(plain: Checkout) -> None:
    archives = plain.archives
    tools = plain.values["TOOLS_IMAGE"]
    plain.set(TOOLS_IMAGE=built.POSTGRES_15, SOURCE_DB_NAME="chinook_serial")
    try:
        done = plain.invoke("export-local")
    finally:
        plain.set(TOOLS_IMAGE=tools)

    assert "cannot dump a server of version 17" in complaint(done, 3)
    assert "TOOLS_IMAGE" in done.stderr
    assert plain.archives == archives


def test_a_source_role_that_may_not_read_a_table_makes_no_archive(
    plain: Checkout, source: Server
) -> None:
    source.execute("CREATE ROLE reader LOGIN PASSWORD 'reads little'")
    source.execute("GRANT SELECT ON artist TO reader", "chinook_serial")
    archives = plain.archives
    before = {name: value for name, value in plain.values.items() if name.startswith("SOURCE_")}
    plain.set(
        SOURCE_DB_USER="reader",
        SOURCE_DB_PASSWORD="reads little",
        SOURCE_DB_NAME="chinook_serial",
    )
    try:
        line = complaint(plain.invoke("export-local"), 3)
    finally:
        plain.set(**before)
        source.execute("DROP OWNED BY reader", "chinook_serial")
        source.execute("DROP ROLE reader")

    assert "public.album" in line
    assert plain.archives == archives


@pytest.mark.parametrize("target", ["supabase", "neon", "source"])
def test_targets_that_take_no_archive_are_refused(fresh_stack: Checkout, target: str) -> None:
    name = export(fresh_stack, "chinook_serial")

    line = complaint(fresh_stack.invoke("restore", name, "--to", target, "--yes"), 3)

    assert f"target {target!r} takes no archive" in line


def test_the_overlay_without_a_hosted_database_says_so(fresh_stack: Checkout) -> None:
    overlay = ("-f", "docker-compose.yml", "-f", "docker-compose.cloud.yml")

    local = fresh_stack.compose(*overlay, "run", "--rm", "--no-deps", "-T", "migrator")
    fresh_stack.set(DB_TARGET="neon")
    try:
        neon = fresh_stack.compose(*overlay, "run", "--rm", "--no-deps", "-T", "migrator")
    finally:
        fresh_stack.set(DB_TARGET="local")

    assert local.returncode == neon.returncode == 2
    assert "error: settings cannot be used" in neon.stderr
    assert "NEON_DB_HOST is still the placeholder" in neon.stderr
