"""Everything a database holds besides rows, in a form that two databases are compared in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from psycopg import sql

from infra.postgres import shared_database
from infra.postgres.connection import Connection

_SQL = Path(__file__).parent / "sql"

# So many sequences are read by one statement.
_BATCH = 500
_UNREADABLE: dict[str, Any] = {"last_value": None, "is_called": None, "unreadable": True}

# Literals and quoted names are matched as a whole, so that nothing is taken out of them.
_QUALIFIERS = re.compile(
    r"""('(?:[^']|'')*')|(?:(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)\.)+|("(?:[^"]|"")*")"""
)

_NAME = r'(?:"(?:[^"]|"")*"|[^" .]+)'
# The table stands behind the index's own name, which may hold any of these words.
_INDEX = re.compile(rf"^(CREATE (?:UNIQUE )?INDEX {_NAME} ON )(?:ONLY )?({_NAME}\.{_NAME}) ")


@dataclass(frozen=True)
class DatabaseObject:
    """One object: kind and name identify it, the properties are JSON values."""

    kind: str
    name: str
    properties: dict[str, Any]


def read(connection: Connection) -> tuple[DatabaseObject, ...]:
    """Read every object that somebody made, in order of kind and name.

    Texts depend on search_path, TimeZone, DateStyle and IntervalStyle: whoever compares pins them.
    """
    return tuple(sorted(_read(connection), key=lambda found: (found.kind, found.name)))


def unqualified(definition: str) -> str:
    """Return a view's definition with the last part of each name only.

    PostgreSQL 16 began to leave out the table where a query has one table; before that it said
    it before each column.
    """
    return _QUALIFIERS.sub(lambda match: match[1] or match[2] or "", definition)


def on_all(index: str) -> str:
    """Return an index's definition for a table with all its partitions."""
    return _INDEX.sub(r"\1\2 ", index)


def indexed(index: str) -> str:
    """Return the table in an index's definition, as it is printed."""
    match = _INDEX.match(index)
    return match[2] if match else ""


def _read(connection: Connection) -> Iterator[DatabaseObject]:
    if shared_database.schemas(connection):
        # Some of the rest is its affair then, on either side of a comparison.
        yield DatabaseObject("platform", "", {})
    timescaledb = _has_timescaledb(connection)
    basis = _basis(timescaledb=timescaledb)
    states = _sequence_states(connection, basis)
    for path in (_SQL / "objects").glob("*.sql"):
        kind = path.stem.replace("_", " ")
        for name, properties in connection.execute(basis + _text(path)):
            more = states.get(name, _UNREADABLE) if kind == "sequence" else {}
            yield DatabaseObject(kind, name, properties | more)
    if timescaledb:
        functions = _functions_schema(connection)
        for path in (_SQL / "objects" / "timescaledb").glob("*.sql"):
            query = sql.SQL(basis + _text(path)).format(functions=functions)
            for name, properties in connection.execute(query):
                yield DatabaseObject(path.stem.replace("_", " "), name, properties)


def _sequence_states(connection: Connection, basis: LiteralString) -> dict[str, dict[str, Any]]:
    """Ask the sequences themselves; those that the role may not read are missing."""
    query = basis + _text(_SQL / "readable_sequences.sql")
    readable = connection.execute(query).fetchall()
    states = {}
    for start in range(0, len(readable), _BATCH):
        statement = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, last_value, is_called FROM {}").format(
                sql.Literal(name), sql.Identifier(schema, relation)
            )
            for name, schema, relation in readable[start : start + _BATCH]
        )
        for name, last_value, is_called in connection.execute(statement):
            states[name] = {"last_value": last_value, "is_called": is_called}
    return states


def _has_timescaledb(connection: Connection) -> bool:
    # Asked of the extension: anybody can make a view with the name of one of its own.
    query = "SELECT FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'"
    return connection.execute(query).rowcount == 1


def _functions_schema(connection: Connection) -> sql.Identifier:
    # They moved in TimescaleDB 2.12.
    query = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = '_timescaledb_functions'"
    moved = connection.execute(query).rowcount == 1
    return sql.Identifier("_timescaledb_functions" if moved else "_timescaledb_internal")


def _basis(*, timescaledb: bool) -> LiteralString:
    chunks = _text(_SQL / ("chunks.sql" if timescaledb else "no_chunks.sql"))
    return "WITH " + _text(_SQL / "platform.sql") + chunks + _text(_SQL / "own_objects.sql")


def _text(path: Path) -> LiteralString:
    # The files are part of the program, so their text is as literal as this line.
    return path.read_text(encoding="utf-8")
