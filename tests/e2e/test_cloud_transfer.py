"""Databases go to hosted servers and come back, by the commands a user types."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.doubles.neon_like import NeonLike
from tests.doubles.supabase_like import SupabaseLike
from tests.e2e.test_bad_input import complaint
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import leftovers
from tests.fixtures.servers import CHINOOK_ROWS, TICK_ROWS

SOURCES = {"chinook_serial": sum(CHINOOK_ROWS.values()), "ticks": TICK_ROWS}
# What anybody on the internet can do through the Data API, and what the services keep.
SHOWN = """
SELECT c.oid::regclass::text, r.role
FROM pg_class c, unnest('{anon,authenticated}'::text[]) r (role)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND c.relnamespace IN (to_regnamespace('public'), to_regnamespace('slipway_partitions'))
  AND (has_table_privilege(r.role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
    OR has_any_column_privilege(r.role, c.oid, 'SELECT'))
"""
SERVICES = """
SELECT n.nspname, c.relname, c.relacl::text, c.relowner::regrole::text,
  (xpath('/row/count/text()', query_to_xml(
    format('SELECT count(*) FROM %I.%I', n.nspname, c.relname), false, true, '')))[1]::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('auth', 'storage', 'realtime', 'vault', 'supabase_functions')
  AND c.relkind IN ('r', 'p')
ORDER BY 1, 2
"""
STORAGE_DEFAULTS = (
    "SELECT defaclacl::text FROM pg_default_acl WHERE defaclnamespace = 'storage'::regnamespace"
)


@pytest.fixture(scope="module")
def neon(stack: Checkout, neon: NeonLike) -> Iterator[NeonLike]:
    with stack.having(neon.settings):
        yield neon


@pytest.fixture(scope="module")
def supabase(stack: Checkout, supabase: SupabaseLike) -> Iterator[SupabaseLike]:
    with stack.having(supabase.settings):
        yield supabase


@pytest.fixture(autouse=True)
def settings_as_before(stack: Checkout) -> Iterator[None]:
    """Let no other module see what is chosen here."""
    with stack.having({"SOURCE_DB_NAME": stack.values["SOURCE_DB_NAME"]}):
        yield


def transfer(stack: Checkout, origin: str, to: str, *options: str) -> str:
    """Transfer, which verifies; the target's name is what makes `--yes` enough."""
    output = stack.expect("transfer", "--from", origin, "--to", to, *options, "--yes", to)
    assert leftovers(stack) == []
    return output


@pytest.mark.parametrize("name", SOURCES)
def test_a_database_goes_to_neon_and_comes_back(
    fresh_stack: Checkout, neon: NeonLike, name: str
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME=name)
    transfer(stack, "source", "local")

    assert f"{SOURCES[name]:,} rows" in transfer(stack, "local", "neon")
    stack.expect("verify", "local", "neon")
    transfer(stack, "neon", "local")

    stack.expect("verify", "source", "local")
    with neon.connect("postgres") as connection:
        databases = [
            str(found) for (found,) in connection.execute("SELECT datname FROM pg_database")
        ]
    assert not [found for found in databases if found.endswith(("__staging", "__discarded"))]


@pytest.mark.parametrize("name", SOURCES)
def test_a_database_goes_to_supabase_unseen_by_its_data_api_and_comes_back(
    fresh_stack: Checkout, supabase: SupabaseLike, name: str
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME=name)
    transfer(stack, "source", "local")
    before = asked(supabase, SERVICES)

    output = transfer(stack, "local", "supabase", "--discard-previous")
    assert f"{SOURCES[name]:,} rows" in output
    stack.expect("verify", "local", "supabase")
    transfer(stack, "supabase", "local", "--hypertables")

    stack.expect("verify", "source", "local")
    # Asked of the database, and by one of the API's roles itself.
    assert asked(supabase, SHOWN) == []
    table = "quote" if name == "ticks" else "artist"
    with supabase.connect() as connection:
        connection.execute("SET ROLE anon")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT FROM public.{table}")
    assert asked(supabase, SERVICES) == before
    assert "anon=" in str(asked(supabase, STORAGE_DEFAULTS))
    assert asked(supabase, "SELECT FROM pg_namespace WHERE nspname = 'slipway_stream'") == []


def test_what_is_at_supabase_is_replaced_only_when_asked_and_archived_first(
    fresh_stack: Checkout, supabase: SupabaseLike
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="little")
    transfer(stack, "source", "supabase", "--discard-previous")
    as_owner(supabase, "CREATE TABLE public.jotting AS SELECT 1 AS note")

    refused = stack.invoke("transfer", "--from", "source", "--to", "supabase", "--yes", "supabase")
    assert "database 'postgres' is not empty" in complaint(refused, 3)
    assert "`--discard-previous` makes an archive of it" in refused.stderr
    before = set(stack.archives)
    output = transfer(stack, "source", "supabase", "--discard-previous")

    (kept,) = set(stack.archives) - before
    assert f"archive {kept} has what was there" in output
    assert asked(supabase, "SELECT to_regclass('public.jotting')") == [(None,)]
    stack.expect("restore", kept, "--to", "local", "--yes")
    assert stack.sql("SELECT note FROM public.jotting") == "1"


def test_what_hangs_on_the_services_is_named_and_left_behind(
    fresh_stack: Checkout, supabase: SupabaseLike
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="little")
    transfer(stack, "source", "supabase", "--discard-previous")
    as_owner(
        supabase,
        "CREATE TABLE public.profile (id uuid PRIMARY KEY REFERENCES auth.users, note text)",
        "ALTER TABLE public.profile ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON public.profile USING (auth.uid() = id)",
        "CREATE POLICY all_of_them ON public.parent TO authenticated USING (true)",
        "INSERT INTO public.profile SELECT id, email FROM auth.users",
    )

    plan = " ".join(
        stack.expect("transfer", "--from", "supabase", "--to", "local", "--plan").split()
    )
    assert "policy own on table public.profile" in plan
    output = transfer(stack, "supabase", "local")

    assert "ties to the platform" in plan
    assert "public.profile 2" in " ".join(output.split())
    assert stack.sql("SELECT count(*) FROM public.profile") == "2"
    assert stack.sql("SELECT count(*) FROM pg_policy") == "0"
    assert stack.sql("SELECT relrowsecurity FROM pg_class WHERE relname = 'profile'") == "t"

    as_owner(supabase, "CREATE VIEW public.mails AS SELECT email FROM auth.users")
    refused = stack.invoke("transfer", "--from", "supabase", "--to", "local", "--yes")
    assert "cannot be made without the platform" in complaint(refused, 3)
    as_owner(supabase, "DROP VIEW public.mails")


def asked(double: SupabaseLike, query: str) -> list[tuple[object, ...]]:
    with double.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def as_owner(double: SupabaseLike, *statements: str) -> None:
    """Do what a user does in the editor of the dashboard."""
    with double.direct.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())
