"""A time-series table in a revision: a hypertable, or native partitions without TimescaleDB."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import SchemaItem

# The option of the migration context that stands for the database in offline SQL, where none can
# be asked: the schema that holds TimescaleDB's functions, or None.
OFFLINE_TIMESCALEDB = "offline_timescaledb_schema"


@Operations.register_operation("create_time_series_table")
@dataclass(frozen=True)
class CreateTimeSeriesTable(MigrateOperation):
    """Create a table cut by time, as finely as the database's means allow."""

    table_name: str
    columns: tuple[SchemaItem, ...]
    time_column: str
    chunk_interval: timedelta
    partition_start: date
    partition_months: int

    @classmethod
    def create_time_series_table(
        cls,
        operations: Operations,
        table_name: str,
        *columns: SchemaItem,
        time_column: str,
        chunk_interval: timedelta,
        partition_start: date,
        partition_months: int,
    ) -> None:
        """Create the table as `create_table` does, and cut it along `time_column`.

        With TimescaleDB in the database it is a hypertable with chunks of `chunk_interval`.
        Without, it has one partition for each of `partition_months` months of UTC from
        `partition_start`, a first of a month, and a default one for all other times.
        `drop_table` takes either down.
        """
        operations.invoke(
            cls(table_name, columns, time_column, chunk_interval, partition_start, partition_months)
        )


@Operations.implementation_for(CreateTimeSeriesTable)
def _create_time_series_table(operations: Operations, operation: CreateTimeSeriesTable) -> None:
    extension_schema = _timescaledb_schema(operations.get_context())
    if extension_schema is None:
        _create_partitioned(operations, operation)
    else:
        _create_hypertable(operations, operation, extension_schema)


def _create_hypertable(
    operations: Operations, operation: CreateTimeSeriesTable, extension_schema: str
) -> None:
    operations.create_table(operation.table_name, *operation.columns)
    # The form with named arguments works in every version of the extension that hosts offer.
    create_hypertable = getattr(sa.func, extension_schema).create_hypertable
    table_name = _quote(operations, operation.table_name)
    operations.execute(
        sa.select(
            create_hypertable(
                sa.cast(sa.literal(table_name, sa.Text()), postgresql.REGCLASS()),
                operation.time_column,
                _named("chunk_time_interval", operation.chunk_interval),
                _named("create_default_indexes", sa.false()),
            )
        )
    )


def _create_partitioned(operations: Operations, operation: CreateTimeSeriesTable) -> None:
    operations.create_table(
        operation.table_name,
        *operation.columns,
        postgresql_partition_by=f"RANGE ({_quote(operations, operation.time_column)})",
    )
    parent = _quote(operations, operation.table_name)
    months = _months(operation.partition_start, operation.partition_months)
    for lower, upper in itertools.pairwise(months):
        partition = _quote(operations, f"{operation.table_name}_{lower:%Y_%m}")
        operations.execute(
            f"CREATE TABLE {partition} PARTITION OF {parent}"
            f" FOR VALUES FROM ('{lower} 00:00:00+00') TO ('{upper} 00:00:00+00')"
        )
    partition = _quote(operations, f"{operation.table_name}_default")
    operations.execute(f"CREATE TABLE {partition} PARTITION OF {parent} DEFAULT")


def _timescaledb_schema(context: MigrationContext) -> str | None:
    if context.as_sql:
        schema: str | None = context.opts[OFFLINE_TIMESCALEDB]
        return schema
    extension = sa.table("pg_extension", sa.column("extname"), sa.column("extnamespace"))
    namespace = sa.table("pg_namespace", sa.column("oid"), sa.column("nspname", sa.Text()))
    statement = (
        sa.select(namespace.c.nspname)
        .join(extension, extension.c.extnamespace == namespace.c.oid)
        .where(extension.c.extname == "timescaledb")
    )
    connection = context.connection
    return connection.scalar(statement) if connection is not None else None


def _months(start: date, count: int) -> Iterator[date]:
    """Yield `count` firsts of a month, and the one after them that bounds the last."""
    for offset in range(count + 1):
        years, month = divmod(start.month - 1 + offset, 12)
        yield date(start.year + years, month + 1, 1)


def _named(name: str, value: object) -> sa.ColumnElement[object]:
    return sa.literal_column(name).op("=>")(value)


def _quote(operations: Operations, name: str) -> str:
    return operations.get_context().dialect.identifier_preparer.quote(name)
