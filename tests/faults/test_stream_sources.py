"""Sources that change between and under transfers, what cannot be read, and a full disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.faults.sources import CHUNKS, ENTRIES, HARBOUR
from tests.fixtures.checkout import Checkout
from tests.fixtures.disks import Disk
from tests.fixtures.faults import (
    DIGEST,
    Reader,
    Writer,
    ask,
    complaint,
    databases,
    ended,
    leftovers,
    live_digest,
    staging,
    started,
    wait_until,
)
from tests.fixtures.servers import LITTLE, Server, put_file
from tests.fixtures.transfers import (
    ONE_BY_ONE,
    TRANSFER,
    drop_staging,
    files_of_chunks,
    held_in_rows,
    streamed,
)

# Of the harbour's last day, in which it has no quote yet.
SECONDS_LEFT = 44
SCHEDULER = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'TimescaleDB Background Worker Scheduler' AND datname = 'trading'
"""


@pytest.fixture
def moored(stack: Checkout, source: Server) -> Iterator[Server]:
    """Make the stack's source a harbour that one test alone may change."""
    source.load(HARBOUR.replace("harbour", "moored"))
    stack.set(**{**source.settings, "SOURCE_DB_NAME": "moored"})
    drop_staging(stack)
    yield source
    source.execute("DROP DATABASE moored WITH (FORCE)")


@pytest.fixture
def reader(stack: Checkout, source: Server) -> Iterator[Server]:
    """Let the stack read its source as a role that may log in and nothing else."""
    source.execute("CREATE ROLE looker LOGIN PASSWORD 'looks only'")
    source.load(LITTLE.replace("little", "curtained"))
    source.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker", "curtained")
    source.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO looker", "curtained")
    stack.set(SOURCE_DB_USER="looker", SOURCE_DB_PASSWORD="looks only", SOURCE_DB_NAME="curtained")
    yield source
    stack.set(**source.settings, SOURCE_DB_USER="postgres")
    source.execute("DROP DATABASE curtained WITH (FORCE)")
    source.execute("DROP ROLE looker")


def kill_in_rows(stack: Checkout) -> dict[str, object]:
    """Kill a transfer when all chunks have arrived and the ledger has not; return their files."""
    with started(stack, *TRANSFER) as process, held_in_rows(stack, "ledger", arrived=CHUNKS):
        process.kill()
        process.wait()
    return files_of_chunks(stack, staging(stack))


def test_a_writer_that_never_pauses_is_met_in_one_moment(stack: Checkout, moored: Server) -> None:
    with Writer(moored, "moored") as writer:
        # By then its quotes are of a day of their own.
        wait_until(lambda: writer.rounds > SECONDS_LEFT)
        files = kill_in_rows(stack)
        stack.expect(*TRANSFER)

    new, entries = ask(
        stack,
        "SELECT (SELECT count(*) FROM quote WHERE symbol = 'NEW'), (SELECT count(*) FROM ledger)",
        "trading",
    )[0]
    # One round of the writer is one transaction: a quote more, and ten entries.
    assert SECONDS_LEFT < int(str(new)) <= writer.rounds
    assert int(str(entries)) == ENTRIES + 10 * int(str(new))
    kept = files.items() & files_of_chunks(stack, "trading").items()
    assert len(files) == CHUNKS + 1
    assert len(kept) == CHUNKS
    assert leftovers(stack) == []
    wait_until(lambda: ask(stack, SCHEDULER) == [(1,)])


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("ALTER TABLE ledger ADD COLUMN clerk int DEFAULT 7", 0),
        ("SELECT drop_chunks('quote', older_than => '2024-01-03Z'::timestamptz)", 0),
        ("DELETE FROM quote WHERE ts < '2024-01-02Z'", CHUNKS - 1),
    ],
)
def test_what_changed_after_a_kill_is_seen_by_the_next_transfer(
    stack: Checkout, moored: Server, change: str, kept: int
) -> None:
    files = kill_in_rows(stack)
    moored.execute(change, "moored")

    stack.expect(*TRANSFER)

    assert live_digest(stack) == moored.execute(DIGEST, "moored")[0]
    assert len(files.items() & files_of_chunks(stack, "trading").items()) == kept
    assert leftovers(stack) == []


def test_a_change_of_the_source_that_waits_for_the_transfer_is_not_waited_for(
    stack: Checkout, moored: Server
) -> None:
    moored.execute("CREATE TABLE tide AS SELECT 1 AS height", "moored")
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = 'moored' AND wait_event = 'relation'"

    def change() -> None:
        with suppress(psycopg.Error):
            moored.execute("ALTER TABLE tide ADD COLUMN moon int", "moored")

    changing = threading.Thread(target=change)
    with started(stack, *ONE_BY_ONE) as process:
        with held_in_rows(stack, "ledger", arrived=0):
            changing.start()
            # Whoever reads the table from now on stands behind it, and it behind the snapshot.
            wait_until(lambda: moored.execute(waiting) != [])
        done = ended(process)
    changing.join()

    if done.returncode:
        assert "tide" in complaint(done, 5)
        stack.expect(*ONE_BY_ONE)
    assert live_digest(stack) == moored.execute(DIGEST, "moored")[0]
    assert leftovers(stack) == []


def test_a_disk_that_fills_up_costs_nothing_and_the_next_transfer_goes_on(
    stack: Checkout, moored: Server, database_disk: Disk
) -> None:
    stack.expect(*TRANSFER)
    old = live_digest(stack)
    moored.execute("UPDATE ledger SET note = repeat('long ', 300)", "moored")
    with Reader(stack) as reader:
        with started(stack, *ONE_BY_ONE) as process:
            with held_in_rows(stack, "ledger", arrived=0):
                ask(stack, "SELECT pg_switch_wal(), pg_logical_emit_message(true, 'x', 'x')")
                stack.sql("CHECKPOINT")
                database_disk.fill(leaving=100_000)
            try:
                done = ended(process)
                reader.wait_for_answer()
            finally:
                database_disk.empty()
        line = complaint(done, 6, 7)

    assert "space" in line
    assert reader.problems == set()
    assert reader.answers == {old}
    assert leftovers(stack) == [staging(stack)]
    stack.expect(*TRANSFER)
    assert live_digest(stack) == moored.execute(DIGEST, "moored")[0]
    brought, whole = streamed(stack)
    assert 0 < brought < whole
    assert leftovers(stack) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE child ENABLE ROW LEVEL SECURITY", "child"),
        ("REVOKE ALL ON TABLE child FROM looker", "child"),
        ("REVOKE ALL ON SEQUENCE child_id_seq FROM looker", "child_id_seq"),
    ],
)
def test_what_the_role_may_not_read_is_refused_by_name(
    stack: Checkout, reader: Server, change: str, named: str
) -> None:
    reader.execute(change, "curtained")
    before = databases(stack)

    line = complaint(stack.invoke(*TRANSFER), 3)

    assert named in line
    assert databases(stack) == before


def test_an_extension_that_the_target_lacks_is_refused(stack: Checkout, moored: Server) -> None:
    ((folder,),) = moored.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")
    control = b"default_version = '1.0'\nrelocatable = true\n"
    put_file(moored.container, f"{folder}/extension/landlocked.control", control)
    put_file(moored.container, f"{folder}/extension/landlocked--1.0.sql", b"SELECT 1;\n")
    moored.execute("CREATE EXTENSION landlocked", "moored")
    before = databases(stack)

    line = complaint(stack.invoke(*TRANSFER), 3)

    assert "landlocked" in line
    assert databases(stack) == before


def test_a_target_whose_database_is_gone_gets_one(stack: Checkout, moored: Server) -> None:
    stack.sql("DROP DATABASE IF EXISTS trading WITH (FORCE)", database="postgres")

    stack.expect(*TRANSFER)

    assert live_digest(stack) == moored.execute(DIGEST, "moored")[0]
    wait_until(lambda: ask(stack, SCHEDULER) == [(1,)])
    assert leftovers(stack) == []
