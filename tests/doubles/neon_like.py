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
- Sleep, when the test says so: sessions end with 57P01, what the pooler's clients see is a closed
  connection. The next connections find no compute, as often as the test wants, and then one is
  slow, because it wakes the server.
- Idle transactions end after 5 minutes; 104 connections, 7 of them reserved.

It does not model: routing by SNI, and with it "Endpoint ID is not specified" (see front.py) and
host names with `-pooler`: the pooled port is another port of the same host; a public authority;
Neon's proxy, who says "password authentication failed" where PgBouncer says "SASL authentication
failed", and binds channels; TimescaleDB at Neon's version; event triggers by the owner; passwords
that are too weak; the extension `neon`; falling asleep by itself; branches, plans, limits of
storage.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import docker
from docker.models.containers import Container
from psycopg import sql

from tests.doubles import server
from tests.doubles.certificates import Authority
from tests.doubles.front import COMPUTE_NOT_REACHED, Front, nobody
from tests.doubles.gate import Gate
from tests.doubles.server import Connection, Entrance, Server
from tests.fixtures.checkout import ALL_CHARACTERS

OWNER = "neondb_owner"
DATABASE = "neondb"
_POOL_SIZE = 4
_SECONDS_TO_WAKE = 0.5

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


class Compute:
    """The server, which sleeps and is woken by whoever comes."""

    def __init__(self, base: Server, pooler_port: int) -> None:
        self.server = base
        self._pooler_port = pooler_port
        self._lock = threading.Lock()
        self._asleep = False
        self._refusals = 0

    def sleep(self, refusals: int) -> None:
        """End every session; after so many refusals, the next connection wakes the server."""
        with self._lock:
            self.server.container.stop()
            self._asleep = True
            self._refusals = refusals

    def way_in(self, awake: int, refusing: int) -> int:
        """Return which of two ports is for the next connection, once it can be served there."""
        with self._lock:
            if self._refusals:
                self._refusals -= 1
                return refusing
            if self._asleep:
                time.sleep(_SECONDS_TO_WAKE)
                self.server.start_again()
                self.server.run_pooler(self._pooler_port)
                self._asleep = False
        return awake


@dataclass(frozen=True)
class NeonLike:
    """A running server: `port` is the direct one, `pool_port` the transaction pooler's."""

    compute: Compute
    host: str
    port: int
    pool_port: int
    ca: Path
    password: str = ALL_CHARACTERS
    owner: str = OWNER
    database: str = DATABASE

    @property
    def container(self) -> Container:
        """Return the container that PostgreSQL and PgBouncer run in."""
        return self.compute.server.container

    @property
    def direct(self) -> Entrance:
        """Return the owner's way in past the pooler."""
        return Entrance(self.host, self.port, self.owner, self.password, self.database, self.ca)

    @property
    def pooled(self) -> Entrance:
        """Return the owner's way in through the pooler."""
        return replace(self.direct, port=self.pool_port)

    @property
    def settings(self) -> dict[str, str]:
        """Return what `.env` says where this server is the target `neon`."""
        return {**self.direct.settings, "NEON_DB_POOL_PORT": str(self.pool_port)}

    def connect(self, database: str = DATABASE) -> Connection:
        """Connect as the superuser, past the pooler and without waking anybody."""
        return self.compute.server.connect(database)

    def sleep(self, *, refusals: int = 0) -> None:
        """End every session; after so many refusals, the next connection wakes the server."""
        self.compute.sleep(refusals)


@contextmanager
def running(client: docker.DockerClient, folder: Path) -> Iterator[NeonLike]:
    """Run such a server until the block ends; its authority's certificate is put into `folder`."""
    authority = Authority(folder / "neon-like-ca.pem", server.address(client), "localhost")
    certificate = authority.issue()
    assert certificate is not None
    refusing = Front(certificate=certificate.context(), rule=nobody(COMPUTE_NOT_REACHED))
    with (
        refusing,
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
        ) as base,
    ):
        base.trust_extensions("vector", "pg_stat_statements", "dblink", "postgres_fdw")
        _furnish(base)
        pooler_port = server.free_port()
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
        compute = Compute(base, pooler_port)
        direct = Gate(partial(compute.way_in, base.port, refusing.port))
        pooled = Gate(partial(compute.way_in, pooler_port, refusing.port))
        with direct, pooled:
            yield NeonLike(compute, base.host, direct.port, pooled.port, authority.file)


def _furnish(base: Server) -> None:
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
