"""Digests of rows: a 64-bit hash of each row, summed, so that the order of rows does not matter.

Every column is hashed with a seed of its own, the hashes are combined and mixed once more. Only
functions that PostgreSQL has had since version 11 are used, and none of the database's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from infra.postgres.connection import Connection

# What the text form of a value depends on. Parallel workers are ours, JIT pays for itself in no
# unit of work, and row-level security must fail a query instead of hiding rows from it.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}

# By the name of the built-in type. PostgreSQL's hash functions call equal what compares equal, and
# more: the one of numeric passes over sign and trailing zeros, that of floats over the sign of
# zero, and that of bigint, which is the timestamps' too, folds it to 32 bits. So a numeric is
# hashed as text, a zero by its angle, and a number is the 64-bit seed of a hash, not its argument.
# A moment is hashed as seconds in a float, which cannot tell neighbouring microseconds apart in
# remote centuries, and by the folded hash, which can.
_FORMS: dict[str, LiteralString] = {
    "bool": "hashint4extended({seed}, {value}::int4::int8)",
    "int2": "hashint4extended({seed}, {value}::int8)",
    "int4": "hashint4extended({seed}, {value}::int8)",
    "int8": "hashint4extended({seed}, {value})",
    "float4": "coalesce(hashfloat8extended(nullif({value}::float8, 0), {seed}),"
    " hashfloat8extended(atan2({value}::float8, -1), -{seed}))",
    "float8": "coalesce(hashfloat8extended(nullif({value}, 0), {seed}),"
    " hashfloat8extended(atan2({value}, -1), -{seed}))",
    "numeric": 'hashtextextended({value}::text COLLATE "C", {seed})',
    "timestamp": "hashfloat8extended(tsrange_subdiff({value}, '2000-01-01 00:00'),"
    " timestamp_hash_extended({value}, {seed}))",
    "timestamptz": "hashfloat8extended(tstzrange_subdiff({value}, '2000-01-01 00:00Z'),"
    " timestamp_hash_extended({value} AT TIME ZONE interval '0', {seed}))",
    "date": "hashfloat8extended(daterange_subdiff({value}, '2000-01-01'), {seed})",
    "time": "hashfloat8extended(tsrange_subdiff("
    "'2000-01-01'::date + {value}, '2000-01-01'), {seed})",
    "uuid": "uuid_hash_extended({value}, {seed})",
}
_STRINGS = {"text", "varchar"}


@dataclass(frozen=True)
class Column:
    """A column, the built-in type below its domain (empty for any other), and if it is filled."""

    name: str
    type: str
    base: str
    not_null: bool


def pin(connection: Connection) -> None:
    """Fix every setting of the session that a digest or a definition depends on."""
    for name, value in _SETTINGS.items():
        connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])


def row_hash(columns: Sequence[Column], *, recode: bool) -> sql.Composable:
    """Build the expression that hashes one row to 64 bits.

    `recode` hashes text by its UTF-8 bytes, for databases in another encoding: both sides of a
    comparison must agree on it.
    """
    if not columns:
        return sql.SQL("0::int8")
    hashes = [_column_hash(column, seed, recode=recode) for seed, column in enumerate(columns, 1)]
    return sql.SQL("hashint4extended({}, {})").format(
        sql.Literal(len(columns)), sql.SQL(" # ").join(hashes)
    )


def query(
    relations: Sequence[sql.Composable], columns: Sequence[Column], *, recode: bool
) -> sql.Composed:
    """Build the query for the row count and the digest, as text, of all relations together.

    A relation is what may stand behind FROM.
    """
    row = row_hash(columns, recode=recode)
    rows = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS hash FROM {}").format(row, relation) for relation in relations
    )
    return sql.SQL(
        "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(hash), 0)::pg_catalog.text FROM ({}) r"
    ).format(rows)


def _column_hash(column: Column, seed: int, *, recode: bool) -> sql.Composable:
    value = sql.Identifier(column.name)
    form = _FORMS.get(column.base)
    if form is not None:
        inner: sql.Composable = sql.SQL(form).format(value=value, seed=sql.Literal(seed))
    else:
        inner = _text_hash(value, seed, plain=column.base in _STRINGS, recode=recode)
    if column.not_null:
        return inner
    return sql.SQL("coalesce({}, {})").format(inner, sql.Literal(-seed))


def _text_hash(value: sql.Identifier, seed: int, *, plain: bool, recode: bool) -> sql.Composable:
    # `format` calls the type's output function; a cast to text might be one of the database's own.
    # It turns NULL into an empty string, so NULL is looked at first; a row of NULLs is no NULL.
    text: sql.Composable = value if plain else sql.SQL("format('%s', {})").format(value)
    if recode:
        text = sql.SQL("md5(convert_to({}, 'UTF8'))").format(text)
    hashed = sql.SQL('hashtextextended({}::text COLLATE "C", {})').format(text, sql.Literal(seed))
    if plain:
        return hashed
    return sql.SQL("CASE WHEN num_nulls({}) = 0 THEN {} END").format(value, hashed)
