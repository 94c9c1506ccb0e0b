"""The journal: every step of a transfer on disk before the next one begins.

After a kill the next command reads here what was begun, and finishes it or takes it back.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

from backend import durable
from infra.errors import RefusedError

Outcome = Literal["done", "failed", "finished", "kept", "taken back"]
# Is told the name of a point that is reached: `before-rows`, `after-rows`, `renaming`.
Boundary = Callable[[str], None]

_MODE = 0o700
# Some systems know the moment of their start to the second only.
_CLOCK_SECONDS = 2.0

# It changes which database all others mean.
SWITCH = "switch"


@dataclass(frozen=True)
class Entry:
    """One transfer as it stands; `facts` is what taking it back or finishing it needs to know.

    `process_started`, in seconds since the machine started, tells a process from a later one with
    the same number.
    """

    id: str
    command: str
    database: str
    archive: str
    pid: int
    host: str
    process_started: float
    began: str
    state: str = ""
    reached: tuple[tuple[str, str], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None

    @property
    def ended(self) -> bool:
        """Tell whether it came to an end: `done` is the last step, whatever was left to record."""
        return self.outcome is not None or self.state == "done"

    @property
    def interrupted(self) -> bool:
        """Tell whether the process that wrote it is gone and never came to an end."""
        if self.ended or self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            return abs(_since_boot(process) - self.process_started) > _CLOCK_SECONDS
        except psutil.NoSuchProcess:
            return True

    @property
    def moment(self) -> str:
        """Return when the last step was reached, in UTC."""
        return self.reached[-1][1] if self.reached else self.began


def _since_boot(process: psutil.Process) -> float:
    """Return when a process began, in seconds that do not change when the clock is set."""
    return process.create_time() - psutil.boot_time()


class Journal:
    """The folder of a checkout with one file for each transfer."""

    def __init__(self, folder: Path, boundary: Boundary) -> None:
        self._folder = folder
        self.boundary = boundary

    def begin(self, command: str, *, database: str, archive: str) -> Record:
        """Open an entry for this process; nothing is written before its first step."""
        now = datetime.now(UTC)
        entry = Entry(
            id=f"{command}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
            command=command,
            database=database,
            archive=archive,
            pid=os.getpid(),
            host=socket.gethostname(),
            process_started=_since_boot(psutil.Process()),
            began=now.isoformat(timespec="seconds"),
        )
        return Record(self, entry)

    def reopen(self, entry: Entry) -> Record:
        """Go on with an entry that another process left."""
        return Record(self, entry)

    def entries(self) -> list[Entry]:
        """Read all entries, the oldest first."""
        found = [self._read(path) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda entry: (entry.began, entry.id))

    def interrupted(self) -> list[Entry]:
        """Return the entries whose process was killed, the oldest first."""
        return [entry for entry in self.entries() if entry.interrupted]

    def refuse_beside(self, mine: Entry, *, command: str = "") -> None:
        """Raise RefusedError while another command of this checkout, or such a one, is at work."""
        for entry in self.entries():
            here = entry.host == mine.host and entry.id != mine.id
            at_work = here and not entry.ended and not entry.interrupted
            if at_work and command in {"", entry.command}:
                raise RefusedError(
                    f"another command is at work in this checkout: {entry.command}, "
                    f"pid {entry.pid}, since {entry.began}",
                    "Wait for it to end, or end it; then run this one again.",
                )

    def write(self, entry: Entry) -> None:
        """Put an entry on disk, whole or not at all."""
        try:
            self._folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
            durable.write(
                self._folder / f"{entry.id}.json",
                json.dumps(asdict(entry), indent=2, ensure_ascii=False) + "\n",
            )
        except OSError as error:
            raise RefusedError(
                f"journal {self._folder} cannot be written: {error.strerror}",
                "Make room on that disk, or make the folder writable, and run the command again.",
            ) from error

    def _read(self, path: Path) -> Entry:
        value = json.loads(path.read_text(encoding="utf-8"))
        reached = tuple((state, moment) for state, moment in value["reached"])
        return Entry(**{**value, "reached": reached})


class Record:
    """One entry while its process works on it."""

    def __init__(self, journal: Journal, entry: Entry) -> None:
        self._journal = journal
        self.entry = entry

    def reach(self, state: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Record that a step is done, and what later steps must know."""
        self._journal.boundary(f"before-{state}")
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        self.entry = replace(
            self.entry,
            state=state,
            reached=(*self.entry.reached, (state, moment)),
            facts={**self.entry.facts, **facts},
        )
        self._journal.write(self.entry)
        self._journal.boundary(f"after-{state}")

    def note(self, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Record what has changed since the last step."""
        self.entry = replace(self.entry, facts={**self.entry.facts, **facts})
        self._journal.write(self.entry)

    def close(self, outcome: Outcome) -> None:
        """Record how it ended."""
        self.entry = replace(self.entry, outcome=outcome)
        self._journal.write(self.entry)
