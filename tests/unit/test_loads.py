"""What is brought after an interruption, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from psycopg import sql

from infra.postgres.connection import Connection
from infra.postgres.digest import Column
from infra.postgres.relations import LogicalTable
from infra.transfer.stream import ledger
from infra.transfer.stream.hypertables import AsHypertable, Dimension
from infra.transfer.stream.layouts import Layout, Layouts
from infra.transfer.stream.loads import Loads, OutdatedError
from infra.transfer.stream.rows import Load, Rows
from infra.transfer.stream.units import Unit

ROOT = sql.Identifier("s", "t")
TABLE = LogicalTable(1, "s", "t", "table", ("s", "t"), (), ())
TIME = Dimension("at", "timestamp with time zone", "1 day", None, None, None, None)
HASH = Dimension("symbol", "text", None, None, 3, "get_partition_hash", None)

Noted = dict[str, tuple[int, int]]


@dataclass
class Target:
    """The ledger and the chunks of a staging database, without one."""

    noted: Noted = field(default_factory=dict)
    chunks: set[str] = field(default_factory=set)
    # What TimescaleDB calls the chunk that it makes for a label, where its ranges are other ones.
    renamed: dict[str, str] = field(default_factory=dict)
    forgotten: list[list[str]] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    seeded: list[list[str]] = field(default_factory=list)
    root: sql.Identifier = field(default_factory=lambda: ROOT)

    def execute(self, statement: sql.Composable) -> None:
        self.executed.append(statement.as_string())

    def seed(self, loads: Sequence[Load], snapshot: str) -> None:
        assert snapshot == "00000003-1"
        assert {(load.into.as_string(), load.alone) for load in loads} == {('"s"."t"', False)}
        labels = [load.unit.label for load in loads]
        self.seeded.append(labels)
        self.chunks |= {self.renamed.get(label, label) for label in labels}

    def forget(self, connection: Connection, table: sql.Identifier, keys: list[str]) -> None:
        del connection
        assert table == self.root
        self.forgotten.append(keys)


class Chunks(AsHypertable):
    """A hypertable whose chunks are the fake target's."""

    def __init__(self, target: Target, *dimensions: Dimension, table: LogicalTable) -> None:
        super().__init__(table, dimensions)
        self._target = target

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        del connection
        return {label: place(label) for label in self._target.chunks} if self.seeded else {}


@dataclass
class Parts:
    """A table that becomes partitioned, with these partitions."""

    table: LogicalTable
    found: Mapping[str, sql.Identifier]
    root: sql.Identifier = field(default_factory=lambda: ROOT)

    def convert(self, connection: Connection) -> None:
        raise AssertionError(connection)

    def finish(self, connection: Connection) -> None:
        raise AssertionError(connection)

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        del connection
        return self.found


def place(label: str) -> sql.Identifier:
    return sql.Identifier("there", label)


def unit(label: str = "", *, rows: int = 10, digest: int = 7, whole: bool = False) -> Unit:
    relation = sql.Identifier("here", label)
    return Unit(f"key {label}", TABLE, label, (relation,), whole, rows, digest, 100)


def page(number: int, *, rows: int = 10, digest: int = 7) -> Unit:
    relation = sql.SQL("ONLY {} WHERE ctid > {}").format(ROOT, sql.Literal(number))
    label = f"pages from {number}"
    return Unit(f"key {label}", TABLE, label, (relation,), False, rows, digest, 100)


def noted(*units: Unit) -> Noted:
    return {unit.key: (unit.rows, unit.digest) for unit in units}


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    made = Target()
    monkeypatch.setattr(ledger, "noted", lambda _: made.noted)
    monkeypatch.setattr(ledger, "forget", made.forget)
    return made


def missing(
    target: Target, units: Sequence[Unit], layout: Layout | None = None
) -> list[tuple[str, str, bool]]:
    layouts = Layouts({TABLE.oid: layout} if layout else {}, frozenset(), {})
    loads = Loads(cast("Connection", target), cast("Rows", target), layouts, "00000003-1")
    return [(load.unit.label, load.into.as_string(), load.alone) for load in loads.missing(units)]


def test_at_first_everything_is_missing_but_what_has_no_rows(target: Target) -> None:
    whole = unit(whole=True)
    found = [unit("a"), unit("b", rows=0, digest=0), unit("c")]

    assert missing(target, [whole]) == [("", '"s"."t"', True)]
    assert missing(target, found) == [
        ("a", '"here"."a"', True),
        ("c", '"here"."c"', True),
    ]


def test_ranges_of_pages_share_their_table(target: Target) -> None:
    assert missing(target, [page(0), page(1)]) == [
        ("pages from 0", '"s"."t"', False),
        ("pages from 1", '"s"."t"', False),
    ]


def test_what_has_arrived_and_is_the_same_is_not_brought_again(target: Target) -> None:
    units = [unit("a"), unit("b")]
    target.noted = noted(units[0])

    assert missing(target, units) == [("b", '"here"."b"', True)]
    assert target.forgotten == []


@pytest.mark.parametrize(("rows", "digest"), [(11, 7), (10, 8), (0, 0)])
def test_what_has_changed_since_is_brought_again(target: Target, rows: int, digest: int) -> None:
    units = [unit("a"), unit("b")]
    target.noted = noted(*units)

    changed = [replace(units[0], rows=rows, digest=digest), units[1]]

    # Even when nothing is left of it: its place is emptied first.
    assert missing(target, changed) == [("a", '"here"."a"', True)]
    assert target.forgotten == []


def test_a_shared_table_is_emptied_when_one_of_its_units_has_changed(target: Target) -> None:
    units = [page(0), page(1), page(2, rows=0, digest=0)]
    target.noted = noted(*units[:2])

    changed = [units[0], replace(units[1], digest=8), units[2]]

    assert [label for label, *_ in missing(target, changed)] == ["pages from 0", "pages from 1"]
    assert target.forgotten == [[unit.key for unit in units]]


def test_pages_that_come_new_are_added_to_those_that_are_there(target: Target) -> None:
    target.noted = noted(page(0))

    assert [label for label, *_ in missing(target, [page(0), page(1)])] == ["pages from 1"]
    assert target.forgotten == []


def test_a_unit_that_is_gone_from_the_source_begins_everything_anew(target: Target) -> None:
    target.noted = noted(unit("a"), unit("b"))

    with pytest.raises(OutdatedError, match="gone from the source"):
        missing(target, [unit("b")])


def test_each_part_goes_into_its_partition_and_the_rest_into_the_table(target: Target) -> None:
    layout = Parts(TABLE, {"a": place("a")})

    assert missing(target, [unit("a"), unit("b")], layout) == [
        ("a", '"there"."a"', True),
        ("b", '"s"."t"', False),
    ]


def test_a_table_with_wider_partitions_is_emptied_when_a_chunk_has_changed(
    target: Target,
) -> None:
    target.noted = noted(unit("a"), unit("b"))

    found = missing(target, [unit("a", digest=8), unit("b")], Parts(TABLE, {}))

    assert found == [("a", '"s"."t"', False), ("b", '"s"."t"', False)]
    assert target.forgotten == [["key a", "key b"]]


def test_an_aggregates_rows_go_into_the_table_behind_its_view(target: Target) -> None:
    target.root = sql.Identifier("s", "t_materialized")
    layout = Parts(TABLE, {}, target.root)
    target.noted = noted(unit("a"))

    first = missing(target, [unit("a"), unit("b")], layout)
    again = missing(target, [unit("a", digest=8), unit("b")], layout)

    assert first == [("b", '"s"."t_materialized"', False)]
    assert [into for _, into, _ in again] == ['"s"."t_materialized"'] * 2
    assert target.forgotten == [["key a", "key b"]]


def chunks(target: Target, *dimensions: Dimension, columns: int = 1) -> Chunks:
    wide = tuple(Column("x" * 60, "text", "text", not_null=True) for _ in range(columns))
    return Chunks(target, *(dimensions or (TIME,)), table=replace(TABLE, columns=wide))


def test_a_hypertables_chunks_are_made_by_a_row_of_each_part(target: Target) -> None:
    units = [unit("a"), unit("empty", rows=0, digest=0), unit("b")]

    found = missing(target, units, chunks(target))

    assert target.seeded == [["a", "b"]]
    assert found == [("a", '"there"."a"', True), ("b", '"there"."b"', True)]
    assert target.executed == []


def test_chunks_that_are_there_are_not_made_again(target: Target) -> None:
    target.chunks = {"a", "b"}
    target.noted = noted(unit("a"))

    found = missing(target, [unit("a"), unit("b"), unit("c")], chunks(target))

    assert target.seeded == [["c"]]
    assert found == [("b", '"there"."b"', True), ("c", '"there"."c"', True)]


def test_many_chunks_are_made_in_statements_that_are_not_too_long(target: Target) -> None:
    units = [unit(f"{number}") for number in range(250)]

    missing(target, units, chunks(target))
    few = [len(labels) for labels in target.seeded]
    target.seeded, target.chunks = [], set()
    missing(target, units[:5], chunks(target, columns=400))
    wide = [len(labels) for labels in target.seeded]
    target.seeded, target.chunks = [], set()
    missing(target, units[:2], chunks(target, columns=1600))

    assert few == [100, 100, 50]
    assert wide == [2, 2, 1]
    # A row of such a table is too long for itself, and is tried all the same.
    assert [len(labels) for labels in target.seeded] == [1, 1]


def test_chunks_that_get_other_ranges_are_left_to_timescaledb(target: Target) -> None:
    target.renamed = {"b": "B"}

    found = missing(target, [unit("a"), unit("b")], chunks(target))

    # The rows that were brought to make chunks are taken out again.
    assert target.executed == ['TRUNCATE "s"."t"']
    assert found == [("a", '"s"."t"', False), ("b", '"s"."t"', False)]


def test_chunks_that_get_other_ranges_halfway_begin_everything_anew(target: Target) -> None:
    target.renamed, target.chunks = {"b": "B"}, {"a"}
    target.noted = noted(unit("a"))

    with pytest.raises(OutdatedError, match=r"^the chunks of s\.t have other ranges now$"):
        missing(target, [unit("a"), unit("b")], chunks(target))


def test_rows_that_came_through_the_hypertable_go_on_coming_that_way(target: Target) -> None:
    target.chunks = {"A"}
    target.noted = noted(unit("a"))

    found = missing(target, [unit("a"), unit("b")], chunks(target))

    assert target.seeded == []
    assert found == [("b", '"s"."t"', False)]


def test_a_hypertable_of_two_dimensions_takes_its_rows_itself(target: Target) -> None:
    found = missing(target, [unit("a")], chunks(target, TIME, HASH))

    assert target.seeded == []
    assert found == [("a", '"s"."t"', False)]


@pytest.mark.parametrize("left", [(), (unit("b", rows=0, digest=0),)])
def test_the_row_that_made_a_chunk_goes_when_the_source_has_none_any_more(
    target: Target, left: tuple[Unit, ...]
) -> None:
    # Interrupted between the rows that make chunks and the rest; then retention drops a chunk.
    target.chunks = {"a", "b"}
    target.noted = noted(unit("a"))

    found = missing(target, [unit("a"), *left], chunks(target))

    emptied = [into for _, into, alone in found if alone]
    assert '"there"."b"' in " ".join([*target.executed, *emptied])
