"""How an endpoint hands out sessions, found out by behaviour, leaving nothing behind."""

from __future__ import annotations

import selectors
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Literal, Self

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from backend import reachability
from backend.causes import Cause, word
from backend.config import Endpoint
from backend.errors import ConfigurationError

Pooling = Literal["direct", "session", "transaction", "statement"]

# How long a statement that takes no time may wait for a backend: the first one, of a database that
# may have been asleep; any other; a client's first one; and that one once another has been
# answered that came later. Seconds.
_WAKING = 15.0
_PATIENCE = 5.0
_QUEUED = 2.0
_OVERTAKEN = 0.5
# Clients beside the first: a pooler may run as several processes that share nothing, so that two
# clients need not meet.
_OTHERS = 3
# How often all are asked at the same time: in a pool that others use too, they may miss each other.
_ROUNDS = 6
# A backend comes back to its pool a moment after its client has left.
_RECONNECTIONS = 4

_POOLED = Cause(
    "pooled",
    "{HOST} leads to a pooler that gives each {unit} another session: {where}",
    "Dumps, locks and migrations need whole sessions: {direct}.",
)
_BACKEND = b"SELECT pg_catalog.pg_backend_pid()"
_NOW = b"SELECT pg_catalog.clock_timestamp()"
_STARTED_BEFORE = (
    "SELECT backend_start < '{}' FROM pg_catalog.pg_stat_activity "
    "WHERE pid = pg_catalog.pg_backend_pid()"
)


def kind(endpoint: Endpoint) -> Pooling:
    """Tell who holds a backend for how long: a connection, a transaction, or a statement.

    `direct` and `session` are whole sessions; behind a proxy that keeps none open, as Neon's, it is
    `direct`. Raises psycopg.OperationalError where there is no way in.
    """
    with _first(endpoint) as first:
        if first.is_backend():
            return "direct"
        found = _compare(first, endpoint)
        if found != "whole":
            return found
        return "session" if _reuses_backends(first, endpoint) else "direct"


def require_whole_sessions(endpoint: Endpoint) -> None:
    """Raise ConfigurationError where a pooler stands that gives each transaction another session.

    Settings, locks and prepared statements are lost there, or left to whoever comes next. Raises
    psycopg.OperationalError where there is no way in.
    """
    with _first(endpoint) as first:
        found = "whole" if first.is_backend() else _compare(first, endpoint)
    if found in {"transaction", "statement"}:
        raise refusal(endpoint, found)


def refusal(endpoint: Endpoint, found: Pooling) -> ConfigurationError:
    """Name the setting that leads to a pooler, and the way around it where that is known."""
    worded = word(_POOLED, endpoint, "", unit=found)
    return ConfigurationError(worded.message, worded.hint)


class NoBackendError(psycopg.OperationalError):
    """A pooler had no backend for a statement in time."""


class Client:
    """A connection whose statements are given up when no backend is to be had for them.

    `waits` tells that one was; `parts` are further parameters of libpq.
    """

    waits = False

    def __init__(self, endpoint: Endpoint, **parts: str) -> None:
        self.connection = reachability.log_in(
            endpoint, autocommit=True, application_name="slipway", client_encoding="UTF8", **parts
        )
        # A pooler that gives each transaction another session knows no prepared statements.
        self.connection.prepare_threshold = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def is_backend(self) -> bool:
        """Tell whether nothing stands between: poolers and proxies make up process numbers."""
        return self.ask(_BACKEND, _WAKING) == str(self.connection.info.backend_pid)

    def ask(self, statement: bytes, patience: float = _PATIENCE) -> str:
        """Return the first value of the answer; NoBackendError when there is none in time."""
        self.send(statement)
        return self.answer(patience)

    def send(self, statement: bytes) -> None:
        """Begin a statement, in the simple protocol: that leaves no prepared one behind."""
        self.connection.pgconn.send_query(statement)
        self.connection.pgconn.flush()

    def answer(self, patience: float = _PATIENCE) -> str:
        """Wait for what was begun; after a NoBackendError it is still under way."""
        deadline = time.monotonic() + patience
        value, self.waits = "", True
        refused: psycopg.Error | None = None
        try:
            while (result := self.next_result(deadline)) is not None:
                if result.status == ExecStatus.FATAL_ERROR:
                    refused = psycopg.errors.error_from_result(result)
                if result.ntuples:
                    value = (result.get_value(0, 0) or b"").decode()
        except psycopg.OperationalError:
            # Whoever is thrown out was told why before.
            if refused is None:
                raise
        self.waits = False
        if refused is not None:
            raise refused
        return value

    def next_result(self, deadline: float) -> PGresult | None:
        """Return libpq's next result of what was begun, None after the last one of a statement.

        NoBackendError when it is not there at that time of the monotonic clock.
        """
        pgconn = self.connection.pgconn
        with selectors.DefaultSelector() as selector:
            selector.register(pgconn.socket, selectors.EVENT_READ)
            while pgconn.is_busy():
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise NoBackendError("no session was to be had in time")
                pgconn.consume_input()
        return pgconn.get_result()


def _first(endpoint: Endpoint) -> Client:
    return reachability.patiently(lambda: Client(endpoint), endpoint)


class _Meeting:
    """Which backends have answered which of several clients that are connected together."""

    def __init__(self, first: Client) -> None:
        self._clients = [first]
        self._answers = {(0, first.ask(_BACKEND))}

    def ask_again(self) -> None:
        """Ask the last client once more: where backends take turns it gets another one."""
        self._note(len(self._clients) - 1)

    def join(self, client: Client) -> Pooling | None:
        """Ask one client more: where backends lie on a stack, it gets the one used last.

        Where it has to wait in vain, whether the first one has to wait as well tells of the
        pooler: it serves in order, so that only who keeps a backend is answered.
        """
        self._clients.append(client)
        try:
            self._note(len(self._clients) - 1, _QUEUED)
        except NoBackendError:
            try:
                self._note(0)
                backend = client.answer(_OVERTAKEN)
            except NoBackendError:
                return "transaction" if self._clients[0].waits else "session"
            self._answers.add((len(self._clients) - 1, backend))
        return None

    def ask_all(self) -> None:
        """Ask all clients at the same time."""
        for client in self._clients:
            client.send(_BACKEND)
        for number, client in enumerate(self._clients):
            self._answers.add((number, client.answer()))

    def shares(self) -> bool:
        """Tell whether a backend has changed, or has answered two: so it belongs to nobody."""
        backends = {backend for _, backend in self._answers}
        return not len(self._answers) == len(backends) == len(self._clients)

    def _note(self, number: int, patience: float = _PATIENCE) -> None:
        self._answers.add((number, self._clients[number].ask(_BACKEND, patience)))


def _compare(first: Client, endpoint: Endpoint) -> Literal["whole"] | Pooling:
    """Return `whole`, or a kind where that came to light already."""
    with ExitStack() as stack:
        try:
            meeting = _Meeting(first)
            meeting.ask_again()
            for _ in range(_OTHERS):
                if meeting.shares():
                    break
                try:
                    client = stack.enter_context(Client(endpoint))
                except psycopg.OperationalError:
                    # There is no room for so many, so those that are in go on.
                    break
                found = meeting.join(client)
                if found:
                    return found
            for _ in range(_ROUNDS):
                if meeting.shares():
                    return _without_transactions(first)
                meeting.ask_all()
        except NoBackendError:
            # Each has had a backend before, and did not keep it.
            return "transaction"
        return _without_transactions(first) if meeting.shares() else "whole"


def _without_transactions(client: Client) -> Pooling:
    try:
        client.ask(b"BEGIN")
        client.ask(b"ROLLBACK")
    except psycopg.errors.ProtocolViolation:
        return "statement"
    except NoBackendError:
        # Others hold all backends, in transactions.
        return "transaction"
    return "transaction"


def _reuses_backends(first: Client, endpoint: Endpoint) -> bool:
    """Tell whether a client is given a backend that was there before it came."""
    for _ in range(_RECONNECTIONS):
        now = first.ask(_NOW)
        with Client(endpoint) as later:
            try:
                if later.ask(_STARTED_BEFORE.format(now).encode()) == "t":
                    return True
            except NoBackendError:
                # A server without a pool would have turned it away.
                return True
    return False
