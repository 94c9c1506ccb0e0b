#!/usr/bin/env python3
"""The migrator container: roles as `.env` has them, the newest schema, the application's grants."""

from __future__ import annotations

import sys

from backend import config
from backend.config import Config
from backend.errors import ConfigurationError, SlipwayError
from migrations import roles
from migrations.upgrade import upgrade


def main() -> int:
    """Do all steps and return the exit code; an unexpected error keeps its traceback."""
    try:
        migrate(config.load())
    except SlipwayError as error:
        sys.stderr.write(f"error: {error.message}\nHINT: {error.hint}\n")
        return error.exit_code
    return 0


def migrate(settings: Config) -> None:
    """Bring the active target to where this version of the code expects it."""
    if settings.target != "local":
        say(f"schema: {upgrade(settings.admin)} (head)")
        return
    if settings.socket_dir is None:
        raise ConfigurationError(
            "DB_TARGET is local, but this stack has no local database",
            "Take docker-compose.cloud.yml out of COMPOSE_FILE, or set DB_TARGET to the hosted"
            " database.",
        )
    roles.reconcile(settings, settings.socket_dir)
    say("roles: reconciled")
    say(f"schema: {upgrade(settings.admin)} (head)")
    roles.grant(settings, settings.socket_dir)
    say(f"grants: application role {settings.app.user}")


def say(line: str) -> None:
    """Write a line to the container's log."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
