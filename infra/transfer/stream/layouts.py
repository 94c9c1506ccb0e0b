"""Layouts: what a table becomes at the target, where that is not what it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable
from infra.transfer.stream import aggregates
from infra.transfer.stream.aggregates import AsTable
from infra.transfer.stream.hypertables import AsHypertable, Dimension
from infra.transfer.stream.options import Options
from infra.transfer.stream.partitions import AsPartitions, Bounds


class Layout(Protocol):
    """A table that is made anew at the target before its rows come."""

    table: LogicalTable
    root: sql.Identifier

    def convert(self, connection: Connection) -> None:
        """Turn the empty table, as the source's dump made it, into what it is to be."""
        ...

    def finish(self, connection: Connection) -> None:
        """Do what needs everything that the tables refer to."""
        ...

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        """Return where the rows of a part lie all by themselves, by the part's label."""
        ...


@dataclass(frozen=True)
class Layouts:
    """The layouts by the source's oids; `absorbed` are partitions that are no tables any more.

    `views` gives by the oids of continuous aggregates' views what is made in their place.
    """

    by_table: Mapping[int, Layout]
    absorbed: frozenset[int]
    views: Mapping[int, Layout]

    @property
    def converted(self) -> list[LogicalTable]:
        """Return the tables that the dump makes first."""
        views = self.views.values()
        return [found.table for found in self.by_table.values() if found not in views]

    def at(self, oid: int) -> Layout:
        """Return the layout of a table or of an aggregate's view."""
        return self.views[oid] if oid in self.views else self.by_table[oid]


@dataclass(frozen=True)
class Partitioned:
    """A partitioned table of the source: one column, ranges, and their most frequent width."""

    column: str
    type: str
    flat: bool
    width: str | None
    partitions: tuple[int, ...]
    not_null: bool

    @property
    def problem(self) -> str | None:
        """Say why no hypertable can be made of it; None where one can."""
        if not self.flat:
            return "its partitions are partitioned again"
        if self.width is None:
            return "no width can be told from its partitions"
        return None if self.not_null else f"column {self.column!r} may be NULL"


def decide(
    connection: Connection,
    tables: Iterable[LogicalTable],
    *,
    options: Options,
    timescaledb: bool,
) -> Layouts:
    """Decide from the source's catalog; `timescaledb` tells whether the target will have it."""
    known = dimensions(connection)
    ranged = partitioned(connection) if options.hypertables and timescaledb else {}
    layouts: dict[int, Layout] = {}
    absorbed: set[int] = set()
    views: dict[int, Layout] = {}
    bounds = _bounds(connection) if known else {}
    stored = aggregates.read(connection)
    for table in tables:
        name = (table.schema, table.name)
        if name in stored:
            layouts[table.oid] = views[stored[name].view] = AsTable(table, stored[name])
        elif table.kind == "hypertable" and timescaledb:
            layouts[table.oid] = AsHypertable(table, known[name])
        elif table.kind == "hypertable":
            layouts[table.oid] = AsPartitions(table, known[name][0], bounds.get(name, {}), options)
        elif table.oid in ranged and ranged[table.oid].problem is None:
            found = ranged[table.oid]
            layouts[table.oid] = AsHypertable(table, (_dimension(found),), partitioned=True)
            absorbed |= set(found.partitions)
    return Layouts(layouts, frozenset(absorbed), views)


def dimensions(connection: Connection) -> dict[tuple[str, str], tuple[Dimension, ...]]:
    """Read the dimensions of all hypertables, by schema and name."""
    if not inventory.exists(connection, "timescaledb_information.dimensions"):
        return {}
    found: dict[tuple[str, str], tuple[Dimension, ...]] = {}
    for schema, name, *values in inventory.rows(connection, "stream/dimensions"):
        found[schema, name] = (*found.get((schema, name), ()), Dimension(*values))
    return found


def partitioned(connection: Connection) -> dict[int, Partitioned]:
    """Read the tables that are partitioned by ranges of one column, by oid."""
    return {
        oid: Partitioned(column, type_, flat, width, tuple(partitions), not_null)
        for oid, column, type_, flat, width, partitions, not_null in inventory.rows(
            connection, "stream/partitioned"
        )
    }


def _dimension(found: Partitioned) -> Dimension:
    number = found.type in {"smallint", "integer", "bigint"}
    width = found.width or ""
    interval, step = (None, int(width)) if number else (width, None)
    return Dimension(found.column, found.type, interval, step, None, None, None)


def _bounds(connection: Connection) -> dict[tuple[str, str], dict[str, Bounds]]:
    found: dict[tuple[str, str], dict[str, Bounds]] = {}
    for schema, name, label, lower, upper in inventory.rows(connection, "stream/chunk_bounds"):
        found.setdefault((schema, name), {})[label] = Bounds(lower, upper)
    return found
