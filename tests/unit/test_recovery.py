from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

import pytest

from backend.config import Endpoint, Secret
from infra.app import App
from infra.console import Console
from infra.postgres import timescale
from infra.postgres.connection import Connection
from infra.transfer import loading, recovery, swap
from infra.transfer.journal import Entry, Journal, Record
from infra.transfer.loading import Restart
from infra.transfer.recovery import Owned
from infra.transfer.stream import ledger
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner

LONG_AGO = 1.0
SUPERUSER = Endpoint("local", "admin", "127.0.0.1", 1, "trading", "postgres", Secret("secret"))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", lambda _: None)


def nowhere(entry: Entry) -> Owned:
    raise AssertionError(entry)


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

    assert recovery.settle_all(journal, nowhere) == [
        "the unfinished archive 'db-1' was removed; the source was only read"
    ]
    assert recovery.settle_all(journal, nowhere) == []


@dataclass
class Server:
    """A server whose databases are a set of names, and what was done there in which order."""

    databases: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)

    def end(self, superuser: Endpoint, known: dict[str, str | None], restart: Restart) -> None:
        assert superuser == SUPERUSER
        assert known == {"wal_level": None}
        self.done.append("end of load settings")
        restart()

    @contextmanager
    def maintenance(self, superuser: Endpoint, command: str, *, instead_of: int) -> Iterator[Self]:
        assert (superuser, command, instead_of) == (SUPERUSER, "recovery", os.getpid())
        self.done.append("maintenance")
        yield self

    def oid(self, connection: object, name: str) -> int | None:
        assert connection is self
        return 77 if name in self.databases else None

    def drop(self, connection: object, name: str) -> None:
        assert connection is self
        self.done.append(f"drop {name}")

    def owned(self, entry: Entry) -> Owned:
        del entry
        return Owned(SUPERUSER, lambda: self.done.append("restart"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(loading, "end", made.end)
    for name in ("maintenance", "oid", "drop"):
        monkeypatch.setattr(swap, name, getattr(made, name))
    monkeypatch.setattr(swap, "start_workers", lambda _: made.done.append("workers"))
    monkeypatch.setattr(ledger, "drop_live", lambda _: made.done.append("ledger"))
    monkeypatch.setattr(
        timescale, "drop_roles", lambda _, roles: made.done.append(f"roles {roles}")
    )
    return made


def killed(journal: Journal, command: str, **facts: Any) -> None:  # noqa: ANN401 - any fact
    record = journal.begin(command, database="trading", archive="source")
    record.entry = replace(record.entry, process_started=LONG_AGO)
    record.reach("rows", **facts)


def test_a_killed_transfer_is_kept_to_go_on_with(journal: Journal, server: Server) -> None:
    server.databases = {"trading", "trading__staging"}
    killed(journal, "transfer", load_settings={"wal_level": None}, staging_oid=78)

    (line,) = recovery.settle_all(journal, server.owned)
    assert line == (
        "the transfer of 'source' into 'trading' was interrupted; "
        "the same `invoke transfer` goes on with what is missing"
    )
    # The server is in its own settings before anything else is asked of it.
    assert server.done == ["end of load settings", "restart", "maintenance"]
    assert outcome(journal) == "kept"
    assert recovery.settle_all(journal, server.owned) == []


@pytest.mark.parametrize("facts", [{}, {"load_settings": None}])
def test_a_killed_transfer_that_had_loaded_nothing_is_taken_back(
    journal: Journal, server: Server, facts: dict[str, Any]
) -> None:
    server.databases = {"trading"}
    killed(journal, "transfer", **facts)

    (line,) = recovery.settle_all(journal, server.owned)
    assert line.endswith("was taken back; the live database is as it was before")
    assert server.done == ["maintenance", "drop trading__staging", "roles []"]
    assert outcome(journal) == "taken back"


def test_a_killed_restore_keeps_no_staging_database(journal: Journal, server: Server) -> None:
    server.databases = {"trading", "trading__staging"}
    killed(journal, "restore", roles=["somebody"])

    recovery.settle_all(journal, server.owned)
    assert server.done == ["maintenance", "drop trading__staging", "roles ['somebody']"]
    assert outcome(journal) == "taken back"


@pytest.mark.parametrize(("command", "more"), [("restore", []), ("transfer", ["ledger"])])
def test_what_had_gone_live_is_finished(
    journal: Journal, server: Server, command: str, more: list[str]
) -> None:
    server.databases = {"trading", "trading__staging"}
    killed(journal, command, staging_oid=77)

    (line,) = recovery.settle_all(journal, server.owned)
    assert "had gone live and is finished" in line
    assert server.done == ["maintenance", "drop trading__discarded", "workers", *more]
    assert outcome(journal) == "finished"


def test_a_target_that_is_not_configured_any_more_is_only_warned_of(
    make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_settings()
    app = App(tmp_path, Console(), RecordingRunner())
    vars(app)["engine"] = Untouched()
    killed(app.journal, "transfer", target="neon")

    app.recover()

    assert "a killed command is not settled yet" in capsys.readouterr().err


@pytest.mark.parametrize("known", [None, {"wal_level": None}])
def test_a_failure_is_settled_at_once_but_not_under_load_settings(
    journal: Journal, server: Server, known: dict[str, str | None] | None
) -> None:
    server.databases = {"trading", "trading__staging"}
    record = journal.begin("transfer", database="trading", archive="source")
    record.reach("confirmed", load_settings=known)
    with (
        pytest.raises(KeyboardInterrupt),
        recovery.settled(cast("Connection", server), SUPERUSER, record),
    ):
        raise KeyboardInterrupt

    assert journal.entries()[0].outcome == (None if known else "kept")


class Untouched(FakeEngine):
    """An engine in which no client tool was left."""

    def remove_orphaned_tools(self) -> None:
        pass


def test_an_export_that_runs_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    partial = tmp_path / "db-1.7.partial"
    partial.mkdir()
    record = journal.begin("export-local", database="db", archive="db-1")
    record.reach("surveyed", partial=str(partial))

    assert recovery.settle_all(journal, nowhere) == []
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


def test_a_swap_on_another_server_is_none_of_this_one(journal: Journal) -> None:
    done = entry(journal, 1, outcome="done", state="done")
    entry(journal, 2, outcome="done", state="done", command="transfer", facts={"target": "neon"})

    assert recovery.last_swap(journal, "trading") == done


def test_without_a_swap_there_is_none(journal: Journal) -> None:
    assert recovery.last_swap(journal, "trading") is None
