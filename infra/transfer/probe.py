"""The write probe: a row goes into each hypertable, and is taken back."""

from __future__ import annotations

import psycopg
from psycopg import sql

from infra.errors import TargetError
from infra.postgres import relations
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable

# The table's own rules answered, behind the chunk that was found or made for the row: a key that
# is there already, a check, a column that must be filled, a trigger that objects.
_OWN_RULES = ("23", "P0001")


def write(connection: Connection) -> None:
    """Insert a copy of a row into each hypertable, once where it lies and once into a new chunk.

    The connection is the owner's, because the table's triggers run as whoever writes. Raises
    TargetError for a hypertable that takes no rows.
    """
    for table in relations.tables(connection):
        if table.kind == "hypertable":
            for statement in _statements(connection, table):
                _try(connection, table, statement)
    connection.rollback()


def _try(connection: Connection, table: LogicalTable, statement: sql.Composed) -> None:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        if (error.sqlstate or "").startswith(_OWN_RULES):
            return
        raise TargetError(
            f"hypertable {table} takes no rows: {error.diag.message_primary}",
            "The live database is untouched; keep the archive and report this.",
        ) from error


def _statements(connection: Connection, table: LogicalTable) -> list[sql.Composed]:
    rows = connection.execute(
        "SELECT a.attname, d.column_name IS NOT NULL "
        "FROM pg_catalog.pg_attribute a "
        "LEFT JOIN timescaledb_information.dimensions d "
        "ON d.hypertable_schema = %s AND d.hypertable_name = %s AND d.dimension_number = 1 "
        "AND d.column_name = a.attname "
        "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
        "ORDER BY a.attnum",
        [table.schema, table.name, table.oid],
    ).fetchall()
    names = [sql.Identifier(name) for name, _ in rows]
    (dimension,) = [sql.Identifier(name) for name, first in rows if first]
    into = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE ").format(
        sql.Identifier(table.schema, table.name), sql.SQL(", ").join(names)
    )
    source = sql.SQL("SELECT {} FROM {} ORDER BY {} DESC LIMIT 1")
    origin = sql.Identifier(table.schema, table.name)
    later = [_later(connection, table, dimension) if name == dimension else name for name in names]
    return [
        into + source.format(sql.SQL(", ").join(values), origin, dimension)
        for values in (names, later)
    ]


def _later(
    connection: Connection, table: LogicalTable, dimension: sql.Identifier
) -> sql.Composable:
    """Write a value one chunk further than any there is."""
    row = connection.execute(
        "SELECT time_interval IS NOT NULL, integer_interval "
        "FROM timescaledb_information.dimensions "
        "WHERE hypertable_schema = %s AND hypertable_name = %s AND dimension_number = 1",
        [table.schema, table.name],
    ).fetchone()
    if row and row[0]:
        step: sql.Composable = sql.SQL(
            "(SELECT time_interval FROM timescaledb_information.dimensions "
            "WHERE hypertable_schema = {} AND hypertable_name = {} AND dimension_number = 1)"
        ).format(sql.Literal(table.schema), sql.Literal(table.name))
    else:
        step = sql.Literal(int(row[1]) if row else 1)
    return sql.SQL("{} + {}").format(dimension, step)
