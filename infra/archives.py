"""Archives as the operator knows them: make one from the source, list them, restore one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import RefusedError, UsageError
from infra.settings import Settings
from infra.transfer import archive as archives
from infra.transfer import restore as restoring
from infra.transfer.archive import Archive
from infra.transfer.export import export
from infra.transfer.receipt import Receipt
from infra.transfer.restore import LocalTarget

Report = Callable[[str], None]


def default_jobs() -> int:
    """Return how many connections a dump or a restore uses: one for each core, at most four."""
    return min(4, os.cpu_count() or 1)


def export_local(
    settings: Settings, engine: Engine, tools: ClientTools, *, jobs: int, report: Report
) -> Archive:
    """Make an archive of the old install; errors are those of `transfer.export`."""
    source = settings.source()
    _check_jobs(jobs)
    _remove_leftovers(settings.archives)
    engine.remove_orphaned_tools()
    server = client_images.server(source, settings.project, desktop=engine.is_desktop())
    return export(source, server, tools, settings.archives, jobs=jobs, report=report)


def find(settings: Settings, name: str) -> Archive:
    """Read an archive by its name or its path; RefusedError when it is missing or changed."""
    path = Path(name)
    return archives.read(path if path.is_dir() else settings.archives / path.name)


def listing(settings: Settings) -> list[Archive | RefusedError]:
    """Read the manifests of all archives, newest first."""
    return archives.list_all(settings.archives)


def local_target(settings: Settings, engine: Engine) -> LocalTarget:
    """Describe the Compose database as a place to restore into."""
    local = settings.target("local")
    if local.admin is None or local.app is None:
        raise UsageError(f"target local: {local.problem}", "Correct these lines in .env.")
    server = client_images.server(settings.superuser, settings.project, desktop=engine.is_desktop())
    return LocalTarget(settings.superuser, server, local.admin.user, local.app.user)


def check(archive: Archive, target: LocalTarget) -> None:
    """Make every check that reads only; raises before the target is touched."""
    restoring.check(archive, target)


def restore(
    archive: Archive, target: LocalTarget, tools: ClientTools, *, jobs: int, report: Report
) -> Receipt:
    """Put the archive in the live database's place; errors are those of `transfer.restore`."""
    _check_jobs(jobs)
    return restoring.restore(archive, target, tools, jobs=jobs, report=report)


def require_local(settings: Settings, name: str) -> None:
    """Raise RefusedError for targets that an archive cannot be restored into."""
    if not name:
        raise UsageError(
            "--to is missing", "Name the target to replace: `invoke restore NAME --to local`."
        )
    if settings.target(name).name != "local":
        raise RefusedError(f"target {name!r} takes no archive", "Restore with `--to local`.")


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}", "Give a number of 1 or more.")


def _remove_leftovers(folder: Path) -> None:
    """Remove what an export left that was killed before it could clean up."""
    for partial in folder.glob(f"*{archives.PARTIAL}"):
        pid = archives.maker(partial)
        if pid is None or not psutil.pid_exists(pid):
            shutil.rmtree(partial, ignore_errors=True)
