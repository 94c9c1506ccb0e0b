"""Verification names what differs, however small, and raises no false alarm under writes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.faults import sources
from tests.faults.conftest import Shipment, export
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import Writer, complaint, live_digest
from tests.fixtures.servers import Server

EXPORTS_UNDER_LOAD = 2

# Restores to the Apache edition carry no job, so both sides get theirs by hand.
JOB = """
INSERT INTO _timescaledb_config.bgw_job
  (id, application_name, schedule_interval, max_runtime, max_retries, retry_period, proc_schema,
   proc_name, owner, scheduled, fixed_schedule)
VALUES (1000, 'User-Defined Action [1000]', '{} day', '0', -1, '5 min', 'public', 'nightly',
        '{}', false, false)
"""
INDEX = "DROP INDEX ledger_note; CREATE INDEX ledger_note ON ledger (note) WHERE fee > {}"
# 3 / 7 as a float has the first text; the second is the next float above it.
FLOATS = ("0.42857142857142855", "0.4285714285714286")


@dataclass(frozen=True)
class Change:
    """A change of the live database, how to take it back, and what `verify` must name."""

    there: str
    back: str
    named: str


CHANGES = {
    "one byte": Change(
        "UPDATE ledger SET note = 'Entry 1' WHERE id = 1",
        "UPDATE ledger SET note = 'entry 1' WHERE id = 1",
        "ledger",
    ),
    "one null": Change(
        "UPDATE ledger SET note = '' WHERE id = 10",
        "UPDATE ledger SET note = NULL WHERE id = 10",
        "ledger",
    ),
    "the last bit of one float": Change(
        f"UPDATE ledger SET fee = '{FLOATS[1]}' WHERE id = 3 AND fee = '{FLOATS[0]}'",
        f"UPDATE ledger SET fee = '{FLOATS[0]}' WHERE id = 3",
        "ledger",
    ),
    "two values that change places": Change(
        "UPDATE ledger SET note = 'entry ' || 13 - id WHERE id IN (6, 7)",
        "UPDATE ledger SET note = 'entry ' || id WHERE id IN (6, 7)",
        "ledger",
    ),
    "one row less": Change(
        "DELETE FROM ledger WHERE id = 4",
        "INSERT INTO ledger (id, note, fee, balance) VALUES (4, 'entry 4', 4 / 7.0, 4 / 3.0)",
        "ledger",
    ),
    "one row twice": Change(
        "INSERT INTO ledger SELECT * FROM ledger WHERE id = 5",
        "DELETE FROM ledger WHERE ctid = (SELECT max(ctid) FROM ledger WHERE id = 5)",
        "ledger",
    ),
    "one row of a chunk": Change(
        "DELETE FROM quote WHERE ts = '2024-01-05 00:00Z'",
        "INSERT INTO quote "
        "VALUES ('2024-01-05 00:00Z', 'EURUSD', 1 + (8000 * 7919 % 9973) / 1e4, 1000)",
        "quote",
    ),
    "one grant": Change(
        "GRANT SELECT ON ledger TO PUBLIC", "REVOKE SELECT ON ledger FROM PUBLIC", "ledger"
    ),
    "one sequence": Change(
        "SELECT setval('voyage', 101)", "SELECT setval('voyage', 100)", "voyage"
    ),
    "one sequence that was not called": Change(
        "SELECT setval('voyage', 100, false)", "SELECT setval('voyage', 100)", "voyage"
    ),
    "one index definition": Change(INDEX.format(2), INDEX.format(1), "ledger_note"),
}


def test_an_untouched_copy_verifies(stack: Checkout, live: Shipment) -> None:
    output = stack.expect("verify", live.name, "local")

    assert "difference" not in output


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_smallest_change_is_named(stack: Checkout, live: Shipment, change: Change) -> None:
    stack.sql(change.there)
    try:
        done = stack.invoke("verify", live.name, "local")
    finally:
        stack.sql(change.back)

    complaint(done, 8)
    found = [line for line in done.stdout.splitlines() if line.startswith("difference: ")]
    assert found
    assert all(change.named in line for line in found), found
    assert live_digest(stack) == live.digest


def test_a_job_schedule_that_differs_is_named(stack: Checkout, source: Server) -> None:
    source.load(sources.JOBLESS)
    try:
        stack.expect("restore", export(stack, "jobless"), "--to", "local", "--yes")
        source.execute(JOB.format(1, "postgres"), "jobless")
        stack.sql(JOB.format(1, stack.values["DB_OWNER_USER"]))
        stack.expect("verify", "source", "local")
        stack.sql("UPDATE _timescaledb_config.bgw_job SET schedule_interval = '2 days'")
        done = stack.invoke("verify", "source", "local")
    finally:
        source.execute("DROP DATABASE jobless WITH (FORCE)")

    complaint(done, 8)
    (found,) = [line for line in done.stdout.splitlines() if line.startswith("difference: ")]
    assert "nightly" in found


def test_exports_under_a_write_load_verify_against_their_copies(
    stack: Checkout, source: Server, shipments: tuple[Shipment, Shipment]
) -> None:
    del shipments  # They are exported before anybody writes.
    with Writer(source, "harbour") as writer:
        for _ in range(EXPORTS_UNDER_LOAD):
            before = writer.rounds
            name = export(stack, "harbour")
            assert writer.rounds > before
            stack.expect("restore", name, "--to", "local", "--yes")
            stack.expect("verify", name, "local")
        # The load has not stopped, so the old install is not what was exported.
        complaint(stack.invoke("verify", name, "source"), 8)
