"""Loading into the live database itself, where no other one can take its place."""

from __future__ import annotations

from backend.config import Endpoint
from infra.postgres import shared_database
from infra.postgres.connection import Connection, connect
from infra.transfer.destination import Destination, Staging
from infra.transfer.journal import Boundary, Record
from infra.transfer.progress import Progress
from infra.transfer.stream import ledger


class InPlace(Staging):
    """The live database, emptied of what is somebody's own: the platform's things stay.

    The notes of the load show that it is not through, and go last.
    """

    def __init__(self, destination: Destination, *, jobs: int, progress: Progress) -> None:
        super().__init__(destination, jobs=jobs, progress=progress)
        self.name = destination.database

    def number(self, maintenance: Connection) -> int | None:
        """Return the database's number where a load has begun in it."""
        with self.connect() as connection:
            loading = shared_database.is_loading(connection)
        return super().number(maintenance) if loading else None

    def create(self, maintenance: Connection) -> int | None:
        """Empty it and return its number; nothing made from now on is shown to the Data API."""
        with self.connect(autocommit=True) as connection:
            shared_database.begin(connection)
        return super().number(maintenance)

    def discard(self, maintenance: Connection) -> None:
        """Remove what was loaded."""
        del maintenance
        with self.connect(autocommit=True) as connection:
            shared_database.clear(connection)

    def go_live(self, maintenance: Connection, record: Record, boundary: Boundary) -> None:
        """Take away the notes, by which the load counted as unfinished."""
        del maintenance
        boundary("renaming")
        ledger.drop_live(self.destination.superuser)
        record.reach("swapped")
        record.reach("done")


def settle(superuser: Endpoint, record: Record) -> str:
    """Finish a verified load that was interrupted, or say what goes on with it."""
    entry = record.entry
    what = f"the transfer of {entry.archive!r} into {entry.database!r}"
    verified = any(state == "verified" for state, _ in entry.reached)
    with connect(superuser, "target") as connection:
        loading = shared_database.is_loading(connection)
    if verified:
        ledger.drop_live(superuser)
        record.close("finished")
        return f"{what} was verified and is finished"
    if loading:
        record.close("kept")
        return f"{what} was interrupted; the same `invoke transfer` goes on with what is missing"
    record.close("taken back")
    before = entry.facts.get("kept_as")
    where = f"; what was there before is in archive {before!r}" if before else ""
    return f"{what} left nothing behind{where}"
