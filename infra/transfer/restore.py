"""Restore: an archive lands in a staging database, is compared, and goes live by rename."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from backend.config import Endpoint
from infra.engine.tools import ClientTools, Server
from infra.errors import ClientToolError, VerificationError
from infra.postgres import client_tools, timescale
from infra.postgres.client_tools import Stage
from infra.postgres.connection import Connection, connect
from infra.postgres.inventory import Extension
from infra.process import Completed
from infra.transfer import counting, privileges, probe, swap
from infra.transfer.archive import Archive
from infra.transfer.export import create_extension
from infra.transfer.journal import Boundary, Record
from infra.transfer.landing import Landing
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.tool_progress import ToolProgress
from infra.transfer.verify import against_landing
from migrations.roles import grant_application_role

_NAMED = 5


@dataclass(frozen=True)
class LocalTarget:
    """The Compose database: its superuser's and its owner's way in, and the application's role.

    The servers say how a client-tool container logs in as one or the other.
    """

    superuser: Endpoint
    owner: Endpoint
    application: str
    superuser_server: Server
    owner_server: Server

    @property
    def database(self) -> str:
        """Return the live database's name."""
        return self.superuser.database

    @contextmanager
    def connect(
        self, database: str, *, as_owner: bool = False, autocommit: bool = True
    ) -> Iterator[Connection]:
        """Open a connection to one of the server's databases."""
        endpoint = self.owner if as_owner else self.superuser
        with connect(endpoint, "target", database=database, autocommit=autocommit) as connection:
            yield connection


class Restore:
    """One restore, whose steps are journaled; `recovery.settle` clears up after one that fails."""

    def __init__(
        self,
        archive: Archive,
        target: LocalTarget,
        tools: ClientTools,
        *,
        jobs: int,
        progress: Progress,
    ) -> None:
        self._archive = archive
        self._target = target
        self._tools = tools
        self._jobs = jobs
        self._progress = progress
        self._receipt = archive.receipt()
        self._staging = swap.staging_name(target.database)

    def run(self, maintenance: Connection, record: Record, boundary: Boundary) -> Receipt:
        """Load, compare and swap; return what arrived.

        Raises ClientToolError, TargetError or VerificationError with the live database untouched.
        """
        swap.drop(maintenance, self._staging)
        swap.create_staging(maintenance, self._target.database, self._target.owner.user)
        self._load(record, swap.oid(maintenance, self._staging))
        arrived = self._verify()
        record.reach("verified")
        self._progress.stage("swapping")
        swap.swap(maintenance, self._target.database, boundary)
        record.reach("swapped")
        swap.start_workers(self._target.superuser)
        record.reach("done")
        return arrived

    def _load(self, record: Record, staging_oid: int | None) -> None:
        for extension in self._extensions():
            # TimescaleDB wants to be the first thing a session does.
            with self._target.connect(self._staging) as connection:
                connection.execute(create_extension(extension).encode())
        with self._target.connect(self._staging) as connection, ExitStack() as undone:
            if self._timescaledb:
                owner = self._target.owner.user
                missing = record.entry.facts["roles"]
                undone.enter_context(timescale.job_owners(connection, missing, owner))
                undone.enter_context(timescale.chunks_allowed(connection, owner))
                timescale.pre_restore(connection)
            strict = (
                connection.info.server_version // 10000 >= client_tools.TRANSACTION_TIMEOUT_MAJOR
            )
            stages = client_tools.restore_stages(
                database=self._staging, jobs=self._jobs, lists=self._archive.lists, strict=strict
            )
            for number, stage in enumerate(stages):
                self._run_stage(stage, strict=strict)
                following = stages[number + 1 :]
                if stage.reaches != "indexes" and stage.reaches not in {
                    s.reaches for s in following
                }:
                    record.reach(stage.reaches, staging_oid=staging_oid)
            if self._timescaledb:
                timescale.post_restore(connection)
        self._settle()
        record.reach("indexes")

    @property
    def _timescaledb(self) -> bool:
        return any(found.name == "timescaledb" for found in self._extensions())

    def _extensions(self) -> list[Extension]:
        return [Extension(**found) for found in self._archive.content["facts"]["extensions"]]

    def _run_stage(self, stage: Stage, *, strict: bool) -> None:
        target = self._target
        server = target.superuser_server if stage.superuser else target.owner_server
        shown = ToolProgress(self._progress, self._archive.path, stage)
        answer = self._tools.run(
            stage.argv, mount=self._archive.path, server=server, on_stderr=shown.read
        )
        shown.finish()
        problem = _problem(answer, strict=strict)
        if problem:
            raise ClientToolError(
                f"the restore failed while {stage.title}: {problem}",
                "The live database is untouched; correct the cause and restore again.",
            )

    def _settle(self) -> None:
        """Give rights and settings as the archive has them, and statistics to the planner."""
        self._progress.stage("granting rights, analysing")
        with self._target.connect(self._staging, autocommit=False) as connection:
            grant_application_role(connection, self._target.owner.user, self._target.application)
            privileges.apply(connection, self._receipt, self._landing(connection))
            connection.commit()
        with self._target.connect(self._staging) as connection:
            connection.execute("ANALYZE")

    def _landing(self, connection: Connection) -> Landing:
        return Landing.read(
            connection, owner=self._target.owner.user, application=self._target.application
        )

    def _verify(self) -> Receipt:
        with counting.snapshot(self._connect_staging) as moment:
            arrived = counting.take(
                moment,
                self._connect_staging,
                jobs=self._jobs,
                progress=self._progress,
                recode=self._receipt.recoded,
            )
            comparison = against_landing(self._receipt, arrived, self._landing(moment.connection))
        if comparison.differences:
            shown = "; ".join(map(str, comparison.differences[:_NAMED]))
            more = len(comparison.differences) - _NAMED
            raise VerificationError(
                f"what arrived differs from archive {self._archive.name!r}: {shown}"
                + (f"; and {more} more" if more > 0 else ""),
                "The live database is untouched; the report in data/reports names everything.",
                tuple(map(str, comparison.differences)),
            )
        self._progress.stage("writing a row into each hypertable, to be taken back")
        with self._target.connect(self._staging, as_owner=True, autocommit=False) as connection:
            probe.write(connection)
        return arrived

    @contextmanager
    def _connect_staging(self) -> Iterator[Connection]:
        with self._target.connect(self._staging, autocommit=False) as connection:
            yield connection


def _problem(answer: Completed, *, strict: bool) -> str | None:
    """Judge a stage: below 17 one complaint about one setting is expected, nothing else."""
    unexpected = client_tools.unexpected_errors(answer.stderr)
    if unexpected:
        return unexpected[0]
    if answer.ok or (not strict and client_tools.UNKNOWN_SETTING in answer.stderr):
        return None
    lines = answer.stderr.strip().splitlines()
    return f"{lines[-1] if lines else 'no message'} (exit code {answer.returncode})"
