"""A server with the manners of Supabase. It is a test server and has nothing of Supabase's in it.

It models:
- PostgreSQL 17 without TimescaleDB, with pgvector. Extensions belong in the schema `extensions`.
- `postgres` is no superuser, but CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS, and may set
  session_replication_role. `supabase_admin` is the superuser.
- The vendor's roles, schemas, rows, event triggers and publications, none of them the owner's
  business: see supabase_like.sql. Default privileges give what is made in `public` to the API.
- TLS by a private authority; plaintext is taken too, unless the project enforces TLS.
- Three ports: direct for the user `postgres`, a session and a transaction pooler for the user
  `postgres.<ref>`. The session pooler has 15 places and discards what a session has set; the
  transaction pooler knows no prepared statements. Both ignore startup options and know no other
  database than `postgres`.
- Statements end after 2 minutes, those of `anon` after 3 seconds; 60 connections.

It does not model: Supavisor itself, its errors, bans (front.py has both) and pipelining, since the
poolers are PgBouncer, who calls a wrong password "SASL authentication failed" and passes the name
of the application on; other roles than `postgres` through the poolers; addresses that are IPv6
only; the dedicated pooler; what the server's extensions permit beyond the above, such as event
triggers by `postgres`; pg_cron, pg_net, pg_graphql and the vault's encryption; projects in which
tables are given to the API only when asked; a read-only disk; pausing.
"""

from __future__ import annotations

import secrets
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
from tests.doubles.server import Connection, Entrance, Server
from tests.fixtures.checkout import ALL_CHARACTERS

OWNER = "postgres"
DATABASE = "postgres"
SESSION_PLACES = 15
_TRANSACTION_PLACES = 4
_FURNITURE = Path(__file__).with_suffix(".sql")
# What its owner may create although PostgreSQL wants a superuser.
_EXTENSIONS = ("vector", "pg_stat_statements", "dblink", "postgres_fdw")


@dataclass(frozen=True)
class SupabaseLike:
    """A running server: `port` is the session pooler's, `pool_port` the transaction pooler's."""

    server: Server
    host: str
    port: int
    pool_port: int
    direct_port: int
    ca: Path
    ref: str
    password: str = ALL_CHARACTERS
    owner: str = OWNER
    database: str = DATABASE

    @property
    def container(self) -> Container:
        """Return the container that PostgreSQL and both PgBouncers run in."""
        return self.server.container

    @property
    def pool_user(self) -> str:
        """Return the owner's name at the poolers."""
        return f"{self.owner}.{self.ref}"

    @property
    def direct(self) -> Entrance:
        """Return the owner's way in past the poolers."""
        return Entrance(
            self.host, self.direct_port, self.owner, self.password, self.database, self.ca
        )

    @property
    def session(self) -> Entrance:
        """Return the owner's way in through the session pooler."""
        return replace(self.direct, port=self.port, user=self.pool_user)

    @property
    def transaction(self) -> Entrance:
        """Return the owner's way in through the transaction pooler."""
        return replace(self.direct, port=self.pool_port, user=self.pool_user)

    @property
    def settings(self) -> dict[str, str]:
        """Return what `.env` says where this server is the target `supabase`."""
        return {
            "SUPABASE_DB_HOST": self.host,
            "SUPABASE_DB_PORT": str(self.port),
            "SUPABASE_DB_NAME": self.database,
            "SUPABASE_DB_USER": self.pool_user,
            "SUPABASE_DB_PASSWORD": self.password,
            "SUPABASE_DB_SSLMODE": "verify-full",
            "SUPABASE_DB_SSLROOTCERT": str(self.ca),
            "SUPABASE_DB_POOL_HOST": self.host,
            "SUPABASE_DB_POOL_PORT": str(self.pool_port),
            "SUPABASE_DB_POOL_USER": self.pool_user,
        }

    def connect(self, database: str = DATABASE) -> Connection:
        """Connect as the superuser, past the poolers."""
        return self.server.connect(database)


@contextmanager
def running(
    client: docker.DockerClient, folder: Path, *, enforced: bool = False
) -> Iterator[SupabaseLike]:
    """Run such a server until the block ends; its authority's certificate is put into `folder`.

    An `enforced` one refuses plaintext.
    """
    authority = Authority(folder / "supabase-like-ca.pem", server.address(client), "localhost")
    certificate = authority.issue()
    with server.running(
        client,
        superuser="supabase_admin",
        certificate=certificate,
        accepts=server.TLS_ONLY if enforced else server.ANY_CONNECTION,
        shared_preload_libraries="pg_stat_statements",
        statement_timeout="2min",
        max_connections="60",
        wal_level="logical",
    ) as base:
        base.hide_extension("timescaledb")
        base.trust_extensions(*_EXTENSIONS)
        _furnish(base)
        double = SupabaseLike(
            base,
            base.host,
            port=server.free_port(),
            pool_port=server.free_port(),
            direct_port=base.port,
            ca=authority.file,
            ref=secrets.token_hex(10),
        )
        quoted = double.password.replace('"', '""')
        start_pooler = partial(
            base.start_pooler,
            databases={DATABASE: f"user={OWNER}"},
            certificate=certificate,
            files={"users": f'"{double.pool_user}" "{quoted}"\n'},
            auth_file="{folder}/users",
            client_tls_sslmode="require" if enforced else "prefer",
            ignore_startup_parameters="extra_float_digits,options",
            max_client_conn="200",
        )
        start_pooler(
            double.port,
            pool_mode="session",
            server_reset_query="DISCARD ALL",
            default_pool_size=str(SESSION_PLACES),
            query_wait_timeout="60",
        )
        start_pooler(
            double.pool_port,
            pool_mode="transaction",
            max_prepared_statements="0",
            default_pool_size=str(_TRANSACTION_PLACES),
        )
        yield double


def _furnish(base: Server) -> None:
    with base.connect() as connection:
        connection.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS PASSWORD {}"
            ).format(sql.Identifier(OWNER), sql.Literal(ALL_CHARACTERS))
        )
        connection.execute(_FURNITURE.read_bytes())
