"""How large tables are, each with its partitions or chunks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.hypertables import Storage


@dataclass(frozen=True)
class TableSize:
    """A table with its partitions or chunks: estimated rows, bytes of rows and of indexes.

    Rows in compressed chunks are counted in bytes only.
    A hypertable that keeps a continuous aggregate's rows is named as it is stored.
    """

    schema: str
    name: str
    rows: int
    heap: int
    indexes: int

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def measure(connection: Connection, storage: Storage) -> tuple[TableSize, ...]:
    """Measure the tables; a hypertable's compressed chunks count for it."""
    heaps, indexes = Counter[int](), Counter[int]()
    for relation, heap, index in inventory.rows(
        connection, "survey/relation_sizes", list(storage.compressed)
    ):
        heaps[storage.compressed[relation]] += heap
        indexes[storage.compressed[relation]] += index
    left_out = [*storage.internal, *storage.compressed]
    return tuple(
        TableSize(schema, name, rows, heap + heaps[oid], index + indexes[oid])
        for schema, name, oid, rows, heap, index in inventory.rows(
            connection, "survey/tables", list(storage.roots), left_out
        )
        # A table that is being dropped has no size any more.
        if heap is not None and index is not None
    )
