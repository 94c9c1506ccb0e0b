"""Verification as the operator asks for it: an archive or a target against a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from infra import archives
from infra.errors import RefusedError, UsageError
from infra.postgres import role
from infra.postgres.connection import Connection, connect
from infra.settings import Settings
from infra.targets import CAPABILITIES
from infra.transfer import counting, verify
from infra.transfer.align import align
from infra.transfer.archive import verify_files
from infra.transfer.compare import Comparison, compare
from infra.transfer.landing import Landing
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt


class Counted(Protocol):
    """One side of a comparison: an archive that has been counted, or a database that will be."""

    name: str

    @property
    def recoded(self) -> bool:
        """Tell whether its text has to be hashed by its UTF-8 bytes."""
        ...

    def receipt(self, *, jobs: int, progress: Progress, recode: bool) -> Receipt:
        """Return its receipt."""
        ...


class ArchiveSide:
    """An archive, whose files are compared with its manifest first."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        found = archives.find(settings, name)
        verify_files(found)
        self._receipt = found.receipt()

    @property
    def recoded(self) -> bool:
        """Tell what the archive's receipt says of itself."""
        return self._receipt.recoded

    def receipt(self, *, jobs: int, progress: Progress, recode: bool) -> Receipt:
        """Return the archive's receipt; RefusedError where the other side needs another one."""
        del jobs, progress
        if recode != self._receipt.recoded:
            raise RefusedError(
                f"archive {self.name!r} is in UTF8 and the database it is compared with is not",
                "Compare the archive with a database in UTF8.",
            )
        return self._receipt


class TargetSide:
    """A database, read in one snapshot."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        # A superuser sees every row and every object of the database, whoever owns them.
        self._endpoint = settings.highest(name)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection."""
        side: Literal["source", "target"] = "source" if self.name == "source" else "target"
        with connect(self._endpoint, side, autocommit=False) as connection:
            yield connection

    @property
    def recoded(self) -> bool:
        """Tell what the database's encoding asks for."""
        with self.connect() as connection:
            return counting.needs_recoding(connection)

    def receipt(self, *, jobs: int, progress: Progress, recode: bool) -> Receipt:
        """Count and hash everything."""
        progress.stage(f"reading {self.name}")
        with counting.snapshot(self.connect) as moment:
            return counting.take(moment, self.connect, jobs=jobs, progress=progress, recode=recode)


def compare_sides(
    settings: Settings, first: str, second: str, *, jobs: int, progress: Progress
) -> Comparison:
    """Compare an archive, or a target, with a target; both are only read.

    Raises UsageError, RefusedError for a damaged archive, SourceError and TargetError.
    """
    archives.check_jobs(jobs)
    if first == second or second not in CAPABILITIES:
        raise UsageError(
            f"{second!r} is no target to compare {first!r} with",
            f"Name an archive or a target, and then another of {', '.join(CAPABILITIES)}.",
        )
    expected: Counted = (TargetSide if first in CAPABILITIES else ArchiveSide)(settings, first)
    found = TargetSide(settings, second)
    recode = expected.recoded or found.recoded
    before = expected.receipt(jobs=jobs, progress=progress, recode=recode)
    after = found.receipt(jobs=jobs, progress=progress, recode=recode)
    before, after = align(before, after, internals=True)
    if second != "source":
        return verify.against_landing(before, after, _landing(settings, second))
    if first in CAPABILITIES:
        return verify.reversed_sides(
            verify.against_landing(after, before, _landing(settings, first))
        )
    return compare(before, after)


def _landing(settings: Settings, name: str) -> Landing:
    admin, app = settings.admin(name), settings.app(name)
    with connect(settings.highest(name), "target") as connection:
        return Landing.read(
            connection,
            owner=role.known_as(connection, admin.user),
            application=role.known_as(connection, app.user),
        )
