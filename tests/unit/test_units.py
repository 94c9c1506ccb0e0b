"""Whatever a source's tables look like, every row of them is in exactly one unit."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from infra.postgres.relations import LogicalTable, Part
from infra.transfer.receipt import PartReceipt
from infra.transfer.stream.units import Unit, divide

GB = 1 << 30

Counted = dict[int, list[PartReceipt]]

names = st.text(st.characters(codec="utf-8", exclude_characters="\0\x1f"), min_size=1, max_size=8)
digests = st.integers(-(2**70), 2**70)
rows = st.integers(0, 10**12)


def only(schema: str, name: str) -> sql.Composable:
    return sql.SQL("ONLY {}").format(sql.Identifier(schema, name))


def made(kind: str, *parts: Part, oid: int = 1, name: str = "t") -> LogicalTable:
    return LogicalTable(oid, "s", name, kind, ("s", name), (), tuple(parts))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[LogicalTable], Counted]:
    found = []
    counted: Counted = {}
    for oid, (schema, name) in enumerate(
        draw(st.lists(st.tuples(names, names), max_size=4, unique=True))
    ):
        kind = draw(st.sampled_from(["table", "partitioned table", "hypertable"]))
        if kind == "table":
            count = draw(st.integers(1, 4))
            labels = [""] * count
            relations: list[tuple[sql.Composable, ...]] = [
                (sql.SQL("{} WHERE {}").format(only(schema, name), sql.Literal(number)),)
                for number in range(count)
            ]
        else:
            labels = draw(st.lists(names, max_size=4, unique=True))
            relations = [(sql.Identifier("chunk", f"{oid} {label}"),) * 2 for label in labels]
        parts = [
            Part(label, relation, draw(st.integers(0, 2 * GB)))
            for label, relation in zip(labels, relations, strict=True)
        ]
        found.append(
            LogicalTable(oid, schema, name, kind, (schema, name), (), tuple(parts)),
        )
        counted[oid] = [PartReceipt(label, draw(rows), draw(digests)) for label in labels]
    return found, counted


@settings(max_examples=60)
@given(tables())
def test_every_row_is_in_exactly_one_unit(source: tuple[list[LogicalTable], Counted]) -> None:
    found, counted = source

    units = divide(found, counted)

    for table in found:
        own = [unit for unit in units if unit.table.oid == table.oid]
        read = [relation for unit in own for relation in unit.relations]
        wanted = [relation for part in table.parts for relation in part.relations]
        if [unit.whole for unit in own] == [True]:
            assert read == [only(table.schema, table.name)]
        else:
            assert not any(unit.whole for unit in own)
            # In any order: the largest come first.
            assert sorted(map(str, read)) == sorted(map(str, wanted))
        assert sum(unit.rows for unit in own) == sum(part.rows for part in counted[table.oid])
        assert sum(unit.digest for unit in own) == sum(part.digest for part in counted[table.oid])
        assert sum(unit.size for unit in own) == sum(part.size for part in table.parts)


@settings(max_examples=60)
@given(tables())
def test_keys_tell_units_apart_and_stay_the_same(
    source: tuple[list[LogicalTable], Counted],
) -> None:
    found, counted = source

    units = divide(found, counted)
    again = divide(found[::-1], counted)

    keys = [unit.key for unit in units]
    assert len(set(keys)) == len(keys)
    assert {unit.key: unit for unit in again} == {unit.key: unit for unit in units}


@settings(max_examples=30)
@given(tables())
def test_the_largest_unit_comes_first(source: tuple[list[LogicalTable], Counted]) -> None:
    sizes = [unit.size for unit in divide(*source)]

    assert sizes == sorted(sizes, reverse=True)


def pages(*sizes: int) -> tuple[LogicalTable, Counted]:
    parts = [
        Part("", (sql.SQL("{} WHERE {}").format(only("s", "t"), sql.Literal(number)),), size)
        for number, size in enumerate(sizes)
    ]
    return made("table", *parts), {1: [PartReceipt("", 3, 5) for _ in sizes]}


def shown(units: Sequence[Unit]) -> list[tuple[str, bool, int]]:
    return [(str(unit), unit.whole, unit.rows) for unit in units]


def test_a_table_is_one_unit_up_to_a_gibibyte() -> None:
    small, counted = pages(GB - 1, 1)
    large, _ = pages(GB, 1)

    assert shown(divide([small], counted)) == [("s.t", True, 6)]
    assert shown(divide([large], counted)) == [
        ("s.t pages from 0", False, 3),
        ("s.t pages from 1", False, 3),
    ]


def test_partitions_are_units_of_their_own_however_small() -> None:
    labels = ["FOR VALUES FROM (1) TO (2)", "DEFAULT"]
    parts = [Part(label, (sql.Identifier("s", label),), 0) for label in labels]
    counted = {1: [PartReceipt(label, 1, 1) for label in labels]}

    units = divide([made("partitioned table", *parts)], counted)

    assert shown(units) == [(f"s.t {label}", False, 1) for label in labels]


def test_a_table_of_many_parts_without_any_is_no_unit() -> None:
    assert divide([made("hypertable")], {1: []}) == []


def test_a_key_outlives_its_neighbours() -> None:
    # A chunk that retention drops must not make another transfer of all those after it.
    labels = ["a to b", "b to c"]
    parts = [Part(label, (sql.Identifier("s", label),), 0) for label in labels]
    first = divide(
        [made("hypertable", *parts)], {1: [PartReceipt(label, 1, 1) for label in labels]}
    )
    second = divide([made("hypertable", *parts[1:])], {1: [PartReceipt("b to c", 1, 1)]})

    assert [unit.key for unit in second] == [unit.key for unit in first if unit.label == "b to c"]
