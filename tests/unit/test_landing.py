from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.postgres.objects import DatabaseObject
from infra.transfer.compare import Comparison
from infra.transfer.landing import APPLICATION, Landing
from infra.transfer.receipt import Receipt
from infra.transfer.verify import against_landing
from tests.unit.conftest import grant

LANDING = Landing(
    owner="owner",
    application="app",
    roles=frozenset({"postgres", "owner", "app", "reader"}),
    reserved=frozenset({"log_statement", "session_preload_libraries"}),
)


def receipt(*objects: DatabaseObject) -> Receipt:
    return Receipt(170011, recoded=False, tables=(), objects=objects)


def expected(*objects: DatabaseObject) -> list[DatabaseObject]:
    return list(LANDING.expected(receipt(*objects)).objects)


def found(*objects: DatabaseObject) -> list[DatabaseObject]:
    return list(LANDING.found(receipt(*objects)).objects)


def setting(name: str, value: str = "x", role: str = "") -> DatabaseObject:
    whose = f" for {role}" if role else ""
    properties = {"setting": name, "value": value, "role": role}
    return DatabaseObject("database setting", name + whose, properties)


def table(name: str, **properties: Any) -> DatabaseObject:  # noqa: ANN401 - any JSON
    return DatabaseObject("table", name, {"owner": "owner", "kind": "ordinary"} | properties)


def column(name: str) -> DatabaseObject:
    return DatabaseObject("column", name, {"type": "integer"})


def test_everything_belongs_to_one_owner() -> None:
    arriving = expected(table("public.t", owner="somebody"), DatabaseObject("index", "i", VALID))

    assert arriving == [table("public.t", owner="owner"), DatabaseObject("index", "i", VALID)]


VALID = {"valid": True}


def test_the_target_is_compared_with_the_owners_it_has() -> None:
    assert found(table("public.t", owner="somebody")) == [table("public.t", owner="somebody")]


@pytest.mark.parametrize("owner", ["pg_database_owner", "postgres", "owner"])
def test_who_owns_public_is_a_matter_of_each_server(owner: str) -> None:
    public = DatabaseObject("schema", "public", {"owner": owner, "comment": "c"})

    assert expected(public) == found(public)
    assert expected(public) == [DatabaseObject("schema", "public", {"comment": "c"})]


def test_another_schemas_owner_is_looked_at() -> None:
    schema = DatabaseObject("schema", "trading", {"owner": "somebody"})

    assert expected(schema) == [DatabaseObject("schema", "trading", {"owner": "owner"})]


@pytest.mark.parametrize("grantee", ["reader", "PUBLIC"])
def test_a_right_of_a_role_that_is_there_is_carried(grantee: str) -> None:
    right = grant("SELECT", "table", "public.t", grantee, grantable=True)

    assert expected(right) == [right]
    assert found(right) == [right]


@pytest.mark.parametrize("grantee", ["somebody", "public", "owner"])
def test_a_right_of_a_role_that_is_not_or_needs_none_is_dropped(grantee: str) -> None:
    assert expected(grant("SELECT", "table", "public.t", grantee)) == []


def test_nobody_may_make_tables_in_a_schema_for_all() -> None:
    assert expected(grant("CREATE", "schema", "public", "PUBLIC")) == []
    assert found(grant("CREATE", "schema", "public", "PUBLIC")) != []


@pytest.mark.parametrize("privilege", ["SELECT", "INSERT", "UPDATE", "DELETE", "USAGE", "EXECUTE"])
def test_what_the_application_always_has_is_not_compared(privilege: str) -> None:
    right = grant(privilege, "table", "public.t", "app")

    assert expected(right) == found(right) == []


@pytest.mark.parametrize(
    "right",
    [
        grant("TRUNCATE", "table", "public.t", "app"),
        grant("CREATE", "schema", "public", "app"),
        grant("SELECT", "table", "public.t", "app", grantable=True),
    ],
)
def test_what_the_application_has_besides_is_compared(right: DatabaseObject) -> None:
    assert expected(right) == found(right) == [right]


@pytest.mark.parametrize(
    "kind",
    [
        "default privilege",
        "event trigger",
        "foreign data wrapper",
        "foreign server",
        "subscription",
        "user mapping",
    ],
)
def test_what_is_not_carried_is_not_expected(kind: str) -> None:
    thing = DatabaseObject(kind, "x", {"owner": "somebody"})

    assert expected(thing) == found(thing) == []


@pytest.mark.parametrize("on", ["foreign data wrapper", "foreign server"])
def test_a_right_on_what_is_not_carried_is_not_expected(on: str) -> None:
    assert expected(grant("USAGE", on, "x", "PUBLIC")) == []


def test_publications_but_for_all_tables_are_carried() -> None:
    some = DatabaseObject("publication", "some", {"all_tables": False})
    every = DatabaseObject("publication", "every", {"all_tables": True})

    assert expected(some, every) == found(some, every) == [some]


def test_an_invalid_index_is_in_no_dump() -> None:
    sound, broken = (
        DatabaseObject("index", "i", VALID),
        DatabaseObject("index", "j", {"valid": False}),
    )

    assert expected(sound, broken) == [sound]
    # A target that has one is looked at closely.
    assert found(sound, broken) == [sound, broken]


FOREIGN = table("public.remote", kind="foreign", server="s")


@pytest.mark.parametrize(
    "belonging",
    [
        column("public.remote.id"),
        column('public.remote."a.b"'),
        grant("SELECT", "table", "public.remote", "reader"),
        grant("SELECT", "column", "public.remote.id", "PUBLIC"),
        DatabaseObject("constraint", "positive on public.remote", {"definition": "CHECK (true)"}),
        DatabaseObject("trigger", "watch on public.remote", {"definition": "x"}),
    ],
    ids=lambda thing: thing.name,
)
def test_a_foreign_table_stays_behind_with_what_belongs_to_it(belonging: DatabaseObject) -> None:
    other = table("public.remote_too")

    assert expected(FOREIGN, other, belonging) == [other]


@pytest.mark.parametrize(
    "other",
    [
        column("public.remote_too.id"),
        grant("SELECT", "table", "public.remote_too", "reader"),
        table("other.remote"),
    ],
    ids=lambda thing: thing.name,
)
def test_what_only_has_a_similar_name_does_not(other: DatabaseObject) -> None:
    assert expected(FOREIGN, other) == [other]


def test_settings_that_only_a_superuser_may_change_stay_behind() -> None:
    plain, reserved = setting("work_mem"), setting("log_statement")

    assert expected(plain, reserved) == [plain]


def test_settings_of_a_role_that_is_not_there_stay_behind() -> None:
    everybody, reader = setting("work_mem"), setting("work_mem", role="reader")

    assert expected(everybody, reader, setting("work_mem", role="somebody")) == [everybody, reader]


def rights(name: str, kind: str, *, grantee: str = "app") -> list[DatabaseObject]:
    return [grant(privilege, "any", name, grantee) for privilege in sorted(APPLICATION[kind])]


@pytest.mark.parametrize("kind", sorted(APPLICATION))
def test_the_application_lacks_what_nobody_gave_it(kind: str) -> None:
    thing = DatabaseObject(kind, "public.x", {"owner": "owner"})

    lacking = list(LANDING.lacking(receipt(thing)))

    assert [str(change) for change in lacking] == [
        f"grant {privilege} on {kind} public.x to app: missing"
        for privilege in sorted(APPLICATION[kind])
    ]
    assert lacking[0].expected == "present"


@pytest.mark.parametrize("grantee", ["app", "PUBLIC"])
@pytest.mark.parametrize("kind", sorted(APPLICATION))
def test_what_the_application_or_everybody_has_is_not_lacking(kind: str, grantee: str) -> None:
    thing = DatabaseObject(kind, "public.x", {"owner": "owner"})
    given = rights("public.x", kind, grantee=grantee)

    assert list(LANDING.lacking(receipt(thing, *given))) == []
    assert len(list(LANDING.lacking(receipt(thing, *given[1:])))) == 1
    assert len(list(LANDING.lacking(receipt(thing, *rights("public.y", kind))))) == len(given)
    assert len(
        list(LANDING.lacking(receipt(thing, *rights("public.x", kind, grantee="reader"))))
    ) == (len(given))


@pytest.mark.parametrize("kind", sorted(APPLICATION))
def test_an_application_that_owns_everything_lacks_nothing(kind: str) -> None:
    thing = DatabaseObject(kind, "public.x", {"owner": "owner"})
    landing = replace(LANDING, application="owner")

    assert list(landing.lacking(receipt(thing))) == []
    assert against_landing(receipt(thing), receipt(thing), landing) == Comparison((), ())


def test_the_version_table_is_only_read() -> None:
    version = table("public.alembic_version")

    assert [change.name for change in LANDING.lacking(receipt(version))] == [
        "SELECT on table public.alembic_version to app"
    ]


def test_a_source_and_what_arrived_are_brought_into_the_same_terms() -> None:
    source = receipt(
        table("public.t", owner="old"),
        grant("SELECT", "table", "public.t", "gone"),
        grant("SELECT", "table", "public.t", "reader"),
        setting("log_statement"),
    )
    arrived = receipt(
        table("public.t", owner="owner"),
        grant("SELECT", "table", "public.t", "reader"),
        *rights("public.t", "table"),
    )

    assert against_landing(source, arrived, LANDING) == Comparison((), ())


def test_what_arrived_without_the_applications_rights_is_a_difference() -> None:
    lost = table("public.t", owner="old")

    compared = against_landing(receipt(lost), receipt(table("public.t", owner="app")), LANDING)

    assert [str(change) for change in compared.differences] == [
        "table public.t: owner is app, expected owner",
        "grant DELETE on table public.t to app: missing",
        "grant INSERT on table public.t to app: missing",
        "grant SELECT on table public.t to app: missing",
        "grant UPDATE on table public.t to app: missing",
    ]
