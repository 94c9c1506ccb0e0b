"""Comparing with a database that a hosting platform has a part in."""

from __future__ import annotations

import pytest

from infra.postgres.objects import DatabaseObject
from infra.transfer.compare import compare
from infra.transfer.receipt import Receipt
from infra.transfer.shared import without_platform

TABLE = DatabaseObject("table", "public.quote", {})
PLATFORM = DatabaseObject("platform", "", {})


def grant(privilege: str, on: str, name: str, grantee: str) -> DatabaseObject:
    return DatabaseObject(
        "grant",
        f"{privilege} on {on} {name} to {grantee}",
        {"privilege": privilege, "on": on, "object": name, "grantee": grantee, "grantable": False},
    )


def receipt(*objects: DatabaseObject) -> Receipt:
    return Receipt(170000, recoded=False, tables=(), objects=objects)


def differences(expected: Receipt, found: Receipt) -> list[str]:
    return [str(change) for change in compare(*without_platform(expected, found)).differences]


def test_without_a_platform_nothing_is_left_out() -> None:
    setting = DatabaseObject("database setting", "work_mem", {"value": "1MB"})

    assert differences(receipt(TABLE, setting), receipt(TABLE)) == [
        "database setting work_mem: missing"
    ]


@pytest.mark.parametrize(
    "its",
    [
        DatabaseObject("database setting", "app.key", {"value": "x"}),
        DatabaseObject("extension", "pgcrypto", {"version": "1.3", "schema": "extensions"}),
        DatabaseObject("event trigger", "pgrst_watch", {}),
        DatabaseObject("default privilege", "anon", {}),
        DatabaseObject("schema", "extensions", {}),
        grant("USAGE", "schema", "public", "anon"),
        grant("USAGE", "schema", "extensions", "PUBLIC"),
        grant("SELECT", "table", "public.quote", "service_role"),
        grant("CONNECT", "database", "", "dashboard_user"),
        grant("USAGE", "language", "plpgsql", "PUBLIC"),
    ],
    ids=lambda item: f"{item.kind} {item.name}",
)
@pytest.mark.parametrize("lands", [True, False])
def test_the_platforms_affairs_are_no_difference_either_way(
    its: DatabaseObject, *, lands: bool
) -> None:
    shared, other = receipt(PLATFORM, TABLE, its), receipt(TABLE)

    assert differences(*((other, shared) if lands else (shared, other))) == []


@pytest.mark.parametrize(
    "shown",
    [
        grant("SELECT", "table", "public.quote", "anon"),
        grant("SELECT", "column", "public.quote.bid", "authenticated"),
        grant("EXECUTE", "function", "public.f()", "anon"),
        grant("SELECT", "table", "public.quote", "PUBLIC"),
        grant("USAGE", "sequence", "public.s", "PUBLIC"),
    ],
    ids=lambda item: item.name,
)
def test_a_right_that_shows_rows_to_anybody_is_not_carried_and_is_a_difference(
    shown: DatabaseObject,
) -> None:
    hidden, open_to_all = receipt(PLATFORM, TABLE), receipt(PLATFORM, TABLE, shown)
    source = receipt(TABLE, shown)

    assert differences(source, hidden) == []
    assert differences(source, open_to_all) == [f"grant {shown.name}: not expected"]
    assert differences(receipt(TABLE), open_to_all) == [f"grant {shown.name}: not expected"]


def test_what_everybody_may_execute_is_carried() -> None:
    execute = grant("EXECUTE", "function", "public.f()", "PUBLIC")

    assert differences(receipt(execute), receipt(PLATFORM)) == [f"grant {execute.name}: missing"]


def test_objects_of_ones_own_are_compared_as_ever() -> None:
    assert differences(receipt(TABLE), receipt(PLATFORM)) == ["table public.quote: missing"]
    assert differences(receipt(PLATFORM, TABLE), receipt()) == ["table public.quote: missing"]
