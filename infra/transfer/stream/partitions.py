"""Native range partitions, for hypertables at a target without TimescaleDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable
from infra.transfer.stream.hypertables import Dimension, remake
from infra.transfer.stream.options import Options

SCHEMA = "slipway_partitions"

# Each new partition is locked until the end of its transaction.
_BATCH = 200
_WIDTHS: dict[str, str] = {"day": "1 day", "week": "7 days", "month": "1 month"}


@dataclass(frozen=True)
class Bounds:
    """Both ends of a range as values of the column's type, without one where it is open."""

    lower: str | None
    upper: str | None


class AsPartitions:
    """A hypertable that becomes a table with one partition for each chunk, day, week or month."""

    def __init__(
        self,
        table: LogicalTable,
        dimension: Dimension,
        bounds: Mapping[str, Bounds],
        options: Options,
    ) -> None:
        self.table = table
        self.root = sql.Identifier(table.schema, table.name)
        self._dimension = dimension
        self._bounds = bounds
        self._width = options.width

    def convert(self, connection: Connection) -> None:
        """Make the partitioned table, and let the maintenance function know of it."""
        key = sql.SQL("PARTITION BY RANGE ({})").format(sql.Identifier(self._dimension.column))
        remake(connection, self.table, key)
        connection.execute(_script())
        if self._dimension.step is not None:
            interval, step = None, self._dimension.step
        else:
            interval, step = _WIDTHS.get(self._width, self._dimension.interval), None
        connection.execute(
            "SELECT slipway_partitions.manage(%s::pg_catalog.regclass, %s, "
            "%s::pg_catalog.interval, %s::pg_catalog.int8)",
            [self.root.as_string(), self._dimension.column, interval, step],
        )
        connection.execute(
            "SELECT slipway_partitions.add_default(%s::pg_catalog.regclass)",
            [self.root.as_string()],
        )

    def finish(self, connection: Connection) -> None:
        """Make partitions for the time to come."""
        connection.execute("SELECT slipway_partitions.extend()")

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        """Make the partitions that are missing; return those that hold one part each."""
        by_chunk = self._width == "chunk"
        wanted = self._bounds if by_chunk else self._aligned(connection)
        found: dict[str, sql.Identifier] = {}
        labels = list(wanted)
        for start in range(0, len(labels), _BATCH):
            batch = labels[start : start + _BATCH]
            made = inventory.query(
                connection,
                "SELECT w.label, slipway_partitions.add(%s::pg_catalog.regclass, w.lower, w.upper)"
                "::pg_catalog.oid::pg_catalog.int8 "
                "FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]), "
                "pg_catalog.unnest(%s::pg_catalog.text[]), "
                "pg_catalog.unnest(%s::pg_catalog.text[])) w (label, lower, upper)",
                self.root.as_string(),
                batch,
                [wanted[label].lower for label in batch],
                [wanted[label].upper for label in batch],
            )
            # By itself: a statement does not see what it makes.
            names = {
                oid: sql.Identifier(schema, name)
                for oid, schema, name in inventory.query(
                    connection,
                    "SELECT c.oid::pg_catalog.int8, n.nspname, c.relname "
                    "FROM pg_catalog.pg_class c "
                    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                    "WHERE c.oid = ANY (%s::pg_catalog.oid[])",
                    [oid for _, oid in made],
                )
            }
            found |= {label: names[oid] for label, oid in made}
        return found if by_chunk else {}

    def _aligned(self, connection: Connection) -> dict[str, Bounds]:
        """Cut the chunks' ranges into days, weeks or months in UTC."""
        closed = [b for b in self._bounds.values() if b.lower is not None and b.upper is not None]
        rows = inventory.query(
            connection,
            "SELECT DISTINCT g::pg_catalog.text, (g + %s::pg_catalog.interval)::pg_catalog.text "
            "FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.timestamptz[]), "
            "pg_catalog.unnest(%s::pg_catalog.timestamptz[])) b (lower, upper), "
            "pg_catalog.generate_series(pg_catalog.date_trunc(%s, b.lower AT TIME ZONE 'UTC'), "
            "b.upper AT TIME ZONE 'UTC' - interval '1 microsecond', %s::pg_catalog.interval) g",
            _WIDTHS[self._width],
            [b.lower for b in closed],
            [b.upper for b in closed],
            self._width,
            _WIDTHS[self._width],
        )
        return {f"{lower} to {upper}": Bounds(lower, upper) for lower, upper in rows}


def _script() -> LiteralString:
    # The file is part of the program, so its text is as literal as this line.
    path = Path(__file__).with_name("partition_maintenance.sql")
    return path.read_text(encoding="utf-8")
