"""The neon-like double has the powers, limits and manners that it claims."""

from __future__ import annotations

import secrets
from pathlib import Path

import docker
import psycopg
import pytest
from psycopg import errors

from infra.settings import Images
from tests.doubles.neon_like import NeonLike
from tests.fixtures.servers import LABEL
from tests.fixtures.sessions import (
    LIMITED,
    POWERS,
    process,
    require_own_authority,
    require_ways_in,
    row,
)


def test_settings_are_the_ways_in(neon: NeonLike) -> None:
    require_ways_in(neon.settings, "NEON_DB")


def test_a_stranger_vouches_for_none_of_the_ways_in(neon: NeonLike, tmp_path: Path) -> None:
    require_own_authority(tmp_path, neon.direct, neon.pooled)


def test_client_tools_on_another_network_reach_the_same_address(
    docker_client: docker.DockerClient, images: Images, neon: NeonLike
) -> None:
    name = f"slipway-test-{secrets.token_hex(4)}"
    network = docker_client.networks.create(name, labels={LABEL: "1"})
    try:
        for port in (neon.port, neon.pool_port):
            shown = docker_client.containers.run(
                images.tools,
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


def test_owner_is_a_member_of_the_role_that_reads_and_writes_everything(
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


def test_owner_makes_databases_with_timescaledb_in_its_apache_edition(
    neon: NeonLike,
) -> None:
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


def test_dumps_carry_default_privileges_that_only_a_superuser_may_set(
    neon: NeonLike,
) -> None:
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


def test_limits(neon: NeonLike) -> None:
    with neon.direct.connect() as connection:
        shown = row(
            connection,
            "SELECT current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('max_connections'),"
            " current_setting('superuser_reserved_connections')",
        )

    assert shown == ("5min", "104", "7")


def test_takes_no_plaintext(neon: NeonLike) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry.*no encryption"):
        neon.direct.connect(sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        neon.pooled.connect(sslmode="disable")


def test_pooler_knows_prepared_statements_and_no_startup_options(neon: NeonLike) -> None:
    for _ in range(2):
        with neon.pooled.connect(prepare_threshold=0) as connection:
            for _ in range(3):
                connection.execute("SELECT 1")
    with pytest.raises(
        psycopg.OperationalError, match="unsupported startup parameter in options: search_path"
    ):
        neon.pooled.connect(options="-c search_path=public")


def test_pooler_gives_one_clients_settings_to_the_next(neon: NeonLike) -> None:
    with neon.pooled.connect() as first:
        first.execute("SET work_mem = '7MB'")
        served = process(first)
        with neon.pooled.connect() as second:
            assert row(second, "SHOW work_mem") == ("7MB",)
            assert process(second) == served
        first.execute("RESET work_mem")


def test_sleeps_and_wakes(neon: NeonLike) -> None:
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
