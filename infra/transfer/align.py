"""Aligning two receipts: a hypertable and a partitioned table can hold the same.

Both sides lose what only one of the two kinds has. Rows, digests, columns, keys, indexes, triggers
and rights are compared as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from infra.postgres import names, objects
from infra.postgres.objects import DatabaseObject
from infra.transfer.landing import belongs_to
from infra.transfer.receipt import Receipt, TableReceipt

# Schema and name.
Name = tuple[str, str]

HYPERTABLE, PARTITIONED = "hypertable", "partitioned table"
AGGREGATE = "continuous aggregate"
# What the name of an aggregate ends with where its rows lie in a table.
STORED = "_materialized"

# Schemas of Slipway's own: the maintenance of partitions, and the notes of a load.
OWN = frozenset({"slipway_partitions", "slipway_stream"})
# What a table is stored as, which is not the same for the two kinds.
_STORAGE = frozenset({"kind", "partition_key", "options", "persistence", "replica_identity"})
# TimescaleDB decides about chunks: an empty one, or a compressed one, is not made anew.
_CHUNKS = frozenset({"chunks", "compressed_chunks", "compression", "chunk_ranges"})
_POLICIES = frozenset({"job", "compression setting"})


def align(expected: Receipt, found: Receipt, *, internals: bool) -> tuple[Receipt, Receipt]:
    """Return both without what differs by kind.

    `internals` keeps what is TimescaleDB's own: jobs, compression, chunks, and the version where
    both sides have the same kinds.
    """
    kinds = {(table.schema, table.name): table.kind for table in found.tables}
    converted = {
        (table.schema, table.name)
        for table in expected.tables
        if {table.kind, kinds.get((table.schema, table.name))} == {HYPERTABLE, PARTITIONED}
    }
    stored = _stored(expected, found) | _stored(found, expected)
    versions = {*_versions(expected)}, {*_versions(found)}
    comparable = all(versions) if internals else versions[0] == versions[1]
    extension = comparable and not converted and not stored

    def one(receipt: Receipt) -> Receipt:
        tables = (
            _table(table, converted, stored) for table in receipt.tables if table.schema not in OWN
        )
        left = _without_stored(receipt.objects, stored)
        objects = _objects(left, converted, internals=internals, extension=extension)
        return replace(receipt, tables=_ordered(tables), objects=tuple(objects))

    return one(expected), one(found)


def _stored(one: Receipt, other: Receipt) -> set[Name]:
    """Name the aggregates of one side whose rows lie in a table of the other."""
    there = {(table.schema, table.name): table.kind for table in other.tables}
    return {
        (table.schema, table.name)
        for table in one.tables
        if table.kind == AGGREGATE
        and (table.schema, table.name + STORED) in there
        and there.get((table.schema, table.name)) != AGGREGATE
    }


def _ordered(tables: Iterable[TableReceipt]) -> tuple[TableReceipt, ...]:
    return tuple(sorted(tables, key=lambda table: (table.schema, table.name)))


def _without_stored(
    found: Iterable[DatabaseObject], stored: set[Name]
) -> tuple[DatabaseObject, ...]:
    """Leave out aggregates, the tables in their place, and the views that show these."""
    found = tuple(found)
    behind = {(schema, name + STORED) for schema, name in stored}
    printed = {
        item.name for item in found if item.kind == "table" and names.parts(item.name) in behind
    }
    return tuple(
        item
        for item in found
        if not (item.kind in {AGGREGATE, "view"} and names.parts(item.name) in stored)
        and not belongs_to(item, printed)
        and not (item.kind == "index" and objects.indexed(item.properties["definition"]) in printed)
    )


def _versions(receipt: Receipt) -> list[Any]:
    return [
        item.properties["version"]
        for item in receipt.of_kind("extension")
        if item.name == "timescaledb"
    ]


def _table(table: TableReceipt, converted: set[Name], stored: set[Name]) -> TableReceipt:
    name = table.name.removesuffix(STORED)
    if name != table.name and (table.schema, name) in stored:
        return replace(table, name=name, kind="table", parts=())
    if (table.schema, table.name) in converted | stored:
        return replace(table, kind="table", parts=())
    return table


def _objects(
    found: Sequence[DatabaseObject], converted: set[Name], *, internals: bool, extension: bool
) -> Iterator[DatabaseObject]:
    partitions = _partitions(found, converted)
    for item in found:
        whole = names.parts(item.name)
        if _is_own(item) or belongs_to(item, partitions):
            continue
        if item.kind == "index" and objects.indexed(item.properties["definition"]) in partitions:
            continue
        if item.kind == HYPERTABLE:
            if whole not in converted:
                yield item if internals else _without(item, _CHUNKS)
        elif item.kind == "table" and whole in converted:
            yield _without(item, _STORAGE)
        elif item.kind == "index":
            definition = objects.on_all(item.properties["definition"])
            yield replace(item, properties={**item.properties, "definition": definition})
        elif (item.kind in _POLICIES and not internals) or (
            (item.kind, item.name) == ("extension", "timescaledb") and not extension
        ):
            continue
        else:
            yield item


def _partitions(found: Sequence[DatabaseObject], converted: set[Name]) -> set[str]:
    """Name the partitions of the tables, as they are printed."""
    return {
        item.name
        for item in found
        if item.kind == "table"
        and item.properties["partition_bound"] is not None
        and any(names.parts(parent) in converted for parent in item.properties["inherits"] or ())
    }


def _is_own(item: DatabaseObject) -> bool:
    properties = item.properties
    on = str(properties.get("object", ""))
    table = item.name.rpartition(" on ")[2]
    return any(names.parts(name)[:1] and names.parts(name)[0] in OWN for name in (on, table))


def _without(item: DatabaseObject, aspects: frozenset[str]) -> DatabaseObject:
    kept = {name: value for name, value in item.properties.items() if name not in aspects}
    return replace(item, properties=kept)
