"""Staging databases: made beside the live one, put in its place by rename, or thrown away."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from backend.config import Endpoint
from infra.errors import RefusedError, TargetError
from infra.postgres import role, timescale
from infra.postgres.connection import Connection, connect
from infra.transfer.journal import Boundary

# The one database that is always there and that nobody restores into.
MAINTENANCE = "postgres"

# Identifiers end at 63 bytes; the rest is for the suffix.
_LONGEST_NAME = 48
_LOCK = 7_405_926
_SWAP_SECONDS = 60.0
# How long the session of a killed command may take to notice that it is alone.
_GONE_SECONDS = 10.0

_HOLDER = """
SELECT a.pid, a.application_name
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1
"""


def staging_name(database: str) -> str:
    """Name the database that a restore lands in."""
    return f"{database}__staging"


def previous_name(database: str) -> str:
    """Name the database that a swap put aside."""
    return f"{database}__previous"


def discarded_name(database: str) -> str:
    """Name the database that a swap has no more use for."""
    return f"{database}__discarded"


@contextmanager
def maintenance(
    superuser: Endpoint, command: str, *, instead_of: int | None = None
) -> Iterator[Connection]:
    """Hold the one connection that makes, renames and drops databases.

    Raises RefusedError, which names the holder, when another command has it: one at a time for a
    server. `instead_of` is a process of this machine that was killed; what it left is ended.
    """
    if len(superuser.database.encode()) > _LONGEST_NAME:
        raise RefusedError(
            f"database name {superuser.database!r} is longer than {_LONGEST_NAME} bytes",
            "Set DB_NAME in .env to a shorter one.",
        )
    with connect(
        superuser,
        "target",
        database=MAINTENANCE,
        autocommit=True,
        application=_application(command, os.getpid()),
    ) as connection:
        deadline = time.monotonic() + _GONE_SECONDS
        while not _lock(connection):
            pid, holder = connection.execute(_HOLDER, [_LOCK]).fetchone() or (0, "")
            theirs = f"pid {instead_of} on {socket.gethostname()}"
            ours = instead_of is not None and theirs in holder
            # A pooler may give a session its own name. What was killed is soon noticed there.
            nameless = instead_of is not None and not holder.startswith("slipway ")
            if not (ours or nameless) or time.monotonic() > deadline:
                raise RefusedError(
                    f"another command is working on {superuser.target}: {holder or 'unknown'}",
                    "Wait for it to end; pg_stat_activity on that server shows what it does.",
                )
            if ours:
                connection.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [pid])
            time.sleep(0.1)
        yield connection


def _application(command: str, pid: int) -> str:
    # PostgreSQL cuts names at 63 bytes.
    return f"slipway {command}, pid {pid} on {socket.gethostname()}"[:63]


def _lock(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
    return bool(row and row[0])


def create_staging(connection: Connection, database: str, owner: str) -> str:
    """Make an empty staging database."""
    name = staging_name(database)
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' OWNER {}").format(
            sql.Identifier(name), sql.Identifier(owner)
        )
    )
    return name


def drop(connection: Connection, name: str) -> None:
    """Drop a database that may be in use or not exist."""
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def oid(connection: Connection, name: str) -> int | None:
    """Return what stays the same when a database is renamed; None where there is no such name."""
    row = connection.execute(
        "SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_database WHERE datname = %s", [name]
    ).fetchone()
    return int(row[0]) if row else None


def size(connection: Connection, name: str) -> int:
    """Return the bytes of a database that is there."""
    row = connection.execute(
        "SELECT pg_catalog.pg_database_size(%s::pg_catalog.name)", [name]
    ).fetchone()
    return int(row[0]) if row else 0


def swap(connection: Connection, database: str, boundary: Boundary) -> None:
    """Put the staging database in the live one's place, which is kept under its previous name.

    The copy that an earlier swap kept is dropped once there is a newer one.
    """
    previous, discarded = previous_name(database), discarded_name(database)
    drop(connection, discarded)
    renames = [(previous, discarded), (database, previous), (staging_name(database), database)]
    there = [pair for pair in renames if oid(connection, pair[0]) is not None]
    _rename_all(connection, database, there, boundary)
    drop(connection, discarded)


def exchange(connection: Connection, database: str, boundary: Boundary) -> None:
    """Put the previous database back, and keep the live one as the previous: twice is as before."""
    previous, between = previous_name(database), discarded_name(database)
    renames = [(database, between), (previous, database), (between, previous)]
    _rename_all(connection, database, renames, boundary)


def start_workers(superuser: Endpoint) -> None:
    """Start TimescaleDB's workers in the live database, which a rename stops.

    Only a superuser can; where others run the server, they see to that. Raises TargetError when the
    scheduler does not come to life: retention and refresh would stop without a word.
    """
    with connect(superuser, "target", autocommit=True) as connection:
        if role.is_superuser(connection) and not timescale.start_workers(connection):
            raise TargetError(
                f"database {superuser.database!r} is live and complete, but the scheduler of "
                "TimescaleDB does not run",
                "Raise timescaledb.max_background_workers on the server and run `invoke up`.",
            )


def _rename_all(
    connection: Connection, database: str, renames: list[tuple[str, str]], boundary: Boundary
) -> None:
    """Rename in one transaction: whatever happens, the live name is there."""
    deadline = time.monotonic() + _SWAP_SECONDS
    while True:
        _disconnect(connection, [old for old, _ in renames])
        try:
            with connection.transaction():
                for number, (old, new) in enumerate(renames):
                    if number == 1:
                        boundary("renaming")
                    _rename(connection, old, new)
        except psycopg.errors.ObjectInUse:
            # Clients that reconnect at once can be faster than the rename.
            if time.monotonic() > deadline:
                raise TargetError(
                    f"database {database!r} could not be renamed: its clients reconnect too fast",
                    "Stop the application for a moment and try again; nothing was changed.",
                ) from None
        else:
            boundary("committed")
            return


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    )


def _disconnect(connection: Connection, databases: list[str]) -> None:
    connection.execute(
        # Where others run the server, their superuser's sessions are not ours to end.
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a "
        "JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER "
        "LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid "
        "WHERE a.datname = ANY(%s) AND a.pid <> pg_catalog.pg_backend_pid() "
        "AND (me.rolsuper OR NOT r.rolsuper)",
        [databases],
    )
