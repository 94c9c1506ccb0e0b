"""Undo: the database that a restore replaced comes back, and the restored one is kept instead."""

from __future__ import annotations

from backend.config import Endpoint
from infra.errors import RefusedError
from infra.postgres.connection import Connection
from infra.transfer import recovery, swap
from infra.transfer.journal import SWITCH, Journal


def undo(superuser: Endpoint, journal: Journal) -> None:
    """Exchange the live and the previous database; done twice, nothing has changed."""
    database = superuser.database
    with swap.maintenance(superuser, "undo") as maintenance:
        previous = swap.oid(maintenance, check(maintenance, database))
        record = journal.begin("undo", database=database, archive="")
        with recovery.settled(maintenance, superuser, record):
            record.reach("confirmed", previous_oid=previous)
            journal.refuse_beside(record.entry, command=SWITCH)
            swap.exchange(maintenance, database, journal.boundary)
            record.reach("swapped")
            swap.start_workers(superuser)
            record.reach("done")


def check(connection: Connection, database: str) -> str:
    """Return the name of the previous database; RefusedError where there is none."""
    previous = swap.previous_name(database)
    if swap.oid(connection, previous) is None:
        raise RefusedError(
            f"there is nothing to undo: no database {previous!r}",
            "Restores and transfers leave one behind; `invoke archives` lists archives.",
        )
    return previous
