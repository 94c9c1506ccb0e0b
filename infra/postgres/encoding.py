"""Bytes that are no UTF-8, in a database that was made without an encoding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection

ANY_BYTES = "SQL_ASCII"

# Where PostgreSQL keeps what people wrote: names, comments, functions, labels, definitions.
_DEFINITIONS: dict[str, tuple[LiteralString, LiteralString]] = {
    "a schema's name": ("pg_catalog.pg_namespace", "nspname::pg_catalog.text"),
    "a table's name": ("pg_catalog.pg_class", "relname::pg_catalog.text"),
    "a column's name": ("pg_catalog.pg_attribute", "attname::pg_catalog.text"),
    "a constraint's name": ("pg_catalog.pg_constraint", "conname::pg_catalog.text"),
    "a type's name": ("pg_catalog.pg_type", "typname::pg_catalog.text"),
    "a label of an enumeration": ("pg_catalog.pg_enum", "enumlabel::pg_catalog.text"),
    "a function's name": ("pg_catalog.pg_proc", "proname::pg_catalog.text"),
    "a function's body": ("pg_catalog.pg_proc", "prosrc"),
    "a column's default": (
        "pg_catalog.pg_attrdef",
        "pg_catalog.pg_get_expr(adbin, adrelid)",
    ),
    "a constraint": ("pg_catalog.pg_constraint", "pg_catalog.pg_get_constraintdef(oid)"),
    "a view": ("pg_catalog.pg_rewrite", "pg_catalog.pg_get_ruledef(oid)"),
    "a comment": ("pg_catalog.pg_description", "description"),
}


def first_invalid_definition(connection: Connection) -> str | None:
    """Say what kind of definition holds bytes that are no UTF-8, if any does."""
    for what, (catalog, text) in _DEFINITIONS.items():
        if not _valid(connection, sql.SQL("FROM {}").format(sql.SQL(catalog)), [sql.SQL(text)]):
            return what
    return None


def first_invalid_column(
    connection: Connection, hypertables: Sequence[int], left_out: Sequence[str]
) -> str | None:
    """Name the first column with bytes that are no UTF-8; reads all text there is."""
    columns: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for table, schema, name, column in inventory.rows(
        connection, "survey/text_columns", list(hypertables)
    ):
        if table not in left_out:
            columns[table, schema, name].append(column)
    for (table, schema, name), found in columns.items():
        source = sql.SQL("FROM {}").format(sql.Identifier(schema, name))
        texts = {
            column: sql.SQL("{}::pg_catalog.text").format(sql.Identifier(column))
            for column in found
        }
        # One pass tells whether there is any; only then is it worth a pass for each column.
        if not _valid(connection, source, list(texts.values())):
            return next(
                f"{table}.{column}"
                for column, text in texts.items()
                if not _valid(connection, source, [text])
            )
    return None


def _valid(connection: Connection, source: sql.Composable, texts: Sequence[sql.Composable]) -> bool:
    counts = sql.SQL(", ").join(
        sql.SQL(
            "pg_catalog.count(pg_catalog.convert_from(pg_catalog.textsend({}), 'UTF8'))"
        ).format(text)
        for text in texts
    )
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SELECT {} {}").format(counts, source))
    except psycopg.errors.CharacterNotInRepertoire:
        return False
    return True
