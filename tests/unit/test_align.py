"""A hypertable and a partitioned table that hold the same are equal, and only those."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from infra.postgres.objects import DatabaseObject
from infra.transfer.align import AGGREGATE, HYPERTABLE, PARTITIONED, align
from infra.transfer.compare import compare
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt
from tests.unit.conftest import grant

PARTS = (PartReceipt("2026-11-01 to 2026-11-08", 4, 40), PartReceipt("2026-11-08 to …", 6, 60))
QUOTES = TableReceipt("trading", "Quotes", HYPERTABLE, 10, 100, PARTS)
NAME = 'trading."Quotes"'


def receipt(tables: Iterable[TableReceipt], *objects: DatabaseObject) -> Receipt:
    return Receipt(170011, recoded=False, tables=tuple(tables), objects=objects)


def table(name: str, **properties: Any) -> DatabaseObject:  # noqa: ANN401 - any JSON
    plain = {
        "owner": "owner",
        "persistence": "permanent",
        "kind": "ordinary",
        "partition_key": None,
        "partition_bound": None,
        "inherits": None,
        "options": None,
        "replica_identity": "default",
        "comment": None,
    }
    return DatabaseObject("table", name, plain | properties)


def column(name: str, type_: str = "timestamp with time zone") -> DatabaseObject:
    return DatabaseObject("column", name, {"type": type_})


def index(name: str, on: str, rest: str = "USING btree (at)") -> DatabaseObject:
    bare = name.removeprefix("trading.")
    properties = {"definition": f"CREATE INDEX {bare} ON {on} {rest}", "valid": True}
    return DatabaseObject("index", name, properties)


def extension(version: str, name: str = "timescaledb") -> DatabaseObject:
    return DatabaseObject("extension", name, {"version": version})


def hypertable(name: str = NAME, interval: str = "7 days", **chunks: Any) -> DatabaseObject:  # noqa: ANN401 - any JSON
    lasting = {"owner": "owner", "dimensions": [{"column": "at", "interval": interval}]}
    found = {"chunks": 2, "compressed_chunks": 1, "compression": True, "chunk_ranges": ["a", "b"]}
    return DatabaseObject("hypertable", name, lasting | found | chunks)


JOB = DatabaseObject("job", "job 1000 (f.policy_retention)", {"hypertable": NAME})
COMPRESSION = DatabaseObject("compression setting", NAME, {"orderby": "at DESC"})

# What both kinds have.
LASTING = (
    column(f"{NAME}.at"),
    DatabaseObject("constraint", f"positive on {NAME}", {"definition": "CHECK (price > 0)"}),
    DatabaseObject("trigger", f"watch on {NAME}", {"definition": "x"}),
    grant("SELECT", "table", NAME),
)

AS_HYPERTABLE = receipt(
    [QUOTES],
    extension("2.19.3"),
    table(NAME, replica_identity="full"),
    hypertable(),
    index("trading.quotes_at", NAME),
    JOB,
    COMPRESSION,
    *LASTING,
)


def partition(name: str, index_name: str = '"at ON trading.t "') -> tuple[DatabaseObject, ...]:
    """Return what PostgreSQL keeps for each partition."""
    bound = "FOR VALUES FROM ('2026-11-01') TO ('2026-11-08')"
    return (
        table(name, partition_bound=bound, inherits=[NAME]),
        column(f"{name}.at"),
        DatabaseObject("constraint", f"positive on {name}", {"definition": "CHECK (price > 0)"}),
        DatabaseObject("trigger", f"of_its_own on {name}", {"definition": "x"}),
        index(f"trading.{index_name}", name),
        grant("SELECT", "table", name),
        grant("SELECT", "column", f"{name}.at"),
    )


AS_PARTITIONS = receipt(
    [
        TableReceipt("slipway_partitions", "managed", "table", 1, 1),
        replace(QUOTES, kind=PARTITIONED, parts=(PartReceipt("DEFAULT", 10, 100),)),
    ],
    table(NAME, kind="partitioned", partition_key="RANGE (at)"),
    index("trading.quotes_at", f"ONLY {NAME}"),
    *LASTING,
    *partition("trading.quotes_20261101", "quotes_20261101_at_idx"),
    *partition('trading."Quotes of ""then"""'),
    DatabaseObject("schema", "slipway_partitions", {"owner": "owner"}),
    table("slipway_partitions.managed"),
    column("slipway_partitions.managed.relation", "regclass"),
    DatabaseObject("constraint", "managed_pkey on slipway_partitions.managed", {}),
    DatabaseObject("function", "slipway_partitions.extend()", {"owner": "owner"}),
    grant("USAGE", "schema", "slipway_partitions"),
    grant("EXECUTE", "function", "slipway_partitions.extend()", "PUBLIC"),
)


def differences(expected: Receipt, found: Receipt, *, internals: bool = False) -> list[str]:
    compared = compare(*align(expected, found, internals=internals))
    return [str(change) for change in compared.differences]


def changed(whole: Receipt, old: DatabaseObject, new: DatabaseObject | None) -> Receipt:
    assert old in whole.objects
    others = tuple(item for item in whole.objects if item != old)
    return replace(whole, objects=(*others, *([new] if new else [])))


def test_a_hypertable_and_its_partitioned_table_are_equal() -> None:
    assert differences(AS_HYPERTABLE, AS_PARTITIONS) == []
    assert differences(AS_PARTITIONS, AS_HYPERTABLE) == []


def test_what_only_one_of_the_kinds_has_is_lost_on_both_sides() -> None:
    for side in align(AS_HYPERTABLE, AS_PARTITIONS, internals=False):
        assert side.tables == (replace(QUOTES, kind="table", parts=()),)
        assert {(item.kind, item.name) for item in side.objects} == {
            ("table", NAME),
            ("index", "trading.quotes_at"),
            *((item.kind, item.name) for item in LASTING),
        }


@pytest.mark.parametrize("change", [{"rows": 9}, {"digest": 99}])
def test_rows_are_compared_as_ever(change: dict[str, Any]) -> None:
    own, quotes = AS_PARTITIONS.tables
    found = replace(AS_PARTITIONS, tables=(own, replace(quotes, **change)))

    (difference,) = differences(AS_HYPERTABLE, found)
    assert difference.startswith(f"table {quotes}: ")


@pytest.mark.parametrize("item", LASTING, ids=lambda item: item.kind)
def test_what_both_kinds_have_is_compared_as_ever(item: DatabaseObject) -> None:
    lost = changed(AS_PARTITIONS, item, None)
    other = changed(AS_PARTITIONS, item, replace(item, properties=item.properties | {"x": 1}))

    assert differences(AS_HYPERTABLE, lost) == [f"{item.kind} {item.name}: missing"]
    assert len(differences(AS_HYPERTABLE, other)) == 1


@pytest.mark.parametrize(
    "other",
    [
        index("trading.quotes_at", f"ONLY {NAME}", "USING btree (at DESC)"),
        index("trading.quotes_at", "ONLY trading.others"),
        index("trading.quotes_on", f"ONLY {NAME}"),
        None,
    ],
)
def test_an_index_is_compared_as_one_on_all_partitions(other: DatabaseObject | None) -> None:
    found = changed(AS_PARTITIONS, index("trading.quotes_at", f"ONLY {NAME}"), other)

    assert differences(AS_HYPERTABLE, found) != []


@pytest.mark.parametrize("aspect", ["owner", "comment"])
def test_a_table_is_compared_but_for_how_it_is_stored(aspect: str) -> None:
    made = table(NAME, kind="partitioned", partition_key="RANGE (at)")
    other = replace(made, properties=made.properties | {aspect: "x"})

    (difference,) = differences(AS_HYPERTABLE, changed(AS_PARTITIONS, made, other))
    assert difference.startswith(f"table {NAME}: {aspect} is x")


@pytest.mark.parametrize(
    "item",
    [
        table("slipway_partitions_too.t"),
        table("trading.slipway_partitions"),
        DatabaseObject("trigger", "slipway_stream on trading.slipway_stream", {}),
        grant("SELECT", "table", "trading.slipway_stream"),
        DatabaseObject("schema", "slipway_streams", {}),
        DatabaseObject("function", 'public."slipway_partitions.f"()', {}),
    ],
    ids=lambda item: f"{item.kind} {item.name}",
)
def test_what_only_sounds_like_slipways_own_is_compared(item: DatabaseObject) -> None:
    found = replace(AS_PARTITIONS, objects=(*AS_PARTITIONS.objects, item))

    assert differences(AS_HYPERTABLE, found) == [f"{item.kind} {item.name}: not expected"]


@pytest.mark.parametrize(
    "item",
    [
        DatabaseObject("schema", "slipway_stream", {}),
        table("slipway_stream.unit"),
        column("slipway_stream.unit.key"),
        DatabaseObject("constraint", "unit_pkey on slipway_stream.unit", {}),
        grant("USAGE", "schema", "slipway_stream"),
        DatabaseObject("sequence", "slipway_partitions.s", {}),
    ],
    ids=lambda item: f"{item.kind} {item.name}",
)
def test_slipways_own_is_left_out_whatever_the_tables_are(item: DatabaseObject) -> None:
    plain = receipt([TableReceipt("public", "t", "table", 1, 1)], table("public.t"))

    assert differences(plain, replace(plain, objects=(*plain.objects, item))) == []


# Both of the same kind


def test_partitions_of_a_table_that_is_partitioned_on_both_sides_are_compared() -> None:
    whole = receipt([], table(NAME, kind="partitioned"), *partition("trading.quotes_1"))
    lost = receipt([], table(NAME, kind="partitioned"))

    missing = {f"{item.kind} {item.name}: missing" for item in partition("trading.quotes_1")}
    assert set(differences(whole, lost)) == missing
    assert differences(whole, whole) == []


def test_hypertables_are_compared_but_for_what_timescaledb_decides() -> None:
    made_anew = hypertable(chunks=3, compressed_chunks=0, compression=False, chunk_ranges=["a"])
    found = changed(AS_HYPERTABLE, hypertable(), made_anew)
    wider = changed(AS_HYPERTABLE, hypertable(), hypertable(interval="1 day"))

    assert differences(AS_HYPERTABLE, found) == []
    (difference,) = differences(AS_HYPERTABLE, wider)
    assert difference.startswith(f"hypertable {NAME}: dimensions is ")


def test_parts_of_hypertables_are_kept() -> None:
    for side in align(AS_HYPERTABLE, AS_HYPERTABLE, internals=False):
        assert side.tables == (QUOTES,)


@pytest.mark.parametrize("item", [JOB, COMPRESSION], ids=lambda item: item.kind)
def test_policies_are_compared_where_they_are_carried(item: DatabaseObject) -> None:
    lost = changed(AS_HYPERTABLE, item, None)

    assert differences(AS_HYPERTABLE, lost) == []
    assert differences(AS_HYPERTABLE, lost, internals=True) == [f"{item.kind} {item.name}: missing"]


def test_chunks_and_compression_are_compared_where_both_sides_keep_them() -> None:
    old = next(item for item in AS_HYPERTABLE.objects if item.kind == "hypertable")
    other = changed(AS_HYPERTABLE, old, hypertable(chunks=3, compressed_chunks=0))

    assert differences(AS_HYPERTABLE, other) == []
    assert len(differences(AS_HYPERTABLE, other, internals=True)) == 2


@pytest.mark.parametrize(
    ("found", "internals", "kept"),
    [
        (extension("2.19.3"), False, True),
        (extension("2.26.4"), False, False),
        (extension("2.26.4"), True, True),
        (None, False, False),
        (None, True, False),
    ],
)
def test_timescaledbs_version_is_compared_where_both_have_it(
    found: DatabaseObject | None, *, internals: bool, kept: bool
) -> None:
    expected = receipt([], extension("2.19.3"))
    one, other = align(expected, receipt([], *([found] if found else [])), internals=internals)

    assert (extension("2.19.3") in one.objects) == kept
    assert (found in other.objects) == kept
    assert (compare(one, other).differences == ()) == (found == extension("2.19.3") or not kept)


def test_other_extensions_are_compared() -> None:
    expected = replace(AS_HYPERTABLE, objects=(*AS_HYPERTABLE.objects, extension("1", "vector")))

    assert differences(expected, AS_PARTITIONS) == ["extension vector: missing"]


# Continuous aggregates

HOURLY = TableReceipt("trading", "Hourly", AGGREGATE, 3, 33, (PartReceipt("", 3, 33),))
STORED = replace(HOURLY, name="Hourly_materialized", kind="table", parts=())
VIEW, BEHIND = 'trading."Hourly"', 'trading."Hourly_materialized"'

AS_AGGREGATE = receipt(
    [HOURLY],
    DatabaseObject("continuous aggregate", VIEW, {"definition": "SELECT 1"}),
    grant("SELECT", "table", VIEW),
    extension("2.19.3"),
)
AS_TABLE = receipt(
    [STORED],
    DatabaseObject("view", VIEW, {"definition": "SELECT * FROM x"}),
    table(BEHIND),
    column(f"{BEHIND}.bucket"),
    index("trading.hourly_bucket", BEHIND),
    grant("SELECT", "table", BEHIND),
    grant("SELECT", "table", VIEW),
)


def test_an_aggregate_and_the_table_with_its_rows_are_equal() -> None:
    assert differences(AS_AGGREGATE, AS_TABLE) == []
    assert differences(AS_TABLE, AS_AGGREGATE) == []


@pytest.mark.parametrize("change", [{"rows": 4}, {"digest": 34}])
def test_an_aggregates_rows_are_compared(change: dict[str, Any]) -> None:
    found = replace(AS_TABLE, tables=(replace(STORED, **change),))

    (difference,) = differences(AS_AGGREGATE, found)
    assert difference.startswith(f"table {HOURLY}: ")


def test_a_right_on_an_aggregate_is_one_on_the_view() -> None:
    right = grant("SELECT", "table", VIEW)

    assert differences(AS_AGGREGATE, changed(AS_TABLE, right, None)) == [
        f"grant {right.name}: missing"
    ]


def test_an_aggregate_that_is_one_on_both_sides_is_compared() -> None:
    aggregate = AS_AGGREGATE.objects[0]
    other = replace(aggregate, properties={"definition": "SELECT 2"})

    (difference,) = differences(AS_AGGREGATE, changed(AS_AGGREGATE, aggregate, other))
    assert difference.startswith(f"continuous aggregate {VIEW}: definition is SELECT 2")


def test_a_table_with_such_a_name_and_no_aggregate_is_compared() -> None:
    lost = replace(AS_TABLE, tables=())

    assert differences(AS_TABLE, lost) == [f"table {STORED}: missing"]


def test_tables_are_in_order_of_their_names_still() -> None:
    between = TableReceipt("trading", "Hourly_", "table", 0, 0)
    sides = align(
        replace(AS_AGGREGATE, tables=(HOURLY, between)),
        replace(AS_TABLE, tables=(between, STORED)),
        internals=False,
    )

    assert [[found.name for found in side.tables] for side in sides] == [["Hourly", "Hourly_"]] * 2


def test_an_aggregate_beside_a_table_with_that_name_on_both_sides_is_compared() -> None:
    expected = replace(AS_AGGREGATE, tables=(HOURLY, STORED))
    found = replace(AS_AGGREGATE, tables=(replace(HOURLY, digest=34), STORED))

    assert differences(expected, found) != []
