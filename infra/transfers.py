"""Transfers as the operator asks for them: from one target straight into another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra import archives
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import VerificationError
from infra.preparing import Preparation, Prepared
from infra.reporting import reported
from infra.settings import Settings
from infra.transfer import loading, recovery, swap
from infra.transfer.destination import Destination, Staging
from infra.transfer.export import Source, export
from infra.transfer.in_place import InPlace
from infra.transfer.journal import SWITCH, Journal, Record
from infra.transfer.maintenance import Maintenance
from infra.transfer.plan import Plan
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.stream import ledger
from infra.transfer.stream.options import Options
from infra.transfer.stream.stream import Stream, Way

# What all indexes that are made at once may take of our own server's memory. Megabytes.
_MEMORY = 1024


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

    @property
    def before(self) -> str:
        """Say what became of the database that was there before."""
        if not self.target.in_place:
            return "the database before is kept"
        archive = self.record.entry.facts.get("kept_as")
        there = f"archive {archive} has what was there" if archive else "nothing was there before"
        return f"{there}; anon and authenticated may read none of it"


class Transfers:
    """What commands do with two databases at once."""

    def __init__(
        self, settings: Settings, engine: Engine, tools: ClientTools, journal: Journal
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._tools = tools
        self._journal = journal
        self._preparation = Preparation(settings, engine, tools)

    def plan(self, origin: str, to: str, options: Options, *, discard: bool) -> Plan:
        """Decide what can be streamed, only reading; UsageError, SourceError, TargetError."""
        source, there = self._preparation.ends(origin, to, options)
        return self._preparation.prepare(source, there, options, discard=discard).plan

    @contextmanager
    def transferring(
        self, origin: str, to: str, options: Options, *, discard: bool
    ) -> Iterator[Session]:
        """Hold the target for one transfer, surveyed and planned; RefusedError otherwise.

        `discard` drops the copy that was kept before anything is loaded; where a database is
        loaded in place, it lets what is there go, once it is archived.
        """
        source, there = self._preparation.ends(origin, to, options)
        with Maintenance(there.superuser, "transfer") as maintenance:
            record = self._journal.begin("transfer", database=there.database, archive=origin)
            with recovery.settled(maintenance, there.superuser, record):
                record.reach("surveyed", target=to)
                self._journal.refuse_beside(record.entry, command=SWITCH)
                prepared = self._preparation.prepare(source, there, options, discard=discard)
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
            place = InPlace if there.in_place else Staging
            jobs = session.prepared.options.jobs
            staging = place(there, jobs=jobs, progress=report.recorder)
            self._make_room(session, report.recorder)
            with self._load_settings(session, report.recorder):
                try:
                    arrived = self._stream(session, staging, report.recorder).run(
                        maintenance, session.record
                    )
                except VerificationError as error:
                    # What differs once would be taken for whole by the next attempt.
                    staging.discard(maintenance.connection)
                    if not there.in_place:
                        raise
                    raise VerificationError(
                        error.message,
                        f"What was loaded was removed: {session.before}. The report in "
                        "data/reports names everything.",
                        error.differences,
                    ) from error
            maintenance.ensure()
            staging.go_live(maintenance.connection, session.record, self._journal.boundary)
            ledger.drop_live(there.superuser)
            report.arrived(arrived)
            report.actual["target_bytes"] = swap.size(maintenance.connection, there.database)
        return arrived, report.lines

    def _make_room(self, session: Session, progress: Progress) -> None:
        """Drop the copy that was kept, or archive what a load in place is to replace."""
        there, shared = session.target, session.prepared.shared
        if shared is None and session.discard:
            swap.drop(session.maintenance.connection, swap.previous_name(there.database))
        if shared is None or not shared.keeps:
            return
        progress.stage("making an archive of what is there")
        kept = export(
            Source(there.owner, there.owner_server),
            self._tools,
            self._settings.archives,
            planned=archives.plan_of(
                there.owner, self._settings, self._tools, jobs=session.prepared.options.jobs
            ),
            journal=self._journal,
            jobs=session.prepared.options.jobs,
            progress=progress,
        )
        session.record.note(kept_as=kept.name)

    @contextmanager
    def _load_settings(self, session: Session, progress: Progress) -> Iterator[None]:
        known = loading.plan(session.maintenance) if session.prepared.restarts else None
        session.record.reach("confirmed", load_settings=known, written=session.prepared.written)
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
