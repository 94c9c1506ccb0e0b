"""Archives as the operator knows them: plan and make one from the source, list them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from backend.config import Endpoint
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import RefusedError, UsageError
from infra.postgres import client_tools, inventory, survey
from infra.postgres.connection import connect
from infra.reporting import reported
from infra.settings import Settings
from infra.transfer import archive as archives
from infra.transfer import plan as planning
from infra.transfer import prediction
from infra.transfer.archive import Archive
from infra.transfer.export import Planned, Source, checked, export
from infra.transfer.journal import Journal
from infra.transfer.progress import Progress


@dataclass(frozen=True)
class Listed:
    """An archive, or what is wrong with it, and when a restore of it was last verified."""

    archive: Archive | RefusedError
    verified: datetime | None


def default_jobs() -> int:
    """Return how many connections a dump or a restore uses: one for each core, at most four."""
    return min(4, os.cpu_count() or 1)


def check_jobs(jobs: int) -> None:
    """Raise UsageError for a number of connections that nothing can be done with."""
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}", "Give a number of 1 or more.")


def plan_export(settings: Settings, tools: ClientTools, *, jobs: int) -> Planned:
    """Look at the source, only reading, and decide what an archive of it will hold."""
    return plan_of(settings.source(), settings, tools, jobs=jobs)


def plan_of(source: Endpoint, settings: Settings, tools: ClientTools, *, jobs: int) -> Planned:
    """Look at a database, only reading, and decide what an archive of it will hold."""
    check_jobs(jobs)
    client = client_version(settings, tools)
    with connect(source, "source", autocommit=False) as connection:
        connection.read_only = True
        if not inventory.has_tables(connection):
            raise RefusedError(
                f"{source.target} database {source.database!r} holds no tables",
                f"Check {source.target.upper()}_DB_NAME in .env.",
            )
        found = survey.take(connection)
        expected = prediction.sample_source(connection, found, jobs=jobs)
    made = planning.for_export(
        found,
        client_major=client_tools.major_version(client),
        archive_free=shutil.disk_usage(_existing(settings.archives)).free,
        prediction=expected,
    )
    return Planned(found, made, client)


def export_local(
    settings: Settings,
    engine: Engine,
    tools: ClientTools,
    journal: Journal,
    *,
    jobs: int,
    progress: Progress,
) -> tuple[Archive, list[str]]:
    """Make an archive of the old install; errors are those of `transfer.export`.

    Returns it with the last lines of its report.
    """
    source = settings.source()
    progress.stage("surveying the source")
    planned = plan_export(settings, tools, jobs=jobs)
    planned.plan.require()
    _remove_leftovers(settings.archives)
    engine.remove_orphaned_tools()
    server = client_images.server(source, settings.project, desktop=engine.is_desktop())
    with reported(
        settings.reports, "export-local", source=f"source {source}", progress=progress
    ) as report:
        report.plan = planned.plan.as_json()
        sealed = export(
            Source(source, server),
            tools,
            settings.archives,
            planned=planned,
            journal=journal,
            jobs=jobs,
            progress=report.recorder,
        )
        report.target = f"archive {sealed.name}"
        report.arrived(sealed.receipt())
        report.actual["archive_bytes"] = sealed.size
    return sealed, report.lines


def listing(settings: Settings, journal: Journal) -> list[Listed]:
    """Read the manifests of all archives, newest first."""
    verified = {
        entry.archive: datetime.fromisoformat(moment)
        for entry in journal.entries()
        if entry.command == "restore"
        for state, moment in entry.reached
        if state == "verified"
    }
    return [
        Listed(found, verified.get(found.name) if isinstance(found, Archive) else None)
        for found in archives.list_all(settings.archives)
    ]


def find(settings: Settings, name: str) -> Archive:
    """Read the manifest of an archive that is named, or pointed at by its path."""
    path = Path(name)
    return archives.read(path if path.is_dir() else settings.archives / path.name)


def client_version(settings: Settings, tools: ClientTools) -> str:
    """Return what pg_dump in the client-tool image says of its version."""
    answer = tools.run(["pg_dump", "--version"], mount=_existing(settings.archives))
    return checked(answer).stdout.strip()


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remove_leftovers(folder: Path) -> None:
    """Remove what an export left that was killed before its journal knew of it."""
    for partial in folder.glob(f"*{archives.PARTIAL}"):
        pid = archives.maker(partial)
        if pid is None or not psutil.pid_exists(pid):
            shutil.rmtree(partial, ignore_errors=True)
