"""Comparing two receipts: every difference by name, and what a target lawfully has otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.postgres import names
from infra.postgres.objects import DatabaseObject, unqualified
from infra.transfer.receipt import Receipt, TableReceipt
from infra.transfer.wording import printable

MISSING, UNEXPECTED = "missing", "not expected"

# Kinds in whose definition PostgreSQL 16 began to leave out the table before each column.
_REWRITTEN = {"view", "materialized view", "continuous aggregate"}
_VERSIONS_PER_MAJOR = 10000
_EXPRESSIONS = {"definition", "using", "check"}
# `IN ('a', 'b')` on a column of type varchar.
_VARYING = re.compile(r"'(?:[^']|'')*'::character varying")
_CAST_LIST = re.compile(rf"\(ARRAY\[({_VARYING.pattern}(?:, {_VARYING.pattern})*)\]\)::text\[\]")
_TABLES = {"table", "hypertable", "continuous aggregate"}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be; `aspect` is empty where the whole object is meant."""

    kind: str
    name: str
    aspect: str
    expected: str
    found: str

    def __str__(self) -> str:
        found = self.found
        if self.aspect:
            found = f"{self.aspect} is {self.found}, expected {self.expected}"
        text = f"{self.kind} {self.name}".strip() + f": {found}"
        # Definitions have several lines, and a name may hold anything.
        return printable(" ".join(text.split()))


@dataclass(frozen=True)
class Comparison:
    """What differs, and what differs as it may: the same name in another form."""

    differences: tuple[Difference, ...]
    adapted: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "equal": not self.differences,
            "differences": [asdict(found) for found in self.differences],
            "adapted": [asdict(found) for found in self.adapted],
        }


def compare(expected: Receipt, found: Receipt) -> Comparison:
    """Compare rows and objects; the objects of both sides are in the same terms already."""
    rows = list(_rows(expected.tables, found.tables))
    on_both = _names(expected.tables) & _names(found.tables)
    lost = (_names(expected.tables) | _names(found.tables)) - on_both
    objects = [
        change
        for change in _objects(expected.objects, found.objects)
        if not _goes_with(change, lost)
    ]
    majors = {side.server_version // _VERSIONS_PER_MAJOR for side in (expected, found)}
    may: Callable[[Difference], bool] = _lawful if len(majors) == 1 else _lawful_across_majors
    return Comparison(
        differences=tuple(sorted(rows + [c for c in objects if not may(c)], key=_order)),
        adapted=tuple(sorted((c for c in objects if may(c)), key=_order)),
    )


def _names(tables: Sequence[TableReceipt]) -> set[tuple[str, ...]]:
    return {(table.schema, table.name) for table in tables}


def _goes_with(change: Difference, lost: set[tuple[str, ...]]) -> bool:
    """Tell whether it says once more that a whole table is missing, or should not be there."""
    whole = names.parts(change.name)
    return (change.kind in _TABLES and whole in lost) or (
        change.kind == "column" and whole[:-1] in lost
    )


def _order(change: Difference) -> tuple[str, str, str]:
    return (change.kind, change.name, change.aspect)


def _lawful(change: Difference) -> bool:
    """Extensions come in the target's version, but for TimescaleDB, whose catalog fits one only.

    A list of texts that was read back from what PostgreSQL printed is printed in another form.
    """
    if change.aspect in _EXPRESSIONS:
        return _each_cast(change.expected) == _each_cast(change.found)
    return (change.kind, change.aspect) == ("extension", "version") and change.name != "timescaledb"


def _each_cast(expression: str) -> str:
    """Write the cast of a list of texts as one of each of its elements."""
    return _CAST_LIST.sub(
        lambda found: "ARRAY[" + _VARYING.sub(r"(\g<0>)::text", found[1]) + "]", expression
    )


def _lawful_across_majors(change: Difference) -> bool:
    if change.kind in _REWRITTEN and change.aspect == "definition":
        return unqualified(change.expected) == unqualified(change.found)
    return _lawful(change)


def _rows(expected: Sequence[TableReceipt], found: Sequence[TableReceipt]) -> Iterator[Difference]:
    before = {(table.schema, table.name): table for table in expected}
    after = {(table.schema, table.name): table for table in found}
    for name in before.keys() - after.keys():
        rows = f"{before[name].rows:,} rows"
        yield Difference(before[name].kind, str(before[name]), "", rows, MISSING)
    for name in after.keys() - before.keys():
        rows = f"{after[name].rows:,} rows"
        yield Difference(after[name].kind, str(after[name]), "", "", f"{UNEXPECTED}, with {rows}")
    for name in before.keys() & after.keys():
        yield from _table(before[name], after[name])


def _table(expected: TableReceipt, found: TableReceipt) -> Iterator[Difference]:
    kind, name = expected.kind, str(expected)
    if expected.kind != found.kind:
        yield Difference(kind, name, "kind", expected.kind, found.kind)
    if found.hidden:
        hidden = ", ".join(found.hidden)
        yield Difference(kind, name, "chunks that no query reads", "none", hidden)
    if expected.rows != found.rows:
        yield Difference(kind, name, "rows", f"{expected.rows:,}", f"{found.rows:,}")
    if expected.digest == found.digest and expected.rows == found.rows:
        return
    parts = list(_parts(expected, found))
    if parts or expected.rows != found.rows:
        yield from parts
        return
    yield Difference(kind, name, "content", _short(expected.digest), _short(found.digest))


def _parts(expected: TableReceipt, found: TableReceipt) -> Iterator[Difference]:
    before = {part.label: part for part in expected.parts}
    after = {part.label: part for part in found.parts}
    for label in sorted(before.keys() | after.keys()):
        old, new = before.get(label), after.get(label)
        if old != new:
            yield Difference(
                expected.kind,
                str(expected),
                f"content of {label}",
                f"{old.rows:,} rows {_short(old.digest)}" if old else "nothing",
                f"{new.rows:,} rows {_short(new.digest)}" if new else "nothing",
            )


def _objects(
    expected: Sequence[DatabaseObject], found: Sequence[DatabaseObject]
) -> Iterator[Difference]:
    before = {(item.kind, item.name): item.properties for item in expected}
    after = {(item.kind, item.name): item.properties for item in found}
    for kind, name in sorted(before.keys() - after.keys()):
        yield Difference(kind, name, "", "present", MISSING)
    for kind, name in sorted(after.keys() - before.keys()):
        yield Difference(kind, name, "", "absent", UNEXPECTED)
    for key in sorted(before.keys() & after.keys()):
        old, new = before[key], after[key]
        for aspect in sorted(old.keys() | new.keys()):
            if old.get(aspect) != new.get(aspect):
                yield Difference(*key, aspect, _shown(old.get(aspect)), _shown(new.get(aspect)))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(digest: int) -> str:
    """Write a digest short enough for a line; whoever wants all of it finds it in the JSON."""
    return f"(digest …{digest % 10**8:08d})"
