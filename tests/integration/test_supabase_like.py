"""The supabase-like double has the powers, limits and manners that it claims."""

from __future__ import annotations

import select
from contextlib import ExitStack, closing
from pathlib import Path

import docker
import psycopg
import pytest
from psycopg import errors

from tests.doubles import supabase_like
from tests.doubles.supabase_like import SESSION_PLACES, SupabaseLike
from tests.fixtures.sessions import (
    process,
    require_own_authority,
    require_ways_in,
    row,
)


def test_settings_are_the_ways_in(supabase: SupabaseLike) -> None:
    require_ways_in(supabase.settings, "SUPABASE_DB")


def test_a_stranger_vouches_for_none_of_the_ways_in(supabase: SupabaseLike, tmp_path: Path) -> None:
    require_own_authority(tmp_path, supabase.direct, supabase.session, supabase.transaction)


def test_has_vector_and_no_timescaledb(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection:
        offered = connection.execute(
            "SELECT name FROM pg_available_extensions WHERE name IN ('timescaledb', 'vector')"
        ).fetchall()
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
        connection.execute("DROP EXTENSION vector")
        with pytest.raises(errors.InsufficientPrivilege, match="must be owner of extension"):
            connection.execute("COMMENT ON EXTENSION pgcrypto IS 'mine'")

    assert offered == [("vector",)]


def test_owner_is_a_member_of_the_roles_of_the_api(supabase: SupabaseLike) -> None:
    with supabase.direct.connect() as connection:
        held = connection.execute(
            "SELECT roleid::regrole::text, admin_option FROM pg_auth_members "
            "WHERE member = 'postgres'::regrole ORDER BY roleid::regrole::text"
        ).fetchall()

    assert held == [
        ("anon", True),
        ("authenticated", True),
        ("authenticator", True),
        ("pg_create_subscription", False),
        ("pg_monitor", True),
        ("pg_read_all_data", True),
        ("pg_signal_backend", True),
        ("service_role", True),
        ("supabase_realtime_admin", False),
    ]


def test_owner_may_switch_triggers_off(supabase: SupabaseLike) -> None:
    for entrance in (supabase.direct, supabase.session, supabase.transaction):
        with entrance.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")


def test_keeps_schemas_of_its_own(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection:
        schemas = connection.execute(
            "SELECT nspname, nspowner::regrole::text FROM pg_namespace "
            "WHERE nspname !~ '^(pg_(toast|temp)|information_schema|pg_catalog)' "
            "ORDER BY nspname"
        ).fetchall()
        assert schemas == [
            ("auth", "supabase_admin"),
            ("extensions", "postgres"),
            ("graphql", "supabase_admin"),
            ("graphql_public", "supabase_admin"),
            ("pgbouncer", "pgbouncer"),
            ("public", "pg_database_owner"),
            ("realtime", "supabase_admin"),
            ("storage", "supabase_admin"),
            ("supabase_functions", "supabase_admin"),
            ("supabase_migrations", "postgres"),
            ("vault", "supabase_admin"),
        ]
        assert row(connection, "SELECT count(*) FROM auth.users") == (2,)
        assert row(connection, "SELECT count(*) FROM storage.objects") == (2,)
        with pytest.raises(errors.InsufficientPrivilege, match="must be owner of table users"):
            connection.execute("ALTER TABLE auth.users ADD COLUMN note text")
        with pytest.raises(errors.InsufficientPrivilege, match="change default privileges"):
            connection.execute(
                "ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin IN SCHEMA public "
                "GRANT ALL ON TABLES TO anon"
            )
        with pytest.raises(errors.InsufficientPrivilege, match="must be owner of event trigger"):
            connection.execute("DROP EVENT TRIGGER pgrst_ddl_watch")
        assert connection.execute("SELECT pubname FROM pg_publication ORDER BY 1").fetchall() == [
            ("supabase_realtime",),
            ("supabase_realtime_messages_publication",),
        ]


def test_gives_what_is_made_in_public_to_the_api(supabase: SupabaseLike) -> None:
    with (
        supabase.session.connect() as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute("CREATE TABLE public.secret (id serial PRIMARY KEY)")
        connection.execute("CREATE FUNCTION public.tell() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        for role in ("anon", "authenticated", "service_role"):
            granted = connection.execute(
                "SELECT has_table_privilege(%(role)s, 'public.secret', 'SELECT, INSERT, DELETE'),"
                " has_sequence_privilege(%(role)s, 'public.secret_id_seq', 'UPDATE'),"
                " has_function_privilege(%(role)s, 'public.tell()', 'EXECUTE'),"
                " has_schema_privilege(%(role)s, 'public', 'USAGE')",
                {"role": role},
            ).fetchone()
            assert granted == (True, True, True, True), role


def test_statements_end(supabase: SupabaseLike) -> None:
    for entrance in (supabase.direct, supabase.session, supabase.transaction):
        with entrance.connect() as connection:
            assert row(connection, "SHOW statement_timeout") == ("2min",)
            assert row(connection, "SHOW max_connections") == ("60",)
    with supabase.direct.connect() as connection:
        assert row(connection, "SELECT rolconfig FROM pg_roles WHERE rolname = 'anon'") == (
            ["statement_timeout=3s"],
        )


def test_poolers_know_one_database_and_the_projects_user(supabase: SupabaseLike) -> None:
    with supabase.direct.connect() as connection:
        connection.execute("CREATE DATABASE made")
        with supabase.direct.connect(dbname="made") as made:
            assert row(made, "SELECT current_database()") == ("made",)
        for entrance in (supabase.session, supabase.transaction):
            with pytest.raises(psycopg.OperationalError, match="no such database: made"):
                entrance.connect(dbname="made")
            with pytest.raises(psycopg.OperationalError, match="authentication failed"):
                entrance.connect(user="postgres")
            with entrance.connect() as pooled:
                assert row(pooled, "SELECT current_user::text") == ("postgres",)
        connection.execute("DROP DATABASE made")


def test_poolers_ignore_startup_options(supabase: SupabaseLike) -> None:
    with supabase.direct.connect(options="-c work_mem=7MB") as connection:
        assert row(connection, "SHOW work_mem") == ("7MB",)
    for entrance in (supabase.session, supabase.transaction):
        with entrance.connect(options="-c work_mem=7MB") as connection:
            assert row(connection, "SHOW work_mem") == ("4MB",)


def test_session_pooler_forgets_what_a_client_has_set(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection:
        connection.execute("SET work_mem = '7MB'")
        served = process(connection)
        assert row(connection, "SHOW work_mem") == ("7MB",)
    with supabase.session.connect() as connection:
        assert process(connection) == served
        assert row(connection, "SHOW work_mem") == ("4MB",)


def test_session_pooler_has_15_places(supabase: SupabaseLike) -> None:
    with ExitStack() as stack:
        for _ in range(SESSION_PLACES):
            last = stack.enter_context(supabase.session.connect())
            last.execute("SELECT 1")
        late = stack.enter_context(closing(supabase.session.connect()))
        late.pgconn.send_query(b"SELECT 1")
        assert select.select([late], [], [], 0.3)[0] == []
        last.close()
        assert select.select([late], [], [], 30)[0] == [late]


def test_transaction_pooler_mixes_prepared_statements_up(supabase: SupabaseLike) -> None:
    with (
        supabase.transaction.connect(prepare_threshold=0) as first,
        supabase.transaction.connect(prepare_threshold=0) as second,
    ):
        first.execute("SELECT 1")
        with pytest.raises(errors.DuplicatePreparedStatement, match='"_pg3_0" already exists'):
            second.execute("SELECT 2")
        first.execute("DEALLOCATE ALL")


def test_takes_plaintext_unless_tls_is_enforced(
    docker_client: docker.DockerClient, supabase: SupabaseLike, tmp_path: Path
) -> None:
    for entrance in (supabase.direct, supabase.session, supabase.transaction):
        with entrance.connect(sslmode="disable") as connection:
            assert not connection.pgconn.ssl_in_use
    with supabase_like.running(docker_client, tmp_path, enforced=True) as enforced:
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry.*no encryption"):
            enforced.direct.connect(sslmode="disable")
        for entrance in (enforced.session, enforced.transaction):
            with pytest.raises(psycopg.OperationalError, match="SSL required"):
                entrance.connect(sslmode="disable")
            with entrance.connect() as connection:
                assert connection.pgconn.ssl_in_use
