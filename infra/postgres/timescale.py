"""TimescaleDB's own steps: the restoring mode, job owners, background workers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from infra.postgres.connection import Connection

# The launcher looks for work every few seconds.
_ALIVE_SECONDS = 30.0
_POLL_SECONDS = 0.25
_SCHEDULER = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database()
  AND pg_catalog.starts_with(backend_type, 'TimescaleDB Background Worker Scheduler')
"""


def pre_restore(connection: Connection) -> None:
    """Let the database take a dump's catalog; it stays in this mode until `post_restore`."""
    connection.execute(_call(connection, "timescaledb_pre_restore"))


def post_restore(connection: Connection) -> None:
    """Leave the restoring mode, workers stopped; an error when the catalog's version does not fit.

    A worker waits for the transaction that asked for it, so in one transaction with the stop no
    job can run: a retention policy must not thin out what is still to be compared.
    """
    with connection.transaction():
        connection.execute(_call(connection, "timescaledb_post_restore"))
        _workers(connection, "stop_background_workers")


def start_workers(connection: Connection) -> bool:
    """Start the background workers, which a rename stops, and see the scheduler run.

    Returns False when it does not within some seconds, True where there is no TimescaleDB.
    """
    deadline = time.monotonic() + _ALIVE_SECONDS
    while _workers(connection, "start_background_workers"):
        row = connection.execute(_SCHEDULER).fetchone()
        if row and row[0]:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _workers(connection: Connection, function: str) -> bool:
    """Call one of the functions for background workers; False where there is none."""
    row = connection.execute(
        "SELECT n.nspname FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.proname = %s AND n.nspname LIKE '\\_timescaledb\\_%%'",
        [function],
    ).fetchone()
    if row is None:
        return False
    connection.execute(sql.SQL("SELECT {}()").format(sql.Identifier(row[0], function)))
    return True


def missing_roles(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return those of the names that are no role of this server."""
    rows = connection.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()
    there = {name for (name,) in rows}
    return [name for name in names if name not in there]


def drop_roles(connection: Connection, names: Sequence[str]) -> None:
    """Drop roles that were made for a load."""
    for name in names:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@contextmanager
def chunks_allowed(connection: Connection, owner: str) -> Iterator[None]:
    """Let the owner make chunks by name while a dump is loaded; TimescaleDB makes them later."""
    role = sql.Identifier(owner)
    connection.execute(sql.SQL("GRANT CREATE ON SCHEMA _timescaledb_internal TO {}").format(role))
    yield
    connection.execute(
        sql.SQL("REVOKE CREATE ON SCHEMA _timescaledb_internal FROM {}").format(role)
    )


@contextmanager
def job_owners(connection: Connection, missing: Sequence[str], owner: str) -> Iterator[None]:
    """Make the missing roles that jobs belong to while their table is loaded, then hand them over.

    One unknown role would fail the load of the whole table.
    """
    for name in missing:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    try:
        yield
        connection.execute(
            sql.SQL("UPDATE {} SET owner = {}::pg_catalog.regrole WHERE id >= 1000").format(
                _jobs_table(connection), sql.Literal(sql.Identifier(owner).as_string())
            )
        )
    finally:
        drop_roles(connection, missing)


def _call(connection: Connection, function: str) -> sql.Composed:
    row = connection.execute(
        "SELECT n.nspname FROM pg_catalog.pg_extension e "
        "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'"
    ).fetchone()
    return sql.SQL("SELECT {}()").format(sql.Identifier(row[0] if row else "public", function))


def _jobs_table(connection: Connection) -> sql.Identifier:
    # It moved in TimescaleDB 2.25.
    row = connection.execute(
        "SELECT pg_catalog.to_regclass('_timescaledb_config.bgw_job') IS NOT NULL"
    ).fetchone()
    schema = "_timescaledb_config" if row and row[0] else "_timescaledb_catalog"
    return sql.Identifier(schema, "bgw_job")
