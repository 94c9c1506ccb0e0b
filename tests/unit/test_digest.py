from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from infra.postgres import digest
from infra.postgres.digest import Column

ID = Column("id", "integer", "int4", not_null=True)
NOTE = Column("note", "text", "text", not_null=False)

TEXT = """CASE WHEN num_nulls("v") = 0 THEN hashtextextended({}::text COLLATE "C", 1) END"""
FORMATTED = TEXT.format("format('%s', \"v\")")

# The expression for a value that is filled, by the name of its built-in type.
FORMS = {
    "bool": 'hashint4extended(1, "v"::int4::int8)',
    "int2": 'hashint4extended(1, "v"::int8)',
    "int4": 'hashint4extended(1, "v"::int8)',
    "int8": 'hashint4extended(1, "v")',
    "float4": 'coalesce(hashfloat8extended(nullif("v"::float8, 0), 1), '
    'hashfloat8extended(atan2("v"::float8, -1), -1))',
    "float8": 'coalesce(hashfloat8extended(nullif("v", 0), 1), '
    'hashfloat8extended(atan2("v", -1), -1))',
    "numeric": 'hashtextextended("v"::text COLLATE "C", 1)',
    "timestamp": "hashfloat8extended(tsrange_subdiff(\"v\", '2000-01-01 00:00'), "
    'timestamp_hash_extended("v", 1))',
    "timestamptz": "hashfloat8extended(tstzrange_subdiff(\"v\", '2000-01-01 00:00Z'), "
    "timestamp_hash_extended(\"v\" AT TIME ZONE interval '0', 1))",
    "date": "hashfloat8extended(daterange_subdiff(\"v\", '2000-01-01'), 1)",
    "time": "hashfloat8extended(tsrange_subdiff('2000-01-01'::date + \"v\", '2000-01-01'), 1)",
    "uuid": 'uuid_hash_extended("v", 1)',
    "text": 'hashtextextended("v"::text COLLATE "C", 1)',
    "varchar": 'hashtextextended("v"::text COLLATE "C", 1)',
    "bpchar": FORMATTED,
    "jsonb": FORMATTED,
    "bytea": FORMATTED,
    "": FORMATTED,
}


def hashed(*columns: Column, recode: bool = False) -> str:
    return words(digest.row_hash(columns, recode=recode))


def words(expression: sql.Composable) -> str:
    """Write SQL with one space where psycopg writes two before a negative number."""
    return expression.as_string().replace("  -", " -")


@pytest.mark.parametrize(("base", "form"), FORMS.items())
def test_a_filled_column_is_hashed_by_its_type(base: str, form: str) -> None:
    column = Column("v", "its name says nothing", base, not_null=True)

    assert hashed(column) == f"hashint4extended(1, {form})"


@pytest.mark.parametrize(("base", "form"), FORMS.items())
def test_null_has_a_hash_of_its_own(base: str, form: str) -> None:
    column = Column("v", "its name says nothing", base, not_null=False)

    assert hashed(column) == f"hashint4extended(1, coalesce({form}, -1))"


def test_each_column_has_a_seed_of_its_own() -> None:
    two = hashed(ID, NOTE)

    assert two == (
        'hashint4extended(2, hashint4extended(1, "id"::int8) # '
        'coalesce(hashtextextended("note"::text COLLATE "C", 2), -2))'
    )
    assert two != hashed(NOTE, ID)


@pytest.mark.parametrize("base", ["text", "varchar"])
def test_text_of_another_encoding_is_hashed_by_its_utf8_bytes(base: str) -> None:
    column = Column("v", base, base, not_null=True)

    assert hashed(column, recode=True) == (
        'hashint4extended(1, hashtextextended(md5(convert_to("v", \'UTF8\'))::text COLLATE "C", 1))'
    )


@pytest.mark.parametrize("base", ["", "jsonb", "bpchar"])
def test_what_is_written_as_text_is_recoded_too(base: str) -> None:
    column = Column("v", base, base, not_null=True)
    recoded = TEXT.format("md5(convert_to(format('%s', \"v\"), 'UTF8'))")

    assert hashed(column, recode=True) == f"hashint4extended(1, {recoded})"


@pytest.mark.parametrize(
    "base", ["bool", "int2", "int4", "int8", "float4", "float8", "timestamp", "time", "uuid"]
)
def test_what_has_no_encoding_is_not_recoded(base: str) -> None:
    column = Column("v", base, base, not_null=False)

    assert hashed(column, recode=True) == hashed(column)


def test_a_row_without_columns_is_still_a_row() -> None:
    assert hashed() == "0::int8"
    assert words(digest.query([sql.Identifier("p", "t")], [], recode=False)) == (
        "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(hash), 0)::pg_catalog.text "
        'FROM (SELECT 0::int8 AS hash FROM "p"."t") r'
    )


def test_relations_are_counted_together() -> None:
    only = sql.SQL("ONLY {}").format(sql.Identifier("p", "a"))

    query = words(digest.query([only, sql.Identifier("p", "b")], [ID], recode=False))

    assert query == (
        "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(hash), 0)::pg_catalog.text FROM ("
        'SELECT hashint4extended(1, hashint4extended(1, "id"::int8)) AS hash FROM ONLY "p"."a"'
        " UNION ALL "
        'SELECT hashint4extended(1, hashint4extended(1, "id"::int8)) AS hash FROM "p"."b") r'
    )


@settings(max_examples=80)
@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(sorted(FORMS)),
    st.booleans(),
    st.booleans(),
)
@example('x" || pg_sleep(9) || "', "text", True, False)
@example("{seed}", "int4", False, False)
@example("%s", "", False, True)
@example("a}{value}", "numeric", False, False)
def test_no_name_of_a_column_gets_out_of_its_quotes(
    name: str, base: str, not_null: bool, recode: bool
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    usual = hashed(Column("v", "", base, not_null), recode=recode)

    assert hashed(Column(name, "", base, not_null), recode=recode) == usual.replace('"v"', quoted)


def test_a_session_is_pinned_for_as_long_as_it_lasts() -> None:
    class Session:
        def __init__(self) -> None:
            self.settings: dict[str, str] = {}

        def execute(self, query: str, parameters: list[str]) -> None:
            assert query == "SELECT pg_catalog.set_config(%s, %s, false)"
            name, value = parameters
            self.settings[name] = value

    session = Session()
    digest.pin(session)  # type: ignore[arg-type] # takes what it is told, and no more

    # Rows that a policy hides would be missing without a word.
    assert session.settings["row_security"] == "off"
    assert {
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "lc_monetary": "C",
    }.items() <= session.settings.items()
