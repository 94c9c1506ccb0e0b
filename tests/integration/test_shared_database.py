"""What is whose in a database that a hosting platform has a part in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from backend.config import Endpoint, Secret
from infra.postgres import objects, relations, role, shared_database, survey
from infra.postgres.connection import Connection, connect
from migrations.upgrade import upgrade
from tests.doubles.supabase_like import SupabaseLike

OWN = """
CREATE SCHEMA desk;
CREATE TYPE public.side AS ENUM ('buy', 'sell');
CREATE TYPE desk.span AS RANGE (subtype = float8);
CREATE TYPE desk.level AS (price numeric, amount numeric);
CREATE DOMAIN desk.price AS numeric CHECK (VALUE >= 0);
CREATE TABLE public.trade (
  id serial PRIMARY KEY, side public.side, owner uuid REFERENCES auth.users);
CREATE TABLE desk."odd ""name" (
  id int GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL,
  token uuid DEFAULT extensions.gen_random_uuid()) PARTITION BY RANGE (at);
CREATE TABLE desk.odd_1 PARTITION OF desk."odd ""name" DEFAULT;
CREATE VIEW public.totals AS SELECT count(*) FROM public.trade;
CREATE MATERIALIZED VIEW desk.kept AS SELECT count(*) FROM public.trade;
CREATE FUNCTION public.hello(a int, b text) RETURNS text LANGUAGE sql AS 'SELECT b';
CREATE PROCEDURE desk.work() LANGUAGE sql AS '';
CREATE AGGREGATE public.product (float8) (sfunc = float8mul, stype = float8, initcond = 1);
CREATE COLLATION desk.german (provider = icu, locale = 'de');
CREATE STATISTICS desk.related ON id, side FROM public.trade;
ALTER TABLE public.trade ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.trade USING (auth.uid() = owner);
CREATE POLICY theirs ON public.trade TO authenticated USING (true);
CREATE POLICY cheap ON public.trade USING (id < 10);
"""
OPEN = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND pg_catalog.has_table_privilege(%s::name, c.oid, 'SELECT')
"""
KINDS = {
    "aggregate": 1, "collation": 1, "function": 1, "materialized view": 1,
    "procedure": 1, "schema": 1, "sequence": 1, "statistics object": 1, "table": 3, "type": 4,
    "view": 1,
}  # fmt: skip


def endpoint(supabase: SupabaseLike) -> Endpoint:
    return Endpoint(
        "supabase",
        "admin",
        supabase.host,
        supabase.port,
        supabase.database,
        supabase.pool_user,
        Secret(supabase.password),
        "verify-full",
        str(supabase.ca),
    )


@pytest.fixture
def owner(supabase: SupabaseLike) -> Iterator[Connection]:
    """Connect as the owner of things of every kind, through the session pooler."""
    with connect(endpoint(supabase), "target", autocommit=True) as connection:
        connection.execute(OWN.encode())
        yield connection
        connection.execute("DROP TRIGGER IF EXISTS greet ON auth.users")
        shared_database.clear(connection)


def test_only_ones_own_is_listed(owner: Connection) -> None:
    assert {"auth", "extensions", "storage", "vault"} <= {*shared_database.schemas(owner)}
    assert "public" not in shared_database.schemas(owner)
    assert [str(table) for table in relations.tables(owner)] == ['desk.odd "name', "public.trade"]
    assert {found.schema for found in survey.take(owner).tables} == {"desk", "public"}
    assert role.known_as(owner, "postgres.abcdefghij") == "postgres"
    assert role.known_as(owner, "postgres") == "postgres"


def test_what_needs_the_platform_is_told_and_is_no_part_of_a_receipt(owner: Connection) -> None:
    ties = " ".join(shared_database.ties(owner))

    assert "constraint trade_owner_fkey on table public.trade" in ties
    assert "policy mine on table public.trade" in ties
    assert "policy theirs on table public.trade" in ties
    assert "cheap" not in ties
    assert shared_database.publications(owner) == (
        "supabase_realtime",
        "supabase_realtime_messages_publication",
    )
    assert shared_database.needs(owner) == ()
    found = objects.read(owner)
    assert [item.name for item in found if item.kind == "policy"] == ["cheap on public.trade"]
    assert not [item for item in found if "owner_fkey" in item.name]
    assert [item for item in found if item.kind == "platform"]
    assert survey.take(owner).policy_roles == ()


def test_what_cannot_be_made_without_the_platform_is_told(owner: Connection) -> None:
    owner.execute("CREATE VIEW public.mails AS SELECT email FROM auth.users")
    owner.execute("CREATE TABLE public.login (level auth.aal_level)")
    owner.execute("CREATE FUNCTION public.f(auth.users) RETURNS int LANGUAGE sql AS 'SELECT 1'")

    needs = " ".join(shared_database.needs(owner))

    assert "view public.mails" in needs
    assert "column level of table public.login" in needs
    assert "function public.f(auth.users)" in needs


def test_extensions_belong_to_the_platform_until_something_is_made_of_them(
    owner: Connection,
) -> None:
    carried = {found.name for found in survey.take(owner).extensions}

    assert carried == {"pgcrypto"} == shared_database.used_extensions(owner)
    assert {"uuid-ossp", "pg_stat_statements"} <= {*shared_database.extensions(owner)}


def test_what_is_ones_own_goes_and_the_rest_stays(
    supabase: SupabaseLike, owner: Connection
) -> None:
    before = theirs(supabase)
    content = shared_database.read(owner)
    kinds = sorted(KINDS, key=len, reverse=True)
    assert (
        Counter(
            next(kind for kind in kinds if name.startswith(f"{kind} ")) for name in content.objects
        )
        == KINDS
    )
    assert content.extensions["pgcrypto"] == "extensions"
    assert not content.loading

    shared_database.begin(owner)

    left = shared_database.read(owner)
    assert left.objects == ("schema slipway_stream",)
    assert left.loading
    assert theirs(supabase) == before
    owner.execute("CREATE TABLE public.made (id int)")
    assert owner.execute(
        "SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('anon', 'authenticated', "
        "'service_role') AND has_table_privilege(r.oid, 'public.made', 'SELECT')"
    ).fetchall() == [("service_role",)]
    shared_database.clear(owner)
    assert shared_database.read(owner).objects == ()


def test_what_a_migration_makes_is_not_shown_to_the_data_api(
    supabase: SupabaseLike, owner: Connection
) -> None:
    shared_database.clear(owner)

    upgrade(endpoint(supabase))

    assert owner.execute(OPEN, ["anon"]).fetchall() == []
    assert len(owner.execute(OPEN, ["service_role"]).fetchall()) > 1


def test_what_the_platforms_tables_use_is_told(supabase: SupabaseLike, owner: Connection) -> None:
    owner.execute(
        "CREATE FUNCTION public.greet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    )
    with supabase.connect() as superuser:
        superuser.execute(
            "CREATE TRIGGER greet AFTER INSERT ON auth.users "
            "FOR EACH ROW EXECUTE FUNCTION public.greet()"
        )
        try:
            assert shared_database.read(owner).hooks == ("trigger greet on table auth.users",)
        finally:
            superuser.execute("DROP TRIGGER greet ON auth.users")


def theirs(supabase: SupabaseLike) -> list[tuple[object, ...]]:
    """Read what the platform has, rights included."""
    with supabase.connect() as connection:
        return connection.execute(
            "SELECT n.nspname, c.relname, c.relacl::text FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('auth', 'storage', 'vault', 'extensions', 'realtime') "
            "UNION ALL SELECT 'function', oid::regprocedure::text, proacl::text FROM pg_proc "
            "WHERE pronamespace IN ('auth'::regnamespace, 'extensions'::regnamespace) "
            "UNION ALL SELECT 'default', defaclrole::regrole::text, defaclacl::text "
            "FROM pg_default_acl WHERE defaclnamespace = 'storage'::regnamespace "
            "ORDER BY 1, 2"
        ).fetchall()
