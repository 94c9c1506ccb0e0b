"""What a server says of itself and of the role that asks, read without writing anything."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from backend.pooling import Client, Pooling
from infra.postgres import inventory, role


@dataclass(frozen=True)
class Server:
    """The server as a session of this role finds it.

    Timeouts are in the server's own words, `0` for none; `transaction_timeout` is None before
    version 17. `role_limit` is how many sessions the role may have, if it has a limit of its own;
    `size` the database's, in bytes; `timescaledb_edition` None where no TimescaleDB is loaded.
    """

    version: str
    replica: bool
    read_only: bool
    statement_timeout: str
    lock_timeout: str
    idle_in_transaction_session_timeout: str
    transaction_timeout: str | None
    max_connections: int
    used_connections: int
    role_limit: int | None
    size: int
    timescaledb_edition: str | None


@dataclass(frozen=True)
class Powers:
    """What the role may do by PostgreSQL's rules; a pooler may know it by a longer name."""

    name: str
    superuser: bool
    creates_databases: bool
    creates_roles: bool
    bypasses_row_security: bool
    replicates: bool
    owns_database: bool
    creates_schemas: bool
    creates_in_public: bool
    signals_backends: bool


@dataclass(frozen=True)
class Extension:
    """An extension on offer; `installed` is the version in this database, if any."""

    name: str
    default: str
    installed: str | None


@dataclass(frozen=True)
class DefaultGrant:
    """What a role will be given of everything of a kind that `owner` makes."""

    grantee: str
    schema: str
    owner: str
    objects: str
    privileges: str


@dataclass(frozen=True)
class Facts:
    """Everything that is read; `room` is how many more sessions the role may open.

    `replication_role` tells whether it may set session_replication_role, `readable` are the tables
    that `anon` can read.
    """

    server: Server
    room: int
    powers: Powers
    replication_role: bool
    extensions: tuple[Extension, ...]
    default_grants: tuple[DefaultGrant, ...]
    readable: tuple[str, ...]


def read(client: Client, kind: Pooling) -> Facts:
    """Read the facts; no statement needs the session of another one."""
    connection = client.connection
    return Facts(
        Server(*inventory.rows(connection, "endpoint/server")[0]),
        role.room(connection),
        Powers(*inventory.rows(connection, "endpoint/role")[0]),
        _sets_replication_role(client, kind),
        tuple(Extension(*row) for row in inventory.rows(connection, "endpoint/extensions")),
        tuple(DefaultGrant(*row) for row in inventory.rows(connection, "endpoint/default_grants")),
        tuple(
            f"{schema}.{table}"
            for schema, table in inventory.rows(connection, "endpoint/readable_tables")
        ),
    )


def _sets_replication_role(client: Client, kind: Pooling) -> bool:
    """Try it: hosted servers let roles do it that PostgreSQL would not, and the other way round.

    The statement itself is tried where a transaction takes it back, as vendors judge statements.
    """
    try:
        if kind == "statement":
            client.ask(b"SELECT pg_catalog.set_config('session_replication_role', 'replica', true)")
        else:
            with client.connection.transaction(force_rollback=True):
                client.connection.execute("SET LOCAL session_replication_role = 'replica'")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
