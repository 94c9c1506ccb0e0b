"""Recovery: what a killed command began is finished, or taken back, by the next one.

The swap is one transaction, so the live database is the old or the new one: whether the name of the
live database stands for the staging database's number tells which.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from backend.config import Endpoint
from infra.errors import SlipwayError
from infra.postgres import timescale
from infra.postgres.connection import Connection
from infra.targets import CAPABILITIES
from infra.transfer import in_place, loading, swap
from infra.transfer.journal import SWITCH, Entry, Journal, Record
from infra.transfer.loading import Restart
from infra.transfer.maintenance import Maintenance
from infra.transfer.stream import ledger

LOCAL = "local"


@dataclass(frozen=True)
class Owned:
    """A server that databases are swapped on, and how it is restarted where it is our own."""

    superuser: Endpoint
    restart: Restart


def settle(maintenance: Connection, superuser: Endpoint, record: Record) -> str:
    """Bring one restore, transfer or undo to an end, and say in a line what became of it."""
    entry = record.entry
    if entry.command == "undo":
        return _settle_undo(maintenance, superuser, record)
    if entry.command == "transfer" and not _renames(entry):
        return in_place.settle(superuser, record)
    what = f"the {entry.command} of {entry.archive!r} into {entry.database!r}"
    live = swap.oid(maintenance, entry.database)
    if live is not None and live == entry.facts.get("staging_oid"):
        swap.drop(maintenance, swap.discarded_name(entry.database))
        swap.start_workers(superuser)
        if entry.command == "transfer":
            ledger.drop_live(superuser)
        record.close("finished")
        back = "; `invoke undo` takes it back" if superuser.target == LOCAL else ""
        return f"{what} had gone live and is finished{back}"
    staging = swap.staging_name(entry.database)
    if entry.command == "transfer" and swap.oid(maintenance, staging) is not None:
        record.close("kept")
        return f"{what} was interrupted; the same `invoke transfer` goes on with what is missing"
    swap.drop(maintenance, staging)
    timescale.drop_roles(maintenance, entry.facts.get("roles", []))
    record.close("taken back")
    return f"{what} was taken back; the live database is as it was before"


@contextmanager
def settled(
    maintenance: Connection | Maintenance, superuser: Endpoint, record: Record
) -> Iterator[None]:
    """Settle at once what fails inside; where the server is gone too, the next command does it.

    The same goes for a server that could not be given back its own settings.
    """
    try:
        yield
    except BaseException:
        if record.entry.facts.get("load_settings"):
            raise
        with suppress(psycopg.Error, SlipwayError):
            if isinstance(maintenance, Maintenance):
                maintenance.ensure()
                maintenance = maintenance.connection
            settle(maintenance, superuser, record)
        raise
    record.close("done")


def settle_export(record: Record) -> str:
    """Remove what a killed export left."""
    entry = record.entry
    partial = Path(entry.facts["partial"])
    sealed = partial.with_name(entry.archive)
    if sealed.is_dir() and not partial.exists():
        record.close("finished")
        return f"archive {entry.archive!r} was complete when its export was killed"
    shutil.rmtree(partial, ignore_errors=True)
    record.close("taken back")
    return f"the unfinished archive {entry.archive!r} was removed; the source was only read"


def settle_all(journal: Journal, server_of: Callable[[Entry], Owned]) -> list[str]:
    """Settle every command that was killed; raises TargetError while its database is down."""
    lines = []
    for entry in journal.interrupted():
        if entry.command == SWITCH:
            continue  # It is no affair of a server's: infra.switching settles it.
        record = journal.reopen(entry)
        if entry.command == "export-local":
            lines.append(settle_export(record))
            continue
        server = server_of(entry)
        if entry.facts.get("load_settings"):
            loading.end(server.superuser, entry.facts["load_settings"], server.restart)
        with swap.maintenance(server.superuser, "recovery", instead_of=entry.pid) as maintenance:
            lines.append(settle(maintenance, server.superuser, record))
    return lines


def _renames(entry: Entry) -> bool:
    return CAPABILITIES[entry.facts.get("target", LOCAL)].renames_databases


def last_swap(journal: Journal, database: str) -> Entry | None:
    """Return the newest swap on the local server after which the live database was another one."""
    swapped = [
        entry
        for entry in journal.entries()
        if entry.database == database
        and (entry.state == "done" or entry.outcome == "finished")
        and entry.command in {"restore", "transfer", "undo"}
        and entry.facts.get("target", LOCAL) == LOCAL
    ]
    return swapped[-1] if swapped else None


def _settle_undo(maintenance: Connection, superuser: Endpoint, record: Record) -> str:
    entry = record.entry
    if swap.oid(maintenance, entry.database) == entry.facts.get("previous_oid"):
        swap.start_workers(superuser)
        record.close("finished")
        return f"the undo of {entry.database!r} was through and is finished"
    record.close("taken back")
    return f"the undo of {entry.database!r} had changed nothing"
