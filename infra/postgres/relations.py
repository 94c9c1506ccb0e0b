"""The tables of a database as their readers know them, and the parts that their rows lie in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.digest import Column

# A heap is cut into ranges of so many pages of 8 kB: each is counted by itself.
_PAGES = 1 << 15
_PAGE_BYTES = 8192
# Since version 14 a condition on ctid reads only the pages it names.
_TID_RANGE_VERSION = 140000


@dataclass(frozen=True)
class Part:
    """Rows that are read together: all of a table, a partition, or the chunks of one range.

    `relations` is what stands behind FROM; `label` is empty where the table is its only part.
    """

    label: str
    relations: tuple[sql.Composable, ...]
    size: int


@dataclass(frozen=True)
class LogicalTable:
    """A table, a partitioned table, a hypertable, or a continuous aggregate.

    `stored_as` is the relation that a continuous aggregate's rows lie in, else the table itself.
    """

    oid: int
    schema: str
    name: str
    kind: str
    stored_as: tuple[str, str]
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def tables(connection: Connection) -> list[LogicalTable]:
    """List the tables that hold somebody's rows, with their columns and parts, in order of name."""
    found = [
        LogicalTable(int(oid), schema, name, kind, (schema, name), (), ())
        for oid, schema, name, kind in inventory.rows(connection, "tables")
    ]
    chunks = _chunks(connection)
    if inventory.exists(connection, "timescaledb_information.continuous_aggregates"):
        found += [
            LogicalTable(int(oid), schema, name, "continuous aggregate", (inner, stored), (), ())
            for oid, schema, name, inner, stored in inventory.rows(connection, "aggregates")
        ]
    oids = [table.oid for table in found]
    columns = _columns(connection, oids)
    partitions = _partitions(connection, oids)
    sizes = _sizes(connection, oids)
    result = []
    for table in found:
        kind, parts = table.kind, partitions.get(table.oid, ())
        if table.stored_as in chunks:
            kind = kind if kind == "continuous aggregate" else "hypertable"
            parts = chunks[table.stored_as]
        elif kind == "table":
            parts = _pages(connection, table.stored_as, sizes[table.oid])
        result.append(
            replace(table, kind=kind, columns=tuple(columns.get(table.oid, ())), parts=parts)
        )
    return sorted(result, key=lambda table: (table.schema, table.name))


def hidden_chunks(connection: Connection, table: LogicalTable) -> list[str]:
    """Name the chunks of a hypertable that a query of it does not read.

    A chunk that the catalog knows can be cut off from its hypertable, as it is after a restore
    that was never finished: its rows are there and nobody sees them.
    """
    if table.kind not in {"hypertable", "continuous aggregate"}:
        return []
    statement = sql.SQL("EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT * FROM {}").format(
        sql.Identifier(*table.stored_as)
    )
    row = connection.execute(statement).fetchone()
    scanned = set(_scanned(row[0][0]["Plan"])) if row else set()
    wanted = [
        (schema, name)
        for root, _, schema, name in _chunk_names(connection)
        if root == table.stored_as
    ]
    return [f"{schema}.{name}" for schema, name in wanted if (schema, name) not in scanned]


def _scanned(plan: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(plan["Schema"], plan["Relation Name"])] if "Relation Name" in plan else []
    for child in plan.get("Plans", []):
        found += _scanned(child)
    return found


def _chunk_names(
    connection: Connection,
) -> list[tuple[tuple[str, str], tuple[str, str], str, str]]:
    return [
        ((schema, table), (lower, upper), chunk_schema, chunk)
        for schema, table, chunk_schema, chunk, lower, upper, _ in inventory.rows(
            connection, "chunk_parts"
        )
    ]


def _chunks(connection: Connection) -> dict[tuple[str, str], tuple[Part, ...]]:
    """Group each hypertable's chunks by their range along the first dimension."""
    if not inventory.exists(connection, "timescaledb_information.hypertables"):
        return {}
    ranges: dict[tuple[str, str], dict[str, list[Part]]] = {
        (schema, name): {}
        for schema, name in inventory.query(
            connection,
            "SELECT hypertable_schema, hypertable_name FROM timescaledb_information.hypertables",
        )
    }
    for schema, table, chunk_schema, chunk, lower, upper, size in inventory.rows(
        connection, "chunk_parts"
    ):
        label = f"{lower} to {upper}"
        relation = sql.Identifier(chunk_schema, chunk)
        ranges.setdefault((schema, table), {}).setdefault(label, []).append(
            Part(label, (relation,), int(size))
        )
    return {
        hypertable: tuple(
            Part(label, tuple(p.relations[0] for p in parts), sum(p.size for p in parts))
            for label, parts in labelled.items()
        )
        for hypertable, labelled in ranges.items()
    }


def _partitions(connection: Connection, oids: Sequence[int]) -> dict[int, tuple[Part, ...]]:
    found: dict[int, list[Part]] = defaultdict(list)
    for root, schema, name, bound, size in inventory.rows(connection, "partitions", list(oids)):
        found[int(root)].append(Part(bound, (sql.Identifier(schema, name),), int(size)))
    return {root: tuple(parts) for root, parts in found.items()}


def _columns(connection: Connection, oids: Sequence[int]) -> dict[int, list[Column]]:
    found: dict[int, list[Column]] = defaultdict(list)
    for oid, name, type_, base, not_null in inventory.rows(connection, "columns", list(oids)):
        found[int(oid)].append(Column(name, type_, base, bool(not_null)))
    return found


def _sizes(connection: Connection, oids: Sequence[int]) -> dict[int, int]:
    statement: LiteralString = (
        "SELECT o::pg_catalog.int8, COALESCE(pg_catalog.pg_relation_size(o), 0) "
        "FROM pg_catalog.unnest(%s::pg_catalog.oid[]) o"
    )
    return {int(oid): int(size) for oid, size in inventory.query(connection, statement, list(oids))}


def _pages(connection: Connection, name: tuple[str, str], size: int) -> tuple[Part, ...]:
    """Cut a large heap into ranges of pages, the last one open to the end."""
    only = sql.SQL("ONLY {}").format(sql.Identifier(*name))
    count = max(1, size // _PAGE_BYTES // _PAGES)
    if count == 1 or connection.info.server_version < _TID_RANGE_VERSION:
        return (Part("", (only,), size),)
    parts = []
    for number in range(count):
        first, last = number * _PAGES, (number + 1) * _PAGES
        where = sql.SQL("{} WHERE ctid >= {}::tid").format(only, sql.Literal(f"({first},0)"))
        if number + 1 < count:
            where += sql.SQL(" AND ctid < {}::tid").format(sql.Literal(f"({last},0)"))
        parts.append(Part("", (where,), size // count))
    return tuple(parts)
