"""Logging in as the application does, through whatever pooler stands there."""

from __future__ import annotations

import psycopg

from backend.causes import Explanation
from backend.config import Endpoint
from backend.pooling import Client
from backend.reachability import diagnose, explain, last_line, patiently
from infra.errors import TargetError


def check(endpoint: Endpoint) -> None:
    """Log in, ask for a one and leave no setting behind; TargetError where that fails."""
    try:
        with patiently(lambda: Client(endpoint), endpoint) as client:
            client.ask(b"SELECT 1")
    except psycopg.Error as error:
        found = _why(endpoint, error)
        if found is not None:
            raise TargetError(found.message, found.hint) from error
        local = endpoint.target == "local"
        variables = "DB_USER and DB_PASSWORD" if local else f"{endpoint.target.upper()}_DB_POOL_*"
        raise TargetError(
            f"{endpoint.target} application endpoint {endpoint}: {last_line(error)}",
            f"Check {variables} in .env.",
        ) from error


def _why(endpoint: Endpoint, error: psycopg.Error) -> Explanation | None:
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return diagnose(endpoint, error)
    return explain(endpoint, last_line(error), error.sqlstate)
