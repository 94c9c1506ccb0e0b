from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.config import Endpoint, Secret
from infra.transfer import recovery
from infra.transfer.journal import Entry, Journal, Record

LONG_AGO = 1.0
NOWHERE = Endpoint("local", "admin", "127.0.0.1", 1, "trading", "postgres", Secret("secret"))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", lambda _: None)


def killed_export(journal: Journal, partial: Path) -> Record:
    """Record an export whose process is gone."""
    record = journal.begin("export-local", database="db", archive="db-1")
    record.entry = replace(record.entry, process_started=LONG_AGO)
    record.reach("surveyed", partial=str(partial))
    return record


def outcome(journal: Journal) -> str | None:
    (entry,) = journal.entries()
    return entry.outcome


def test_an_unfinished_archive_is_removed(tmp_path: Path, journal: Journal) -> None:
    partial = tmp_path / "db-1.7.partial"
    (partial / "dump").mkdir(parents=True)
    (partial / "dump" / "1.dat").touch()

    line = recovery.settle_export(killed_export(journal, partial))

    assert line == "the unfinished archive 'db-1' was removed; the source was only read"
    assert not partial.exists()
    assert outcome(journal) == "taken back"


def test_an_export_that_made_no_folder_yet_is_taken_back(tmp_path: Path, journal: Journal) -> None:
    line = recovery.settle_export(killed_export(journal, tmp_path / "db-1.7.partial"))

    assert line == "the unfinished archive 'db-1' was removed; the source was only read"
    assert outcome(journal) == "taken back"


def test_an_archive_that_has_its_name_is_complete(tmp_path: Path, journal: Journal) -> None:
    sealed = tmp_path / "db-1"
    sealed.mkdir()

    line = recovery.settle_export(killed_export(journal, tmp_path / "db-1.7.partial"))

    assert line == "archive 'db-1' was complete when its export was killed"
    assert sealed.is_dir()
    assert outcome(journal) == "finished"


def test_another_archive_of_that_name_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    sealed, partial = tmp_path / "db-1", tmp_path / "db-1.7.partial"
    sealed.mkdir()
    partial.mkdir()

    recovery.settle_export(killed_export(journal, partial))

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("db")] == ["db-1"]
    assert outcome(journal) == "taken back"


def test_exports_are_settled_without_a_database(tmp_path: Path, journal: Journal) -> None:
    partial = tmp_path / "db-1.7.partial"
    partial.mkdir()
    killed_export(journal, partial)

    assert recovery.settle_all(journal, NOWHERE) == [
        "the unfinished archive 'db-1' was removed; the source was only read"
    ]
    assert recovery.settle_all(journal, NOWHERE) == []


def test_an_export_that_runs_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    partial = tmp_path / "db-1.7.partial"
    partial.mkdir()
    record = journal.begin("export-local", database="db", archive="db-1")
    record.reach("surveyed", partial=str(partial))

    assert recovery.settle_all(journal, NOWHERE) == []
    assert partial.is_dir()


def entry(journal: Journal, number: int, **values: Any) -> Entry:  # noqa: ANN401 - any field
    record = journal.begin("restore", database="trading", archive=f"a{number}")
    made = replace(record.entry, began=f"2026-01-0{number}T00:00:00+00:00", **values)
    journal.write(made)
    return made


def test_the_last_swap_is_the_newest_of_this_database(journal: Journal) -> None:
    entry(journal, 1, outcome="done", state="done")
    newest = entry(journal, 2, outcome="finished", state="verified")
    entry(journal, 3, outcome="done", state="done", database="other")
    entry(journal, 4, outcome="taken back", state="rows")
    entry(journal, 5, outcome="failed", state="rows")
    entry(journal, 6, state="rows")
    entry(journal, 7, outcome="done", state="sealed", command="export-local")

    assert recovery.last_swap(journal, "trading") == newest


def test_an_undo_is_a_swap_too(journal: Journal) -> None:
    entry(journal, 1, outcome="done", state="done")
    undo = entry(journal, 2, outcome="done", state="done", command="undo")

    assert recovery.last_swap(journal, "trading") == undo


def test_a_swap_whose_last_record_was_lost_counts(journal: Journal) -> None:
    done = entry(journal, 1, state="done")

    assert recovery.last_swap(journal, "trading") == done


def test_without_a_swap_there_is_none(journal: Journal) -> None:
    assert recovery.last_swap(journal, "trading") is None
