"""What is still to be brought, and where it goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from psycopg import sql

from infra.postgres.connection import Connection
from infra.transfer.stream import ledger
from infra.transfer.stream.hypertables import AsHypertable
from infra.transfer.stream.layouts import Layout, Layouts
from infra.transfer.stream.rows import Load, Rows
from infra.transfer.stream.units import Unit

# One statement makes at most so many chunks, each of which it names with all columns. Bytes.
_BATCH = 100
_STATEMENT = 60_000


class OutdatedError(Exception):
    """What was loaded before the interruption fits the source no more; its text says why."""


class Loads:
    """Compares the source's units with those that have arrived."""

    def __init__(self, connection: Connection, rows: Rows, layouts: Layouts, snapshot: str) -> None:
        self._connection = connection
        self._rows = rows
        self._layouts = layouts
        self._snapshot = snapshot
        self._noted = ledger.noted(connection)

    def missing(self, units: Sequence[Unit]) -> list[Load]:
        """Return what is to be brought; OutdatedError when it has to begin anew."""
        if self._noted.keys() - {unit.key for unit in units}:
            raise OutdatedError("rows that had arrived are gone from the source")
        tables: dict[int, list[Unit]] = defaultdict(list)
        for unit in units:
            tables[unit.table.oid].append(unit)
        return [load for found in tables.values() for load in self._table(found)]

    def _table(self, units: list[Unit]) -> list[Load]:
        table = units[0].table
        layout = self._layouts.by_table.get(table.oid)
        root = layout.root if layout else sql.Identifier(table.schema, table.name)
        if layout is None:
            places = {unit.label: _own_place(unit) for unit in units}
            loads = self._loads(units, {key: place for key, place in places.items() if place}, root)
        else:
            loads = self._loads(units, self._places(layout, units), root)
        stale = [load for load in loads if not load.alone and load.unit.key in self._noted]
        if stale:
            # Nobody can tell which of the table's rows were those.
            ledger.forget(self._connection, root, [unit.key for unit in units])
            loads = [Load(unit, root, alone=False) for unit in units if unit.rows]
        return loads

    def _loads(
        self, units: Sequence[Unit], places: Mapping[str, sql.Identifier], root: sql.Identifier
    ) -> list[Load]:
        return [
            Load(unit, places.get(unit.label, root), alone=unit.label in places)
            for unit in units
            if self._is_missing(unit)
        ]

    def _is_missing(self, unit: Unit) -> bool:
        known = self._noted.get(unit.key)
        return unit.rows > 0 if known is None else known != (unit.rows, unit.digest)

    def _places(self, layout: Layout, units: Sequence[Unit]) -> Mapping[str, sql.Identifier]:
        places = layout.places(self._connection)
        if not (isinstance(layout, AsHypertable) and layout.seeded):
            return places
        noted = [unit for unit in units if unit.key in self._noted]
        self._empty(places, {unit.label for unit in units if unit.rows or unit in noted})
        if any(unit.label not in places for unit in noted):
            return {}  # They came through the root.
        unmade = [unit for unit in units if unit.rows and unit.label not in places]
        width = sum(len(column.name.encode()) + 4 for column in layout.table.columns) + 200
        batch = max(1, min(_BATCH, _STATEMENT // width))
        for start in range(0, len(unmade), batch):
            self._rows.seed(
                [Load(unit, layout.root, alone=False) for unit in unmade[start : start + batch]],
                self._snapshot,
            )
        places = layout.places(self._connection)
        if all(unit.label in places for unit in unmade):
            return places
        if noted:
            raise OutdatedError(f"the chunks of {layout.table} have other ranges now")
        # The interval has changed since: the hypertable finds the chunks for the rows by itself.
        self._connection.execute(sql.SQL("TRUNCATE {}").format(layout.root))
        return {}

    def _empty(self, chunks: Mapping[str, sql.Identifier], filled: Collection[str]) -> None:
        """Take the row that made it out of a chunk that the source has no rows for any more."""
        for label, chunk in chunks.items():
            if label not in filled:
                self._connection.execute(sql.SQL("TRUNCATE ONLY {}").format(chunk))


def _own_place(unit: Unit) -> sql.Identifier | None:
    """Return the table or the partition that holds the unit's rows alone, here as there."""
    if unit.whole:
        return sql.Identifier(unit.table.schema, unit.table.name)
    (relation,) = unit.relations
    return relation if isinstance(relation, sql.Identifier) else None
