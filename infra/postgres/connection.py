"""Connections to a database, with failures told apart for the side they happened on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from backend import reachability
from backend.causes import Explanation
from backend.config import Endpoint
from backend.reachability import last_line
from infra.errors import (
    SlipwayError,
    SourceError,
    SourceLostError,
    TargetError,
    TargetLostError,
)
from infra.postgres import platform

Side = Literal["source", "target"]
Connection = psycopg.Connection[TupleRow]

_ERRORS: dict[Side, type[SlipwayError]] = {"source": SourceError, "target": TargetError}
_LOST: dict[Side, type[SlipwayError]] = {"source": SourceLostError, "target": TargetLostError}
# The server went away, or is on its way out or in; a connection that broke has no code at all. The
# last one is a lock that was not to be had in time.
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "55P03")
# A snapshot is gone with the session that held it, and its error has no code of its own.
_SNAPSHOT_GONE = "ImportSnapshot"

# No time limits, and what a hosting platform keeps in the database, for every query to leave alone.
_SESSION = (Path(__file__).parent / "sql" / "session.sql").read_bytes()

# What goes wrong is said by the errors raised here; psycopg would say it again in its own words.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@contextmanager
def connect(
    endpoint: Endpoint,
    side: Side,
    *,
    database: str | None = None,
    autocommit: bool = False,
    application: str = "slipway",
) -> Iterator[Connection]:
    """Open a connection that resolves no name outside pg_catalog and waits for no time limit.

    A hosted database that sleeps is given some seconds to wake up. Raises SourceError or
    TargetError, whose message says what is known of the cause.
    """
    database = database or endpoint.database
    with _open(endpoint, side, database, application) as connection:
        try:
            _prepare(connection)
            connection.set_autocommit(autocommit)
            yield connection
        except psycopg.Error as error:
            # What was being read when it happened, where somebody noted it.
            notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
            # A source is only read: what wants to write there is its own, whatever it is.
            writes = side == "source" and isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            found = None if writes else _explain(endpoint, connection, error)
            lost = _is_lost(error) or (found is not None and found.passing)
            if found is not None:
                message, hint = f"{notes}{found.message}", found.hint
                raise (_LOST if lost else _ERRORS)[side](message, hint) from error
            raise (_LOST if lost else _ERRORS)[side](
                f"{endpoint.target} database {database!r}: {notes}{last_line(error)}",
                f"The server answered with SQLSTATE {error.sqlstate or 'none (connection lost)'}; "
                "see its log.",
            ) from error


def _open(endpoint: Endpoint, side: Side, database: str, application: str) -> Connection:
    def log_in() -> Connection:
        return reachability.log_in(
            endpoint,
            dbname=database,
            autocommit=True,
            application_name=application,
            # A database made without an encoding would give bytes where text is meant.
            client_encoding="UTF8",
            # A network that only drops packets is noticed in a minute, not in hours.
            keepalives_idle=20,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
        )

    try:
        return reachability.patiently(log_in, endpoint)
    except psycopg.OperationalError as error:
        found = reachability.diagnose(endpoint, error, database)
        raise (_LOST if found.passing else _ERRORS)[side](found.message, found.hint) from None


def _prepare(connection: Connection) -> None:
    # Source databases are not trusted: a function in `public` must not shadow a built-in one.
    connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
    connection.execute(_SESSION, [platform.KNOWN])


def _explain(
    endpoint: Endpoint, connection: Connection, error: psycopg.Error
) -> Explanation | None:
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        try:
            connection.rollback()
            return reachability.why_read_only(endpoint, str(error), connection)
        except psycopg.Error:
            pass  # It cannot be asked any more, so its words must do.
    return reachability.explain(endpoint, last_line(error), error.sqlstate)


def _is_lost(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    gone = error.diag.source_function == _SNAPSHOT_GONE
    return gone or error.sqlstate.startswith(_LOST_STATES)
