"""The stream: rows go straight from one database into another's staging database."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.engine.tools import ClientTools, Server
from infra.errors import SourceLostError, TargetLostError, ToolLostError
from infra.postgres import objects, relations, schema_dump
from infra.postgres.connection import Connection, connect
from infra.postgres.objects import DatabaseObject
from infra.postgres.survey import Survey
from infra.transfer import align, counting
from infra.transfer.counting import Snapshot
from infra.transfer.destination import Staging
from infra.transfer.export import Source, create_extension
from infra.transfer.journal import Record
from infra.transfer.maintenance import Maintenance
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.stream import keys, layouts, ledger
from infra.transfer.stream.completion import Completion, Own
from infra.transfer.stream.layouts import Layouts
from infra.transfer.stream.loads import Loads, OutdatedError
from infra.transfer.stream.options import Options
from infra.transfer.stream.rows import Rows, Side, columns
from infra.transfer.stream.schema import Schema, is_strict
from infra.transfer.stream.units import divide

# How often in a row nothing at all may arrive before the command gives up, and the pauses between.
_TRIES = 6
_LONGEST_PAUSE = 16.0
# What changes in a source that is only written to; anything else makes it another one.
_PASSING = frozenset({"last_value", "is_called", "watermark", "chunks", "chunk_ranges"})


@dataclass(frozen=True)
class Way:
    """How both ends are reached: `pump` servers from a container that sees both."""

    source: Source
    pump_source: Server
    pump_target: Server
    folder: Path


class Stream:
    """One transfer, which goes on after an interruption with what is missing."""

    def __init__(
        self,
        way: Way,
        staging: Staging,
        tools: ClientTools,
        survey: Survey,
        options: Options,
        *,
        timescaledb: bool,
        memory: int | None,
        progress: Progress,
    ) -> None:
        self._way = way
        self._staging = staging
        self._tools = tools
        self._survey = survey
        self._options = options
        self._timescaledb = timescaledb
        self._memory = memory
        self._progress = progress
        self._rows: Rows | None = None

    def run(self, maintenance: Maintenance, record: Record) -> Receipt:
        """Load and verify; return what arrived. The staging database stays when it fails midway.

        Raises SourceError, TargetError, ClientToolError or VerificationError.
        """
        with self._folder() as folder:
            expected = self._patiently(maintenance, record, folder)
        arrived = self._staging.receipt(recode=expected.recoded)
        expected, found = align.align(expected, arrived, internals=False)
        self._staging.require(
            self._staging.compare(expected, found), f"{self._way.source.endpoint}"
        )
        record.reach("verified")
        return found

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a place for the schema's dump, where a killed command may have left its own."""
        folder = self._way.folder / f"stream-{self._staging.destination.target}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _patiently(self, maintenance: Maintenance, record: Record, folder: Path) -> Receipt:
        """Try again when a server went away, as long as something arrives in between."""
        failures, fresh = 0, False
        while True:
            self._rows = None
            try:
                maintenance.ensure()
                return self._load(maintenance.connection, record, folder, fresh=fresh)
            except OutdatedError as change:
                fresh = True
                self._progress.stage(f"beginning anew: {change}")
            except (SourceLostError, TargetLostError, ToolLostError) as error:
                fresh = False
                failures = 1 if self._brought() else failures + 1
                if failures > _TRIES:
                    raise
                self._progress.stage(f"trying again: {error.message}")
                time.sleep(min(_LONGEST_PAUSE, 2.0 ** (failures - 2)))

    def _brought(self) -> bool:
        return self._rows is not None and self._rows.brought > 0

    def _load(
        self, maintenance: Connection, record: Record, folder: Path, *, fresh: bool
    ) -> Receipt:
        self._progress.stage("reading the source's schema")
        with counting.snapshot(self._connect_source) as moment:
            found = relations.tables(moment.connection)
            tables = [table for table in found if table.schema not in align.OWN]
            planned = layouts.decide(
                moment.connection, tables, options=self._options, timescaledb=self._timescaledb
            )
            catalog = schema_dump.read_catalog(moment.connection)
            schema = Schema(self._tools, folder, catalog, self._survey, planned)
            schema.dump(
                self._way.source.server,
                self._way.source.endpoint.database,
                moment.name,
                without=self._left_alone(),
            )
            made = planned.converted
            own = Own(keys.read(moment.connection, made), keys.indexes(moment.connection, made))
            self._prepare(maintenance, record, self._origin(moment), schema, planned, fresh=fresh)
            with self._staging.owned() as connection:
                receipt = ledger.completed(connection)
                if receipt is None:
                    receipt = self._bring(moment, connection, tables, planned)
        record.reach("rows", staging_oid=record.entry.facts.get("staging_oid"))
        Completion(
            self._staging,
            schema,
            own,
            jobs=self._options.jobs,
            memory=self._memory,
            progress=self._progress,
        ).run(planned, receipt)
        record.reach("indexes")
        return receipt

    def _origin(self, moment: Snapshot) -> dict[str, Any]:
        """Describe what is brought: another source, schema or choice is another transfer."""
        endpoint = self._way.source.endpoint
        found = [_lasting(item) for item in objects.read(moment.connection)]
        text = json.dumps(found, sort_keys=True)
        return {
            "host": endpoint.host,
            "port": endpoint.port,
            "database": endpoint.database,
            "width": self._options.width,
            "hypertables": self._options.hypertables,
            "schema": hashlib.sha256(text.encode()).hexdigest(),
        }

    def _prepare(
        self,
        maintenance: Connection,
        record: Record,
        origin: dict[str, Any],
        schema: Schema,
        planned: Layouts,
        *,
        fresh: bool,
    ) -> None:
        """Go on with the staging database that is there, or make one with the source's schema."""
        staging = self._staging
        number = staging.number(maintenance)
        if number is not None and not fresh:
            with staging.connect(autocommit=True) as connection:
                if ledger.origin(connection) == origin:
                    record.reach("schema", staging_oid=number)
                    return
        self._progress.stage("making tables and types")
        number = staging.create(maintenance)
        record.reach("schema", staging_oid=number)
        for extension in self._survey.extensions:
            if extension.name != "timescaledb":
                with staging.connect(autocommit=True) as connection:
                    connection.execute(create_extension(extension).encode())
        if self._timescaledb:
            # TimescaleDB wants to be the first thing a session does.
            with staging.connect(autocommit=True) as connection:
                connection.execute("CREATE EXTENSION timescaledb WITH SCHEMA public")
        with self._staging.owned() as connection:
            schema.restore_tables(
                staging.destination.owner_server,
                staging.name,
                strict=is_strict(connection),
                convert=lambda oid: planned.at(oid).convert(connection),
            )
            ledger.begin(connection, origin)

    def _bring(
        self,
        moment: Snapshot,
        connection: Connection,
        tables: list[relations.LogicalTable],
        planned: Layouts,
    ) -> Receipt:
        receipt, parts = counting.take_parts(
            moment,
            self._connect_source,
            tables,
            jobs=self._options.jobs,
            progress=self._progress,
        )
        self._rows = Rows(
            lambda: self._tools.pump(self._way.pump_source, self._way.pump_target),
            Side(self._way.source.endpoint.database, moment.connection.info.server_version),
            Side(self._staging.name, connection.info.server_version),
            columns(moment.connection, [table.oid for table in tables]),
            self._progress,
        )
        loads = Loads(connection, self._rows, planned, moment.name).missing(divide(tables, parts))
        self._rows.bring(loads, moment.name, jobs=self._options.jobs)
        ledger.complete(connection, receipt)
        return receipt

    def _left_alone(self) -> list[str]:
        """Name the schemas that a platform has at either end."""
        there = self._staging.destination.platform_schemas
        return sorted({*self._survey.platform_schemas, *there})

    @contextmanager
    def _connect_source(self) -> Iterator[Connection]:
        with connect(self._way.source.endpoint, "source", autocommit=False) as connection:
            yield connection


def _lasting(item: DatabaseObject) -> tuple[str, str, Mapping[str, Any]]:
    kept = {name: value for name, value in item.properties.items() if name not in _PASSING}
    return item.kind, item.name, kept
