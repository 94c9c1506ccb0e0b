"""Keys and indexes of tables that were made anew, where what `pg_dump` writes fits the old kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from infra.postgres import inventory, objects
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable


@dataclass(frozen=True)
class Key:
    """A key or foreign key of a table, as the source's server writes its definition."""

    table: LogicalTable
    name: str
    foreign: bool
    definition: str
    comment: str | None


def read(connection: Connection, tables: Sequence[LogicalTable]) -> list[Key]:
    """Read the keys of the tables, those of each table in the order that they are made in."""
    by_oid = {table.oid: table for table in tables}
    return [
        Key(by_oid[oid], name, foreign, definition, comment)
        for oid, name, foreign, definition, comment in inventory.rows(
            connection, "stream/constraints", list(by_oid)
        )
    ]


@dataclass(frozen=True)
class Index:
    """An index of a table that is made anew."""

    table: LogicalTable
    name: str
    definition: str


def indexes(connection: Connection, tables: Sequence[LogicalTable]) -> dict[int, Index]:
    """Read the indexes of the tables, but those of keys, by oid."""
    by_oid = {table.oid: table for table in tables}
    return {
        oid: Index(by_oid[table], name, definition)
        for oid, table, name, definition in inventory.rows(
            connection, "stream/indexes", list(by_oid)
        )
    }


def make_index(connection: Connection, index: Index) -> None:
    """Make an index on all of a table, where the source had it on each partition by itself."""
    connection.execute(objects.on_all(index.definition).encode())


def make(connection: Connection, keys: Sequence[Key]) -> None:
    """Make the keys that are not there yet; the connection is the owner's, in autocommit."""
    for key in keys:
        table = sql.Identifier(key.table.schema, key.table.name)
        there = inventory.query(
            connection,
            "SELECT FROM pg_catalog.pg_constraint "
            "WHERE conrelid = %s::pg_catalog.regclass AND conname = %s",
            table.as_string(),
            key.name,
        )
        if there:
            continue
        with connection.transaction():
            # The definition is the source's own text, and run as the owner like the rest of it.
            connection.execute(
                (
                    sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ")
                    .format(table, sql.Identifier(key.name))
                    .as_string()
                    + key.definition
                ).encode()
            )
            if key.comment is not None:
                connection.execute(
                    sql.SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
                        sql.Identifier(key.name), table, sql.Literal(key.comment)
                    )
                )
