"""One connection, one transaction, and Alembic on top of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from backend.config import Endpoint
from backend.database import create_engine
from backend.pooling import require_whole_sessions
from migrations import failures

DIRECTORY = Path(__file__).resolve().parent

# The key in Config.attributes under which env.py finds the connection it is to use.
CONNECTION = "connection"

T = TypeVar("T")


def run(endpoint: Endpoint, work: Callable[[Connection], T]) -> T:
    """Do the work in one transaction, which is kept only if the work returns.

    Raises ConfigurationError for a pooler that gives each transaction another session, where locks
    would protect nothing, and MigrationError for whatever the server refuses.
    """
    if endpoint.target != "local":
        _require_whole_sessions(endpoint)

    async def transaction() -> T:
        engine = create_engine(endpoint)
        try:
            async with engine.connect() as connection, connection.begin():
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    # psycopg cannot work on the event loop that Windows uses by default.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        try:
            return runner.run(transaction())
        except DBAPIError as error:
            raise failures.named(error, endpoint) from error


@cache
def _require_whole_sessions(endpoint: Endpoint) -> None:
    try:
        require_whole_sessions(endpoint)
    except psycopg.OperationalError as error:
        raise failures.connection_failure(error, endpoint) from error


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's settings for its commands, bound to a connection of `run`."""
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY).replace("%", "%%"))
    if connection is not None:
        config.attributes[CONNECTION] = connection
    return config


def scripts() -> ScriptDirectory:
    """Return the revisions that this code knows."""
    return ScriptDirectory.from_config(alembic_config())
