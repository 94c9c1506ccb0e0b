"""Restore: an archive lands in a staging database, is compared, and goes live by rename."""

from __future__ import annotations

from contextlib import ExitStack

from infra.engine.tools import ClientTools
from infra.errors import ClientToolError
from infra.postgres import client_tools, timescale
from infra.postgres.client_tools import Stage
from infra.postgres.connection import Connection
from infra.postgres.inventory import Extension
from infra.process import Completed
from infra.transfer.archive import Archive
from infra.transfer.destination import Destination, Staging
from infra.transfer.export import create_extension
from infra.transfer.journal import Boundary, Record
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.tool_progress import ToolProgress


class Restore:
    """One restore, whose steps are journaled; `recovery.settle` clears up after one that fails."""

    def __init__(
        self,
        archive: Archive,
        target: Destination,
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
        self._staging = Staging(target, jobs=jobs, progress=progress)

    def run(self, maintenance: Connection, record: Record, boundary: Boundary) -> Receipt:
        """Load, compare and swap; return what arrived.

        Raises ClientToolError, TargetError or VerificationError with the live database untouched.
        """
        self._load(record, self._staging.create(maintenance))
        arrived = self._verify()
        record.reach("verified")
        self._staging.go_live(maintenance, record, boundary)
        return arrived

    def _load(self, record: Record, staging_oid: int | None) -> None:
        for extension in self._extensions():
            # TimescaleDB wants to be the first thing a session does.
            with self._staging.connect(autocommit=True) as connection:
                connection.execute(create_extension(extension).encode())
        with self._staging.connect(autocommit=True) as connection, ExitStack() as undone:
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
                database=self._staging.name,
                jobs=self._jobs,
                lists=self._archive.lists,
                strict=strict,
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
        self._staging.settle(self._receipt)
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
        require(answer, strict=strict, doing=stage.title)

    def _verify(self) -> Receipt:
        arrived = self._staging.receipt(recode=self._receipt.recoded)
        comparison = self._staging.compare(self._receipt, arrived)
        self._staging.require(comparison, f"archive {self._archive.name!r}")
        return arrived


def require(answer: Completed, *, strict: bool, doing: str) -> None:
    """Raise ClientToolError unless pg_restore did all it was told.

    Without `strict`, for servers below 17, one complaint about one setting is expected.
    """
    unexpected = client_tools.unexpected_errors(answer.stderr)
    if not unexpected and (
        answer.ok or (not strict and client_tools.UNKNOWN_SETTING in answer.stderr)
    ):
        return
    lines = [*unexpected[:1], *answer.stderr.strip().splitlines()[-1:], "no message"]
    code = "" if unexpected else f" (exit code {answer.returncode})"
    raise ClientToolError(
        f"the restore failed while {doing}: {lines[0]}{code}",
        "The live database is untouched; correct the cause and run the command again.",
    )
