"""Full and read-only disks: a clear refusal, no half file, and the live database goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import envfile
from tests.faults.conftest import Shipment, export
from tests.faults.sources import WHARF
from tests.fixtures.checkout import Checkout
from tests.fixtures.disks import Disk, disk
from tests.fixtures.faults import (
    Reader,
    ask,
    blocked,
    complaint,
    databases,
    ended,
    held,
    leftovers,
    live_digest,
    started,
    wait_until,
)
from tests.fixtures.servers import Server

NAMES_THE_DISK = re.compile(r"space|disk|B are free", re.IGNORECASE)


PG_DUMP_WAITS = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'pg_dump'
"""


@pytest.fixture
def archive_disk(stack: Checkout, tmp_path: Path) -> Iterator[Disk]:
    """Mount a small disk on the folder of the archives."""
    with disk(tmp_path / "image", stack.folder / "data" / "archives", megabytes=16) as mounted:
        yield mounted


@pytest.fixture
def journal_disk(stack: Checkout, tmp_path: Path) -> Iterator[Disk]:
    """Mount a small disk on the folder of the journal."""
    with disk(tmp_path / "image", stack.folder / "data" / "journal", megabytes=1) as mounted:
        yield mounted


def test_an_archive_that_cannot_fit_is_refused_or_fails_naming_the_disk(
    stack: Checkout, archive_disk: Disk
) -> None:
    stack.set(SOURCE_DB_NAME="awkward")
    archive_disk.fill(leaving=500_000)

    line = complaint(stack.invoke("export-local"), 3, 7)

    assert NAMES_THE_DISK.search(line)
    assert stack.archives == ["filler"]


def test_a_disk_that_fills_up_during_the_dump_leaves_no_archive(
    stack: Checkout, source: Server, archive_disk: Disk
) -> None:
    stack.set(SOURCE_DB_NAME="awkward")
    with started(stack, "export-local") as process:
        # A sequence: only pg_dump looks into it before any row is written, and the plan is made.
        with blocked(source, "awkward", f"ALTER SEQUENCE {WHARF}.untouched OWNER TO postgres"):
            wait_until(lambda: source.execute(PG_DUMP_WAITS) != [])
            archive_disk.fill(leaving=500_000)
        done = ended(process)

    assert NAMES_THE_DISK.search(complaint(done, 7))
    assert stack.archives == ["filler"]
    archive_disk.empty()
    assert export(stack, "awkward") in stack.archives


def test_a_target_disk_that_fills_up_during_the_load_costs_the_live_database_nothing(
    stack: Checkout, other: Shipment, database_disk: Disk
) -> None:
    old = live_digest(stack)
    restoring = ("restore", other.name, "--to", "local", "--yes")
    with Reader(stack) as reader:
        with started(stack, *restoring) as process:
            with held(stack, "public.quote"):
                # The log's next segment is there before the disk is full: rows meet it first.
                ask(stack, "SELECT pg_switch_wal(), pg_logical_emit_message(true, 'x', 'x')")
                stack.sql("CHECKPOINT")
                database_disk.fill(leaving=500_000)
            try:
                done = ended(process)
                reader.wait_for_answer()
            finally:
                database_disk.empty()
        complaint(done, 6, 7)
        assert leftovers(stack) == []

    assert reader.problems == set()
    assert reader.answers == {old}
    stack.expect(*restoring)
    assert live_digest(stack) == other.digest


def test_a_restore_that_cannot_write_its_journal_changes_nothing(
    stack: Checkout, other: Shipment, journal_disk: Disk
) -> None:
    journal_disk.fill()
    before = databases(stack)

    line = complaint(stack.invoke("restore", other.name, "--to", "local", "--yes"), 3)

    assert "journal" in line
    assert databases(stack) == before
    assert [path.name for path in journal_disk.folder.iterdir()] == ["filler"]


def test_a_journal_whose_disk_fills_up_keeps_its_last_record(
    stack: Checkout, other: Shipment, journal_disk: Disk
) -> None:
    old = live_digest(stack)
    with started(stack, "restore", other.name, "--to", "local", "--yes") as process:
        with held(stack):
            journal_disk.fill()
        done = ended(process)

    complaint(done, 3, 6)
    for path in journal_disk.folder.glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))
    journal_disk.empty()
    stack.expect("status")
    assert leftovers(stack) == []
    assert live_digest(stack) == old
    stack.expect("restore", other.name, "--to", "local", "--yes")


def test_a_dotenv_on_a_full_disk_stays_as_it_was(tmp_path: Path) -> None:
    with disk(tmp_path / "image", tmp_path / "full", megabytes=1) as full:
        path = full.folder / ".env"
        path.write_text("DB_NAME=trading\n", encoding="utf-8")
        full.fill()

        with pytest.raises(OSError, match="No space left"):
            envfile.update(path, {"DB_NAME": "other" * 5000})

        assert path.read_text(encoding="utf-8") == "DB_NAME=trading\n"
        assert sorted(left.name for left in full.folder.iterdir()) == [".env", "filler"]


def test_a_read_only_archive_folder_is_a_clear_refusal(stack: Checkout, archive_disk: Disk) -> None:
    stack.set(SOURCE_DB_NAME="little")
    archive_disk.remount("ro")

    line = complaint(stack.invoke("export-local"), 3)

    assert "archives" in line
    assert stack.archives == []
