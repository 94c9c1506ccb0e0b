"""What a database holds, read from its catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

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
    extensions = tuple(Extension(*row) for row in with_platform(connection, "extensions"))
    return Facts(
        int(str(version)),
        str(encoding),
        str(collation),
        int(str(size)),
        extensions,
    )


def has_tables(connection: Connection) -> bool:
    """Tell whether the database holds any table of somebody's own."""
    return connection.execute(_statement("tables")).fetchone() is not None


def rows(connection: Connection, name: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one of the package's query files and return all rows."""
    return connection.execute(_statement(name), values or None).fetchall()


def with_platform(connection: Connection, *files: str) -> list[tuple[Any, ...]]:
    """Run a query that is written in several files and knows what a hosting platform keeps."""
    text = "".join(_statement(name) for name in ("platform", *files))
    return connection.execute("WITH " + text).fetchall()


def query(
    connection: Connection, statement: LiteralString, *values: object
) -> list[tuple[Any, ...]]:
    """Run a query and return all rows."""
    return connection.execute(statement, values or None).fetchall()


def exists(connection: Connection, relation: str) -> bool:
    """Tell whether a table or a view of that name is there."""
    (found,) = _row(connection, "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", relation)
    return bool(found)


def _statement(name: str) -> LiteralString:
    # The files are part of the program, so their text is as literal as this line.
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def _row(connection: Connection, query: LiteralString, *values: object) -> tuple[object, ...]:
    row = connection.execute(query, values).fetchone()
    return tuple(row) if row else ()
