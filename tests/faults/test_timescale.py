"""TimescaleDB's own traps: parallel restores, the restoring mode, sleeping schedulers, jobs."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Shipment, export
from tests.faults.sources import CHUNKS
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import ask, killed, leftovers, live_digest, wait_until
from tests.fixtures.servers import Server

RESTORING = """
SELECT datname FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
WHERE 'timescaledb.restoring=on' = ANY (setconfig)
"""
SCHEDULER = """
SELECT 1 FROM pg_stat_activity WHERE datname = 'trading'
AND backend_type LIKE 'TimescaleDB Background Worker Scheduler%'
"""
JOBS = "SELECT j::text FROM _timescaledb_config.bgw_job j ORDER BY id"
UNTOUCHED = (
    JOBS,
    "SELECT rolname FROM pg_roles ORDER BY 1",
    "SELECT slot_name FROM pg_replication_slots",
    "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting",
    "SELECT oid, relfilenode FROM pg_class WHERE relkind IN ('r', 'i') ORDER BY oid",
)


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_a_parallel_restore_brings_every_row_and_chunk(
    stack: Checkout, other: Shipment, jobs: str
) -> None:
    stack.expect("restore", other.name, "--to", "local", "--yes", "--jobs", jobs)

    assert live_digest(stack) == other.digest
    chunks = "SELECT num_chunks FROM timescaledb_information.hypertables"
    assert stack.sql(chunks) == str(CHUNKS)


@pytest.mark.parametrize("point", ["after-schema", "after-rows"])
def test_the_restoring_mode_of_a_killed_restore_ends_with_the_next_command(
    stack: Checkout, other: Shipment, point: str
) -> None:
    killed(stack, point, "restore", other.name, "--to", "local", "--yes")
    assert ask(stack, RESTORING) == [("trading__staging",)]

    stack.expect("status")

    assert ask(stack, RESTORING) == []
    assert leftovers(stack) == []
    # Writes are taken again, and go into a chunk.
    stack.sql("BEGIN; INSERT INTO quote VALUES ('2024-01-01', 'X', 1, 1); ROLLBACK")


def test_the_scheduler_is_alive_after_a_swap_and_after_an_undo(
    stack: Checkout, other: Shipment
) -> None:
    stack.expect("restore", other.name, "--to", "local", "--yes")
    wait_until(lambda: ask(stack, SCHEDULER) != [], seconds=5)

    stack.expect("undo", "--yes")
    wait_until(lambda: ask(stack, SCHEDULER) != [], seconds=5)


def test_an_export_changes_nothing_at_the_source(
    stack: Checkout, source: Server, shipments: tuple[Shipment, Shipment]
) -> None:
    del shipments  # They are exported before.
    before = [source.execute(query, "harbour") for query in UNTOUCHED]

    export(stack, "harbour")

    assert [source.execute(query, "harbour") for query in UNTOUCHED] == before
    assert source.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'slipway'") == []
