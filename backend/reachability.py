"""Why a connection failed, found out by behaviour.

libpq keeps the SQLSTATE of a refused connection to itself, and the server's text comes in the
server's language.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Literal

import psycopg

from backend.config import Endpoint

_TCP_TIMEOUT = 5.0
# Databases that are on every server, so that a login can be tried there.
_ALWAYS_THERE = ("postgres", "template1")


@dataclass(frozen=True)
class Failure:
    """The cause of a failed connection; `text` is the server's own word or the network's.

    `not admitted` means that the password was never asked for: TLS, or the server's host rules.
    """

    cause: Literal["unknown host", "no answer", "no database", "not admitted", "refused"]
    text: str
    databases: tuple[str, ...] = ()


def diagnose(endpoint: Endpoint, error: psycopg.Error, database: str | None = None) -> Failure:
    """Tell apart what stands between us and the database.

    At most two more logins are tried, never in a loop: servers ban who guesses passwords.
    """
    text = last_line(error)
    try:
        socket.create_connection((endpoint.host, endpoint.port), _TCP_TIMEOUT).close()
    except socket.gaierror:
        return Failure("unknown host", text)
    except OSError:
        return Failure("no answer", text)
    # The server checks the password before it looks for the database, so a login elsewhere on it
    # tells the two apart.
    wanted = database or endpoint.database
    found = _databases(endpoint, wanted)
    if found is not None and wanted not in found:
        return Failure("no database", text, found)
    asked = error.pgconn is not None and error.pgconn.used_password
    return Failure("refused" if asked else "not admitted", text)


def last_line(error: BaseException) -> str:
    """Return the last line of the error's text: libpq puts the server's own words there."""
    text = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return text.partition("FATAL:")[2].strip() or text.strip()


def _databases(endpoint: Endpoint, wanted: str) -> tuple[str, ...] | None:
    for candidate in _ALWAYS_THERE:
        if candidate == wanted:
            continue
        try:
            with psycopg.connect(**(endpoint.conninfo() | {"dbname": candidate})) as connection:
                rows = connection.execute(
                    "SELECT datname FROM pg_catalog.pg_database "
                    "WHERE datallowconn AND NOT datistemplate ORDER BY datname"
                ).fetchall()
        except psycopg.OperationalError:
            continue
        return tuple(str(name) for (name,) in rows)
    return None
