from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.transfer.receipt import Receipt, TableReceipt, differences

QUOTES = TableReceipt("public", "quotes", 12, 3)
ORDERS = TableReceipt("public", "orders", 7)

NAMES = st.text(alphabet="ab.", min_size=1, max_size=3)
TABLES = st.builds(
    TableReceipt,
    schema=NAMES,
    name=NAMES,
    rows=st.integers(0, 3),
    chunks=st.none() | st.integers(0, 2),
)
RECEIPTS = st.lists(TABLES, max_size=4, unique_by=lambda table: (table.schema, table.name)).map(
    lambda tables: Receipt(tuple(sorted(tables, key=lambda table: (table.schema, table.name))))
)


def test_equal_receipts_differ_in_nothing() -> None:
    assert differences(Receipt((QUOTES, ORDERS)), Receipt((ORDERS, QUOTES))) == []


def test_a_missing_table_is_named() -> None:
    assert differences(Receipt((QUOTES, ORDERS)), Receipt((QUOTES,))) == ["public.orders: missing"]


def test_a_table_out_of_nowhere_is_named() -> None:
    found = differences(Receipt((QUOTES,)), Receipt((QUOTES, ORDERS)))

    assert found == ["public.orders: not in the archive"]


def test_a_row_too_few_is_named() -> None:
    found = differences(Receipt((QUOTES,)), Receipt((TableReceipt("public", "quotes", 11, 3),)))

    assert found == ["public.quotes: 12 rows expected, 11 found"]


def test_a_chunk_too_many_is_named() -> None:
    found = differences(Receipt((QUOTES,)), Receipt((TableReceipt("public", "quotes", 12, 4),)))

    assert found == ["public.quotes: 3 chunks expected, 4 found"]


def test_a_hypertable_that_became_a_plain_table_is_named() -> None:
    found = differences(Receipt((QUOTES,)), Receipt((TableReceipt("public", "quotes", 12),)))

    assert found == ["public.quotes: 3 chunks expected, None found"]


def test_every_difference_is_named_in_order_of_the_tables() -> None:
    expected = Receipt((QUOTES, ORDERS))
    found = Receipt((TableReceipt("public", "quotes", 0, 0), TableReceipt("audit", "log", 1)))

    assert differences(expected, found) == [
        "audit.log: not in the archive",
        "public.orders: missing",
        "public.quotes: 12 rows expected, 0 found",
        "public.quotes: 3 chunks expected, 0 found",
    ]


def test_tables_whose_dotted_names_look_the_same_are_told_apart() -> None:
    first, second = TableReceipt("a", "b.c", 1), TableReceipt("a.b", "c", 2)

    assert differences(Receipt((first, second)), Receipt((second,))) != []


@settings(max_examples=60)
@given(RECEIPTS, RECEIPTS)
def test_receipts_differ_exactly_when_something_differs(one: Receipt, other: Receipt) -> None:
    assert (differences(one, other) == []) == (one == other)


@settings(max_examples=60)
@given(RECEIPTS)
def test_a_receipt_survives_json(receipt: Receipt) -> None:
    assert Receipt.from_json(json.loads(json.dumps(receipt.as_json()))) == receipt


def test_the_rows_of_all_tables_are_counted() -> None:
    assert Receipt((QUOTES, ORDERS)).rows == 19
    assert Receipt(()).rows == 0


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({}, KeyError),
        ({"tables": [{"schema": "a"}]}, TypeError),
        ({"tables": [{"x": 1}]}, TypeError),
    ],
)
def test_something_else_is_no_receipt(value: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Receipt.from_json(value)
