"""The data set of the transfers: ticks in chunks of a day, orders with five indexes, symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from infra.postgres.connection import Connection

# Twenty million ticks lie in so many chunks of a day.
CHUNKS = 61
# So many orders for each tick.
ORDERS = 0.3
# A hypertable locks all chunks that one transaction writes into.
_CHUNKS_AT_ONCE = 100

TABLES: LiteralString = """
CREATE TABLE public.symbols (symbol text NOT NULL, name text NOT NULL);
CREATE TABLE public.ticks (
  ts timestamptz NOT NULL, symbol text NOT NULL, bid float8 NOT NULL, ask float8 NOT NULL,
  last float8, volume float8);
CREATE TABLE public.orders (
  id bigint NOT NULL, symbol text NOT NULL, account int NOT NULL, placed timestamptz NOT NULL,
  side text NOT NULL, quantity int NOT NULL, price float8 NOT NULL, status text NOT NULL);
"""
HYPERTABLE: LiteralString = (
    "SELECT public.create_hypertable('public.ticks', 'ts', "
    "create_default_indexes => false, chunk_time_interval => interval '1 day')"
)
# The largest first.
INDEXES: tuple[LiteralString, ...] = (
    "CREATE INDEX ticks_symbol_ts_idx ON public.ticks (symbol, ts DESC)",
    "CREATE INDEX ticks_ts_idx ON public.ticks (ts DESC)",
    "CREATE INDEX orders_symbol_placed_idx ON public.orders (symbol, placed)",
    "CREATE INDEX orders_status_placed_idx ON public.orders (status, placed)",
    "ALTER TABLE public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id)",
    "CREATE INDEX orders_placed_idx ON public.orders (placed)",
    "CREATE INDEX orders_account_idx ON public.orders (account)",
    "ALTER TABLE public.symbols ADD CONSTRAINT symbols_pkey PRIMARY KEY (symbol)",
)
FOREIGN_KEYS: tuple[LiteralString, ...] = (
    (
        "ALTER TABLE public.orders ADD CONSTRAINT orders_symbol_fkey "
        "FOREIGN KEY (symbol) REFERENCES public.symbols (symbol)"
    ),
)

_SYMBOLS: LiteralString = """
INSERT INTO public.symbols
SELECT 'SYM' || lpad(i::text, 3, '0'), 'Instrument ' || i FROM generate_series(0, 49) i
"""
_TICKS: LiteralString = """
INSERT INTO public.ticks
SELECT '2026-01-01Z'::timestamptz + make_interval(secs => i * 86400.0 * {chunks} / {rows}),
  'SYM' || lpad((i % 50)::text, 3, '0'), 100 + p, 100.0005 + p, 100.0002 + p, i % 1000 / 10.0
FROM generate_series({first}::int8, {last}::int8) i,
  LATERAL (SELECT i * 7919 % 10007 / 100000.0 AS p) price
"""
_ORDERS: LiteralString = """
INSERT INTO public.orders
SELECT i, 'SYM' || lpad((i * 31 % 50)::text, 3, '0'), i * 7919 % 10007,
  '2026-01-01Z'::timestamptz + make_interval(secs => i * 86400.0 * {chunks} / {rows}),
  CASE i % 2 WHEN 0 THEN 'buy' ELSE 'sell' END, 1 + i % 500, 100 + i * 104729 % 10007 / 100.0,
  (ARRAY['new', 'filled', 'cancelled'])[1 + i % 3]
FROM generate_series(1, {rows}::int8) i
"""
_CONTENT: LiteralString = """
SELECT (SELECT count(*) FROM public.ticks), (SELECT count(*) FROM public.orders),
  (SELECT count(*) FROM public.symbols),
  (SELECT count(*) FROM pg_index WHERE indrelid = ANY (own)),
  (SELECT count(*) FROM pg_constraint WHERE conrelid = ANY (own) AND contype IN ('p', 'u', 'f'))
FROM (SELECT ARRAY['public.ticks'::regclass, 'public.orders', 'public.symbols'] AS own) tables
"""
_CHUNK_NAMES: LiteralString = """
SELECT range_start, format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
WHERE hypertable_name = 'ticks' ORDER BY range_start
"""


@dataclass(frozen=True)
class Content:
    """What is in a database: rows of the three tables, and their indexes and keys."""

    ticks: int
    orders: int
    symbols: int
    indexes: int
    keys: int

    def missing(self, expected: Content) -> str:
        """Say what differs from another content; empty where nothing does."""
        return ", ".join(
            f"{found} of {wanted} {name}"
            for name, found in vars(self).items()
            if found != (wanted := vars(expected)[name])
        )


def fill(session: Connection, *, ticks: int, orders: int, chunks: int, hypertable: bool) -> None:
    """Make all of it; the connection is in autocommit."""
    session.execute(TABLES)
    if hypertable:
        session.execute(HYPERTABLE)
    session.execute(_SYMBOLS)
    step = max(1, ticks * _CHUNKS_AT_ONCE // chunks)
    for first in range(0, ticks, step):
        last = min(first + step, ticks) - 1
        session.execute(sql.SQL(_TICKS).format(rows=ticks, chunks=chunks, first=first, last=last))
    session.execute(sql.SQL(_ORDERS).format(rows=orders, chunks=chunks))
    for statement in (*INDEXES, *FOREIGN_KEYS):
        session.execute(statement)
    # All rows are visible to all and stay where they are: nobody writes while others read.
    session.execute("VACUUM (ANALYZE)")
    session.execute("CHECKPOINT")


def content(session: Connection) -> Content:
    """Count what arrived; nothing at all where the tables are not there."""
    row = session.execute("SELECT to_regclass('public.orders')").fetchone()
    if row is None or row[0] is None:
        return Content(0, 0, 0, 0, 0)
    found = session.execute(_CONTENT).fetchone() or ()
    return Content(*map(int, found))


def chunks(session: Connection) -> dict[object, str]:
    """Return the quoted names of the chunks by the beginning of their range."""
    return {begin: str(name) for begin, name in session.execute(_CHUNK_NAMES)}


def size(session: Connection) -> int:
    """Return the bytes of the database."""
    row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0
