"""What comes after the rows: indexes, keys, triggers, the values of sequences, views."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from infra.postgres import schema_dump
from infra.postgres.connection import Connection
from infra.transfer.destination import Staging
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.stream import finishing, keys
from infra.transfer.stream.keys import Index, Key
from infra.transfer.stream.layouts import Layouts
from infra.transfer.stream.schema import Schema, is_strict
from infra.transfer.workers import together

_T = TypeVar("_T")

# PostgreSQL's own default of maintenance_work_mem. Megabytes.
_LEAST = 64


@dataclass(frozen=True)
class Own:
    """Keys and indexes that the dump's statements do not fit; the indexes by the source's oid."""

    keys: Sequence[Key]
    indexes: Mapping[int, Index]

    def by_table(self) -> list[list[Key]]:
        """Return the keys of each table but foreign ones; no two of a table are made at once."""
        found: dict[int, list[Key]] = defaultdict(list)
        for key in self.keys:
            if not key.foreign:
                found[key.table.oid].append(key)
        return list(found.values())


class Completion:
    """Makes what is not there yet, several at once; `memory` is the megabytes for all of them."""

    def __init__(
        self,
        staging: Staging,
        schema: Schema,
        own: Own,
        *,
        jobs: int,
        memory: int | None,
        progress: Progress,
    ) -> None:
        self._staging = staging
        self._schema = schema
        self._own = own
        self._jobs = jobs
        # Those of `pg_restore` and our own are made at the same time.
        self._memory = None if memory is None else f"{max(_LEAST, memory // (2 * jobs))}MB"
        self._progress = progress
        self._stopped = threading.Event()
        self._running: list[Connection] = []

    def run(self, planned: Layouts, receipt: Receipt) -> None:
        """Complete the staging database, whose rows are all there."""
        staging = self._staging
        with self._opened() as connection:
            self._progress.stage("making indexes and keys")
            strict = is_strict(connection)
            found = self._schema.after_rows(schema_dump.read_present(connection))
            with ThreadPoolExecutor(1) as pool:
                own = pool.submit(self._make, found.remade)
                try:
                    self._restore(found.keys, strict=strict)
                    own.result()
                except BaseException:
                    self._stop()
                    raise
            self._progress.stage("making foreign keys, triggers and the rest")
            self._restore(found.rest, strict=strict)
            keys.make(connection, [key for key in self._own.keys if key.foreign])
            finishing.set_sequences(connection, receipt)
            finishing.refresh(connection, receipt)
            for layout in planned.by_table.values():
                layout.finish(connection)
            self._restore(found.policies, strict=strict)
        staging.settle(receipt)

    def _restore(self, entries: Sequence[str], *, strict: bool) -> None:
        staging = self._staging
        self._schema.restore_entries(
            entries,
            staging.destination.owner_server,
            staging.name,
            strict=strict,
            jobs=self._jobs,
            memory=self._memory,
        )

    def _make(self, indexes: Iterable[int]) -> None:
        self._at_once(keys.make, self._own.by_table())
        self._at_once(keys.make_index, [self._own.indexes[oid] for oid in indexes])

    def _at_once(self, make: Callable[[Connection, _T], None], items: Sequence[_T]) -> None:
        queue: SimpleQueue[_T] = SimpleQueue()
        for item in items:
            queue.put(item)

        def work(_: int) -> None:
            with self._opened() as connection:
                self._running.append(connection)
                while not self._stopped.is_set():
                    try:
                        item = queue.get_nowait()
                    except Empty:
                        break
                    make(connection, item)
                self._running.remove(connection)

        together(work, min(self._jobs, len(items)), self._stop)

    def _stop(self) -> None:
        self._stopped.set()
        for connection in list(self._running):
            connection.cancel_safe(timeout=5)

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with self._staging.owned() as connection:
            if self._memory is not None:
                connection.execute(
                    "SELECT pg_catalog.set_config('maintenance_work_mem', %s, false)",
                    [self._memory],
                )
            yield connection
