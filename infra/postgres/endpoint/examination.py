"""Looking at one endpoint, from its addresses to what its server says, as far as it lets us in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from backend import login_causes, pooling, reachability, tls
from backend.causes import Explanation, word
from backend.config import Endpoint
from backend.pooling import Client, NoBackendError, Pooling
from infra.postgres.endpoint import addresses, habits, server
from infra.postgres.endpoint.addresses import Address
from infra.postgres.endpoint.server import Facts

_TIMEOUT = 5.0


@dataclass(frozen=True)
class Sessions:
    """What becomes of a session's state; None where it could not be seen."""

    options: bool
    leaks: bool | None
    prepared: bool | None


@dataclass(frozen=True)
class Examined:
    """What is known of an endpoint; None for what was not reached.

    `failure` says what ended the examination, `read_only` why the server takes no rows.
    """

    endpoint: Endpoint
    addresses: tuple[Address, ...] = ()
    certificate: tls.Certificate | None = None
    pooling: Pooling | None = None
    sessions: Sessions | None = None
    facts: Facts | None = None
    failure: Explanation | None = None
    read_only: Explanation | None = None


def examine(endpoint: Endpoint) -> Examined:
    """Look at everything that can be seen, and leave nothing behind.

    Nobody logs in over less than the endpoint's `sslmode`, and no password is tried twice.
    """
    tried = [
        addresses.dial(found, endpoint.port)
        for found in addresses.resolve(endpoint.host, endpoint.port)
    ]
    found = Examined(endpoint, tuple(tried))
    if any(address.answers for address in tried):
        # What answers otherwise than PostgreSQL does is told by the login.
        with suppress(OSError):
            certificate = tls.inspect(
                endpoint.host, endpoint.port, endpoint.certificates(), _TIMEOUT
            )
            found = replace(found, certificate=certificate)
    try:
        found = replace(found, pooling=pooling.kind(endpoint))
        return _inside(found)
    except psycopg.Error as error:
        return replace(found, failure=_explain(endpoint, error, let_in=found.pooling is not None))


def _inside(found: Examined) -> Examined:
    endpoint, kind = found.endpoint, found.pooling or "direct"
    sessions = Sessions(
        options=habits.takes_options(endpoint),
        leaks=habits.leaks_settings(endpoint, kind),
        prepared=habits.keeps_prepared_statements(endpoint, kind),
    )
    with Client(endpoint) as client:
        facts = server.read(client, kind)
        why = None
        if facts.server.read_only or facts.server.replica:
            why = reachability.why_read_only(endpoint, "", client.connection)
    return replace(found, sessions=sessions, facts=facts, read_only=why)


def _explain(endpoint: Endpoint, error: psycopg.Error, *, let_in: bool) -> Explanation:
    text = reachability.last_line(error)
    if isinstance(error, NoBackendError):
        return word(login_causes.NO_CONNECTION_LEFT, endpoint, text)
    if not let_in:
        return reachability.diagnose(endpoint, error)
    return reachability.explain(endpoint, str(error), error.sqlstate) or word(
        login_causes.LOST, endpoint, text
    )
