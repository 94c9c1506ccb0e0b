"""Connections to a database, with failures told apart for the side they happened on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from psycopg.rows import TupleRow

from backend.config import Endpoint
from infra.errors import SlipwayError, SourceError, TargetError

Side = Literal["source", "target"]
Connection = psycopg.Connection[TupleRow]

_TCP_TIMEOUT = 5.0
_ERRORS: dict[Side, type[SlipwayError]] = {"source": SourceError, "target": TargetError}


@contextmanager
def connect(
    endpoint: Endpoint, side: Side, *, database: str | None = None, autocommit: bool = False
) -> Iterator[Connection]:
    """Open a connection that resolves no name outside pg_catalog and waits for no time limit.

    Raises SourceError or TargetError; three failures have messages of their own: nothing answers,
    the password is refused, the database does not exist.
    """
    parts = endpoint.conninfo() | {"application_name": "slipway"}
    if database is not None:
        parts["dbname"] = database
    try:
        connection = psycopg.connect(**parts, autocommit=True)
    except psycopg.OperationalError as error:
        raise _explain(endpoint, side, parts, error) from None
    with connection:
        # Asked of pg_settings because the last one is known from version 17 on.
        connection.execute(
            "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings "
            "WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', "
            "'transaction_timeout')"
        )
        # Source databases are not trusted: a function in `public` must not shadow a built-in one.
        connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
        connection.set_autocommit(autocommit)
        try:
            yield connection
        except psycopg.Error as error:
            raise _ERRORS[side](
                f"{_name(endpoint, parts['dbname'])}: {_first_line(error)}",
                f"The server answered with SQLSTATE {error.sqlstate or 'none (connection lost)'}; "
                "see its log.",
            ) from error


def _explain(
    endpoint: Endpoint, side: Side, parts: dict[str, Any], error: psycopg.Error
) -> SlipwayError:
    """Find out by behaviour what went wrong: libpq tells no SQLSTATE for a failed connect."""
    failure = _ERRORS[side]
    prefix = "SOURCE_DB" if endpoint.target == "source" else f"{endpoint.target.upper()}_DB"
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        socket.create_connection((endpoint.host, endpoint.port), _TCP_TIMEOUT).close()
    except socket.gaierror:
        return failure(
            f"{endpoint.target} host {endpoint.host!r} is not a known name",
            f"Check {prefix}_HOST in .env.",
        )
    except OSError:
        return failure(
            f"{endpoint.target} database: nothing answers at {where}",
            f"Start that server, or check {prefix}_HOST and {prefix}_PORT in .env."
            if endpoint.target != "local"
            else "Start the stack with `invoke up`.",
        )
    # The server checks the password before it looks for the database, so a login elsewhere on it
    # tells the two apart in any language.
    others = _databases(parts)
    if others is not None:
        return failure(
            f"database {parts['dbname']!r} does not exist at {where}",
            f"Databases there: {', '.join(others)}. Set {prefix}_NAME in .env.",
        )
    return failure(
        f"{endpoint.target} database at {where} refuses user {endpoint.user!r}: "
        f"{_first_line(error)}",
        f"Check {prefix}_USER and {prefix}_PASSWORD in .env, and that the server at {where} "
        "is the one you mean."
        if endpoint.target != "local"
        else "`invoke up` sets the roles' passwords to those in .env.",
    )


def _databases(parts: dict[str, Any]) -> list[str] | None:
    """List the server's databases, or None when the login itself is refused."""
    for candidate in ("postgres", "template1"):
        if candidate == parts["dbname"]:
            continue
        try:
            with psycopg.connect(**(parts | {"dbname": candidate})) as connection:
                rows = connection.execute(
                    "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn "
                    "AND NOT datistemplate ORDER BY datname"
                ).fetchall()
        except psycopg.OperationalError:
            continue
        names = [str(name) for (name,) in rows]
        return None if parts["dbname"] in names else names
    return None


def _name(endpoint: Endpoint, database: str) -> str:
    return f"{endpoint.target} database {database!r}"


def _first_line(error: psycopg.Error) -> str:
    if error.diag.message_primary:
        return error.diag.message_primary
    text = str(error).strip().splitlines()
    return text[-1].removeprefix("FATAL:").strip() if text else type(error).__name__
