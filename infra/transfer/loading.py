"""The server of our own under load settings: restarted into them, and always out of them again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from backend.config import Endpoint
from infra.errors import TargetLostError
from infra.postgres import load_settings
from infra.postgres.connection import connect
from infra.transfer import swap
from infra.transfer.maintenance import Maintenance

_BACK_SECONDS = 60.0
_POLL_SECONDS = 0.5

Restart = Callable[[], None]


def plan(maintenance: Maintenance) -> dict[str, str | None] | None:
    """Return what is to be put back afterwards; None where the server must keep its settings."""
    connection = maintenance.connection
    if load_settings.in_force(connection) or not load_settings.allowed(connection):
        return None
    return load_settings.before(connection)


def begin(maintenance: Maintenance, known: Mapping[str, str | None], restart: Restart) -> None:
    """Restart the server into load settings."""
    load_settings.apply(maintenance.connection, known)
    restart()
    maintenance.ensure()


def end(superuser: Endpoint, known: Mapping[str, str | None], restart: Restart) -> None:
    """Restart the server into its own settings, however far it had come; done twice is as once."""
    _wait(superuser)
    with connect(superuser, "target", database=swap.MAINTENANCE, autocommit=True) as connection:
        load_settings.restore(connection, known)
        loading = load_settings.in_force(connection)
    if loading:
        restart()
        _wait(superuser)


def _wait(superuser: Endpoint) -> None:
    """Wait for a server that is on its way up, as it is when a restart was interrupted."""
    deadline = time.monotonic() + _BACK_SECONDS
    while True:
        try:
            with connect(superuser, "target", database=swap.MAINTENANCE):
                return
        except TargetLostError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
