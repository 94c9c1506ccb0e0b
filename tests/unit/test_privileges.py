from __future__ import annotations

from typing import Any, Self

import pytest
from psycopg import sql

from infra.postgres import objects
from infra.postgres.objects import DatabaseObject
from infra.transfer import privileges
from infra.transfer.landing import Landing
from infra.transfer.receipt import Receipt
from tests.unit.conftest import grant

LANDING = Landing("owner", "app", frozenset({"owner", "app", "reader", 'odd"role'}), frozenset())


class Staging:
    """A connection that notes the statements it is given."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.settings = {"search_path": "", "work_mem": "4MB"}
        self.values: list[str] = []

    @property
    def info(self) -> Self:
        return self

    @property
    def dbname(self) -> str:
        return 'my"db__staging'

    def execute(self, query: object, parameters: list[str] | None = None) -> Self:
        if parameters is not None:
            self.values.append(parameters[-2])
            self.statements.append(f"{parameters[0]} := {parameters[-1]}")
        elif isinstance(query, sql.Composable):
            self.statements.append(query.as_string())
        else:
            assert isinstance(query, bytes)
            self.statements.append(query.decode())
        return self

    def fetchone(self) -> tuple[str, str]:
        return ("before", "after")


def apply(
    monkeypatch: pytest.MonkeyPatch, wanted: list[DatabaseObject], there: list[DatabaseObject]
) -> list[str]:
    """Return the statements that are run for the archive's objects."""
    monkeypatch.setattr(objects, "read", lambda _: tuple(there))
    staging = Staging()
    receipt = Receipt(170011, recoded=False, tables=(), objects=tuple(wanted))
    privileges.apply(staging, receipt, LANDING)  # type: ignore[arg-type] # it looks like one
    return staging.statements


def thing(kind: str, name: str, **properties: Any) -> DatabaseObject:  # noqa: ANN401 - any JSON
    return DatabaseObject(kind, name, {"owner": "owner"} | properties)


@pytest.mark.parametrize(
    ("there", "right", "statement"),
    [
        (
            thing("table", 'public."T t"'),
            grant("SELECT", "table", 'public."T t"'),
            'GRANT SELECT ON TABLE public."T t" TO "reader"',
        ),
        (
            thing("view", "public.v", columns=["id integer"]),
            grant("SELECT", "table", "public.v", "PUBLIC"),
            "GRANT SELECT ON TABLE public.v TO PUBLIC",
        ),
        (
            thing("materialized view", "public.m", columns=None),
            grant("SELECT", "table", "public.m", grantable=True),
            'GRANT SELECT ON TABLE public.m TO "reader" WITH GRANT OPTION',
        ),
        (
            thing("sequence", "public.s"),
            grant("USAGE", "sequence", "public.s"),
            'GRANT USAGE ON SEQUENCE public.s TO "reader"',
        ),
        (
            thing("schema", "trading"),
            grant("USAGE", "schema", "trading", 'odd"role'),
            'GRANT USAGE ON SCHEMA trading TO "odd""role"',
        ),
        (
            thing("function", 'public.f("T t", integer)'),
            grant("EXECUTE", "function", 'public.f("T t", integer)'),
            'GRANT EXECUTE ON ROUTINE public.f("T t", integer) TO "reader"',
        ),
        (
            thing("type", "public.mood"),
            grant("USAGE", "type", "public.mood"),
            'GRANT USAGE ON TYPE public.mood TO "reader"',
        ),
        (
            thing("schema", "x"),
            grant("USAGE", "language", "plpgsql"),
            'GRANT USAGE ON LANGUAGE plpgsql TO "reader"',
        ),
        (
            thing("schema", "x"),
            grant("CREATE", "database", ""),
            'GRANT CREATE ON DATABASE "my""db__staging" TO "reader"',
        ),
        (
            thing("column", "public.t.price"),
            grant("UPDATE", "column", "public.t.price"),
            'GRANT UPDATE (price) ON TABLE public.t TO "reader"',
        ),
        (
            thing("column", 'public."T.t"."a.b"'),
            grant("UPDATE", "column", 'public."T.t"."a.b"'),
            'GRANT UPDATE ("a.b") ON TABLE public."T.t" TO "reader"',
        ),
        (
            thing("column", 'public."T t".id'),
            grant("SELECT", "column", 'public."T t".id'),
            'GRANT SELECT (id) ON TABLE public."T t" TO "reader"',
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_right_is_given_as_the_archive_has_it(
    monkeypatch: pytest.MonkeyPatch, there: DatabaseObject, right: DatabaseObject, statement: str
) -> None:
    assert apply(monkeypatch, [there, right], [there]) == [statement]


HOSTILE = [
    # The column's name; what the catalog prints for it follows from quoting.
    'x."y',
    'x.""y',
    'x."")ON TABLE public.t TO PUBLIC;ALTER ROLE reader SUPERUSER;--',
    '."',
    '"."',
    'a"."b',
]


@pytest.mark.parametrize("column", HOSTILE)
@pytest.mark.parametrize("table", ["t", 'a."b'])
def test_no_name_of_a_column_gets_out_of_its_quotes(
    monkeypatch: pytest.MonkeyPatch, table: str, column: str
) -> None:
    quoted = sql.Identifier(column).as_string()
    # As the catalog prints it: in quotes where it needs them.
    whole = table if table.isalpha() else sql.Identifier(table).as_string()
    name = f"public.{whole}.{quoted}"
    there = thing("column", name)

    assert apply(monkeypatch, [there, grant("SELECT", "column", name)], [there]) == [
        f'GRANT SELECT ({quoted}) ON TABLE public.{whole} TO "reader"'
    ]


def test_a_columns_right_on_a_view_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    view = thing("view", "public.v", columns=["id integer", '"a ""b" text'])
    rights = [
        grant("SELECT", "column", f"public.v.{name}") for name in ("id", '"a ""b"', "missing")
    ]

    assert apply(monkeypatch, [view, *rights], [view]) == [
        'GRANT SELECT (id) ON TABLE public.v TO "reader"',
        'GRANT SELECT ("a ""b") ON TABLE public.v TO "reader"',
    ]


def test_what_the_archive_does_not_have_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    function = thing("function", "public.f()")
    public = grant("EXECUTE", "function", "public.f()", "PUBLIC", grantable=True)

    assert apply(monkeypatch, [function], [function, public]) == [
        "REVOKE EXECUTE ON ROUTINE public.f() FROM PUBLIC"
    ]


def test_what_is_as_it_should_be_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    table, right = thing("table", "public.t"), grant("SELECT", "table", "public.t")

    assert apply(monkeypatch, [table, right], [table, right]) == []


@pytest.mark.parametrize(
    "right",
    [
        grant("SELECT", "table", "public.t; DROP TABLE public.u"),
        grant("SELECT", "table", "public.missing"),
        grant("SELECT", "sequence", "public.t"),
        grant("SELECT", "table; --", "public.t"),
        grant("ALL; DROP TABLE public.t; --", "table", "public.t"),
        grant("USAGE", "language", "c; --"),
        grant("USAGE", "database", "x"),
        grant("SELECT", "column", "public.t.missing"),
        grant("SELECT", "table", "public.t", "somebody"),
    ],
    ids=lambda right: right.name,
)
def test_what_is_not_there_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, right: DatabaseObject
) -> None:
    table = thing("table", "public.t")

    assert apply(monkeypatch, [table, right], [table]) == []


def setting(name: str, value: str, role: str = "") -> DatabaseObject:
    properties = {"setting": name, "value": value, "role": role}
    return DatabaseObject("database setting", f"{name} for {role}", properties)


def test_a_setting_goes_through_the_session_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "\"$user\", 'x'; DROP TABLE t"

    assert apply(monkeypatch, [setting("search_path", value)], []) == [
        f"search_path := {value}",
        'ALTER DATABASE "my""db__staging" SET "search_path" FROM CURRENT',
        "search_path := before",
    ]


def test_a_setting_of_a_role_is_that_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    statements = apply(monkeypatch, [setting("work_mem", "1MB", 'odd"role')], [])

    assert statements[1] == (
        'ALTER ROLE "odd""role" IN DATABASE "my""db__staging" SET "work_mem" FROM CURRENT'
    )


def test_a_settings_name_stays_in_its_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    statements = apply(monkeypatch, [setting('a"b.c', "1")], [])

    assert statements[1].endswith(' SET "a""b.c" FROM CURRENT')


@pytest.mark.parametrize(
    ("comment", "literal"), [("it's; DROP", "'it''s; DROP'"), (None, "NULL"), ("ä", "'ä'")]
)
def test_the_databases_comment_is_that_of_the_archive(
    monkeypatch: pytest.MonkeyPatch, comment: str | None, literal: str
) -> None:
    database = DatabaseObject("database", "", {"comment": comment})

    assert apply(monkeypatch, [database], []) == [
        f'COMMENT ON DATABASE "my""db__staging" IS {literal}'
    ]
