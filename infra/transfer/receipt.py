"""The receipt: what a database held at one moment, to be compared with what arrived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from infra.postgres import inventory
from infra.postgres.connection import Connection


@dataclass(frozen=True)
class TableReceipt:
    """One table: its rows and, for a hypertable, its chunks."""

    schema: str
    name: str
    rows: int
    chunks: int | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Receipt:
    """Every table of a database, in order of name."""

    tables: tuple[TableReceipt, ...]

    @property
    def rows(self) -> int:
        """Return the rows of all tables together."""
        return sum(table.rows for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Receipt:
        """Read back what `as_json` gave; KeyError or TypeError when it is something else."""
        return cls(tuple(TableReceipt(**table) for table in value["tables"]))


def take(connection: Connection, report: Callable[[str], None]) -> Receipt:
    """Count every table in the connection's snapshot, reporting each name before its count."""
    chunks = inventory.hypertables(connection)
    tables = []
    for schema, name in inventory.tables(connection):
        report(f"{schema}.{name}")
        rows = inventory.row_count(connection, schema, name)
        tables.append(TableReceipt(schema, name, rows, chunks.get((schema, name))))
    return Receipt(tuple(tables))


def differences(expected: Receipt, found: Receipt) -> list[str]:
    """Name each table that is missing, came out of nowhere, or differs."""
    before = {(table.schema, table.name): table for table in expected.tables}
    after = {(table.schema, table.name): table for table in found.tables}
    result = [f"{table}: missing" for name, table in before.items() if name not in after]
    result += [
        f"{table}: not in the archive" for name, table in after.items() if name not in before
    ]
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if old.rows != new.rows:
            result.append(f"{old}: {old.rows} rows expected, {new.rows} found")
        if old.chunks != new.chunks:
            result.append(f"{old}: {old.chunks} chunks expected, {new.chunks} found")
    return sorted(result)
