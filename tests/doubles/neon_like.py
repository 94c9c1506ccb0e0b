"""A server with the manners of Neon. It is a test server and has nothing of Neon's in it.

It models:
- PostgreSQL 17 with TimescaleDB in the Apache edition and pgvector, both trusted: the owner of a
  database creates them.
- An owner who is no superuser: CREATEDB, CREATEROLE, BYPASSRLS, REPLICATION, and member of a role
  that reads and writes everything, monitors and ends sessions. session_replication_role is closed.
- A superuser `cloud_admin` who owns the database `postgres` and whose default privileges are in
  every dump.
- TLS only, with a certificate of an authority that has to be named.
- A direct port, and a PgBouncer port in transaction mode with 1000 prepared statements, a small
  pool and no startup parameter but extra_float_digits.
- Sleep: sessions end with 57P01, what the pooler's clients see is a closed connection, and the next
  connection is slow, because it wakes the server.
- Idle transactions end after 5 minutes; 104 connections, 7 of them reserved.

It does not model: routing by SNI, and with it "Endpoint ID is not specified" and host names with
`-pooler` (the pooled port is another port of the same host); refusals while it wakes; a public
authority; TimescaleDB at Neon's version; event triggers by the owner; passwords that are too weak;
the schema and extension `neon`; branches, plans and storage limits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.models.containers import Container
from psycopg import sql

from tests.doubles import server
from tests.doubles.certificates import Authority
from tests.doubles.gate import Gate
from tests.fixtures.checkout import ALL_CHARACTERS

OWNER = "neondb_owner"
DATABASE = "neondb"
_POOL_SIZE = 4

_SHARED_ROLE = """
CREATE ROLE neon_superuser NOLOGIN CREATEDB CREATEROLE BYPASSRLS REPLICATION;
GRANT pg_read_all_data, pg_write_all_data, pg_create_subscription TO neon_superuser;
GRANT pg_monitor, pg_signal_backend TO neon_superuser WITH ADMIN OPTION;
"""
# In each database, as superuser: they are in its dumps, and only he may take them back.
_DEFAULT_PRIVILEGES = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT ALL ON TABLES TO neon_superuser WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT ALL ON SEQUENCES TO neon_superuser WITH GRANT OPTION;
"""


@dataclass
class NeonLike:
    """A running server: `port` is the direct one, `pool_port` the transaction pooler's."""

    container: Container
    host: str
    port: int
    pool_port: int
    ca: Path
    password: str
    _server: server.Server
    _pooler_port: int
    owner: str = OWNER
    database: str = DATABASE
    wake_seconds: float = 0.5
    _asleep: bool = False
    _waking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> dict[str, str]:
        """Return what `.env` says where this server is the target `neon`."""
        return {
            "NEON_DB_HOST": self.host,
            "NEON_DB_PORT": str(self.port),
            "NEON_DB_NAME": self.database,
            "NEON_DB_USER": self.owner,
            "NEON_DB_PASSWORD": self.password,
            "NEON_DB_SSLMODE": "verify-full",
            "NEON_DB_SSLROOTCERT": str(self.ca),
            "NEON_DB_POOL_HOST": self.host,
            "NEON_DB_POOL_PORT": str(self.pool_port),
            "NEON_DB_POOL_USER": self.owner,
        }

    def connect(self, database: str = DATABASE) -> server.Connection:
        """Connect as the superuser, past the pooler and without waking anybody."""
        return self._server.connect(database)

    def sleep(self) -> None:
        """End every session; the next connection wakes the server and waits for that."""
        with self._waking:
            self.container.stop()
            self._asleep = True

    def wake(self) -> None:
        """Be awake when this returns."""
        with self._waking:
            if self._asleep:
                time.sleep(self.wake_seconds)
                self._server.start_again()
                self._server.run_pooler(self._pooler_port)
                self._asleep = False


@contextmanager
def running(client: docker.DockerClient, folder: Path) -> Iterator[NeonLike]:
    """Run such a server until the block ends; its authority's certificate is put into `folder`."""
    authority = Authority(folder / "neon-like-ca.pem", server.address(client), "localhost")
    certificate = authority.issue()
    with ExitStack() as stack:
        base = stack.enter_context(
            server.running(
                client,
                superuser="cloud_admin",
                certificate=certificate,
                accepts=server.TLS_ONLY,
                shared_preload_libraries="timescaledb",
                **{"timescaledb.telemetry_level": "off"},
                idle_in_transaction_session_timeout="5min",
                client_connection_check_interval="60s",
                max_connections="104",
                superuser_reserved_connections="7",
            )
        )
        pooler_port = server.free_port()
        double = NeonLike(
            base.container,
            base.host,
            port=0,
            pool_port=0,
            ca=authority.file,
            password=ALL_CHARACTERS,
            _server=base,
            _pooler_port=pooler_port,
        )
        base.trust_extensions("vector", "pg_stat_statements", "dblink", "postgres_fdw")
        _furnish(base)
        base.start_pooler(
            pooler_port,
            {"*": ""},
            certificate=certificate,
            pool_mode="transaction",
            max_prepared_statements="1000",
            default_pool_size=str(_POOL_SIZE),
            max_client_conn="1000",
            query_wait_timeout="120",
            ignore_startup_parameters="extra_float_digits",
            auth_user="cloud_admin",
            auth_dbname="postgres",
            auth_query="SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
        )
        double.port = stack.enter_context(Gate(base.port, double.wake)).port
        double.pool_port = stack.enter_context(Gate(pooler_port, double.wake)).port
        yield double


def _furnish(base: server.Server) -> None:
    with base.connect() as connection:
        connection.execute(_SHARED_ROLE)
        connection.execute(_DEFAULT_PRIVILEGES)
        connection.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN CREATEDB CREATEROLE BYPASSRLS REPLICATION PASSWORD {} "
                "IN ROLE neon_superuser"
            ).format(sql.Identifier(OWNER), sql.Literal(ALL_CHARACTERS))
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(DATABASE), sql.Identifier(OWNER)
            )
        )
    with base.connect(DATABASE) as connection:
        connection.execute(_DEFAULT_PRIVILEGES)
