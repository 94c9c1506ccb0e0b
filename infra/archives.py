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


def listing(settings: Settings) -> list[Archive | RefusedError]:
    """Read the manifests of all archives, newest first."""
    return archives.list_all(settings.archives)


def prepare(
    settings: Settings, engine: Engine, name: str, to: str, *, jobs: int
) -> tuple[Archive, LocalTarget]:
    """Find an archive, by name or path, and the target to replace; make every reading check.

    Raises UsageError, or RefusedError when the restore cannot succeed; nothing is changed.
    """
    if not to:
        raise UsageError(
            "--to is missing", "Name the target to replace: `invoke restore NAME --to local`."
        )
    capabilities = settings.target(to).capabilities
    if not (capabilities.superuser and capabilities.renames_databases):
        raise RefusedError(f"target {to!r} takes no archive", "Restore with `--to local`.")
    _check_jobs(jobs)
    path = Path(name)
    found = archives.read(path if path.is_dir() else settings.archives / path.name)
    target = _local_target(settings, engine)
    restoring.check(found, target)
    return found, target


def _local_target(settings: Settings, engine: Engine) -> LocalTarget:
    local = settings.target("local")
    if local.admin is None or local.app is None:
        raise UsageError(f"target local: {local.problem}", "Correct these lines in .env.")
    server = client_images.server(settings.superuser, settings.project, desktop=engine.is_desktop())
    return LocalTarget(settings.superuser, server, local.admin.user, local.app.user)


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}", "Give a number of 1 or more.")


def _remove_leftovers(folder: Path) -> None:
    """Remove what an export left that was killed before it could clean up."""
    for partial in folder.glob(f"*{archives.PARTIAL}"):
        pid = archives.maker(partial)
        if pid is None or not psutil.pid_exists(pid):
            shutil.rmtree(partial, ignore_errors=True)
