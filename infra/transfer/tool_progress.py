"""Progress of pg_dump and pg_restore, read from what they say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

from infra.postgres.client_tools import DUMP, Stage
from infra.transfer.progress import Progress

# Two workers that write at once mix the beginnings of their lines.
_PREFIX = r"^(?:pg_(?:dump|restore): ?)* ?"
# `pg_restore: launching item 4376 TABLE DATA quote`, and `finished` when it is done.
_ITEM = re.compile(_PREFIX + r"(launching|finished) item (\d+) (.*)")
# Without workers there is only a beginning.
_TABLE = re.compile(_PREFIX + r"(?:dumping contents of|processing data for) table (.*)")


class ToolProgress:
    """Follows one run; a table counts with the bytes of its file in the dump."""

    def __init__(self, progress: Progress, archive: Path, stage: Stage) -> None:
        self._progress = progress
        self._rows = stage.reaches == "rows"
        self._sizes = _sizes(archive, stage) if self._rows else {}
        total = sum(self._sizes.values())
        progress.stage(stage.title, total=total, unit="bytes" if self._rows else "objects")
        self._slots: list[str | None] = []

    def read(self, line: str) -> None:
        """Take one line of the tool's standard error."""
        item = _ITEM.match(line)
        if item is not None:
            verb, number, what = item.groups()
            if verb == "launching":
                self._launch(number, what)
            else:
                self._finish(number)
        elif (table := _TABLE.match(line)) is not None and not self._slots:
            self._progress.working(0, table.group(1).replace('"', ""))

    def finish(self) -> None:
        """Let nobody seem busy when the run is over."""
        for slot in range(max(1, len(self._slots))):
            self._progress.working(slot, "")

    def _launch(self, number: str, what: str) -> None:
        if None not in self._slots:
            self._slots.append(None)
        slot = self._slots.index(None)
        self._slots[slot] = number
        self._progress.working(slot, what)

    def _finish(self, number: str) -> None:
        if number in self._slots:
            slot = self._slots.index(number)
            self._slots[slot] = None
            self._progress.working(slot, "")
            self._progress.advance(self._sizes.get(number, 0) if self._rows else 1)


def _sizes(archive: Path, stage: Stage) -> dict[str, int]:
    """Return the bytes of each file that a stage loads, by the number of its entry."""
    named = [word.partition("=")[2] for word in stage.argv if word.startswith("--use-list=")]
    entries = {
        line.partition(";")[0]
        for name in named
        for line in (archive / name).read_text(encoding="utf-8").splitlines()
    }
    sizes = {
        path.name.partition(".")[0]: path.stat().st_size
        for path in (archive / DUMP).iterdir()
        if path.name[0].isdigit()
    }
    return {number: size for number, size in sizes.items() if not named or number in entries}


class DumpProgress:
    """Follows pg_dump, which tells how many tables are done and not how many bytes."""

    def __init__(self, progress: Progress, tables: int) -> None:
        self._progress = progress
        progress.stage("dumping", total=tables, unit="tables")

    def read(self, line: str) -> None:
        """Take one line of pg_dump's standard error."""
        table = _TABLE.match(line)
        if table is not None:
            self._progress.working(0, table.group(1).replace('"', ""))
            self._progress.advance(1)
