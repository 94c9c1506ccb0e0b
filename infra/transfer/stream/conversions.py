"""What a plan must know of the tables that are made anew, read without writing anything."""

from __future__ import annotations

from collections.abc import Sequence

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable
from infra.transfer.stream import aggregates, keys, layouts
from infra.transfer.stream.options import Options
from infra.transfer.stream_findings import Tables


def read(
    connection: Connection,
    tables: Sequence[LogicalTable],
    options: Options,
    *,
    timescaledb: bool,
    reads_all_rows: bool,
) -> Tables:
    """Sort the tables by what becomes of them, and find out why some cannot be made anew.

    `reads_all_rows` is true of a role at the target that row security hides nothing from.
    """
    hypertables = [table for table in tables if table.kind == "hypertable"]
    by_name = layouts.dimensions(connection)
    ranged = layouts.partitioned(connection) if options.hypertables and timescaledb else {}
    impossible: dict[str, str] = {}
    for table in hypertables:
        dimensions = by_name[table.schema, table.name]
        problems = [found.problem for found in dimensions if found.problem and timescaledb]
        if not timescaledb and dimensions[0].step is not None and options.width != "chunk":
            problems.append(f"its time is a number, and it has no {options.width}s")
        if problems:
            impossible[str(table)] = problems[0]
    partitioned = [table for table in tables if table.oid in ranged]
    for table in partitioned:
        problem = ranged[table.oid].problem
        if problem:
            impossible[str(table)] = problem
    stored = aggregates.read(connection)
    impossible |= {f"{a.schema}.{a.name}": a.problem for a in stored.values() if a.problem}
    to_partitions = [] if timescaledb else hypertables
    return Tables(
        timescaledb=timescaledb,
        to_hypertables=tuple(map(str, partitioned)),
        to_partitions=tuple(map(str, to_partitions)),
        width=options.width,
        impossible=impossible,
        unvalidated=tuple(
            f"{key.name} on {key.table}"
            for key in keys.read(connection, to_partitions)
            if key.foreign and key.definition.endswith(" NOT VALID")
        ),
        aggregates={f"{a.schema}.{a.name}": a.refresh for a in stored.values()},
        uncompressed=_uncompressed(connection),
        forced=() if reads_all_rows else _forced(connection),
    )


def _forced(connection: Connection) -> tuple[str, ...]:
    return tuple(
        str(name)
        for (name,) in inventory.query(
            connection,
            "SELECT oid::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_class "
            "WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1",
        )
    )


def _uncompressed(connection: Connection) -> int:
    """Return the bytes that compressed chunks had before they were compressed."""
    if not inventory.exists(connection, "_timescaledb_catalog.compression_chunk_size"):
        return 0
    return int(
        inventory.query(
            connection,
            "SELECT COALESCE(pg_catalog.sum(uncompressed_heap_size + uncompressed_toast_size "
            "+ uncompressed_index_size), 0) FROM _timescaledb_catalog.compression_chunk_size",
        )[0][0]
    )
