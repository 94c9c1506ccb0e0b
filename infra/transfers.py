"""Transfers as the operator asks for them: from one target straight into another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from infra import archives
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import RefusedError, UsageError, VerificationError
from infra.postgres import client_tools, inventory, relations, role, survey, target
from infra.postgres.connection import connect
from infra.postgres.survey import Survey
from infra.reporting import reported
from infra.settings import Settings
from infra.transfer import loading, prediction, recovery, swap
from infra.transfer import plan as planning
from infra.transfer.destination import Destination, Staging
from infra.transfer.export import Source
from infra.transfer.journal import Journal, Record
from infra.transfer.maintenance import Maintenance
from infra.transfer.plan import Plan
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.stream import conversions, ledger
from infra.transfer.stream.options import Options, fitted
from infra.transfer.stream.stream import Stream, Way

# From so many bytes on a restart before and after the load is worth its while.
_WORTH_A_RESTART = 1 << 30
# What all indexes that are made at once may take of our own server's memory. Megabytes.
_MEMORY = 1024


@dataclass(frozen=True)
class Prepared:
    """What was found at both ends, and what becomes of it with the options that both allow.

    `timescaledb` says whether the target will have it, `restarts` whether its server gets load
    settings.
    """

    survey: Survey
    plan: Plan
    timescaledb: bool
    restarts: bool
    options: Options


@dataclass(frozen=True)
class Session:
    """A transfer between its plan and its end: nobody else works on the target meanwhile."""

    transfers: Transfers
    source: Source
    target: Destination
    prepared: Prepared
    maintenance: Maintenance
    record: Record
    discard: bool

    def run(self, progress: Progress) -> tuple[Receipt, list[str]]:
        """Load, verify and swap; return what arrived and the last lines of the report."""
        return self.transfers.load(self, progress)


class Transfers:
    """What commands do with two databases at once."""

    def __init__(
        self, settings: Settings, engine: Engine, tools: ClientTools, journal: Journal
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._tools = tools
        self._journal = journal

    def plan(self, origin: str, to: str, options: Options) -> Plan:
        """Decide what can be streamed, only reading; UsageError, SourceError, TargetError."""
        source, there = self._check(origin, to, options)
        return self._prepare(source, there, options).plan

    @contextmanager
    def transferring(
        self, origin: str, to: str, options: Options, *, discard: bool
    ) -> Iterator[Session]:
        """Hold the target for one transfer, surveyed and planned; RefusedError otherwise.

        `discard` drops the copy that was kept before anything is loaded.
        """
        source, there = self._check(origin, to, options)
        with Maintenance(there.superuser, "transfer") as maintenance:
            record = self._journal.begin("transfer", database=there.database, archive=origin)
            with recovery.settled(maintenance, there.superuser, record):
                record.reach("surveyed", target=to)
                prepared = self._prepare(source, there, options)
                prepared.plan.require()
                record.reach("planned")
                yield Session(self, source, there, prepared, maintenance, record, discard=discard)

    def load(self, session: Session, progress: Progress) -> tuple[Receipt, list[str]]:
        """Load, verify and swap."""
        there, maintenance = session.target, session.maintenance
        with reported(
            self._settings.reports,
            "transfer",
            source=str(session.source.endpoint),
            progress=progress,
        ) as report:
            report.target = f"target {there.target}, database {there.database}"
            report.plan = session.prepared.plan.as_json()
            staging = Staging(there, jobs=session.prepared.options.jobs, progress=report.recorder)
            if session.discard:
                swap.drop(maintenance.connection, swap.previous_name(there.database))
            with self._load_settings(session, report.recorder):
                try:
                    arrived = self._stream(session, staging, report.recorder).run(
                        maintenance, session.record
                    )
                except VerificationError:
                    # What differs once would be taken for whole by the next attempt.
                    swap.drop(maintenance.connection, staging.name)
                    raise
            maintenance.ensure()
            staging.go_live(maintenance.connection, session.record, self._journal.boundary)
            ledger.drop_live(there.superuser)
            report.arrived(arrived)
            report.actual["target_bytes"] = swap.size(maintenance.connection, there.database)
        return arrived, report.lines

    @contextmanager
    def _load_settings(self, session: Session, progress: Progress) -> Iterator[None]:
        known = loading.plan(session.maintenance) if session.prepared.restarts else None
        session.record.reach("confirmed", load_settings=known)
        if known is None:
            yield
            return
        try:
            progress.stage("restarting the database with load settings")
            loading.begin(session.maintenance, known, self._restart)
            yield
        finally:
            progress.stage("restarting the database with its own settings")
            loading.end(session.target.superuser, known, self._restart)
            session.record.note(load_settings=None)

    def _stream(self, session: Session, staging: Staging, progress: Progress) -> Stream:
        there, project = session.target, self._settings.project
        desktop = self._engine.is_desktop()
        folder = self._settings.root / "data"
        folder.mkdir(exist_ok=True)
        return Stream(
            Way(
                session.source,
                client_images.on_host(session.source.endpoint, project, desktop=desktop),
                client_images.on_host(there.owner, project, desktop=desktop),
                folder,
            ),
            staging,
            self._tools,
            session.prepared.survey,
            session.prepared.options,
            timescaledb=session.prepared.timescaledb,
            memory=_MEMORY if there.target == "local" else None,
            progress=progress,
        )

    def _restart(self) -> None:
        self._engine.restart_service(self._settings.project, "db")

    def _check(self, origin: str, to: str, options: Options) -> tuple[Source, Destination]:
        for name, option, what in ((origin, "--from", "read"), (to, "--to", "replace")):
            if not name:
                raise UsageError(
                    f"{option} is missing",
                    f"Name the target to {what}: `invoke transfer --from source --to local`.",
                )
        archives.check_jobs(options.jobs)
        if origin == to:
            raise UsageError(f"--from and --to are both {to!r}", "Name two targets.")
        desktop = self._engine.is_desktop()
        endpoint = self._settings.highest(origin)
        server = client_images.server(endpoint, self._settings.project, desktop=desktop)
        found = self._settings.target(to)
        if to == "source":
            raise RefusedError("the source is only read", "Choose another target with --to.")
        if not found.capabilities.renames_databases:
            raise RefusedError(
                f"target {to!r} takes no transfer yet: databases there cannot be renamed",
                "Transfer to `local` or `neon`.",
            )
        return Source(endpoint, server), self.destination(to)

    def destination(self, name: str) -> Destination:
        """Return a target as a place to load into; UsageError where it is not configured."""
        found = self._settings.target(name)
        if found.admin is None or found.app is None:
            raise UsageError(f"target {name}: {found.problem}", "Correct these lines in .env.")
        superuser, project = self._settings.highest(name), self._settings.project
        desktop = self._engine.is_desktop()
        return Destination(
            superuser=superuser,
            owner=found.admin,
            application=found.app.user,
            superuser_server=client_images.server(superuser, project, desktop=desktop),
            owner_server=client_images.server(found.admin, project, desktop=desktop),
        )

    def _prepare(self, source: Source, there: Destination, asked: Options) -> Prepared:
        client = archives.client_version(self._settings, self._tools)
        local = there.target == "local"
        with (
            connect(
                there.superuser, "target", database=swap.MAINTENANCE, autocommit=True
            ) as writing,
            connect(source.endpoint, "source", autocommit=False) as reading,
        ):
            reading.read_only = True
            if not inventory.has_tables(reading):
                raise RefusedError(
                    f"{source.endpoint.target} database {source.endpoint.database!r} holds no "
                    "tables",
                    f"Check the name of the database of target {source.endpoint.target} in .env.",
                )
            found = survey.take(reading)
            options = fitted(asked, source=role.room(reading), target=role.room(writing))
            facts = target.read(
                writing,
                found,
                database=there.database,
                previous=swap.previous_name(there.database),
                owner=there.owner.user,
                free=self._engine.free_bytes(self._settings.project, "db") if local else None,
            )
            sampled = prediction.sample_source(reading, found, jobs=options.jobs, seconds_limit=1.0)
            expected = replace(
                prediction.for_target(
                    writing, found, verification_seconds=sampled.seconds, jobs=options.jobs
                ),
                # The source's statistics know nothing of what came a minute ago.
                rows=sampled.rows,
            )
            tables = conversions.read(
                reading,
                relations.tables(reading),
                options,
                timescaledb=_has_timescaledb(found, facts, options),
                reads_all_rows=role.reads_all_rows(writing),
            )
        restarts = local and expected.target_bytes >= _WORTH_A_RESTART
        plan = planning.for_stream(
            found,
            facts,
            tables,
            restarts=restarts,
            fewer_jobs=None if options == asked else options.jobs,
            client_major=client_tools.major_version(client),
            prediction=expected,
        )
        return Prepared(found, plan, tables.timescaledb, restarts, options)


def _has_timescaledb(source: Survey, there: target.TargetFacts, options: Options) -> bool:
    """Tell whether the staging database gets TimescaleDB."""
    wanted: Any = source.timescaledb or options.hypertables
    return bool(wanted and there.extensions.get("timescaledb"))
