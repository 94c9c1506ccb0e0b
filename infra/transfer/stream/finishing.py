"""The last steps of a load: sequences count on from where they were, views are filled."""

from __future__ import annotations

import psycopg
from psycopg import sql

from infra.postgres import inventory, names
from infra.postgres.connection import Connection
from infra.transfer.receipt import Receipt


def set_sequences(connection: Connection, receipt: Receipt) -> None:
    """Give every sequence the value that the receipt has."""
    known = {
        found.name: found.properties
        for found in receipt.of_kind("sequence")
        if found.properties.get("last_value") is not None
    }
    inventory.query(
        connection,
        "SELECT pg_catalog.setval(s.name::pg_catalog.regclass, s.value, s.called) "
        "FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]), "
        "pg_catalog.unnest(%s::pg_catalog.int8[]), pg_catalog.unnest(%s::pg_catalog.bool[])) "
        "s (name, value, called)",
        list(known),
        [found["last_value"] for found in known.values()],
        [found["is_called"] for found in known.values()],
    )


def refresh(connection: Connection, receipt: Receipt) -> None:
    """Fill the materialized views that were filled, those that others are made of first.

    Those that are filled already stay so: row security may hide rows from their owner by now.
    """
    wanted = [
        found.name
        for found in receipt.of_kind("materialized view")
        if found.properties["populated"]
    ]
    waiting = [
        str(name)
        for (name,) in inventory.query(
            connection,
            "SELECT v.name FROM pg_catalog.unnest(%s::pg_catalog.text[]) v (name) "
            "JOIN pg_catalog.pg_class c ON c.oid = v.name::pg_catalog.regclass "
            "WHERE NOT c.relispopulated",
            wanted,
        )
    ]
    while waiting:
        again = [name for name in waiting if not _refreshed(connection, name)]
        if len(again) == len(waiting):
            # It says itself what it is waiting for.
            connection.execute(_statement(again[0]))
        waiting = again


def _refreshed(connection: Connection, name: str) -> bool:
    try:
        connection.execute(_statement(name))
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return False  # It is made of one that is not filled yet.
    return True


def _statement(name: str) -> sql.Composed:
    return sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(*names.parts(name)))
