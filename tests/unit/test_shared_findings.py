"""What a plan says of a database that a hosting platform has a part in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from infra.postgres.inventory import Extension
from infra.postgres.shared_database import Content
from infra.postgres.survey import Survey
from infra.postgres.table_sizes import TableSize
from infra.transfer.findings import Finding
from infra.transfer.shared_findings import Shared, of_source, of_target
from tests.unit.facts import SOURCE

EMPTY = Content(
    (), loading=False, hooks=(), extensions={"pgcrypto": "extensions"}, platform_schemas=("auth",)
)


def shared(content: Content = EMPTY, *used: str, discard: bool = False) -> Shared:
    return Shared(content, frozenset(used), "postgres", discard=discard)


def decisions(findings: Iterable[Finding]) -> dict[str, str]:
    return {found.subject: found.decision for found in findings}


def with_extension(schema: str) -> Survey:
    return replace(SOURCE, extensions=(Extension("pgcrypto", "1.3", schema),))


def test_an_empty_database_is_filled_as_it_stands() -> None:
    assert decisions(of_target(SOURCE, shared())) == {
        "load in place": "note",
        "rights of everybody": "adapted",
        "settings of the database": "not carried",
    }


@pytest.mark.parametrize(
    ("loading", "discard", "decision", "keeps"),
    [
        (False, False, "refused", True),
        (False, True, "adapted", True),
        (True, False, None, False),
        (True, True, None, False),
    ],
)
def test_content_is_refused_or_archived_but_what_a_load_left_is_its_own(
    *, loading: bool, discard: bool, decision: str | None, keeps: bool
) -> None:
    found = shared(
        replace(EMPTY, objects=("table public.quote",), loading=loading), discard=discard
    )

    assert decisions(of_target(SOURCE, found)).get("what is there") == decision
    assert found.keeps is keeps


def test_what_the_platforms_tables_use_is_not_taken_away() -> None:
    content = replace(EMPTY, objects=("function public.f()",), hooks=("trigger t on auth.users",))

    (refusal,) = [
        found
        for found in of_target(SOURCE, shared(content, discard=True))
        if found.decision == "refused"
    ]

    assert refusal.names == ("trigger t on auth.users",)


def test_tables_in_schemas_of_the_platform_are_refused() -> None:
    source = replace(SOURCE, tables=(TableSize("auth", "login", 1, 1, 1),))

    assert decisions(of_target(source, shared()))["names of schemas"] == "refused"


@pytest.mark.parametrize(
    ("schema", "used", "refused"),
    [("public", True, True), ("public", False, False), ("extensions", True, False)],
)
def test_an_extension_that_lies_elsewhere_is_refused_where_it_is_used(
    schema: str, *, used: bool, refused: bool
) -> None:
    found = of_target(with_extension(schema), shared(EMPTY, *(["pgcrypto"] if used else [])))

    assert ("place of extension pgcrypto" in decisions(found)) is refused


def test_what_stays_with_the_platform_is_named() -> None:
    source = replace(
        SOURCE,
        platform_schemas=("auth",),
        platform_extensions=("pg_net",),
        platform_ties=("policy p on table public.quote",),
        platform_needs=("view public.mails",),
    )

    assert decisions(of_source(SOURCE)) == {}
    assert decisions(of_source(source)) == {
        "platform's schemas": "not carried",
        "platform's extensions": "not carried",
        "ties to the platform": "not carried",
        "needs of the platform": "refused",
    }
