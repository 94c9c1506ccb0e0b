"""Staging databases: made beside the live one, put in its place by rename, or thrown away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from backend.config import Endpoint
from infra.errors import RefusedError, TargetError
from infra.postgres.connection import Connection, connect

# The one database that is always there and that nobody restores into.
MAINTENANCE = "postgres"
# A role that owns what a restore makes until it is handed to the owner in one statement:
# PostgreSQL refuses to reassign what belongs to the superuser postgres itself.
RESTORER = "slipway_restorer"

# Identifiers end at 63 bytes; the rest is for the suffix.
_LONGEST_NAME = 48
_LOCK = 7_405_926
_SWAP_SECONDS = 60.0


def staging_name(database: str) -> str:
    """Name the database that a restore lands in."""
    return f"{database}__staging"


def previous_name(database: str) -> str:
    """Name the database that a swap put aside."""
    return f"{database}__previous"


@contextmanager
def maintenance(superuser: Endpoint) -> Iterator[Connection]:
    """Hold the one connection that makes, renames and drops databases.

    Raises RefusedError when another command holds it: one restore at a time for a server.
    """
    if len(superuser.database.encode()) > _LONGEST_NAME:
        raise RefusedError(
            f"database name {superuser.database!r} is longer than {_LONGEST_NAME} bytes",
            "Set DB_NAME in .env to a shorter one.",
        )
    with connect(superuser, "target", database=MAINTENANCE, autocommit=True) as connection:
        row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if not row or not row[0]:
            raise RefusedError(
                "another restore is running on the local database",
                "Wait for it to end; `invoke psql` on pg_stat_activity shows it.",
            )
        yield connection


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


def exists(connection: Connection, name: str) -> bool:
    """Tell whether the server has a database of that name."""
    query = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s"
    return connection.execute(query, [name]).fetchone() is not None


def swap(connection: Connection, database: str) -> None:
    """Put the staging database in the live one's place, which is kept under its previous name.

    All renames are one transaction: whatever happens, the live name is there. The copy that an
    earlier swap kept is dropped once there is a newer one.
    """
    staging, previous = staging_name(database), previous_name(database)
    discarded = f"{database}__discarded"
    drop(connection, discarded)
    deadline = time.monotonic() + _SWAP_SECONDS
    while True:
        _disconnect(connection, [database, staging, previous])
        try:
            with connection.transaction():
                if exists(connection, database):
                    if exists(connection, previous):
                        _rename(connection, previous, discarded)
                    _rename(connection, database, previous)
                _rename(connection, staging, database)
        except psycopg.errors.ObjectInUse:
            # Clients that reconnect at once can be faster than the rename.
            if time.monotonic() > deadline:
                raise TargetError(
                    f"database {database!r} could not be renamed: its clients reconnect too fast",
                    "Stop the application for a moment and restore again; nothing was changed.",
                ) from None
        else:
            break
    drop(connection, discarded)


@contextmanager
def restorer(connection: Connection, database: str) -> Iterator[str]:
    """Lend a role that may do everything and nobody can log in with.

    What a killed restore left is removed first: its staging database, then its role.
    """
    drop(connection, staging_name(database))
    role = sql.Identifier(RESTORER)
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    connection.execute(sql.SQL("CREATE ROLE {} SUPERUSER NOLOGIN").format(role))
    try:
        yield RESTORER
    finally:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    )


def _disconnect(connection: Connection, databases: list[str]) -> None:
    connection.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
        "WHERE datname = ANY(%s) AND pid <> pg_catalog.pg_backend_pid()",
        [databases],
    )
