"""What a database holds, read from its catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from psycopg import sql

from infra.postgres.connection import Connection

_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Extension:
    """An installed extension."""

    name: str
    version: str
    schema: str


@dataclass(frozen=True)
class Facts:
    """What a dump must know of the database it is taken from."""

    server_version: int
    encoding: str
    collation: str
    size: int
    extensions: tuple[Extension, ...]
    job_owners: tuple[str, ...]

    @property
    def major(self) -> int:
        """Return the server's major version."""
        return self.server_version // 10000

    @property
    def timescaledb(self) -> Extension | None:
        """Return the TimescaleDB extension, if it is installed."""
        return next((found for found in self.extensions if found.name == "timescaledb"), None)


def facts(connection: Connection) -> Facts:
    """Read the facts of the connected database; its size in bytes."""
    version, encoding, collation, size = _row(
        connection,
        "SELECT pg_catalog.current_setting('server_version_num')::int, "
        "pg_catalog.pg_encoding_to_char(encoding), datcollate, "
        "pg_catalog.pg_database_size(oid) "
        "FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
    )
    extensions = tuple(
        Extension(*row) for row in connection.execute(_statement("extensions")).fetchall()
    )
    return Facts(
        int(str(version)),
        str(encoding),
        str(collation),
        int(str(size)),
        extensions,
        _job_owners(connection),
    )


def tables(connection: Connection) -> list[tuple[str, str]]:
    """List the schema and name of each table that holds somebody's rows."""
    return [
        (str(schema), str(name))
        for schema, name in connection.execute(_statement("tables")).fetchall()
    ]


def row_count(connection: Connection, schema: str, table: str) -> int:
    """Count the rows a reader sees, those in chunks and partitions included."""
    query = sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def hypertables(connection: Connection) -> dict[tuple[str, str], int]:
    """Count the chunks of each hypertable; empty without TimescaleDB."""
    if not _exists(connection, "timescaledb_information.hypertables"):
        return {}
    rows = connection.execute(_statement("hypertables")).fetchall()
    return {(str(schema), str(name)): int(chunks) for schema, name, chunks in rows}


def _job_owners(connection: Connection) -> tuple[str, ...]:
    # The table moved to another schema in TimescaleDB 2.25.
    for schema in ("_timescaledb_config", "_timescaledb_catalog"):
        if _exists(connection, f"{schema}.bgw_job"):
            query = sql.SQL(
                "SELECT DISTINCT owner::pg_catalog.text FROM {} WHERE id >= 1000 ORDER BY 1"
            ).format(sql.Identifier(schema, "bgw_job"))
            return tuple(owner for (owner,) in connection.execute(query).fetchall())
    return ()


def _exists(connection: Connection, relation: str) -> bool:
    (found,) = _row(connection, "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", relation)
    return bool(found)


def _statement(name: str) -> LiteralString:
    # The files are part of the program, so their text is as literal as this line.
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def _row(connection: Connection, query: LiteralString, *values: object) -> tuple[object, ...]:
    row = connection.execute(query, values).fetchone()
    return tuple(row) if row else ()
