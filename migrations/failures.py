"""Errors of the database as failures that say what to do."""

from __future__ import annotations

import socket
import traceback
from pathlib import Path
from types import TracebackType
from typing import cast

import psycopg
from sqlalchemy.exc import DBAPIError

from backend.config import Endpoint
from backend.errors import MigrationError

LOCK_NOT_AVAILABLE = psycopg.errors.LockNotAvailable.sqlstate

# A database of this name is on every server, so a login can be tried there.
MAINTENANCE_DATABASE = "postgres"

_TCP_TIMEOUT = 5.0


def sqlstate(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of a failed statement."""
    return cast("psycopg.Error", error.orig).sqlstate


def busy(database: str, seconds: float) -> MigrationError:
    """Name a wait for another migration that took too long."""
    return MigrationError(
        f'another migration of database "{database}" did not end within {seconds:g} s',
        "Wait for it, or end its session (in pg_locks the lock is of type advisory), then repeat"
        " the command.",
    )


def connection_failure(error: psycopg.Error, endpoint: Endpoint) -> MigrationError:
    """Name why the endpoint cannot be reached, found out by behaviour.

    libpq keeps the SQLSTATE of a refused connection to itself, and the text's language is the
    server's choice.
    """
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        socket.create_connection((endpoint.host, endpoint.port), _TCP_TIMEOUT).close()
    except OSError:
        return MigrationError(
            f"nothing answers at {where}",
            "Start the stack with `invoke up`, or correct the host and port in .env.",
        )
    if error.pgconn is not None and error.pgconn.used_password:
        names = _databases(endpoint)
        if names is None:
            return MigrationError(
                f'the server at {where} refuses the password of "{endpoint.user}"',
                "Correct it in .env; on the local target `invoke up` sets the role's password"
                " to it.",
            )
        if endpoint.database not in names:
            return MigrationError(
                f'database "{endpoint.database}" does not exist at {where}',
                "Correct its name in .env, or create it; `invoke up` creates the local one.",
            )
    return MigrationError(
        f"{endpoint} cannot be reached: {last_line(error)}",
        "Run `invoke doctor` to see what stands in the way.",
    )


def named(error: DBAPIError, endpoint: Endpoint) -> MigrationError:
    """Name what SQLAlchemy could not do: reach the database, or run a statement."""
    cause = cast("psycopg.Error", error.orig)
    if error.statement is None and cause.sqlstate is None:
        return connection_failure(cause, endpoint)
    if cause.sqlstate is None:
        return MigrationError(
            f"the connection to {endpoint} was lost: {last_line(cause)}",
            "Nothing was changed; see that the database runs, then repeat the command.",
        )
    revision = _revision(error.__traceback__)
    subject = f"revision {revision}" if revision else f"{endpoint}"
    if cause.sqlstate == LOCK_NOT_AVAILABLE:
        return MigrationError(
            f"{subject} waited too long for a lock on a table"
            f' of database "{endpoint.database}"; nothing was changed',
            "End the session that holds it (pg_stat_activity lists them), then run"
            " `invoke migrate` again.",
        )
    message = cause.diag.message_primary or last_line(cause)
    return MigrationError(
        f"{subject} failed with SQLSTATE {cause.sqlstate}: {message}",
        "Nothing was changed; correct the cause, then repeat the command.",
    )


def _revision(trace: TracebackType | None) -> str | None:
    """Find the revision script among the frames of an error: the innermost one under versions."""
    revision = None
    for frame, _ in traceback.walk_tb(trace):
        if Path(frame.f_code.co_filename).parent.name == "versions":
            revision = frame.f_globals.get("revision", revision)
    return revision


def _databases(endpoint: Endpoint) -> list[str] | None:
    """List the server's databases; None when it refuses the login there as well."""
    parts = endpoint.conninfo() | {"dbname": MAINTENANCE_DATABASE}
    try:
        with psycopg.connect(**parts) as connection:
            return [name for (name,) in connection.execute("SELECT datname FROM pg_database")]
    except psycopg.OperationalError:
        return None


def last_line(error: BaseException) -> str:
    """Return the last line of the error's text: libpq puts the server's own words there."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
