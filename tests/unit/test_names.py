from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.postgres import names

PARTS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    min_size=2,
    max_size=3,
)


def quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("public.quotes", ("public", "quotes")),
        ('public."a.b".id', ("public", "a.b", "id")),
        ('"odd ""schema"."it\'s"', ('odd "schema', "it's")),
        ('public.t."x."")ON"', ("public", "t", 'x.")ON')),
    ],
)
def test_a_name_is_taken_apart(name: str, parts: tuple[str, ...]) -> None:
    assert names.parts(name) == parts


@settings(max_examples=60)
@given(PARTS)
@example(["a", '"'])
@example(['."', '"."'])
@example(["t", 'x."")ON TABLE public.x TO u;--'])
def test_nothing_in_a_name_reads_as_a_part_of_its_own(parts: list[str]) -> None:
    *before, last = map(quoted, parts)
    name = ".".join([*before, last])

    assert names.parts(name) == tuple(parts)
    assert names.split(name) == (".".join(before), last)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("public.t.price", ("public.t", "price")),
        ('public."T.t".id', ('public."T.t"', "id")),
        ('public.t."order"', ("public.t", '"order"')),
    ],
)
def test_the_last_part_is_split_off_with_its_quotes(name: str, split: tuple[str, str]) -> None:
    assert names.split(name) == split
