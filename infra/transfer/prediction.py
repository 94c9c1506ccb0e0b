"""What a transfer will take, measured by sampling before it begins."""

from __future__ import annotations

import os
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from infra.postgres import digest, inventory
from infra.postgres.connection import Connection
from infra.postgres.digest import Column
from infra.postgres.survey import Survey

# So many parts of each table are read, and of each part so much, but a few pages at least.
_PARTS = 3
_PART_BYTES = 4_000_000
_LEAST_BYTES = 8 * 8192
# The level of zlib that comes nearest to zstd:3 on rows of numbers, logs and prose: within a tenth,
# where rows do nothing but repeat themselves far above it. zstd takes a third of the time.
_LEVEL = 4
_ZSTD_TIME = 0.35
# An entry in a dump's table of contents.
_ENTRY_BYTES = 300

# Starting a client tool, and what each relation adds to definitions and to reading them.
_START_SECONDS = 0.25
_RELATION_SECONDS = 0.001
# A job keeps a server process busy and, for part of the time, its client on the same machine.
_CORES_FOR_A_JOB = 1.5
_COMPRESSED_ROW_SECONDS = 0.6e-6

_PROBE_SECONDS = 1.0
_PROBE_ROWS = 25_000
# A load runs pg_restore several times; besides writing rows and indexes it unpacks, writes the
# log, and waits for the last job; each table is looked at once more for statistics.
_STAGES = 4
_LOAD_FACTOR = 1.5
_ANALYZE_SECONDS = 0.05


@dataclass(frozen=True)
class Prediction:
    """Bytes of the archive and on the target's disk, seconds, and rows."""

    archive_bytes: int
    target_bytes: int
    seconds: float
    rows: int

    def as_json(self) -> dict[str, Any]:
        """Return the prediction as the plan's JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class _Sample:
    """What was read of how many bytes on disk, and how long a dump and a digest of it take."""

    heap: float = 0
    rows: float = 0
    packed: float = 0
    dump_seconds: float = 0
    digest_seconds: float = 0

    def __add__(self, other: _Sample) -> _Sample:
        return _Sample(
            self.heap + other.heap,
            self.rows + other.rows,
            self.packed + other.packed,
            self.dump_seconds + other.dump_seconds,
            self.digest_seconds + other.digest_seconds,
        )

    def scaled(self, heap: int) -> _Sample:
        factor = heap / self.heap
        return _Sample(
            heap,
            self.rows * factor,
            self.packed * factor,
            self.dump_seconds * factor,
            self.digest_seconds * factor,
        )


_NOTHING = _Sample()
# Where nothing could be read: numbers and short text on a machine of this decade.
_GUESS = _Sample(heap=1, rows=0.01, packed=0.35, dump_seconds=15e-9, digest_seconds=5e-9)


class _Leaf(NamedTuple):
    """A table that holds rows itself, in the group of what it is a part of."""

    oid: int
    schema: str
    name: str
    group: int
    heap: int
    size: int
    compressed: bool


def sample_source(
    connection: Connection, survey: Survey, *, jobs: int, seconds_limit: float = 3.0
) -> Prediction:
    """Read a little of the largest tables and scale it up to an export: dump and digests."""
    deadline = time.monotonic() + seconds_limit
    groups: dict[int, list[_Leaf]] = defaultdict(list)
    for row in inventory.rows(connection, "survey/leaves"):
        leaf = _Leaf(*row)
        groups[leaf.group].append(leaf)
    ordered = sorted(groups.values(), key=lambda leaves: -sum(leaf.size for leaf in leaves))
    samples = [
        sum((_sample(connection, leaf, deadline) for leaf in _spread(leaves)), start=_NOTHING)
        for leaves in ordered
    ]
    average = sum(samples, start=_NOTHING)
    total = _NOTHING
    for leaves, sample in zip(ordered, samples, strict=True):
        measured = next(found for found in (sample, average, _GUESS) if found.heap)
        total += measured.scaled(sum(leaf.heap for leaf in leaves))
    compressed = survey.timescaledb.compressed_rows if survey.timescaledb else 0
    digest_seconds = total.digest_seconds + compressed * _COMPRESSED_ROW_SECONDS
    return Prediction(
        archive_bytes=round(total.packed)
        + _large_objects(connection, survey)
        + survey.relations * _ENTRY_BYTES,
        target_bytes=survey.rebuilt_size,
        seconds=round(
            _START_SECONDS
            + survey.relations * _RELATION_SECONDS
            + total.dump_seconds / _speed_up(jobs, _CORES_FOR_A_JOB)
            + digest_seconds / _speed_up(jobs, 1),
            1,
        ),
        rows=round(total.rows) + compressed,
    )


def for_target(
    connection: Connection, source: Survey, *, verification_seconds: float, jobs: int = 2
) -> Prediction:
    """Measure how fast the target writes and scale it up to a restore, of unknown archive size.

    `verification_seconds` is what the archive's receipt took on the source.
    """
    parts = len(source.tables) + (source.timescaledb.chunks if source.timescaledb else 0)
    load = source.rebuilt_size / sample_target(connection) * _LOAD_FACTOR
    rows = sum(table.rows for table in source.tables)
    return Prediction(
        archive_bytes=0,
        target_bytes=source.rebuilt_size,
        seconds=round(
            _STAGES * _START_SECONDS
            + source.relations * _RELATION_SECONDS
            + load / _speed_up(jobs, _CORES_FOR_A_JOB)
            + parts * _ANALYZE_SECONDS
            + verification_seconds,
            1,
        ),
        rows=rows + (source.timescaledb.compressed_rows if source.timescaledb else 0),
    )


def sample_target(connection: Connection) -> float:
    """Return how many bytes of rows and indexes the server writes in a second, by trying.

    The table is a temporary one in a transaction that is rolled back.
    """
    rows = "".join(
        f"2020-01-01 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+00\tEURUSD\t"
        f"{1 + number / 1e6}\t{1 + number / 1e7}\t{number % 1000}.25\n"
        for number in range(0, _PROBE_ROWS * 7919, 7919)
    )
    started, spent, written = time.monotonic(), 0.0, 0
    while time.monotonic() - started < _PROBE_SECONDS:
        with connection.transaction(force_rollback=True):
            connection.execute(
                "CREATE TEMPORARY TABLE slipway_probe (ts timestamptz NOT NULL, "
                "symbol text NOT NULL, bid float8, ask float8, volume numeric)"
            )
            begun = time.monotonic()
            with connection.cursor().copy("COPY pg_temp.slipway_probe FROM STDIN") as copy:
                copy.write(rows)
            connection.execute("CREATE INDEX ON pg_temp.slipway_probe (ts)")
            connection.execute("CREATE INDEX ON pg_temp.slipway_probe (symbol, ts DESC)")
            spent += time.monotonic() - begun
            query: LiteralString = (
                "SELECT pg_catalog.pg_total_relation_size('pg_temp.slipway_probe')"
            )
            written += inventory.query(connection, query)[0][0]
    return written / spent


def _spread(leaves: Sequence[_Leaf]) -> list[_Leaf]:
    """Choose the first, the last, and some between: rows of other times look different."""
    steps = min(_PARTS, len(leaves)) - 1
    return [leaves[number * (len(leaves) - 1) // max(1, steps)] for number in range(steps + 1)]


def _sample(connection: Connection, leaf: _Leaf, deadline: float) -> _Sample:
    """Read pages of a table at random; nothing where it may not be read or time is up."""
    left = deadline - time.monotonic()
    share = max(_PART_BYTES / leaf.size, _LEAST_BYTES / leaf.heap)
    relation: sql.Composable = sql.SQL("ONLY {}").format(sql.Identifier(leaf.schema, leaf.name))
    if share < 1:
        relation += sql.SQL(" TABLESAMPLE SYSTEM ({})").format(sql.Literal(share * 100))
    if left <= 0:
        return _NOTHING
    with (
        # The plan names what may not be read; a single row can be larger than the time is long.
        suppress(
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.FeatureNotSupported,
            psycopg.errors.CharacterNotInRepertoire,
            psycopg.errors.QueryCanceled,
        ),
        connection.transaction(force_rollback=True),
    ):
        connection.execute(
            "SELECT pg_catalog.set_config('statement_timeout', %s, true)", [f"{left * 1000:.0f}ms"]
        )
        try:
            return _measured(connection, leaf, relation, min(1.0, share) * leaf.heap)
        except psycopg.errors.DataCorrupted as error:
            error.add_note(f"table {leaf.schema}.{leaf.name}")
            raise
    return _NOTHING


def _measured(
    connection: Connection, leaf: _Leaf, relation: sql.Composable, heap: float
) -> _Sample:
    begun = time.monotonic()
    query = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(relation)
    with connection.cursor().copy(query) as copy:
        lines = [bytes(line) for line in copy]
    read = time.monotonic()
    if not lines:
        return _NOTHING
    packed = len(zlib.compress(b"".join(lines), _LEVEL))
    compressed = time.monotonic()
    if not leaf.compressed:
        columns = [Column(*row[1:]) for row in inventory.rows(connection, "columns", [leaf.oid])]
        connection.execute(digest.query([relation], columns, recode=False))
    return _Sample(
        heap=heap,
        rows=0 if leaf.compressed else len(lines),
        packed=packed,
        dump_seconds=read - begun + (compressed - read) * _ZSTD_TIME,
        digest_seconds=time.monotonic() - compressed,
    )


def _large_objects(connection: Connection, survey: Survey) -> int:
    """Return the bytes of large objects, whose compression nobody knows without reading them."""
    if not survey.large_objects:
        return 0
    query: LiteralString = "SELECT pg_catalog.pg_relation_size('pg_catalog.pg_largeobject')"
    return int(inventory.query(connection, query)[0][0])


def _speed_up(jobs: int, cores: float) -> float:
    """Return how much faster several jobs are than one that takes so many cores."""
    return max(1.0, min(jobs, (os.cpu_count() or 1) / cores))
