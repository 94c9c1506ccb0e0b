"""Aligning two receipts: a hypertable and a partitioned table can hold the same.

Both sides lose what only one of the two kinds has. Rows, digests, columns, keys, indexes, triggers
and rights are compared as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from infra.postgres import names, objects
from infra.postgres.objects import DatabaseObject
from infra.transfer.landing import belongs_to
from infra.transfer.receipt import Receipt, TableReceipt

HYPERTABLE, PARTITIONED = "hypertable", "partitioned table"

# Schemas of Slipway's own: the maintenance of partitions, and the notes of a load.
OWN = frozenset({"slipway_partitions", "slipway_stream"})
# What a table is stored as, which is not the same for the two kinds.
_STORAGE = frozenset({"kind", "partition_key", "options", "persistence", "replica_identity"})
# TimescaleDB decides about chunks: an empty one, or a compressed one, is not made anew.
_CHUNKS = frozenset({"chunks", "compressed_chunks", "compression", "chunk_ranges"})
_POLICIES = frozenset({"job", "compression setting"})


def align(expected: Receipt, found: Receipt, *, policies: bool) -> tuple[Receipt, Receipt]:
    """Return both without what differs by kind; `policies` keeps jobs and compression settings."""
    kinds = {(table.schema, table.name): table.kind for table in found.tables}
    converted = {
        (table.schema, table.name)
        for table in expected.tables
        if {table.kind, kinds.get((table.schema, table.name))} == {HYPERTABLE, PARTITIONED}
    }
    extension = _versions(expected) == _versions(found) if not converted else False

    def one(receipt: Receipt) -> Receipt:
        tables = tuple(
            _table(table, converted) for table in receipt.tables if table.schema not in OWN
        )
        objects = _objects(receipt, converted, policies=policies, extension=extension)
        return replace(receipt, tables=tables, objects=tuple(objects))

    return one(expected), one(found)


def _versions(receipt: Receipt) -> list[Any]:
    return [
        item.properties["version"]
        for item in receipt.of_kind("extension")
        if item.name == "timescaledb"
    ]


def _table(table: TableReceipt, converted: set[tuple[str, str]]) -> TableReceipt:
    if (table.schema, table.name) not in converted:
        return table
    return replace(table, kind="table", parts=())


def _objects(
    receipt: Receipt, converted: set[tuple[str, str]], *, policies: bool, extension: bool
) -> Iterator[DatabaseObject]:
    partitions = _partitions(receipt, converted)
    for item in receipt.objects:
        whole = names.parts(item.name)
        if _is_own(item) or belongs_to(item, partitions):
            continue
        if item.kind == "index" and objects.indexed(item.properties["definition"]) in partitions:
            continue
        if item.kind == HYPERTABLE:
            if whole not in converted:
                yield _without(item, _CHUNKS)
        elif item.kind == "table" and whole in converted:
            yield _without(item, _STORAGE)
        elif item.kind == "index":
            definition = objects.on_all(item.properties["definition"])
            yield replace(item, properties={**item.properties, "definition": definition})
        elif (item.kind in _POLICIES and not policies) or (
            (item.kind, item.name) == ("extension", "timescaledb") and not extension
        ):
            continue
        else:
            yield item


def _partitions(receipt: Receipt, converted: set[tuple[str, str]]) -> set[str]:
    """Name the partitions of the tables, as they are printed."""
    return {
        item.name
        for item in receipt.of_kind("table")
        if item.properties["partition_bound"] is not None
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
