"""Logging in as the application does, through whatever pooler stands there."""

from __future__ import annotations

import psycopg

from backend.config import Endpoint
from backend.pooling import Client
from backend.reachability import last_line
from infra.errors import TargetError


def check(endpoint: Endpoint) -> None:
    """Log in, ask for a one and leave no setting behind; TargetError where that fails."""
    try:
        with Client(endpoint) as client:
            client.ask(b"SELECT 1")
    except (psycopg.Error, TimeoutError) as error:
        local = endpoint.target == "local"
        variables = "DB_USER and DB_PASSWORD" if local else f"{endpoint.target.upper()}_DB_POOL_*"
        raise TargetError(
            f"{endpoint.target} application endpoint {endpoint}: {last_line(error)}",
            f"Check {variables} in .env.",
        ) from error
