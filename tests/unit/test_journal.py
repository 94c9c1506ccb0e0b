from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backend import durable
from infra.errors import RefusedError
from infra.transfer.journal import Entry, Journal, Record

LONG_AGO = 1.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal"


def quiet(folder: Path) -> Journal:
    return Journal(folder, lambda _: None)


def begin(journal: Journal) -> Record:
    return journal.begin("restore", database="trading", archive="a")


def on_disk(folder: Path) -> Entry:
    (entry,) = quiet(folder).entries()
    return entry


def test_nothing_is_written_before_the_first_step(folder: Path) -> None:
    begin(quiet(folder))

    assert not folder.exists()


def test_a_step_is_on_disk_before_the_next_begins(folder: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    def look(point: str) -> None:
        entries = quiet(folder).entries()
        seen.append((point, entries[0].state if entries else None))

    record = begin(Journal(folder, look))
    record.reach("surveyed")
    record.reach("planned")

    assert seen == [
        ("before-surveyed", None),
        ("after-surveyed", "surveyed"),
        ("before-planned", "surveyed"),
        ("after-planned", "planned"),
    ]


def test_a_process_that_dies_at_a_point_leaves_the_step_before_it(folder: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(point: str) -> None:
        if point == "before-rows":
            raise KilledError

    record = begin(Journal(folder, kill))
    record.reach("schema", staging_oid=7)
    with pytest.raises(KilledError):
        record.reach("rows")

    assert (on_disk(folder).state, on_disk(folder).facts) == ("schema", {"staging_oid": 7})


def test_an_entry_is_read_back_as_it_was_written(folder: Path) -> None:
    record = begin(quiet(folder))
    record.reach("confirmed", roles=["ä", 'odd "name'])
    record.reach("schema", staging_oid=2**40)

    entry = on_disk(folder)
    assert entry == record.entry
    assert entry.facts == {"roles": ["ä", 'odd "name'], "staging_oid": 2**40}
    assert [state for state, _ in entry.reached] == ["confirmed", "schema"]
    assert entry.moment == entry.reached[-1][1]
    assert (entry.pid, entry.host, entry.database, entry.archive) == (
        os.getpid(),
        socket.gethostname(),
        "trading",
        "a",
    )


def test_only_its_owner_reads_the_journal(folder: Path) -> None:
    begin(quiet(folder)).reach("surveyed")

    (path,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_step_that_cannot_be_written_leaves_the_one_before_it_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = begin(quiet(folder))
    record.reach("surveyed")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device", str(descriptor))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RefusedError) as caught:
        record.reach("planned")

    assert caught.value.message == f"journal {folder} cannot be written: No space left on device"
    assert on_disk(folder).state == "surveyed"
    assert [path.suffix for path in folder.iterdir()] == [".json"]


def test_the_file_and_then_its_folder_are_flushed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replaced, flush = os.fsync, Path.replace, durable.flush

    def syncing(descriptor: int) -> None:
        steps.append("fsync")
        fsync(descriptor)

    def renaming(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replaced(path, target)

    def flushing(path: Path) -> None:
        steps.append("folder" if path.is_dir() else "file")
        flush(path)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(Path, "replace", renaming)
    monkeypatch.setattr(durable, "flush", flushing)
    begin(quiet(folder)).reach("surveyed")

    assert steps == ["fsync", "rename", "folder", "fsync"]


def test_a_half_written_file_is_no_entry(folder: Path) -> None:
    begin(quiet(folder)).reach("surveyed")
    (path,) = folder.iterdir()
    # As a kill between writing and renaming leaves it.
    (folder / f".{path.name}.abc123").write_text('{"id": "resto', encoding="utf-8")

    assert on_disk(folder).state == "surveyed"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(RefusedError) as caught:
        begin(quiet(tmp_path / "data" / "journal")).reach("surveyed")
    assert caught.value.message == (
        f"journal {tmp_path / 'data' / 'journal'} cannot be written: Not a directory"
    )
    assert caught.value.hint == (
        "Make room on that disk, or make the folder writable, and run the command again."
    )


def test_a_folder_that_is_not_there_holds_no_entries(folder: Path) -> None:
    assert quiet(folder).entries() == []
    assert quiet(folder).interrupted() == []


def test_entries_come_oldest_first_and_never_under_one_name(folder: Path) -> None:
    journal = quiet(folder)
    records = [begin(journal) for _ in range(3)]
    for number, record in enumerate(records):
        moved = replace(record.entry, began=f"2026-01-0{3 - number}T00:00:00+00:00")
        journal.write(moved)

    assert len({record.entry.id for record in records}) == 3
    assert [entry.began[:10] for entry in journal.entries()] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-03",
    ]


def running(**changes: object) -> Entry:
    """Return an entry of this process, with changes."""
    entry = begin(Journal(Path("/none"), lambda _: None)).entry
    return Entry(**(json.loads(json.dumps(vars(entry))) | changes))


def test_a_command_that_runs_is_not_interrupted() -> None:
    assert not running().interrupted
    assert not running(state="rows").interrupted


def test_a_process_that_is_gone_was_interrupted() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass

    assert running(pid=process.pid).interrupted


def test_a_process_that_nobody_has_waited_for_was_interrupted() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        # It has ended, and stands in the list of processes until somebody asks for its exit code.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        zombie = psutil.Process(process.pid)
        assert zombie.status() == psutil.STATUS_ZOMBIE
        started = zombie.create_time() - psutil.boot_time()
        entry = running(pid=process.pid, process_started=started)

        assert entry.interrupted


def test_a_number_that_another_process_has_now_was_interrupted() -> None:
    assert running(process_started=LONG_AGO).interrupted


def test_a_clock_that_is_set_interrupts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = running()
    created, booted = psutil.Process.create_time, psutil.boot_time
    # Both are computed from the clock.
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: created(process) + 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: booted() + 3600)

    assert not entry.interrupted


def test_a_moment_that_is_known_to_the_second_only_interrupts_nobody() -> None:
    started = running().process_started

    assert not running(process_started=started + 1.01).interrupted
    assert not running(process_started=started - 1.01).interrupted
    assert running(process_started=started - 60).interrupted


def test_what_another_host_does_is_its_own_affair() -> None:
    assert not running(host="elsewhere", process_started=LONG_AGO).interrupted


@pytest.mark.parametrize("outcome", ["done", "failed", "finished", "taken back"])
def test_what_came_to_an_end_was_not_interrupted(outcome: str) -> None:
    assert not running(outcome=outcome, process_started=LONG_AGO).interrupted


def test_the_last_step_is_an_end_whatever_was_left_to_record() -> None:
    assert not running(state="done", process_started=LONG_AGO).interrupted


def test_an_entry_that_is_closed_is_no_longer_interrupted(folder: Path) -> None:
    journal = quiet(folder)
    journal.write(running(process_started=LONG_AGO, state="rows"))
    (entry,) = journal.interrupted()

    journal.reopen(entry).close("taken back")

    assert journal.interrupted() == []
    assert (on_disk(folder).outcome, on_disk(folder).state) == ("taken back", "rows")


def test_a_command_is_refused_beside_another_that_is_at_work(folder: Path) -> None:
    journal = quiet(folder)
    switch = journal.begin("switch", database="trading", archive="local")
    switch.reach("begun")
    transfer = journal.begin("transfer", database="trading", archive="source")
    transfer.reach("surveyed")

    for mine, command in ((transfer, "switch"), (transfer, ""), (switch, "")):
        with pytest.raises(RefusedError, match="another command is at work in this checkout"):
            journal.refuse_beside(mine.entry, command=command)

    journal.refuse_beside(switch.entry, command="switch")
    switch.close("done")
    journal.refuse_beside(transfer.entry, command="switch")
    journal.refuse_beside(transfer.entry)
