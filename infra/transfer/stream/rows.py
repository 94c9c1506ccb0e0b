"""Rows on their way: units are read at the source and written at the target by pairs of psql."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from psycopg import sql

from infra.engine.pump import End, Pump
from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.transfer.progress import Progress
from infra.transfer.stream import ledger
from infra.transfer.stream.units import Unit
from infra.transfer.workers import together

_TRANSACTION_TIMEOUT_VERSION = 170000

# Text looks the same on both sides whatever their own settings are.
_SETTINGS = (
    "SET LOCAL search_path = ''; SET LOCAL statement_timeout = 0; "
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL DateStyle = 'ISO, MDY'; "
    "SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL TimeZone = 'UTC'; "
)

# Whoever waits to change a table waits for the snapshot, and the copy would wait for him.
_LOCK_TIMEOUT = sql.SQL("SET LOCAL lock_timeout = '20s'; ")


@dataclass(frozen=True)
class Columns:
    """The columns that a table has values of its own in, and whether binary form carries them."""

    names: tuple[str, ...]
    binary: bool

    def listed(self) -> sql.Composable:
        """Write them as a SELECT has them."""
        return sql.SQL(", ").join(map(sql.Identifier, self.names))


@dataclass(frozen=True)
class Side:
    """One end of all copies: the database and its version, such as 170011."""

    database: str
    version: int


@dataclass(frozen=True)
class Load:
    """A unit and the relation it goes into, which is its alone or shared with other units."""

    unit: Unit
    into: sql.Identifier
    alone: bool


def columns(connection: Connection, oids: Sequence[int]) -> dict[int, Columns]:
    """Read which columns are copied, by the table's oid."""
    found: dict[int, list[tuple[str, bool]]] = {}
    for oid, name, binary in inventory.rows(connection, "stream/columns", list(oids)):
        found.setdefault(oid, []).append((name, binary))
    return {
        oid: Columns(
            tuple(name for name, _ in found.get(oid, [])),
            all(binary for _, binary in found.get(oid, [])),
        )
        for oid in oids
    }


class Rows:
    """Workers that bring units, each with a pair of psql of its own; `brought` counts them."""

    def __init__(
        self,
        pump: Callable[[], Pump],
        source: Side,
        target: Side,
        columns: Mapping[int, Columns],
        progress: Progress,
    ) -> None:
        self._pump = pump
        self._source = source
        self._target = target
        self._columns = columns
        self._progress = progress
        self._stopped = threading.Event()
        self._pumps: list[Pump] = []
        self.brought = 0

    def bring(self, loads: Sequence[Load], snapshot: str, *, jobs: int) -> None:
        """Bring all units, the largest first; the first failure, or Ctrl-C, stops all workers."""
        self._progress.stage(
            "streaming rows", total=sum(load.unit.size for load in loads), unit="bytes"
        )
        queue: SimpleQueue[Load] = SimpleQueue()
        for load in sorted(loads, key=lambda load: load.unit.size, reverse=True):
            queue.put(load)
        together(
            lambda number: self._work(number, queue, snapshot), min(jobs, len(loads)), self._stop
        )

    def seed(self, loads: Sequence[Load], snapshot: str) -> None:
        """Bring one row of each unit into its table, so that TimescaleDB makes the chunks."""
        table = loads[0].unit.table
        found = self._columns[table.oid]
        rows = sql.SQL(" UNION ALL ").join(
            sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(found.listed(), relation)
            for load in loads
            for relation in load.unit.relations
        )
        into = sql.Identifier(table.schema, table.name)
        with self._opened() as pump:
            pump.copy(
                self._reading(rows, found, snapshot),
                self._writing(into, found, before=sql.SQL(""), after=sql.SQL(""), freeze=False),
            )

    def _work(self, number: int, queue: SimpleQueue[Load], snapshot: str) -> None:
        with self._opened() as pump:
            while not self._stopped.is_set():
                try:
                    load = queue.get_nowait()
                except Empty:
                    break
                self._progress.working(number, str(load.unit))
                self._copy(pump, load, snapshot)
                self.brought += 1
                self._progress.advance(load.unit.size)
            self._progress.working(number, "")

    def _copy(self, pump: Pump, load: Load, snapshot: str) -> None:
        found = self._columns[load.unit.table.oid]
        rows = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} FROM {}").format(found.listed(), relation)
            for relation in load.unit.relations
        )
        empty = sql.SQL("TRUNCATE ONLY {}; ").format(load.into) if load.alone else sql.SQL("")
        pump.copy(
            self._reading(rows, found, snapshot),
            self._writing(
                load.into, found, before=empty, after=ledger.note(load.unit), freeze=load.alone
            ),
        )

    def _reading(self, rows: sql.Composable, found: Columns, snapshot: str) -> End:
        statement = sql.SQL(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; "
            "{}{}SET LOCAL row_security = off; COPY ({}) TO STDOUT{}"
        ).format(
            sql.Literal(snapshot),
            _settings(self._source),
            _LOCK_TIMEOUT,
            rows,
            sql.SQL(" (FORMAT binary)" if found.binary else ""),
        )
        return End(self._source.database, statement.as_string())

    def _writing(
        self,
        into: sql.Identifier,
        found: Columns,
        *,
        before: sql.Composable,
        after: sql.Composable,
        freeze: bool,
    ) -> End:
        names = sql.SQL(" ({})").format(found.listed()) if found.names else sql.SQL("")
        options = ["FORMAT binary"] if found.binary else []
        options += ["FREEZE"] if freeze else []
        statement = sql.SQL(
            "{}SET LOCAL synchronous_commit = off; {}COPY {}{} FROM STDIN{}; {}"
        ).format(
            _settings(self._target),
            before,
            into,
            names,
            sql.SQL(f" ({', '.join(options)})" if options else ""),
            after,
        )
        return End(self._target.database, statement.as_string())

    @contextmanager
    def _opened(self) -> Iterator[Pump]:
        with self._pump() as pump:
            self._pumps.append(pump)
            if self._stopped.is_set():
                pump.stop()
            yield pump

    def _stop(self) -> None:
        self._stopped.set()
        for pump in list(self._pumps):
            pump.stop()


def _settings(side: Side) -> sql.SQL:
    if side.version >= _TRANSACTION_TIMEOUT_VERSION:
        return sql.SQL(_SETTINGS + "SET LOCAL transaction_timeout = 0; ")
    return sql.SQL(_SETTINGS)
