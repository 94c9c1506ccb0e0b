"""What becomes of a session's state at an endpoint, tried out and taken back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psycopg

from backend.config import Endpoint
from backend.pooling import Client, Pooling
from infra.postgres.endpoint import prepared

# A setting that nothing reads.
_SETTING = "slipway.probe"
_LEAVE = "SELECT pg_catalog.pg_backend_pid() || ' ' || pg_catalog.set_config('{}', '{}', false)"
# Says which backend answers and what it holds, and lets the one in question forget it.
_LOOK = (
    "SELECT pg_catalog.pg_backend_pid() || ' '"
    " || COALESCE(pg_catalog.current_setting('{setting}', true), '')"
    " || CASE WHEN pg_catalog.pg_backend_pid() = {backend}"
    " THEN COALESCE(pg_catalog.set_config('{setting}', NULL, false), '') ELSE '' END"
)
_CURRENT = f"SELECT pg_catalog.current_setting('{_SETTING}', true)".encode()
# So long that statements that are sent together get backends of their own, where there are any.
_PAUSE = "SELECT pg_catalog.pg_sleep(0.05); "
# How many clients look for a backend together, and how often.
_CLIENTS = 4
_TURNS = 10


def takes_options(endpoint: Endpoint) -> bool:
    """Tell whether a setting that is given at login is in force: some poolers refuse or ignore it.

    The endpoint must be known to let the role in without one.
    """
    value = secrets.token_hex(4)
    try:
        with Client(endpoint, options=f"-c {_SETTING}={value}") as client:
            return client.ask(_CURRENT) == value
    except psycopg.OperationalError:
        return False


def leaks_settings(endpoint: Endpoint, kind: Pooling) -> bool | None:
    """Tell whether what one client has SET is found by the next; None where they did not meet.

    It is reset where it was left, also when this is interrupted.
    """
    if kind == "direct":
        return False
    value = secrets.token_hex(4)
    with Client(endpoint) as first:
        backend = first.ask(_LEAVE.format(_SETTING, value).encode()).partition(" ")[0]
        if kind != "session":
            return _find(endpoint, kind, backend, value)
    # A session is the next client's once this one has left.
    return _find(endpoint, kind, backend, value)


def keeps_prepared_statements(endpoint: Endpoint, kind: Pooling) -> bool | None:
    """Tell whether a statement that the protocol prepared is there in the next transaction.

    None where it was never asked for on another backend. None is left where it was prepared, also
    when this is interrupted.
    """
    name = f"slipway_{secrets.token_hex(4)}"
    if kind in {"direct", "session"}:
        with Client(endpoint) as client:
            return prepared.lasts(client, name.encode())
    holders: set[str] = set()
    kept: bool | None = None
    try:
        kept = prepared.travels(endpoint, name.encode(), holders)
    finally:
        if not kept:
            _deallocate(endpoint, kind, name, len(holders))
    return kept


def _find(endpoint: Endpoint, kind: Pooling, backend: str, value: str) -> bool | None:
    look = _LOOK.format(setting=_SETTING, backend=backend)
    try:
        return _look(endpoint, kind, look, backend, value)
    except BaseException:
        # Whatever ended the search, what it was for is still to be taken back.
        with suppress(psycopg.Error):
            _look(endpoint, kind, look, backend, value)
        raise


def _look(endpoint: Endpoint, kind: Pooling, look: str, backend: str, value: str) -> bool | None:
    for answer in _visits(endpoint, kind, look):
        found, _, held = str(answer).partition(" ")
        if found == backend:
            return held == value
    return None


def _deallocate(endpoint: Endpoint, kind: Pooling, name: str, holders: int) -> None:
    for answer in _visits(endpoint, kind, f"DEALLOCATE {name}"):
        # A backend that does not hold the statement says so.
        holders -= isinstance(answer, str)
        if holders <= 0:
            return


def _visits(endpoint: Endpoint, kind: Pooling, statement: str) -> Iterator[str | psycopg.Error]:
    """Run a statement on one backend after the other, as far as a pooler can be brought to it."""
    if kind == "session":
        for _ in range(_TURNS):
            with Client(endpoint) as client:
                answer = _run([client], statement)
            yield from answer
        return
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(endpoint))]
        # Most pools give out first what came back last.
        yield from _run(clients, statement)
        clients += [stack.enter_context(Client(endpoint)) for _ in range(_CLIENTS - 1)]
        for _ in range(_TURNS):
            yield from _run(clients, _PAUSE + statement)


def _run(clients: list[Client], statement: str) -> list[str | psycopg.Error]:
    for client in clients:
        client.send(statement.encode())
    answers: list[str | psycopg.Error] = []
    for client in clients:
        try:
            answers.append(client.answer())
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            answers.append(error)
    return answers
