from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import UsageError
from infra.vendor_endpoints import Vendor
from tests.unit.conftest import example_values
from tests.unit.vendor_strings import (
    DEDICATED_STRING,
    DIRECT,
    DIRECT_STRING,
    ENDPOINT,
    NEON,
    OTHER,
    PASSWORD,
    POOLED,
    POOLER,
    REF,
    SESSION_STRING,
    TRANSACTION_STRING,
    Values,
    after,
    endpoints,
    neon,
    settle,
    supabase,
)


@pytest.fixture
def example() -> Values:
    return example_values()


@pytest.mark.parametrize(
    "text", [neon(), neon(NEON), f"psql '{neon()}'", f"{neon()}\n{neon(NEON)}", neon(query="")]
)
def test_neons_endpoints_follow_from_either_host(
    example: Values, tmp_path: Path, text: str
) -> None:
    setting = settle("neon", text, example, tmp_path)

    values = after(setting, example)
    assert endpoints("neon", values, tmp_path) == (
        f"neondb_owner@{NEON}:5432/neondb",
        f"neondb_owner@{POOLED}:5432/neondb",
    )
    assert values["NEON_DB_PASSWORD"] == PASSWORD
    assert (values["NEON_DB_SSLMODE"], values["NEON_DB_SSLROOTCERT"]) == ("verify-full", "")
    assert values["NEON_DB_POOL_HOST"] == ""
    assert {name for name in values if values[name] != example[name]} <= {
        "NEON_DB_HOST",
        "NEON_DB_NAME",
        "NEON_DB_USER",
        "NEON_DB_PASSWORD",
        "NEON_DB_SSLROOTCERT",
    }
    assert setting.next_steps == ("run `invoke probe neon`",)


def test_what_was_decided_is_said(example: Values, tmp_path: Path) -> None:
    setting = settle("neon", neon(), example, tmp_path)

    assert setting.notes == (
        "not taken over: channel_binding",
        f"the admin endpoint is {NEON}, the host without -pooler",
        f"the application's endpoint is {POOLED}, derived from the direct one",
        "sslmode=require became verify-full: it checks the server's certificate and name",
    )
    assert setting.warnings == ()


def test_a_second_run_changes_only_what_differs(example: Values, tmp_path: Path) -> None:
    values = after(settle("neon", neon(), example, tmp_path), example)

    again = settle("neon", neon(NEON), values, tmp_path)
    rotated = settle("neon", neon().replace(PASSWORD, "new"), values, tmp_path)

    assert again.changes == {}
    assert rotated.changes == {"NEON_DB_PASSWORD": "new"}


def test_the_pool_of_another_neon_endpoint_is_cleared_and_a_derived_one_made_empty(
    example: Values, tmp_path: Path
) -> None:
    values = after(settle("neon", neon(), example, tmp_path), example)
    other = neon(NEON.replace(ENDPOINT, "ep-old-river-99"))

    derived = settle("neon", neon(), values | {"NEON_DB_POOL_HOST": POOLED}, tmp_path)
    chosen = settle("neon", neon(), values | {"NEON_DB_POOL_HOST": NEON}, tmp_path)
    moved = settle("neon", other, values | {"NEON_DB_POOL_HOST": POOLED}, tmp_path)

    assert derived.changes == {"NEON_DB_POOL_HOST": ""}
    assert chosen.changes == {}
    assert moved.changes["NEON_DB_POOL_HOST"] == ""
    assert "the application's endpoint (POOL_*) was that of another project" in moved.notes


@pytest.mark.parametrize(
    ("text", "admin", "app"),
    [
        (
            DIRECT_STRING,
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres@{DIRECT}:5432/postgres",
        ),
        (
            SESSION_STRING,
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres.{REF}@{POOLER}:5432/postgres",
        ),
        (
            TRANSACTION_STRING,
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            DEDICATED_STRING,
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres@{DIRECT}:6543/postgres",
        ),
        (
            f'DATABASE_URL="{TRANSACTION_STRING}?pgbouncer=true"\nDIRECT_URL="{SESSION_STRING}"',
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            f"DIRECT_URL={DIRECT_STRING}\nDATABASE_URL={TRANSACTION_STRING}",
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            supabase(POOLER, 6543, "postgres") + f"?options=reference%3D{REF}",
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            supabase(DIRECT, 5432, f"postgres.{REF}").removesuffix("/postgres"),
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres@{DIRECT}:5432/postgres",
        ),
    ],
)
def test_supabases_endpoints_follow_from_host_and_port(
    example: Values, tmp_path: Path, text: str, admin: str, app: str
) -> None:
    setting = settle("supabase", text, example, tmp_path)

    values = after(setting, example)
    assert endpoints("supabase", values, tmp_path) == (admin, app)
    assert (values["SUPABASE_DB_PASSWORD"], values["SUPABASE_DB_SSLMODE"]) == (
        PASSWORD,
        "verify-full",
    )
    assert {name for name in setting.changes if not name.startswith("SUPABASE_DB_")} == set()


@pytest.mark.parametrize(
    ("first", "second", "admin", "app"),
    [
        (
            TRANSACTION_STRING,
            DIRECT_STRING,
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            DIRECT_STRING,
            TRANSACTION_STRING,
            f"postgres@{DIRECT}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            DEDICATED_STRING,
            SESSION_STRING,
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres@{DIRECT}:6543/postgres",
        ),
        (
            TRANSACTION_STRING,
            supabase(f"db.{OTHER}.supabase.co", 5432, "postgres"),
            f"postgres@db.{OTHER}.supabase.co:5432/postgres",
            f"postgres@db.{OTHER}.supabase.co:5432/postgres",
        ),
        (
            DIRECT_STRING,
            supabase(POOLER, 6543, f"postgres.{OTHER}"),
            f"postgres.{OTHER}@{POOLER}:5432/postgres",
            f"postgres.{OTHER}@{POOLER}:6543/postgres",
        ),
        (
            SESSION_STRING.replace("aws-1", "aws-0"),
            TRANSACTION_STRING,
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres.{REF}@{POOLER}:6543/postgres",
        ),
        (
            SESSION_STRING,
            DEDICATED_STRING,
            f"postgres.{REF}@{POOLER}:5432/postgres",
            f"postgres@{DIRECT}:6543/postgres",
        ),
    ],
)
def test_a_second_string_leaves_the_other_endpoint_of_the_same_project(
    example: Values, tmp_path: Path, first: str, second: str, admin: str, app: str
) -> None:
    values = after(settle("supabase", first, example, tmp_path), example)

    values = after(settle("supabase", second, values, tmp_path), values)

    assert endpoints("supabase", values, tmp_path) == (admin, app)


def test_only_the_session_pooler_that_stands_alone_is_said_to_be_the_applications_too(
    example: Values, tmp_path: Path
) -> None:
    pooled = after(settle("supabase", TRANSACTION_STRING, example, tmp_path), example)

    notes = {
        text: settle("supabase", text, values, tmp_path).notes
        for values, text in (
            (example, DIRECT_STRING),
            (example, SESSION_STRING),
            (pooled, f"{SESSION_STRING}?"),
        )
    }

    assert [text for text, said in notes.items() if said] == [SESSION_STRING]


def test_a_pool_whose_lines_lean_on_the_admin_endpoint_stands_by_itself_afterwards(
    example: Values, tmp_path: Path
) -> None:
    values = after(settle("supabase", SESSION_STRING, example, tmp_path), example)
    values["SUPABASE_DB_POOL_PORT"] = "6543"

    kept = settle("supabase", SESSION_STRING, values, tmp_path)
    moved = settle("supabase", DIRECT_STRING, values, tmp_path)

    assert kept.changes == {}
    assert endpoints("supabase", after(moved, values), tmp_path)[1] == (
        f"postgres.{REF}@{POOLER}:6543/postgres"
    )


def test_a_host_of_another_name_is_taken_as_it_is(example: Values, tmp_path: Path) -> None:
    setting = settle("neon", neon("10.1.2.3:5433", "?sslmode=verify-ca"), example, tmp_path)

    values = after(setting, example)
    assert endpoints("neon", values, tmp_path) == (
        "neondb_owner@10.1.2.3:5433/neondb",
        "neondb_owner@10.1.2.3:5433/neondb",
    )
    assert values["NEON_DB_SSLMODE"] == "verify-ca"
    assert setting.warnings == (
        "host 10.1.2.3 is none of Neon's, so no other endpoint follows from it",
    )


@pytest.mark.parametrize(
    ("query", "mode", "note"),
    [
        ("", "verify-full", ""),
        ("?sslmode=verify-full", "verify-full", ""),
        ("?sslmode=require", "verify-full", "sslmode=require became verify-full: it"),
        ("?sslmode=prefer", "verify-full", "sslmode=prefer became verify-full: it"),
        ("?sslmode=verify-ca", "verify-full", "sslmode=verify-ca became verify-full: it"),
        (
            "?sslmode=disable",
            "verify-full",
            "sslmode=disable became verify-full, as Neon takes no connection without TLS: it",
        ),
    ],
)
def test_neons_tls_is_never_less_than_verified(
    example: Values, tmp_path: Path, query: str, mode: str, note: str
) -> None:
    setting = settle("neon", neon(NEON, query), example, tmp_path)

    assert after(setting, example)["NEON_DB_SSLMODE"] == mode
    assert [text for text in setting.notes if text.startswith("sslmode")] == (
        [f"{note} checks the server's certificate and name"] if note else []
    )


def test_plaintext_is_there_for_who_asks_for_it_and_warned_of(
    example: Values, tmp_path: Path
) -> None:
    setting = settle("supabase", f"{DIRECT_STRING}?sslmode=disable", example, tmp_path)

    assert setting.changes["SUPABASE_DB_SSLMODE"] == "disable"
    assert setting.warnings == (
        "sslmode=disable: the password and all rows travel as anybody on the way can read them",
    )
    assert setting.next_steps == ("run `invoke probe supabase`",)


@pytest.mark.parametrize(
    ("vendor", "text", "message"),
    [
        ("neon", DIRECT_STRING, "the connection string is Supabase's, not Neon's"),
        ("supabase", neon(), "the connection string is Neon's, not Supabase's"),
        ("neon", f"postgresql://{NEON}/d", "the connection string names no user"),
        ("neon", f"postgresql://u:p@{NEON}", "the connection string names no database"),
        (
            "supabase",
            supabase(POOLER, 5432, "postgres"),
            "user 'postgres' names no project, which the shared pooler needs",
        ),
        (
            "supabase",
            supabase(POOLER, 6543, "postgres."),
            "user 'postgres.' names no project, which the shared pooler needs",
        ),
        (
            "supabase",
            f"{DIRECT_STRING}?options=reference%3D{OTHER}",
            f"the connection string names two projects, {REF} and {OTHER}",
        ),
        (
            "neon",
            neon(query="?options=endpoint%3Dep-other-1"),
            f"the connection string names two projects, {ENDPOINT} and ep-other-1",
        ),
        (
            "neon",
            neon("10.1.2.3", "?options=endpoint%3Dep-other-1"),
            "the project stands in the options of the connection string, not in its host's name",
        ),
        (
            "neon",
            f"{neon()}\n{neon(NEON.replace(ENDPOINT, 'ep-other-1'))}",
            "the text holds the connection strings of several databases or passwords",
        ),
        (
            "neon",
            f"{neon()}\n{neon(NEON).replace(PASSWORD, 'other')}",
            "the text holds the connection strings of several databases or passwords",
        ),
        (
            "neon",
            f"{neon('a.example.com')}\n{neon('b.example.com')}",
            "the text holds the connection strings of several databases or passwords",
        ),
    ],
)
def test_a_string_that_is_not_for_the_target_is_refused(
    example: Values, tmp_path: Path, vendor: Vendor, text: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settle(vendor, text, example, tmp_path)

    assert caught.value.message == message
    assert PASSWORD not in caught.value.hint


def test_the_endpoint_in_neons_password_is_no_part_of_it(example: Values, tmp_path: Path) -> None:
    for prefix in (f"endpoint={ENDPOINT};", f"endpoint%3D{ENDPOINT}%24"):
        text = neon().replace(PASSWORD, prefix + PASSWORD)

        assert settle("neon", text, example, tmp_path).changes["NEON_DB_PASSWORD"] == PASSWORD


def test_startup_options_are_left_out_and_routing_options_understood(
    example: Values, tmp_path: Path
) -> None:
    left_out = settle("neon", neon(query="?options=-c%20jit%3Don"), example, tmp_path)
    understood = settle(
        "neon", neon(query=f"?options=endpoint%3D{ENDPOINT}-pooler"), example, tmp_path
    )

    assert left_out.notes[0].startswith("not taken over: startup options, which poolers refuse")
    assert not any("not taken over" in note for note in understood.notes)


def test_a_poolers_reference_becomes_a_part_of_the_users_name(
    example: Values, tmp_path: Path
) -> None:
    text = supabase("pool.example.com", 6543, "postgres") + f"?options=reference%3D{REF}"

    setting = settle("supabase", text, example, tmp_path)

    assert setting.changes["SUPABASE_DB_USER"] == f"postgres.{REF}"
    assert setting.notes == ()
