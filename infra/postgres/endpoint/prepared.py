"""Named statements of the protocol: whether an endpoint has them when they are used again."""

from __future__ import annotations

import time
from contextlib import ExitStack

import psycopg
from psycopg.pq import ExecStatus

from backend.config import Endpoint
from backend.pooling import Client

_BACKEND = b"SELECT pg_catalog.pg_backend_pid()"
_PATIENCE = 5.0
# A statement that is not there, one that is there already, and statements refused as such.
_NOT_KEPT = ("26000", "42P05", "0A000")
# Clients that prepare a statement of the same name, one after the other.
_CLIENTS = 6


def lasts(client: Client, name: bytes) -> bool:
    """Tell whether a client that has a session of its own can use a statement again."""
    try:
        _prepare_and_run(client, name)
        _run(client, name)
    except psycopg.DatabaseError as error:
        if error.sqlstate not in _NOT_KEPT:
            raise
        return False
    return True


def travels(endpoint: Endpoint, name: bytes, holders: set[str]) -> bool | None:
    """Tell whether a pooler brings a client's statement along to whichever backend it gives it.

    Where it does not, the statement is missing on backends that have not seen it, and is there
    already for the next client on one that has; both are looked for. None where neither came about.
    `holders` becomes the backends that hold a statement of that name, if the pooler does nothing.
    """
    with ExitStack() as stack:
        first = stack.enter_context(Client(endpoint))
        try:
            holders.add(_prepare_and_run(first, name))
            for _ in range(_CLIENTS):
                backend = _prepare_and_run(stack.enter_context(Client(endpoint)), name)
                if backend in holders:
                    return True
                holders.add(backend)
                if _run(first, name) not in holders:
                    return True
        except psycopg.DatabaseError as error:
            if error.sqlstate not in _NOT_KEPT:
                raise
            return False
    return None


def _prepare_and_run(client: Client, name: bytes) -> str:
    """Prepare a statement and run it before anything else can happen; return its backend."""
    pgconn = client.connection.pgconn
    pgconn.enter_pipeline_mode()
    pgconn.send_prepare(name, _BACKEND)
    pgconn.send_query_prepared(name, None)
    pgconn.pipeline_sync()
    pgconn.flush()
    deadline = time.monotonic() + _PATIENCE
    backend, refused = "", None
    while True:
        result = client.next_result(deadline)
        if result is None:
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            break
        if result.status == ExecStatus.FATAL_ERROR:
            refused = psycopg.errors.error_from_result(result)
        elif result.ntuples:
            backend = (result.get_value(0, 0) or b"").decode()
    pgconn.exit_pipeline_mode()
    if refused is not None:
        raise refused
    return backend


def _run(client: Client, name: bytes) -> str:
    client.connection.pgconn.send_query_prepared(name, None)
    client.connection.pgconn.flush()
    return client.answer(_PATIENCE)
