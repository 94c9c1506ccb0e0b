from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.postgres.objects import DatabaseObject
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt, add_up

# A sum of 64-bit hashes needs more than 64 bits, and is as often below zero as above.
DIGESTS = st.integers(-(2**90), 2**90)
TEXTS = st.text(max_size=4)
PARTS = st.builds(PartReceipt, TEXTS, st.integers(0, 9), DIGESTS)
TABLES = st.builds(
    TableReceipt,
    schema=TEXTS,
    name=TEXTS,
    kind=st.sampled_from(["table", "hypertable"]),
    rows=st.integers(0, 10**12),
    digest=DIGESTS,
    parts=st.lists(PARTS, max_size=3).map(tuple),
    hidden=st.lists(TEXTS, max_size=2).map(tuple),
    size=st.integers(0, 10**15),
)
PROPERTIES = st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2)
)
OBJECTS = st.builds(DatabaseObject, TEXTS, TEXTS, PROPERTIES)
RECEIPTS = st.builds(
    Receipt,
    server_version=st.integers(90600, 190000),
    recoded=st.booleans(),
    tables=st.lists(TABLES, max_size=3).map(tuple),
    objects=st.lists(OBJECTS, max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
)

QUOTES = TableReceipt("public", "quotes", "hypertable", 12, 3)
ORDERS = TableReceipt("public", "orders", "table", 7, -4)
SCHEMA = DatabaseObject("schema", "public", {"owner": "u"})
VIEW = DatabaseObject("view", "public.v", {"definition": "SELECT 1"})


def receipt(*tables: TableReceipt, objects: tuple[DatabaseObject, ...] = ()) -> Receipt:
    return Receipt(170011, recoded=False, tables=tables, objects=objects)


@settings(max_examples=30)
@given(RECEIPTS)
def test_a_receipt_survives_json(one: Receipt) -> None:
    assert Receipt.from_json(json.loads(json.dumps(one.as_json()))) == one


@pytest.mark.parametrize("digest", [2**53 + 1, -(2**53) - 1, 2**63, -(2**80) + 1, 0])
def test_a_digest_passes_through_readers_whose_numbers_are_short(digest: int) -> None:
    part = PartReceipt("", 1, digest)
    one = receipt(TableReceipt("public", "t", "table", 1, digest, (part,)))

    # As a reader in JavaScript has it, whose every number is a float.
    read = json.loads(json.dumps(one.as_json()), parse_int=float)
    (table,) = read["tables"]

    assert int(table["digest"]) == int(table["parts"][0]["digest"]) == digest


def test_the_rows_of_all_tables_are_counted() -> None:
    assert receipt(QUOTES, ORDERS).rows == 19
    assert receipt().rows == 0


def test_objects_are_found_by_their_kind() -> None:
    one = receipt(objects=(SCHEMA, VIEW))

    assert one.of_kind("view") == (VIEW,)
    assert one.of_kind("rule") == ()


def test_a_table_is_called_by_schema_and_name() -> None:
    assert str(QUOTES) == "public.quotes"


def test_parts_of_one_label_are_one_part_in_the_order_they_came() -> None:
    parts = [
        PartReceipt("b", 1, 2**64),
        PartReceipt("a", 2, -7),
        PartReceipt("b", 3, 1),
        PartReceipt("a", 0, 0),
    ]

    assert add_up(parts) == (PartReceipt("b", 4, 2**64 + 1), PartReceipt("a", 2, -7))
    assert add_up([]) == ()


@settings(max_examples=30)
@given(st.lists(PARTS, max_size=8))
def test_adding_up_loses_no_row_and_no_hash(parts: list[PartReceipt]) -> None:
    merged = add_up(parts)

    assert sum(part.rows for part in merged) == sum(part.rows for part in parts)
    assert sum(part.digest for part in merged) == sum(part.digest for part in parts)
    assert [part.label for part in merged] == list(dict.fromkeys(part.label for part in parts))


SOUND = receipt(QUOTES, objects=(SCHEMA,)).as_json()
(TABLE,) = SOUND["tables"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({}, KeyError),
        ({"format": 1}, ValueError),
        ({name: value for name, value in SOUND.items() if name != "tables"}, KeyError),
        ({name: value for name, value in SOUND.items() if name != "objects"}, KeyError),
        (SOUND | {"tables": [{"schema": "a"}]}, KeyError),
        (SOUND | {"tables": [TABLE | {"x": 1}]}, TypeError),
        (SOUND | {"tables": [TABLE | {"digest": "much"}]}, ValueError),
        (SOUND | {"tables": None}, TypeError),
        (SOUND | {"objects": [{"kind": "view"}]}, TypeError),
    ],
)
def test_something_else_is_no_receipt(value: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Receipt.from_json(value)
