"""Why a connection failed or a server refused: told by SQLSTATE, by text, and by looking.

libpq keeps the SQLSTATE of a refused connection to itself, and an old install's text comes in its
own language. What the text does not say is found out by behaviour.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from backend import login_causes, statement_causes, tls
from backend.causes import Cause, Explanation, is_hosted, recognise, said, word
from backend.config import Endpoint

_TCP_TIMEOUT = 5.0
# Databases that are on every server, so that a login can be tried there.
_ALWAYS_THERE = ("postgres", "template1")
# Between attempts while a hosted database wakes up; together they are more than ten seconds.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)

_FAILED_CONNECTION = re.compile(r"connection to server .* failed|connection failed")
T = TypeVar("T")


def explain(endpoint: Endpoint, text: str, sqlstate: str | None = None) -> Explanation | None:
    """Say what a server's error means without asking anybody; None where nothing is known of it.

    `text` may be all that psql or pg_restore has printed.
    """
    failed = sqlstate is None and _FAILED_CONNECTION.search(text)
    causes = login_causes.LOGIN_CAUSES if failed else statement_causes.STATEMENT_CAUSES
    found = recognise(causes, text, sqlstate, hosted=is_hosted(endpoint))
    if found is None:
        return None
    return word(found.cause, endpoint, found.line, **{"databases": "not known", **found.quoted})


def another_try(text: str) -> bool | None:
    """Tell whether another try may succeed after what psql or pg_dump has printed of its end.

    None where that is not known.
    """
    failed = _FAILED_CONNECTION.search(text)
    causes = login_causes.LOGIN_CAUSES if failed else statement_causes.STATEMENT_CAUSES
    found = recognise(causes, text, hosted=True)
    return None if found is None else found.cause.passing


def log_in(endpoint: Endpoint, **parts: str | int | None) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect with the endpoint's parameters and `parts`; raises psycopg's errors.

    The password is sent to one of the host's addresses only: psycopg would try them all, and
    servers ban who repeats a wrong one.
    """
    parameters = endpoint.conninfo() | parts
    address = _address(endpoint)
    if address is not None:
        parameters["hostaddr"] = address
    return psycopg.connect(**parameters)


def patiently(connect: Callable[[], T], endpoint: Endpoint) -> T:
    """Connect, and again for some seconds while a hosted database says that it wakes up."""
    for pause in _PAUSES:
        try:
            return connect()
        except psycopg.OperationalError as error:
            found = recognise(login_causes.LOGIN_CAUSES, str(error), hosted=is_hosted(endpoint))
            if found is None or found.cause is not login_causes.ASLEEP:
                raise
            time.sleep(pause)
    return connect()


def diagnose(endpoint: Endpoint, error: psycopg.Error, database: str | None = None) -> Explanation:
    """Tell apart what stands between us and the database.

    A hosted server is asked for no further login with a password that it refused; elsewhere at most
    two more are tried, never in a loop.
    """
    text = str(error)
    wanted = database or endpoint.database
    found = recognise(login_causes.LOGIN_CAUSES, text, hosted=is_hosted(endpoint))
    if found is not None and found.cause is login_causes.NO_DATABASE:
        # The server has checked the password first, so asking with it again is no guess.
        right = _used_password(error) or not is_hosted(endpoint)
        return _no_database(endpoint, text, wanted, _databases(endpoint, wanted) if right else None)
    if found is not None and found.cause in {login_causes.UNTRUSTED, login_causes.WRONG_NAME}:
        seen = _certificate(endpoint, text)
        return seen or word(found.cause, endpoint, found.line, **found.quoted)
    doubtful = found is None or found.cause in login_causes.DOUBTFUL
    unreachable = _unreachable(endpoint) if doubtful else None
    if unreachable is not None:
        return word(unreachable, endpoint, text)
    if found is not None:
        return word(found.cause, endpoint, found.line, **found.quoted)
    # The server checks the password before it looks for the database, so a login elsewhere on it
    # tells the two apart.
    others = None if is_hosted(endpoint) else _databases(endpoint, wanted)
    if others is not None and wanted not in others:
        return _no_database(endpoint, text, wanted, others)
    refused = login_causes.REFUSED if _used_password(error) else login_causes.NOT_ADMITTED
    return word(refused, endpoint, text)


def why_read_only(
    endpoint: Endpoint, text: str, connection: psycopg.Connection[Any]
) -> Explanation:
    """Ask a server why it refuses to write."""
    row = connection.execute(
        "SELECT pg_catalog.pg_is_in_recovery(), setting, source FROM pg_catalog.pg_settings "
        "WHERE name = 'default_transaction_read_only'"
    ).fetchone()
    replica, setting, source = row or (False, "off", "default")
    if replica:
        return word(statement_causes.REPLICA, endpoint, text)
    if setting == "off" or source in {"session", "client"}:
        return word(statement_causes.ONE_SESSION, endpoint, text)
    role, database = connection.info.user, connection.info.dbname
    thawed = {
        "database": f'DATABASE "{database}"',
        "user": f'ROLE "{role}"',
        "database user": f'ROLE "{role}" IN DATABASE "{database}"',
    }.get(source)
    if thawed:
        owner = "database" if source == "database" else "role"
        return word(statement_causes.FROZEN, endpoint, text, owner=owner, thawed=thawed)
    return word(statement_causes.DISK_FULL, endpoint, text)


def last_line(error: BaseException) -> str:
    """Return the line of an error's text that matters: the server's own words if it spoke."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return primary or said(str(error) or type(error).__name__)


def _used_password(error: psycopg.Error) -> bool:
    return error.pgconn is not None and error.pgconn.used_password


def _address(endpoint: Endpoint) -> str | None:
    """Return the first of several addresses that answers; None where there is nothing to choose."""
    if endpoint.host.startswith("/"):
        return None
    with suppress(OSError):
        addresses = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        if len({address[4][0] for address in addresses}) > 1:
            with socket.create_connection((endpoint.host, endpoint.port), _TCP_TIMEOUT) as found:
                return str(found.getpeername()[0])
    return None


def _unreachable(endpoint: Endpoint) -> Cause | None:
    try:
        socket.create_connection((endpoint.host, endpoint.port), _TCP_TIMEOUT).close()
    except socket.gaierror:
        return login_causes.UNKNOWN_HOST
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        if endpoint.target == "supabase" and not refused and _has_only_ipv6(endpoint):
            return login_causes.NO_IPV6
        return login_causes.NO_ANSWER
    return None


def _has_only_ipv6(endpoint: Endpoint) -> bool:
    addresses = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return {family for family, *_ in addresses} == {socket.AF_INET6}


def _certificate(endpoint: Endpoint, text: str) -> Explanation | None:
    """Look at what is wrong with a server's certificate; None where looking does not tell."""
    try:
        shown = tls.inspect(endpoint.host, endpoint.port, endpoint.certificates(), _TCP_TIMEOUT)
    except OSError:
        return None
    for cause in login_causes.TLS_CAUSES:
        if cause.name == shown.problem:
            expires = f"{shown.expires:%Y-%m-%d}" if shown.expires else "a day that it does not say"
            return word(
                cause,
                endpoint,
                text,
                name=", ".join(shown.names),
                issuer=shown.issuer,
                expires=expires,
            )
    return None


def _no_database(
    endpoint: Endpoint, text: str, wanted: str, others: tuple[str, ...] | None
) -> Explanation:
    known = "not known" if others is None else ", ".join(others)
    return word(login_causes.NO_DATABASE, endpoint, text, name=wanted, databases=known)


def _databases(endpoint: Endpoint, wanted: str) -> tuple[str, ...] | None:
    for candidate in _ALWAYS_THERE:
        if candidate == wanted:
            continue
        try:
            with log_in(endpoint, dbname=candidate) as connection:
                rows = connection.execute(
                    "SELECT datname FROM pg_catalog.pg_database "
                    "WHERE datallowconn AND NOT datistemplate ORDER BY datname"
                ).fetchall()
        except psycopg.OperationalError:
            continue
        return tuple(str(name) for (name,) in rows)
    return None
