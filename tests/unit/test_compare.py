from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infra.postgres.objects import DatabaseObject
from infra.transfer.compare import Comparison, Difference, compare
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt
from infra.transfer.verify import reversed_sides

JANUARY, FEBRUARY = PartReceipt("January", 7, 111), PartReceipt("February", 5, -222)
QUOTES = TableReceipt("public", "quotes", "hypertable", 12, -111, (JANUARY, FEBRUARY))
ORDERS = TableReceipt("public", "orders", "table", 1234, 99)
INDEX = DatabaseObject("index", "public.i", {"definition": "CREATE INDEX i", "valid": True})


def receipt(*items: TableReceipt | DatabaseObject, version: int = 170011) -> Receipt:
    return Receipt(
        version,
        recoded=False,
        tables=tuple(item for item in items if isinstance(item, TableReceipt)),
        objects=tuple(item for item in items if isinstance(item, DatabaseObject)),
    )


def differences(expected: Receipt, found: Receipt) -> list[str]:
    return [str(change) for change in compare(expected, found).differences]


def changed(found: DatabaseObject, **properties: Any) -> DatabaseObject:  # noqa: ANN401 - any JSON
    return replace(found, properties=found.properties | properties)


def test_the_same_in_another_order_is_equal() -> None:
    compared = compare(receipt(QUOTES, ORDERS, INDEX), receipt(ORDERS, INDEX, QUOTES))

    assert compared == Comparison((), ())
    assert compared.as_json() == {"equal": True, "differences": [], "adapted": []}


def test_what_receipts_say_of_themselves_is_not_compared() -> None:
    one = receipt(replace(QUOTES, size=1))
    other = replace(receipt(replace(QUOTES, size=2)), seconds=9.0, recoded=True)

    assert compare(one, other) == Comparison((), ())


@pytest.mark.parametrize(
    ("expected", "found", "line"),
    [
        ([ORDERS], [], "table public.orders: missing"),
        ([], [ORDERS], "table public.orders: not expected, with 1,234 rows"),
        (
            [ORDERS],
            [replace(ORDERS, rows=1233)],
            "table public.orders: rows is 1,233, expected 1,234",
        ),
        (
            [ORDERS],
            [replace(ORDERS, digest=98)],
            "table public.orders: content is (digest …00000098), expected (digest …00000099)",
        ),
        (
            [QUOTES],
            [replace(QUOTES, kind="table")],
            "hypertable public.quotes: kind is table, expected hypertable",
        ),
        (
            [QUOTES],
            [replace(QUOTES, digest=-112, parts=(replace(JANUARY, digest=110), FEBRUARY))],
            (
                "hypertable public.quotes: content of January is 7 rows (digest …00000110), "
                "expected 7 rows (digest …00000111)"
            ),
        ),
        (
            [QUOTES],
            [replace(QUOTES, hidden=("a.b", "a.c"))],
            "hypertable public.quotes: chunks that no query reads is a.b, a.c, expected none",
        ),
        ([INDEX], [], "index public.i: missing"),
        ([], [INDEX], "index public.i: not expected"),
        (
            [INDEX],
            [changed(INDEX, valid=False)],
            "index public.i: valid is false, expected true",
        ),
        (
            [INDEX],
            [changed(INDEX, definition="CREATE INDEX j")],
            "index public.i: definition is CREATE INDEX j, expected CREATE INDEX i",
        ),
        (
            [INDEX],
            [changed(INDEX, comment="ä")],
            "index public.i: comment is ä, expected none",
        ),
        (
            [changed(INDEX, options=["a", "ä"])],
            [changed(INDEX, options=None)],
            'index public.i: options is none, expected ["a", "ä"]',
        ),
    ],
)
def test_each_difference_is_named(
    expected: list[TableReceipt | DatabaseObject],
    found: list[TableReceipt | DatabaseObject],
    line: str,
) -> None:
    assert differences(receipt(*expected), receipt(*found)) == [line]


def test_a_part_too_few_is_named_beside_the_rows() -> None:
    fewer = replace(QUOTES, rows=7, digest=111, parts=(JANUARY,))

    assert differences(receipt(QUOTES), receipt(fewer)) == [
        (
            "hypertable public.quotes: content of February is nothing, "
            "expected 5 rows (digest …99999778)"
        ),
        "hypertable public.quotes: rows is 7, expected 12",
    ]


def test_rows_that_lie_in_other_parts_are_the_same_rows() -> None:
    whole = replace(QUOTES, parts=())

    assert compare(receipt(QUOTES), receipt(whole)) == Comparison((), ())


def test_a_difference_is_plain_values_for_programs() -> None:
    compared = compare(receipt(ORDERS), receipt(replace(ORDERS, rows=1)))

    assert compared.as_json() == {
        "equal": False,
        "differences": [
            {
                "kind": "table",
                "name": "public.orders",
                "aspect": "rows",
                "expected": "1,234",
                "found": "1",
            }
        ],
        "adapted": [],
    }


def table(name: str, *columns: str) -> tuple[DatabaseObject, ...]:
    return (
        DatabaseObject("table", name, {}),
        *(DatabaseObject("column", f"{name}.{column}", {}) for column in columns),
    )


@pytest.mark.parametrize("side", ["missing", "not expected, with 1,234 rows"])
def test_a_table_that_is_missing_swallows_its_columns(side: str) -> None:
    other = table("public.orders_old", "id")
    one = receipt(ORDERS, *table("public.orders", "id", "price"), *other)
    without = receipt(*other)

    found = differences(one, without) if side == "missing" else differences(without, one)

    assert f"table public.orders: {side}" in found
    assert [line for line in found if line.startswith("column")] == []


def test_a_table_that_is_missing_is_one_difference() -> None:
    one = receipt(ORDERS, *table("public.orders", "id"))

    assert differences(one, receipt()) == ["table public.orders: missing"]
    assert differences(receipt(), one) == ["table public.orders: not expected, with 1,234 rows"]


def test_a_table_whose_name_needs_quotes_swallows_its_columns_too() -> None:
    odd = replace(ORDERS, name="Odd name")
    one = receipt(odd, *table('public."Odd name"', "id"))

    found = differences(one, receipt())

    assert [line for line in found if line.startswith("column")] == []


def test_a_column_that_is_missing_from_a_table_that_is_there_is_named() -> None:
    one = receipt(ORDERS, QUOTES, *table("public.orders", "id", "price"))
    other = receipt(ORDERS, *table("public.orders", "id"))

    assert "column public.orders.price: missing" in differences(one, other)


def extension(name: str, version: str, schema: str = "public") -> DatabaseObject:
    return DatabaseObject("extension", name, {"version": version, "schema": schema})


def test_an_extension_may_come_in_another_version() -> None:
    compared = compare(receipt(extension("hstore", "1.4")), receipt(extension("hstore", "1.8")))

    assert compared.differences == ()
    assert compared.adapted == (Difference("extension", "hstore", "version", "1.4", "1.8"),)


def test_timescaledb_may_not_for_its_catalog_fits_one_version() -> None:
    one, other = extension("timescaledb", "2.19.3"), extension("timescaledb", "2.20.0")

    assert differences(receipt(one), receipt(other)) == [
        "extension timescaledb: version is 2.20.0, expected 2.19.3"
    ]


def test_an_extension_in_another_schema_or_missing_is_a_difference() -> None:
    one, other = extension("hstore", "1.8"), extension("hstore", "1.8", "elsewhere")

    assert differences(receipt(one), receipt(other)) != []
    assert differences(receipt(one), receipt()) == ["extension hstore: missing"]


OLDER = " SELECT orders.id\n   FROM trading.orders"
NEWER = " SELECT id\n   FROM trading.orders"


@pytest.mark.parametrize("kind", ["view", "materialized view", "continuous aggregate"])
def test_a_view_may_be_written_as_another_major_version_writes_it(kind: str) -> None:
    one = DatabaseObject(kind, "public.x", {"definition": OLDER, "owner": "o"})
    other = changed(one, definition=NEWER)

    across = compare(receipt(one, version=150010), receipt(other, version=170002))
    assert across == Comparison((), (Difference(kind, "public.x", "definition", OLDER, NEWER),))
    assert len(differences(receipt(one, version=170002), receipt(other))) == 1


@pytest.mark.parametrize(
    ("kind", "aspect", "found"),
    [
        ("view", "definition", NEWER.replace("id", "price")),
        ("view", "definition", NEWER + " WHERE id > 3"),
        ("view", "comment", NEWER),
        ("rule", "definition", NEWER),
        ("function", "definition", NEWER),
        ("index", "definition", NEWER),
    ],
)
def test_nothing_else_may_be_written_otherwise(kind: str, aspect: str, found: str) -> None:
    one = DatabaseObject(kind, "public.x", {aspect: OLDER})

    compared = compare(receipt(one, version=150010), receipt(changed(one, **{aspect: found})))
    assert [change.aspect for change in compared.differences] == [aspect]


def test_a_difference_is_one_line_whatever_its_names_hold() -> None:
    change = Difference("view", "public.a\nerror: b\x1b[2J", "definition", "SELECT\n 1", "x\r\ny")

    assert str(change) == ("view public.a error: b?[2J: definition is x y, expected SELECT 1")


def test_the_other_side_tells_the_same_differences() -> None:
    compared = compare(receipt(ORDERS), receipt(replace(ORDERS, rows=1)))

    assert [str(change) for change in reversed_sides(compared).differences] == [
        "table public.orders: rows is 1,234, expected 1"
    ]


NAMES = st.sampled_from(["a", "b", "a.b", "ä"])
DIGESTS = st.integers(-(2**70), 2**70)
TABLES = st.builds(
    TableReceipt,
    schema=NAMES,
    name=NAMES,
    kind=st.sampled_from(["table", "partitioned table"]),
    rows=st.integers(0, 10**6),
    digest=DIGESTS,
)
OBJECTS = st.builds(
    DatabaseObject,
    kind=st.sampled_from(["index", "constraint", "sequence"]),
    name=NAMES,
    properties=st.dictionaries(NAMES, st.text(max_size=2), min_size=1, max_size=3),
)
RECEIPTS = st.builds(
    Receipt,
    server_version=st.just(170011),
    recoded=st.just(value=False),
    tables=st.lists(
        TABLES, min_size=1, max_size=4, unique_by=lambda one: (one.schema, one.name)
    ).map(tuple),
    objects=st.lists(
        OBJECTS, min_size=1, max_size=4, unique_by=lambda one: (one.kind, one.name)
    ).map(tuple),
)


@settings(max_examples=30)
@given(RECEIPTS)
def test_equal_receipts_compare_equal(one: Receipt) -> None:
    copy = Receipt.from_json(one.as_json())

    assert compare(one, copy) == Comparison((), ())


@settings(max_examples=30)
@given(RECEIPTS, st.data())
def test_a_row_count_that_changes_is_named(one: Receipt, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(one.tables) - 1))
    before = one.tables[number]
    after = replace(before, rows=data.draw(st.integers(0, 10**6)))
    assume(after != before)
    other = replace(one, tables=(*one.tables[:number], after, *one.tables[number + 1 :]))

    (change,) = compare(one, other).differences
    assert (change.kind, change.name, change.aspect) == (before.kind, str(before), "rows")
    assert (change.expected, change.found) == (f"{before.rows:,}", f"{after.rows:,}")


@settings(max_examples=30)
@given(RECEIPTS, DIGESTS, st.data())
def test_a_digest_that_changes_is_named(one: Receipt, digest: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(one.tables) - 1))
    before = one.tables[number]
    assume(before.digest != digest)
    after = replace(before, digest=digest)
    other = replace(one, tables=(*one.tables[:number], after, *one.tables[number + 1 :]))

    (change,) = compare(one, other).differences
    assert (change.kind, change.name, change.aspect) == (before.kind, str(before), "content")


@settings(max_examples=30)
@given(RECEIPTS, st.text(max_size=3), st.data())
def test_a_property_that_changes_is_named(one: Receipt, value: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(one.objects) - 1))
    before = one.objects[number]
    aspect = data.draw(st.sampled_from(sorted(before.properties)))
    assume(before.properties[aspect] != value)
    after = replace(before, properties=before.properties | {aspect: value})
    other = replace(one, objects=(*one.objects[:number], after, *one.objects[number + 1 :]))

    (change,) = compare(one, other).differences
    assert change == Difference(before.kind, before.name, aspect, before.properties[aspect], value)


@settings(max_examples=30)
@given(RECEIPTS, st.data())
def test_what_is_taken_away_is_named(one: Receipt, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(one.tables))
    found = data.draw(st.sampled_from(one.objects))
    fewer = replace(
        one,
        tables=tuple(item for item in one.tables if item != table),
        objects=tuple(item for item in one.objects if item != found),
    )

    missing = {(change.kind, change.name) for change in compare(one, fewer).differences}
    extra = {(change.kind, change.name) for change in compare(fewer, one).differences}
    assert missing == extra == {(table.kind, str(table)), (found.kind, found.name)}


PRINTED = (
    "CHECK (((side)::text = ANY "
    "((ARRAY['buy'::character varying, 'it''s'::character varying])::text[])))"
)
READ_BACK = (
    "CHECK (((side)::text = ANY "
    "(ARRAY[('buy'::character varying)::text, ('it''s'::character varying)::text])))"
)


def test_a_list_of_texts_is_the_same_in_the_form_that_a_restore_gives_it() -> None:
    def constraint(definition: str) -> Receipt:
        found = DatabaseObject("constraint", "side on public.trade", {"definition": definition})
        return Receipt(170000, recoded=False, tables=(), objects=(found,))

    both = compare(constraint(PRINTED), constraint(READ_BACK))
    other = compare(constraint(PRINTED), constraint(READ_BACK.replace("buy", "sell")))

    assert (both.differences, len(both.adapted)) == ((), 1)
    assert len(other.differences) == 1
