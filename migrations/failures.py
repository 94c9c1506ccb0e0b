"""Errors of the database as failures that say what to do."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import cast

import psycopg
from sqlalchemy.exc import DBAPIError

from backend.config import Endpoint
from backend.errors import MigrationError
from backend.reachability import diagnose, last_line

LOCK_NOT_AVAILABLE = psycopg.errors.LockNotAvailable.sqlstate


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
    """Name why the endpoint cannot be reached."""
    where = f"{endpoint.host}:{endpoint.port}"
    found = diagnose(endpoint, error)
    match found.cause:
        case "unknown host" | "no answer":
            return MigrationError(
                f"nothing answers at {where}",
                "Start the stack with `invoke up`, or correct the host and port in .env.",
            )
        case "no database":
            return MigrationError(
                f'database "{endpoint.database}" does not exist at {where}',
                "Correct its name in .env, or create it; `invoke up` creates the local one.",
            )
        case "not admitted":
            return MigrationError(
                f"the server at {where} lets nobody in this way: {found.text}",
                "Check the target's _SSLMODE in .env, and the server's pg_hba.conf.",
            )
        case "refused":
            return MigrationError(
                f'the server at {where} refuses user "{endpoint.user}": {found.text}',
                "Correct the password in .env; on the local target `invoke up` sets the role's"
                " password to it.",
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
