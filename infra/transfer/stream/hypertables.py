"""Hypertables made at a target that has TimescaleDB, whatever its version and edition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable

# The functions that TimescaleDB itself hashes values with.
_OWN_HASHES = {"get_partition_hash", "get_partition_for_key"}


@dataclass(frozen=True)
class Dimension:
    """A dimension: the first has an interval or an integer step, others may have hash slices.

    `now` is the function that tells the time of an integer column, as SQL names it.
    """

    column: str
    type: str
    interval: str | None
    step: int | None
    slices: int | None
    function: str | None
    now: str | None

    @property
    def problem(self) -> str | None:
        """Say what cannot be made anew; None where everything can."""
        if self.function and self.function.rpartition(".")[2] not in _OWN_HASHES:
            return f"column {self.column!r} is divided by a function of its own, {self.function}"
        return None


class AsHypertable:
    """A hypertable, or a partitioned table that becomes one."""

    def __init__(
        self, table: LogicalTable, dimensions: Sequence[Dimension], *, partitioned: bool = False
    ) -> None:
        self.table = table
        self.root = sql.Identifier(table.schema, table.name)
        self._dimensions = dimensions
        self._partitioned = partitioned

    @property
    def seeded(self) -> bool:
        """Tell whether one row makes the chunk of all rows of its part."""
        return len(self._dimensions) == 1 and not self._partitioned

    def convert(self, connection: Connection) -> None:
        """Make the hypertable without indexes, which come after the rows."""
        name = self.root
        if self._partitioned:
            remake(connection, self.table, sql.SQL(""))
        first, *others = self._dimensions
        schema = _schema(connection)
        connection.execute(
            sql.SQL(
                "SELECT {}({}, {}, chunk_time_interval => {}, create_default_indexes => false)"
            ).format(
                sql.Identifier(schema, "create_hypertable"),
                sql.Literal(name.as_string()),
                sql.Literal(first.column),
                _width(first),
            )
        )
        for other in others:
            connection.execute(
                sql.SQL("SELECT {}({}, {}, {} => {})").format(
                    sql.Identifier(schema, "add_dimension"),
                    sql.Literal(name.as_string()),
                    sql.Literal(other.column),
                    sql.SQL("chunk_time_interval" if other.slices is None else "number_partitions"),
                    _width(other) if other.slices is None else sql.Literal(other.slices),
                )
            )

    def finish(self, connection: Connection) -> None:
        """Name the function that tells the time of integers, once all functions are there."""
        for dimension in self._dimensions:
            if dimension.now is not None:
                connection.execute(
                    sql.SQL("SELECT {}({}, {}, replace_if_exists => true)").format(
                        sql.Identifier(_schema(connection), "set_integer_now_func"),
                        sql.Literal(self.root.as_string()),
                        sql.Literal(dimension.now),
                    )
                )

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        """Return the chunks that hold one part of the source each."""
        if not self.seeded:
            return {}
        return {
            f"{lower} to {upper}": sql.Identifier(chunk_schema, chunk)
            for schema, table, chunk_schema, chunk, lower, upper, _ in inventory.rows(
                connection, "chunk_parts"
            )
            if (schema, table) == (self.table.schema, self.table.name)
        }


def remake(connection: Connection, table: LogicalTable, clause: sql.Composable) -> None:
    """Make an empty table anew with another way to store its rows.

    Nothing depends on it yet but its own columns and checks: the dump was loaded up to here.
    """
    name = sql.Identifier(table.schema, table.name)
    between = sql.Identifier(table.schema, "slipway_between")
    with connection.transaction():
        connection.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL) {}").format(between, name, clause)
        )
        for column, target in inventory.query(
            connection,
            "SELECT attname, attstattarget FROM pg_catalog.pg_attribute "
            "WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0 AND attstattarget >= 0",
            name.as_string(),
        ):
            connection.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS {}").format(
                    between, sql.Identifier(column), sql.Literal(target)
                )
            )
        for column, option, value in inventory.query(
            connection,
            "SELECT a.attname, o.option_name, o.option_value FROM pg_catalog.pg_attribute a, "
            "pg_catalog.pg_options_to_table(a.attoptions) o "
            "WHERE a.attrelid = %s::pg_catalog.regclass AND NOT a.attisdropped",
            name.as_string(),
        ):
            connection.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET ({} = {})").format(
                    between, sql.Identifier(column), sql.Identifier(option), sql.Literal(value)
                )
            )
        if inventory.query(
            connection,
            "SELECT FROM pg_catalog.pg_class "
            "WHERE oid = %s::pg_catalog.regclass AND relforcerowsecurity",
            name.as_string(),
        ):
            connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(between))
        connection.execute(sql.SQL("DROP TABLE {}").format(name))
        connection.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(between, sql.Identifier(table.name))
        )


def _schema(connection: Connection) -> str:
    return str(
        inventory.query(
            connection,
            "SELECT n.nspname FROM pg_catalog.pg_extension e "
            "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
            "WHERE e.extname = 'timescaledb'",
        )[0][0]
    )


def _width(dimension: Dimension) -> sql.Composable:
    if dimension.interval is not None:
        return sql.SQL("{}::pg_catalog.interval").format(sql.Literal(dimension.interval))
    return sql.SQL("{}::pg_catalog.int8").format(sql.Literal(dimension.step))
