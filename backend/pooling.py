"""How an endpoint hands out sessions, found out by behaviour, leaving nothing behind."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
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
# Clients beside the first, and those that come where they told nothing.
_OTHERS = 2
_MORE = 8
# How often all are asked at the same time: in a pool that others use too, they may miss each other.
_ROUNDS = 4
# Before a backend is looked at whose client has left: it takes a moment to go, or to be cleaned.
_LEAVING = (0.02, 0.05, 0.1, 0.2, 0.4)
_RECONNECTIONS = 4

_POOLED = Cause(
    "pooled",
    "{HOST} leads to a pooler that gives each {unit} another session: {where}",
    "Dumps, locks and migrations need whole sessions: {direct}.",
)
_BACKEND = b"SELECT pg_catalog.pg_backend_pid()"
_NOW = b"SELECT pg_catalog.clock_timestamp()"
# What poolers run before another client gets a session.
_RESET = "DISCARD ALL"
_ENDED = "(ended)"
_LAST_STATEMENT = (
    "SELECT COALESCE((SELECT query FROM pg_catalog.pg_stat_activity WHERE pid = {}), '(ended)')"
)
_STARTED_BEFORE = (
    "SELECT backend_start < '{}' FROM pg_catalog.pg_stat_activity "
    "WHERE pid = pg_catalog.pg_backend_pid()"
)


def kind(endpoint: Endpoint) -> Pooling:
    """Tell who holds a backend for how long: a connection, a transaction, or a statement.

    `direct` and `session` are whole sessions; behind a proxy that keeps none open, as Neon's, it is
    `direct`. Raises psycopg.OperationalError where there is no way in.
    """
    with _first(endpoint) as first, ExitStack() as stack:
        if first.is_backend():
            return "direct"
        try:
            meeting = _Meeting(first, lambda: stack.enter_context(Client(endpoint)))
            return _tell(first, meeting) or _look_closer(first, meeting, endpoint)
        except NoBackendError:
            # Each that is asked has had a backend before, and did not keep it.
            return "transaction"


def require_whole_sessions(endpoint: Endpoint) -> None:
    """Raise ConfigurationError where a pooler stands that gives each transaction another session.

    Settings, locks and prepared statements are lost there, or left to whoever comes next. Raises
    psycopg.OperationalError where there is no way in.
    """
    found = kind(endpoint)
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

    `parts` are further parameters of libpq.
    """

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
        value = ""
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

    def __init__(self, first: Client, enter: Callable[[], Client]) -> None:
        self._clients = [first]
        self._enter = enter
        self._answers: set[tuple[Client, str]] = set()
        # Where backends take turns, the second answer comes from another one.
        self._note(first)
        self._note(first)

    def invite(self, count: int) -> Pooling | None:
        """Ask more clients, one after the other, until a backend is shared or there is no room.

        Where backends lie on a stack, each gets the one used last. Where a client has to wait in
        vain, whether the first one has to wait as well tells of the pooler: it serves in order, so
        that only who keeps a backend is answered.
        """
        for _ in range(count):
            if self.shares():
                return None
            try:
                client = self._enter()
            except psycopg.OperationalError:
                return None
            self._clients.append(client)
            try:
                self._note(client, _QUEUED)
            except NoBackendError:
                self._note(self._clients[0])
                try:
                    self._answers.add((client, client.answer(_OVERTAKEN)))
                except NoBackendError:
                    return "session"
        return None

    def ask_all(self) -> None:
        """Ask all clients at the same time."""
        for client in self._clients:
            client.send(_BACKEND)
        for client in self._clients:
            self._answers.add((client, client.answer()))

    def shares(self) -> bool:
        """Tell whether a backend has changed, or has answered two: so it belongs to nobody."""
        backends = {backend for _, backend in self._answers}
        return not len(self._answers) == len(backends) == len(self._clients)

    def dismiss(self) -> str | None:
        """Close the last client's connection and return its backend; None if it is the only one."""
        if len(self._clients) == 1:
            return None
        client = self._clients.pop()
        (answer,) = [answer for answer in self._answers if answer[0] is client]
        self._answers.remove(answer)
        client.connection.close()
        return answer[1]

    def _note(self, client: Client, patience: float = _PATIENCE) -> None:
        self._answers.add((client, client.ask(_BACKEND, patience)))


def _tell(first: Client, meeting: _Meeting) -> Pooling | None:
    """Judge by few clients, and by what becomes of a backend whose client leaves; None in doubt."""
    found = meeting.invite(_OTHERS)
    if found:
        return found
    for _ in range(_ROUNDS):
        if meeting.shares():
            return _without_transactions(first)
        meeting.ask_all()
    if meeting.shares():
        return _without_transactions(first)
    backend = meeting.dismiss()
    for pause in _LEAVING if backend else ():
        time.sleep(pause)
        last = first.ask(_LAST_STATEMENT.format(backend).encode())
        if last == _ENDED:
            return "direct"
        if last == _RESET:
            return "session"
    return None


def _look_closer(first: Client, meeting: _Meeting, endpoint: Endpoint) -> Pooling:
    """Judge by many clients: those of a pooler's several processes share nothing but by chance."""
    found = meeting.invite(_MORE)
    if found:
        return found
    if meeting.shares():
        return _without_transactions(first)
    return "session" if _reuses_backends(first, endpoint) else "direct"


def _without_transactions(client: Client) -> Pooling:
    try:
        client.ask(b"BEGIN")
        client.ask(b"ROLLBACK")
    except psycopg.errors.ProtocolViolation:
        return "statement"
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
                # A server without a pool turns away whom it has no room for.
                return True
    return False
