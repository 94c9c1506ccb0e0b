"""The doubles of hosted servers have the powers, limits and manners that they claim."""

from __future__ import annotations

import secrets
import select
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import LiteralString

import docker
import psycopg
import pytest
from psycopg import errors

from tests.doubles import neon_like, supabase_like
from tests.doubles.neon_like import NeonLike
from tests.doubles.server import Connection
from tests.doubles.supabase_like import SESSION_PLACES, SupabaseLike
from tests.fixtures.servers import LABEL

POWERS = (
    "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls "
    "FROM pg_roles WHERE rolname = current_user"
)
LIMITED = (False, True, True, True, True)


@pytest.fixture(scope="module")
def neon(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NeonLike]:
    with neon_like.running(docker_client, tmp_path_factory.mktemp("neon-like")) as double:
        yield double


@pytest.fixture(scope="module")
def supabase(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SupabaseLike]:
    with supabase_like.running(docker_client, tmp_path_factory.mktemp("supabase-like")) as double:
        yield double


def row(connection: Connection, query: LiteralString) -> tuple[object, ...]:
    fetched = connection.execute(query).fetchone()
    assert fetched is not None
    return fetched


def process(connection: Connection) -> object:
    return row(connection, "SELECT pg_backend_pid()")[0]


# Both.


def test_settings_are_the_ways_in(neon: NeonLike, supabase: SupabaseLike) -> None:
    for settings, prefix in ((neon.settings, "NEON_DB"), (supabase.settings, "SUPABASE_DB")):
        for place in ("", "_POOL"):
            with psycopg.connect(
                host=settings[f"{prefix}{place}_HOST"],
                port=settings[f"{prefix}{place}_PORT"],
                user=settings[f"{prefix}{place}_USER"],
                password=settings[f"{prefix}_PASSWORD"],
                dbname=settings[f"{prefix}_NAME"],
                sslmode=settings[f"{prefix}_SSLMODE"],
                sslrootcert=settings[f"{prefix}_SSLROOTCERT"],
            ) as connection:
                assert row(connection, POWERS) == LIMITED
                assert connection.pgconn.ssl_in_use


def test_nobody_else_has_their_authority(neon: NeonLike, supabase: SupabaseLike) -> None:
    for entrance, other in (
        (neon.direct, supabase.ca),
        (neon.pooled, supabase.ca),
        (supabase.direct, neon.ca),
        (supabase.session, neon.ca),
        (supabase.transaction, neon.ca),
    ):
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            entrance.connect(sslrootcert=str(other))


def test_client_tools_on_another_network_reach_the_same_address(
    docker_client: docker.DockerClient, neon: NeonLike
) -> None:
    name = f"slipway-test-{secrets.token_hex(4)}"
    network = docker_client.networks.create(name, labels={LABEL: "1"})
    try:
        for port in (neon.port, neon.pool_port):
            shown = docker_client.containers.run(
                "slipway/tools:17",
                ["psql", "-XAtc", "SELECT current_user"],
                environment={
                    "PGHOST": neon.host,
                    "PGPORT": str(port),
                    "PGUSER": neon.owner,
                    "PGPASSWORD": neon.password,
                    "PGDATABASE": neon.database,
                    "PGSSLMODE": "verify-full",
                    "PGSSLROOTCERT": "/ca.pem",
                },
                labels={LABEL: "1"},
                network=name,
                remove=True,
                volumes={str(neon.ca): {"bind": "/ca.pem", "mode": "ro"}},
            )
            assert shown == f"{neon.owner}\n".encode()
    finally:
        network.remove()


# Neon-like.


def test_neon_owner_is_a_member_of_the_role_that_reads_and_writes_everything(
    neon: NeonLike,
) -> None:
    with neon.direct.connect() as connection:
        for role in (
            "neon_superuser",
            "pg_read_all_data",
            "pg_write_all_data",
            "pg_monitor",
            "pg_signal_backend",
            "pg_create_subscription",
        ):
            held = connection.execute("SELECT pg_has_role(%s, 'MEMBER')", [role]).fetchone()
            assert held == (True,), role
        with pytest.raises(errors.InsufficientPrivilege, match="session_replication_role"):
            connection.execute("SET session_replication_role = replica")


def test_neon_owner_makes_databases_with_timescaledb_in_its_apache_edition(neon: NeonLike) -> None:
    name = "made"
    with neon.direct.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with neon.direct.connect(dbname=name) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE EXTENSION vector")
        assert row(connection, "SHOW timescaledb.license") == ("apache",)
        connection.execute("CREATE TABLE tick (at timestamptz NOT NULL)")
        connection.execute("SELECT create_hypertable('tick', 'at')")
        with pytest.raises(errors.FeatureNotSupported, match='current "apache" license'):
            connection.execute("SELECT add_retention_policy('tick', interval '1 day')")
        with pytest.raises(errors.InsufficientPrivilege, match=r"timescaledb\.restoring"):
            connection.execute(f"ALTER DATABASE {name} SET timescaledb.restoring = on".encode())
    with neon.direct.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_neon_dumps_carry_default_privileges_that_only_a_superuser_may_set(neon: NeonLike) -> None:
    with neon.direct.connect() as connection:
        found = connection.execute(
            "SELECT DISTINCT defaclrole::regrole::text FROM pg_default_acl"
        ).fetchall()
        assert found == [("cloud_admin",)]
        with pytest.raises(errors.InsufficientPrivilege, match="change default privileges"):
            connection.execute(
                "ALTER DEFAULT PRIVILEGES FOR ROLE cloud_admin IN SCHEMA public "
                "GRANT ALL ON TABLES TO neon_superuser"
            )


def test_neon_limits(neon: NeonLike) -> None:
    with neon.direct.connect() as connection:
        shown = row(
            connection,
            "SELECT current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('max_connections'),"
            " current_setting('superuser_reserved_connections')",
        )

    assert shown == ("5min", "104", "7")


def test_neon_takes_no_plaintext(neon: NeonLike) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry.*no encryption"):
        neon.direct.connect(sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        neon.pooled.connect(sslmode="disable")


def test_neon_pooler_knows_prepared_statements_and_no_startup_options(neon: NeonLike) -> None:
    for _ in range(2):
        with neon.pooled.connect(prepare_threshold=0) as connection:
            for _ in range(3):
                connection.execute("SELECT 1")
    with pytest.raises(
        psycopg.OperationalError, match="unsupported startup parameter in options: search_path"
    ):
        neon.pooled.connect(options="-c search_path=public")


def test_neon_pooler_gives_one_clients_settings_to_the_next(neon: NeonLike) -> None:
    with neon.pooled.connect() as first:
        first.execute("SET work_mem = '7MB'")
        served = process(first)
        with neon.pooled.connect() as second:
            assert row(second, "SHOW work_mem") == ("7MB",)
            assert process(second) == served
        first.execute("RESET work_mem")


def test_neon_sleeps_and_wakes(neon: NeonLike) -> None:
    with neon.direct.connect() as direct, neon.pooled.connect() as pooled:
        assert row(pooled, "SELECT 1") == (1,)
        neon.sleep(refusals=1)
        with pytest.raises(errors.AdminShutdown):
            direct.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match=r"closed|EOF|eof"):
            pooled.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="Couldn't connect to compute node"):
        neon.pooled.connect()
    with neon.pooled.connect() as pooled, neon.direct.connect() as direct:
        assert row(pooled, POWERS) == row(direct, POWERS) == LIMITED


# Supabase-like.


def test_supabase_has_vector_and_no_timescaledb(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection:
        offered = connection.execute(
            "SELECT name FROM pg_available_extensions WHERE name IN ('timescaledb', 'vector')"
        ).fetchall()
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
        connection.execute("DROP EXTENSION vector")
        with pytest.raises(errors.InsufficientPrivilege, match="must be owner of extension"):
            connection.execute("COMMENT ON EXTENSION pgcrypto IS 'mine'")

    assert offered == [("vector",)]


def test_supabase_owner_may_switch_triggers_off(supabase: SupabaseLike) -> None:
    for entrance in (supabase.direct, supabase.session, supabase.transaction):
        with entrance.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")


def test_supabase_keeps_schemas_of_its_own(supabase: SupabaseLike) -> None:
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


def test_supabase_gives_what_is_made_in_public_to_the_api(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection, connection.transaction(force_rollback=True):
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


def test_supabase_statements_end(supabase: SupabaseLike) -> None:
    for entrance in (supabase.direct, supabase.session, supabase.transaction):
        with entrance.connect() as connection:
            assert row(connection, "SHOW statement_timeout") == ("2min",)
            assert row(connection, "SHOW max_connections") == ("60",)
    with supabase.direct.connect() as connection:
        assert row(connection, "SELECT rolconfig FROM pg_roles WHERE rolname = 'anon'") == (
            ["statement_timeout=3s"],
        )


def test_supabase_poolers_know_one_database_and_the_projects_user(supabase: SupabaseLike) -> None:
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


def test_supabase_poolers_ignore_startup_options(supabase: SupabaseLike) -> None:
    with supabase.direct.connect(options="-c work_mem=7MB") as connection:
        assert row(connection, "SHOW work_mem") == ("7MB",)
    for entrance in (supabase.session, supabase.transaction):
        with entrance.connect(options="-c work_mem=7MB") as connection:
            assert row(connection, "SHOW work_mem") == ("4MB",)


def test_supabase_session_pooler_forgets_what_a_client_has_set(supabase: SupabaseLike) -> None:
    with supabase.session.connect() as connection:
        connection.execute("SET work_mem = '7MB'")
        served = process(connection)
        assert row(connection, "SHOW work_mem") == ("7MB",)
    with supabase.session.connect() as connection:
        assert process(connection) == served
        assert row(connection, "SHOW work_mem") == ("4MB",)


def test_supabase_session_pooler_has_15_places(supabase: SupabaseLike) -> None:
    with ExitStack() as stack:
        for _ in range(SESSION_PLACES):
            last = stack.enter_context(supabase.session.connect())
            last.execute("SELECT 1")
        late = stack.enter_context(closing(supabase.session.connect()))
        late.pgconn.send_query(b"SELECT 1")
        assert select.select([late], [], [], 0.3)[0] == []
        last.close()
        assert select.select([late], [], [], 30)[0] == [late]


def test_supabase_transaction_pooler_mixes_prepared_statements_up(supabase: SupabaseLike) -> None:
    with (
        supabase.transaction.connect(prepare_threshold=0) as first,
        supabase.transaction.connect(prepare_threshold=0) as second,
    ):
        first.execute("SELECT 1")
        with pytest.raises(errors.DuplicatePreparedStatement, match='"_pg3_0" already exists'):
            second.execute("SELECT 2")
        first.execute("DEALLOCATE ALL")


def test_supabase_takes_plaintext_unless_tls_is_enforced(
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
