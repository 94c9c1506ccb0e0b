"""Units: rows that are brought in one transaction, with what proves that they are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from infra.postgres.relations import LogicalTable, Part
from infra.transfer.receipt import PartReceipt

# A plain table up to this size is one unit, which needs no second pass and little of the log.
_WHOLE = 1 << 30


@dataclass(frozen=True)
class Unit:
    """The rows of some relations of the source, which is what stands behind FROM.

    `key` names it in every run; `whole` says that it is all of its table; `rows` and `digest` are
    the source's, `size` is bytes.
    """

    key: str
    table: LogicalTable
    label: str
    relations: tuple[sql.Composable, ...]
    whole: bool
    rows: int
    digest: int
    size: int

    def __str__(self) -> str:
        return f"{self.table} {self.label}".strip()


def divide(
    tables: Sequence[LogicalTable], counted: Mapping[int, Sequence[PartReceipt]]
) -> list[Unit]:
    """Divide tables into units, the largest first; `counted` holds each table's parts."""
    found = [unit for table in tables for unit in _units(table, counted[table.oid])]
    return sorted(found, key=lambda unit: unit.size, reverse=True)


def _units(table: LogicalTable, counted: Sequence[PartReceipt]) -> list[Unit]:
    pages = table.kind == "table"
    size = sum(part.size for part in table.parts)
    if pages and size <= _WHOLE:
        only: sql.Composable = sql.SQL("ONLY {}").format(sql.Identifier(table.schema, table.name))
        rows, digest = sum(part.rows for part in counted), sum(part.digest for part in counted)
        return [Unit(_key(table, "", 0), table, "", (only,), True, rows, digest, size)]
    return [
        _unit(table, number if pages else 0, part, known)
        for number, (part, known) in enumerate(zip(table.parts, counted, strict=True))
    ]


def _unit(table: LogicalTable, number: int, part: Part, known: PartReceipt) -> Unit:
    key = _key(table, part.label, number)
    label = part.label or f"pages from {number}"
    return Unit(key, table, label, part.relations, False, known.rows, known.digest, part.size)


def _key(table: LogicalTable, label: str, number: int) -> str:
    # Neither a name nor a label holds this character.
    return "\x1f".join([table.schema, table.name, label, str(number)])
