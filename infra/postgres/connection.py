"""Connections to a database, with failures told apart for the side they happened on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from backend.config import Endpoint
from backend.reachability import diagnose
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

# What a session begins with.
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

    Raises SourceError or TargetError; three failures have messages of their own: nothing answers,
    the password is refused, the database does not exist.
    """
    parts = endpoint.conninfo() | {
        "application_name": application,
        # A database made without an encoding would give bytes where text is meant.
        "client_encoding": "UTF8",
        # A network that only drops packets is noticed in a minute, not in hours.
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    if database is not None:
        parts["dbname"] = database
    try:
        connection = psycopg.connect(**parts, autocommit=True)
    except psycopg.OperationalError as error:
        raise _explain(endpoint, side, parts["dbname"], error) from None
    with connection:
        # Source databases are not trusted: a function in `public` must not shadow a built-in one.
        connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
        connection.execute(_SESSION, [platform.KNOWN])
        connection.set_autocommit(autocommit)
        try:
            yield connection
        except psycopg.Error as error:
            # What was being read when it happened, where somebody noted it.
            notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
            raise (_LOST if _is_lost(error) else _ERRORS)[side](
                f"{_name(endpoint, parts['dbname'])}: {notes}"
                f"{error.diag.message_primary or str(error).partition(chr(10))[0]}",
                f"The server answered with SQLSTATE {error.sqlstate or 'none (connection lost)'}; "
                "see its log.",
            ) from error


def _explain(endpoint: Endpoint, side: Side, database: str, error: psycopg.Error) -> SlipwayError:
    prefix = "SOURCE_DB" if endpoint.target == "source" else f"{endpoint.target.upper()}_DB"
    where = f"{endpoint.host}:{endpoint.port}"
    local = endpoint.target == "local"
    found = diagnose(endpoint, error, database)
    match found.cause:
        case "unknown host":
            message = f"{endpoint.target} host {endpoint.host!r} is not a known name"
            hint = f"Check {prefix}_HOST in .env."
        case "no answer":
            message = f"{endpoint.target} database: nothing answers at {where}"
            hint = (
                "Start the stack with `invoke up`."
                if local
                else f"Start that server, or check {prefix}_HOST and {prefix}_PORT in .env."
            )
        case "no database":
            message = f"database {database!r} does not exist at {where}"
            hint = f"Databases there: {', '.join(found.databases)}. Set {prefix}_NAME in .env."
        case "not admitted":
            message = f"{endpoint.target} database at {where} lets nobody in this way: {found.text}"
            hint = f"Check {prefix}_SSLMODE in .env, and the server's pg_hba.conf."
        case "refused":
            message = (
                f"{endpoint.target} database at {where} refuses user {endpoint.user!r}: "
                f"{found.text}"
            )
            hint = (
                "Run `invoke up`, which sets the roles' passwords to those in .env."
                if local
                else f"Check {prefix}_USER and {prefix}_PASSWORD in .env, and that the server at "
                f"{where} is the one you mean."
            )
    # A server that is starting asks nobody for a password.
    passing = found.cause in {"no answer", "not admitted"}
    return (_LOST if passing else _ERRORS)[side](message, hint)


def _is_lost(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    gone = error.diag.source_function == _SNAPSHOT_GONE
    return gone or error.sqlstate.startswith(_LOST_STATES)


def _name(endpoint: Endpoint, database: str) -> str:
    return f"{endpoint.target} database {database!r}"
