"""What a receipt costs: its digests beside PostgreSQL's own hash of every row, and beside a count.

A server of its own holds the application's ticks in 60 chunks of a day. All contenders read them
with as many processes, in turns, so that a machine that slows down slows down each of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import LiteralString

import psutil
from psycopg import sql
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from backend.models import Base
from benchmarks import command
from benchmarks.server import server
from infra.console import Console
from infra.engine import images
from infra.engine.client import Engine
from infra.errors import TargetError
from infra.postgres.connection import Connection, connect
from infra.transfer import counting
from infra.transfer.progress import Silent

ROWS = 20_000_000
CHUNKS = 60
WORKERS = 2
ROUNDS = 3

# At most so many times what the other contender takes.
WANTED_OF_MD5 = 0.6
WANTED_OF_COUNT = 4.0

# Every column is filled: a NULL costs a digest less than a value.
_FILL: LiteralString = """
INSERT INTO public.ticks
SELECT i % 50, '2026-01-01Z'::timestamptz + make_interval(secs => i * 86400.0 * {chunks} / {rows}),
  i, 100 + p, 100.0005 + p, 100.0002 + p, i % 1000 / 10.0
FROM generate_series(0, {rows} - 1) i, LATERAL (SELECT i::int8 * 7919 % 10007 / 100000.0 AS p) price
"""
_MD5: LiteralString = "SELECT count(md5(t::text)) FROM public.ticks t"
_COUNT: LiteralString = "SELECT count(*) FROM public.ticks"

# Costs of nothing leave the planner no reason to do with fewer workers.
_PARALLEL = {
    "parallel_leader_participation": "on",
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "min_parallel_index_scan_size": "0",
}

Connect = Callable[[], AbstractContextManager[Connection]]
# Reads all ticks and returns their number.
Contender = Callable[[], int]


@dataclass(frozen=True)
class Timing:
    """What one contender did and the seconds that each round of it took."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the seconds of the round in the middle."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Result:
    """The timings and what they were measured on; `size` is the bytes of the rows alone.

    `load` is the machine's load average of a minute, before the first round.
    """

    receipt: Timing
    md5: Timing
    count: Timing
    rows: int
    size: int
    workers: int
    cores: int
    load: float
    postgresql: str
    timescaledb: str

    @property
    def of_md5(self) -> float:
        """Return how many times a hash of every row's text a receipt costs."""
        return self.receipt.median / self.md5.median

    @property
    def of_count(self) -> float:
        """Return how many times a plain count a receipt costs."""
        return self.receipt.median / self.count.median


def run(
    console: Console,
    engine: Engine,
    *,
    rows: int = ROWS,
    workers: int = WORKERS,
    image: str = images.TIMESCALEDB,
) -> Result:
    """Measure on a server of its own, print the figures and return them."""
    with server(engine, image) as endpoint:
        connection = partial(connect, endpoint, "target")
        with console.step(f"making a hypertable of {rows:,} rows in {CHUNKS} chunks"):
            _make(connection, rows)
        with console.step(f"{ROUNDS} rounds with {workers} workers"):
            result = _measure(connection, rows, workers)
    _show(console, result)
    return result


def main() -> int:
    """Measure from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.receipt", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the hypertable")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes that read")
    arguments = parser.parse_args()
    return command.run(
        lambda console, runner: run(
            console, Engine(runner), rows=arguments.rows, workers=arguments.workers
        )
    )


def _make(connection: Connect, rows: int) -> None:
    table = Base.metadata.tables["ticks"]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    # A reference to the instruments would be checked for every row, and a receipt never looks.
    statements: list[ExecutableDDLElement] = [
        CreateTable(table, include_foreign_key_constraints=[])
    ]
    statements += [CreateIndex(index) for index in table.indexes]
    with connection() as session:
        # The models name no schema.
        session.execute("SET search_path = public")
        for statement in statements:
            session.execute(str(statement.compile(dialect=dialect)).encode())
        session.execute(
            "SELECT create_hypertable('ticks', 'ts', create_default_indexes => false, "
            "chunk_time_interval => interval '1 day')"
        )
        session.execute(sql.SQL(_FILL).format(rows=rows, chunks=CHUNKS))
        session.commit()
        session.autocommit = True
        # All rows are visible to all and are where they stay: nobody writes while others read.
        session.execute("VACUUM (ANALYZE) ticks")
        session.execute("CHECKPOINT")


def _measure(connection: Connect, rows: int, workers: int) -> Result:
    load, _, _ = psutil.getloadavg()
    contenders: dict[str, Contender] = {
        "receipt": partial(_take, connection, workers),
        "md5 of every row": partial(_query, connection, _MD5, workers),
        "count": partial(_query, connection, _COUNT, workers),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            seconds[name].append(_seconds(name, contender, rows))
    receipt, md5, count = (Timing(name, tuple(taken)) for name, taken in seconds.items())
    with connection() as session:
        postgresql_version, timescaledb_version, size = _facts(session)
    return Result(
        receipt,
        md5,
        count,
        rows=rows,
        size=size,
        workers=workers,
        cores=os.cpu_count() or 1,
        load=load,
        postgresql=postgresql_version,
        timescaledb=timescaledb_version,
    )


def _seconds(name: str, contender: Contender, rows: int) -> float:
    started = time.monotonic()
    counted = contender()
    taken = time.monotonic() - started
    if counted != rows:
        raise TargetError(
            f"{name} read {counted} of {rows} rows", "This is a bug of the benchmark or the digest."
        )
    return taken


def _take(connection: Connect, workers: int) -> int:
    with counting.snapshot(connection) as moment:
        return counting.take(moment, connection, jobs=workers, progress=Silent()).rows


def _query(connection: Connect, query: LiteralString, workers: int) -> int:
    with connection() as session:
        settings = _PARALLEL | {"max_parallel_workers_per_gather": str(workers - 1)}
        for name, value in settings.items():
            session.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
        _require_parallel(session, query, workers - 1)
        row = session.execute(query).fetchone()
        return int(row[0]) if row else 0


def _require_parallel(session: Connection, query: LiteralString, workers: int) -> None:
    plan = "\n".join(line for (line,) in session.execute(sql.SQL("EXPLAIN ") + sql.SQL(query)))
    if workers and not (f"Workers Planned: {workers}\n" in plan and "Parallel Append" in plan):
        raise TargetError(
            f"PostgreSQL does not read the ticks with {workers} parallel workers",
            "Ask for fewer with `--workers`.",
        )


def _facts(session: Connection) -> tuple[str, str, int]:
    row = session.execute(
        "SELECT current_setting('server_version'), extversion, "
        "(SELECT sum(pg_relation_size(inhrelid)) FROM pg_inherits "
        "WHERE inhparent = 'public.ticks'::regclass) "
        "FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    version, timescaledb, size = row or ("", "", 0)
    return version.split()[0], timescaledb, int(size)


def _show(console: Console, result: Result) -> None:
    timings = (result.receipt, result.md5, result.count)
    console.table(
        ["seconds", *(f"round {number}" for number in range(1, ROUNDS + 1)), "median"],
        [
            [timing.name, *(f"{taken:.2f}" for taken in (*timing.seconds, timing.median))]
            for timing in timings
        ],
    )
    for other, ratio, wanted in (
        (result.md5, result.of_md5, WANTED_OF_MD5),
        (result.count, result.of_count, WANTED_OF_COUNT),
    ):
        console.line(
            f"receipt / {other.name}: {result.receipt.median:.2f} s / {other.median:.2f} s "
            f"= {ratio:.2f} (wanted: at most {wanted})"
        )
    console.line(
        f"{result.rows:,} rows, {result.size:,} bytes, {CHUNKS} chunks, {result.workers} workers; "
        f"{result.cores} cores, load {result.load:.2f}; "
        f"PostgreSQL {result.postgresql}, TimescaleDB {result.timescaledb}"
    )


if __name__ == "__main__":
    sys.exit(main())
