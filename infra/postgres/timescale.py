"""TimescaleDB's own steps: the restoring mode, job owners, background workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from infra.postgres.connection import Connection


def pre_restore(connection: Connection) -> None:
    """Let the database take a dump's catalog; it stays in this mode until `post_restore`."""
    connection.execute(_call(connection, "timescaledb_pre_restore"))


def post_restore(connection: Connection) -> None:
    """Leave the restoring mode; an error when the catalog's version does not fit."""
    # Before 2.26.4 the first call can leave the scheduler dead; the second starts it.
    for _ in range(2):
        connection.execute(_call(connection, "timescaledb_post_restore"))


def start_workers(connection: Connection) -> None:
    """Start the background workers, which a rename of the database stops."""
    query = (
        "SELECT n.nspname FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.proname = 'start_background_workers' AND n.nspname LIKE '\\_timescaledb\\_%'"
    )
    row = connection.execute(query).fetchone()
    if row is not None:
        connection.execute(
            sql.SQL("SELECT {}()").format(sql.Identifier(row[0], "start_background_workers"))
        )


@contextmanager
def job_owners(
    connection: Connection, owners: Sequence[str], owner: str, *, enabled: bool
) -> Iterator[None]:
    """Make the roles that jobs belong to while their table is loaded, then hand the jobs over.

    One unknown role would fail the load of the whole table.
    """
    missing = [
        name
        for name in owners
        if connection.execute(
            "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [name]
        ).fetchone()
        is None
    ]
    for name in missing:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    try:
        yield
        if enabled and owners:
            connection.execute(
                sql.SQL("UPDATE {} SET owner = {}::pg_catalog.regrole WHERE id >= 1000").format(
                    _jobs_table(connection), sql.Literal(sql.Identifier(owner).as_string())
                )
            )
    finally:
        for name in missing:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


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
