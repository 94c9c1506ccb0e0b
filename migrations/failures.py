"""Errors of the database as failures that say what to do."""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import cast

import psycopg
from sqlalchemy.exc import DBAPIError

from backend import reachability
from backend.causes import Explanation
from backend.config import Endpoint
from backend.errors import MigrationError
from backend.reachability import last_line

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
    found = reachability.diagnose(endpoint, error)
    return MigrationError(found.message, found.hint)


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
    found = _explanation(cause, endpoint)
    if found is not None:
        return MigrationError(f"{subject} failed: {found.message}", found.hint)
    return MigrationError(
        f"{subject} failed with SQLSTATE {cause.sqlstate}: {last_line(cause)}",
        "Nothing was changed; correct the cause, then repeat the command.",
    )


def _explanation(error: psycopg.Error, endpoint: Endpoint) -> Explanation | None:
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        # The session that failed is gone; where a new one may write, that says enough.
        with suppress(psycopg.Error), reachability.log_in(endpoint) as connection:
            return reachability.why_read_only(endpoint, str(error), connection)
    return reachability.explain(endpoint, last_line(error), error.sqlstate)


def _revision(trace: TracebackType | None) -> str | None:
    """Find the revision script among the frames of an error: the innermost one under versions."""
    revision = None
    for frame, _ in traceback.walk_tb(trace):
        if Path(frame.f_code.co_filename).parent.name == "versions":
            revision = frame.f_globals.get("revision", revision)
    return revision
