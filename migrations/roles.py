"""Making the local database agree with `.env`: roles, passwords, database, ownership, grants.

It works over the server's unix socket, where the superuser needs no password, so that no password
that has changed in `.env` can lock anybody out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from backend.config import Config, Endpoint, Secret
from backend.errors import ConfigurationError, MigrationError
from backend.reachability import last_line
from migrations import catalog
from migrations.failures import busy
from migrations.grants import grant_application_role
from migrations.upgrade import LOCK_KEY

__all__ = ["grant", "grant_application_role", "reconcile"]

Connection = psycopg.Connection[TupleRow]

_SUPERUSER = "postgres"
# In its container the server listens there, whatever port the host publishes.
_PORT = 5432
# How long another migrator may take. Seconds.
_LOCK_TIMEOUT = 60

_LOGIN = sql.SQL("LOGIN NOSUPERUSER")
_LOGIN_ONLY = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")

# A statement that holds a password's verifier is not for the server's log.
_SILENCE = """
SELECT set_config('log_statement', 'none', true),
       set_config('log_min_error_statement', 'panic', true),
       set_config('log_min_duration_statement', '-1', true)
"""

_INTERRUPTED_SWAP = """
SELECT datname FROM pg_database
WHERE starts_with(datname, %(name)s || '__previous')
   OR starts_with(datname, %(name)s || '__staging')
ORDER BY datname
"""

# Loading the extension into a server that has not preloaded it ends the session.
_TIMESCALEDB_TO_COME = """
SELECT EXISTS (SELECT FROM pg_available_extensions
               WHERE name = 'timescaledb' AND installed_version IS NULL)
   AND 'timescaledb' = ANY (regexp_split_to_array(
         current_setting('shared_preload_libraries'), '\\s*,\\s*'))
"""


def reconcile(config: Config, socket_dir: Path) -> None:
    """Create or alter the roles, and what must belong to them; doing it again changes nothing.

    Raises ConfigurationError where names in `.env` collide, MigrationError for the rest.
    """
    owner, application = config.admin, config.app
    _check_names(owner.user, application.user)
    with _connect(socket_dir, "postgres") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        with connection.transaction():
            connection.execute(_SILENCE)
            _set_role(connection, owner.user, owner.password, _LOGIN)
            _set_role(connection, application.user, application.password, _LOGIN_ONLY)
            if config.superuser is not None:
                _set_role(connection, _SUPERUSER, config.superuser.password, sql.SQL(""))
        _set_database(connection, owner)
    with _connect(socket_dir, owner.database) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        connection.execute(
            sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(owner.user))
        )
        if _is_fresh(connection) and _one(connection, _TIMESCALEDB_TO_COME):
            connection.execute("CREATE EXTENSION timescaledb SCHEMA public")


def grant(config: Config, socket_dir: Path) -> None:
    """Give the application's role its rights in the database. Raises MigrationError."""
    with _connect(socket_dir, config.admin.database) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        grant_application_role(connection, config.admin.user, config.app.user)


def _check_names(owner: str, application: str) -> None:
    if owner == application:
        raise ConfigurationError(
            f'DB_OWNER_USER and DB_USER both name the role "{owner}"',
            "Give the application a role of its own, so that it cannot change the schema.",
        )
    for variable, name in (("DB_OWNER_USER", owner), ("DB_USER", application)):
        if name == _SUPERUSER:
            raise ConfigurationError(
                f'{variable} names the superuser "{name}"',
                "Choose another name: this role is made without a superuser's rights.",
            )


@contextmanager
def _connect(socket_dir: Path, database: str) -> Iterator[Connection]:
    try:
        connection = psycopg.connect(
            host=str(socket_dir), port=_PORT, user=_SUPERUSER, dbname=database, autocommit=True
        )
    except psycopg.OperationalError as error:
        raise MigrationError(
            f'database "{database}" cannot be reached on the socket in {socket_dir}:'
            f" {last_line(error)}",
            "Start the stack with `invoke up`; DB_SOCKET_DIR names the folder of the socket.",
        ) from error
    with connection:
        try:
            # A restored database is not trusted: with nothing but pg_catalog in the path, none of
            # its functions can stand in for a built-in one and run as superuser.
            connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, false),"
                " pg_catalog.set_config('search_path', '', false)",
                [f"{_LOCK_TIMEOUT}s"],
            )
            yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise busy(database, _LOCK_TIMEOUT) from error
        except psycopg.Error as error:
            message = error.diag.message_primary or last_line(error)
            raise MigrationError(
                f'roles of database "{database}" cannot be set up, SQLSTATE {error.sqlstate}:'
                f" {message}",
                "Correct the names in .env, or see the database's log with `invoke logs`.",
            ) from error


def _set_role(connection: Connection, name: str, password: Secret, options: sql.SQL) -> None:
    exists = _one(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", name)
    # libpq computes the verifier, so that the clear text never leaves this process.
    verifier = connection.pgconn.encrypt_password(
        password.reveal().encode(), name.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("{} ROLE {} {} PASSWORD {} VALID UNTIL 'infinity'").format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(name),
            options,
            sql.Literal(verifier.decode()),
        )
    )


def _set_database(connection: Connection, owner: Endpoint) -> None:
    names = {"database": sql.Identifier(owner.database), "owner": sql.Identifier(owner.user)}
    found = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [owner.database]
    ).fetchone()
    if found is None:
        _refuse_interrupted_swap(connection, owner.database)
        connection.execute(
            sql.SQL("CREATE DATABASE {database} OWNER {owner} TEMPLATE template0").format(**names)
        )
    elif found[0] != owner.user:
        connection.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {owner}").format(**names))


def _refuse_interrupted_swap(connection: Connection, database: str) -> None:
    leftovers = connection.execute(_INTERRUPTED_SWAP, {"name": database}).fetchall()
    if leftovers:
        raise MigrationError(
            f'database "{database}" is missing beside {", ".join(name for (name,) in leftovers)}:'
            " a swap was interrupted",
            "Run `invoke status` to see how to finish it or take it back; no empty database was"
            " put in its place.",
        )


def _is_fresh(connection: Connection) -> bool:
    return connection.execute(catalog.USER_RELATIONS).fetchone() is None


def _one(connection: Connection, statement: str, *parameters: str) -> bool:
    row = connection.execute(statement, parameters).fetchone()
    return row is not None and bool(row[0])
