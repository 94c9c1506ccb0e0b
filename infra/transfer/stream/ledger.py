"""The ledger: which rows have arrived, kept in the staging database itself.

A unit is noted in the transaction that brings its rows, so after any kill, cut or crash the notes
are true. The notes go live with the database and are dropped at once: dropped before the swap, they
would be missed by whoever goes on after a kill in between.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from backend.config import Endpoint
from infra.postgres import inventory
from infra.postgres.connection import Connection, connect
from infra.transfer.receipt import Receipt
from infra.transfer.stream.units import Unit

SCHEMA = "slipway_stream"

_TABLES = """
CREATE SCHEMA IF NOT EXISTS slipway_stream;
CREATE TABLE slipway_stream.origin (value pg_catalog.jsonb NOT NULL, receipt pg_catalog.jsonb);
CREATE TABLE slipway_stream.unit (
  key pg_catalog.text PRIMARY KEY, rows pg_catalog.int8 NOT NULL, digest numeric NOT NULL);
"""


def begin(connection: Connection, origin: dict[str, Any]) -> None:
    """Make the ledger once the schema is complete; `origin` tells one transfer from another."""
    with connection.transaction():
        connection.execute(_TABLES)
        connection.execute(
            "INSERT INTO slipway_stream.origin VALUES (%s::pg_catalog.jsonb)",
            [json.dumps(origin)],
        )


def origin(connection: Connection) -> dict[str, Any] | None:
    """Return what the ledger was begun with; None where there is none."""
    if not inventory.exists(connection, "slipway_stream.origin"):
        return None
    rows = inventory.query(connection, "SELECT value FROM slipway_stream.origin")
    return rows[0][0] if rows else None


def noted(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return rows and digest of every unit that has arrived, by its key."""
    return {
        key: (int(rows), int(digest))
        for key, rows, digest in inventory.query(
            connection, "SELECT key, rows, digest FROM slipway_stream.unit"
        )
    }


def note(unit: Unit) -> sql.Composable:
    """Write the statement that notes a unit, for the transaction that brings its rows."""
    return sql.SQL(
        "INSERT INTO slipway_stream.unit VALUES ({}, {}, {}) "
        "ON CONFLICT (key) DO UPDATE SET rows = excluded.rows, digest = excluded.digest"
    ).format(sql.Literal(unit.key), sql.Literal(unit.rows), sql.Literal(unit.digest))


def forget(connection: Connection, table: sql.Identifier, keys: list[str]) -> None:
    """Empty a table whose units share it, and forget that they had arrived."""
    with connection.transaction():
        connection.execute(sql.SQL("TRUNCATE {}").format(table))
        connection.execute("DELETE FROM slipway_stream.unit WHERE key = ANY(%s)", [keys])


def complete(connection: Connection, receipt: Receipt) -> None:
    """Note that all rows are there, those that the receipt tells of; no more are brought."""
    connection.execute(
        "UPDATE slipway_stream.origin SET receipt = %s::pg_catalog.jsonb",
        [json.dumps(receipt.as_json())],
    )


def completed(connection: Connection) -> Receipt | None:
    """Return the receipt of the rows that are all there; None while some are missing."""
    found = inventory.query(connection, "SELECT receipt FROM slipway_stream.origin")[0][0]
    return None if found is None else Receipt.from_json(found)


def drop_live(superuser: Endpoint) -> None:
    """Remove the ledger from the live database."""
    with connect(superuser, "target", autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS slipway_stream CASCADE")
