"""The Compose database as the target of archives: plan, restore, undo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra import archives
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import RefusedError, TargetError, UsageError
from infra.postgres import client_tools, target, timescale
from infra.postgres.connection import Connection, connect
from infra.postgres.survey import Survey
from infra.reporting import reported
from infra.settings import Settings
from infra.transfer import plan as planning
from infra.transfer import prediction, recovery, swap
from infra.transfer import undo as undoing
from infra.transfer.archive import Archive, verify_files
from infra.transfer.destination import Destination
from infra.transfer.journal import SWITCH, Journal, Record
from infra.transfer.plan import Plan
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.restore import Restore


@dataclass(frozen=True)
class Undoable:
    """The database that a restore or an undo put aside, in bytes, and when that was."""

    name: str
    size: int
    since: str | None


class Local:
    """What commands do with archives and the Compose database."""

    def __init__(
        self, settings: Settings, engine: Engine, tools: ClientTools, journal: Journal
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._tools = tools
        self._journal = journal

    def plan(self, name: str, to: str, *, jobs: int) -> Plan:
        """Decide what the target can take of an archive, only reading; UsageError, RefusedError."""
        found, there = self._check(name, to, jobs)
        return self._plan(found, there, jobs)

    @contextmanager
    def restoring(self, name: str, to: str, *, jobs: int, discard: bool) -> Iterator[Session]:
        """Hold the target for one restore, surveyed and planned; RefusedError where it cannot be.

        `discard` drops the copy that an earlier restore kept before anything is loaded.
        """
        found, there = self._check(name, to, jobs)
        with swap.maintenance(there.superuser, "restore") as maintenance:
            record = self._journal.begin("restore", database=there.database, archive=found.name)
            with recovery.settled(maintenance, there.superuser, record):
                record.reach("surveyed")
                self._journal.refuse_beside(record.entry, command=SWITCH)
                plan = self._plan(found, there, jobs)
                plan.require()
                record.reach("planned")
                yield Session(self, found, there, plan, maintenance, record, jobs, discard=discard)

    def load(self, session: Session, progress: Progress) -> tuple[Receipt, list[str]]:
        """Load, verify and swap; return what arrived and the last lines of the report."""
        found, there, maintenance = session.archive, session.target, session.maintenance
        owners = (found.content["survey"]["timescaledb"] or {}).get("job_owners", [])
        session.record.reach("confirmed", roles=timescale.missing_roles(maintenance, owners))
        if session.discard:
            swap.drop(maintenance, swap.previous_name(there.database))
        with reported(
            self._settings.reports, "restore", source=f"archive {found.name}", progress=progress
        ) as report:
            report.target = f"target local, database {there.database}"
            report.plan = session.plan.as_json()
            restore = Restore(
                found, there, self._tools, jobs=session.jobs, progress=report.recorder
            )
            arrived = restore.run(maintenance, session.record, self._journal.boundary)
            report.arrived(arrived)
            report.actual["target_bytes"] = swap.size(maintenance, there.database)
        return arrived, report.lines

    def undo(self) -> None:
        """Put the previous database back."""
        undoing.undo(self._settings.superuser, self._journal)

    def undoable(self) -> Undoable | None:
        """Return what `undo` would put back; None where there is nothing, or nothing answers."""
        try:
            return self.require_undoable()
        except (RefusedError, TargetError):
            return None

    def require_undoable(self) -> Undoable:
        """Return what `undo` would put back; RefusedError where there is nothing."""
        superuser = self._settings.superuser
        with connect(superuser, "target", database=swap.MAINTENANCE, autocommit=True) as connection:
            previous = undoing.check(connection, superuser.database)
            size = swap.size(connection, previous)
        entry = recovery.last_swap(self._journal, superuser.database)
        return Undoable(previous, size, entry.moment if entry else None)

    def _check(self, name: str, to: str, jobs: int) -> tuple[Archive, Destination]:
        if not to:
            raise UsageError(
                "--to is missing", "Name the target to replace: `invoke restore NAME --to local`."
            )
        capabilities = self._settings.target(to).capabilities
        if not (capabilities.superuser and capabilities.renames_databases):
            raise RefusedError(f"target {to!r} takes no archive", "Restore with `--to local`.")
        archives.check_jobs(jobs)
        found = archives.find(self._settings, name)
        verify_files(found)
        return found, self._target()

    def _target(self) -> Destination:
        admin = self._settings.admin(recovery.LOCAL)
        superuser, project = self._settings.superuser, self._settings.project
        desktop = self._engine.is_desktop()
        return Destination(
            superuser=superuser,
            owner=admin,
            role=admin.user,
            application=self._settings.app(recovery.LOCAL).user,
            superuser_server=client_images.server(superuser, project, desktop=desktop),
            owner_server=client_images.server(admin, project, desktop=desktop),
        )

    def _plan(self, found: Archive, there: Destination, jobs: int) -> Plan:
        source = Survey.from_json(found.content["survey"])
        client = archives.client_version(self._settings, self._tools)
        with connect(
            there.superuser, "target", database=swap.MAINTENANCE, autocommit=True
        ) as connection:
            facts = target.read(
                connection,
                source,
                database=there.database,
                previous=swap.previous_name(there.database),
                owner=there.owner.user,
                free=self._engine.free_bytes(self._settings.project, "db"),
            )
            expected = prediction.for_target(
                connection, source, verification_seconds=found.receipt().seconds, jobs=jobs
            )
        return planning.for_restore(
            source, facts, client_major=client_tools.major_version(client), prediction=expected
        )


@dataclass(frozen=True)
class Session:
    """A restore between its plan and its end: nobody else works on the database meanwhile."""

    local: Local
    archive: Archive
    target: Destination
    plan: Plan
    maintenance: Connection
    record: Record
    jobs: int
    discard: bool

    def run(self, progress: Progress) -> tuple[Receipt, list[str]]:
        """Load, verify and swap; return what arrived and the last lines of the report."""
        return self.local.load(self, progress)
