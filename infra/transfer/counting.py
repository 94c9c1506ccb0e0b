"""Taking a receipt: every table counted and hashed in one snapshot, by several connections."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import psycopg
from psycopg import sql

from infra.postgres import digest, objects, relations
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable, Part
from infra.transfer.progress import Progress
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt, add_up
from infra.transfer.workers import together

# Opens one more connection to the database that is counted.
Connect = Callable[[], AbstractContextManager[Connection]]

# Encodings whose bytes are those of UTF-8, or are taken for them.
_SAME_BYTES = {"UTF8", "SQL_ASCII"}


@dataclass(frozen=True)
class Snapshot:
    """One moment of a database: the connection that holds it and its name for others."""

    connection: Connection
    name: str


@contextmanager
def snapshot(connect: Connect) -> Iterator[Snapshot]:
    """Hold one moment of a database in a read-only transaction.

    Every table known before is locked against changes of its definition first, so that nothing is
    emptied, rewritten or dropped between its dump and its count.
    """
    with connect() as connection:
        digest.pin(connection)
        names = [table.stored_as for table in relations.tables(connection)]
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("SET LOCAL lock_timeout = '60s'")
        if names:
            connection.execute(
                sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(
                    sql.SQL(", ").join(sql.Identifier(*name) for name in names)
                )
            )
        row = connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        yield Snapshot(connection, str(row[0]) if row else "")


def needs_recoding(connection: Connection) -> bool:
    """Tell whether the bytes of the database's text are other ones than those of UTF-8."""
    row = connection.execute(
        "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database "
        "WHERE datname = pg_catalog.current_database()"
    ).fetchone()
    return row is not None and row[0] not in _SAME_BYTES


def relations_in(moment: Snapshot) -> int:
    """Count the tables, chunks and partitions that a dump writes one by one."""
    return sum(
        max(1, sum(len(part.relations) for part in table.parts if part.label))
        for table in relations.tables(moment.connection)
    )


def take(
    moment: Snapshot, connect: Connect, *, jobs: int, progress: Progress, recode: bool = False
) -> Receipt:
    """Count and hash every table of the snapshot; `jobs` connections share the work.

    `recode` asks for UTF-8 hashes of text even where the encoding needs none, to compare with a
    receipt that has them.
    """
    tables = relations.tables(moment.connection)
    return take_parts(moment, connect, tables, jobs=jobs, progress=progress, recode=recode)[0]


def take_parts(
    moment: Snapshot,
    connect: Connect,
    tables: list[LogicalTable],
    *,
    jobs: int,
    progress: Progress,
    recode: bool = False,
) -> tuple[Receipt, dict[int, list[PartReceipt]]]:
    """Take a receipt, and tell by the table's oid what each of its parts holds, in their order."""
    started = time.monotonic()
    recoded = recode or needs_recoding(moment.connection)
    counted = _Count(moment, connect, tables, recode=recoded, progress=progress).run(jobs)
    found = tuple(
        _receipt(table, counted[table.oid], relations.hidden_chunks(moment.connection, table))
        for table in tables
    )
    receipt = Receipt(
        server_version=moment.connection.info.server_version,
        recoded=recoded,
        tables=found,
        objects=objects.read(moment.connection),
        seconds=round(time.monotonic() - started, 3),
    )
    return receipt, counted


def _receipt(table: LogicalTable, parts: list[PartReceipt], hidden: list[str]) -> TableReceipt:
    order = {part.label: number for number, part in enumerate(table.parts)}
    merged = sorted(add_up(parts), key=lambda part: order[part.label])
    return TableReceipt(
        schema=table.schema,
        name=table.name,
        kind=table.kind,
        rows=sum(part.rows for part in merged),
        digest=sum(part.digest for part in merged),
        # A table that is its own only part needs no second line.
        parts=tuple(part for part in merged if part.label),
        hidden=tuple(hidden),
        size=sum(part.size for part in table.parts),
    )


class _Count:
    """Workers that take parts from one queue, the largest first."""

    def __init__(
        self,
        moment: Snapshot,
        connect: Connect,
        tables: list[LogicalTable],
        *,
        recode: bool,
        progress: Progress,
    ) -> None:
        self._moment = moment
        self._connect = connect
        self._recode = recode
        self._progress = progress
        self._queue: SimpleQueue[tuple[LogicalTable, int, Part]] = SimpleQueue()
        work = [
            (table, number, part) for table in tables for number, part in enumerate(table.parts)
        ]
        for unit in sorted(work, key=lambda unit: unit[2].size, reverse=True):
            self._queue.put(unit)
        self._bytes = sum(part.size for *_, part in work)
        self._units = len(work)
        self._counted: dict[int, dict[int, PartReceipt]] = defaultdict(dict)
        self._running: list[Connection] = []
        self._stopped = threading.Event()

    def run(self, jobs: int) -> dict[int, list[PartReceipt]]:
        """Count everything; the first failure, or Ctrl-C, stops all workers."""
        self._progress.stage("counting and hashing rows", total=self._bytes, unit="bytes")
        together(self._work, min(jobs, self._units), self._stop)
        return defaultdict(
            list,
            {
                oid: [found[number] for number in sorted(found)]
                for oid, found in self._counted.items()
            },
        )

    def _stop(self) -> None:
        self._stopped.set()
        for connection in list(self._running):
            connection.cancel_safe(timeout=5)

    def _work(self, number: int) -> None:
        with self._connect() as connection:
            self._running.append(connection)
            digest.pin(connection)
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            # Whoever waits to change a table waits for the snapshot, and we would wait for him.
            connection.execute("SET LOCAL lock_timeout = '20s'")
            connection.execute(
                sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._moment.name))
            )
            while not self._stopped.is_set():
                try:
                    table, place, part = self._queue.get_nowait()
                except Empty:
                    break
                self._progress.working(number, f"{table} {part.label}".strip())
                query = digest.query(part.relations, table.columns, recode=self._recode)
                try:
                    row = connection.execute(query).fetchone()
                except psycopg.Error as error:
                    error.add_note(f"table {table}")
                    raise
                rows, total = row or (0, "0")
                counted = PartReceipt(part.label, int(rows), int(total))
                self._counted[table.oid][place] = counted
                self._progress.advance(part.size)
            self._progress.working(number, "")
            self._running.remove(connection)
