#!/usr/bin/env python3
"""The migrator container: roles as `.env` has them, the newest schema, the application's grants."""

from __future__ import annotations

import sys

from backend import config
from backend.config import TARGET_NAMES, Config
from backend.errors import ConfigurationError, SlipwayError
from backend.variables import Variables
from migrations import roles
from migrations.upgrade import upgrade


def main() -> int:
    """Do all steps and return the exit code; an unexpected error keeps its traceback."""
    try:
        require_matching_stack(Variables(config.merged(), config.ENV_FILE.parent))
        migrate(config.load())
    except SlipwayError as error:
        sys.stderr.write(f"error: {error.message}\nHINT: {error.hint}\n")
        return error.exit_code
    return 0


def require_matching_stack(variables: Variables) -> None:
    """Refuse a target that the Compose files do not serve: Compose cannot compare values itself."""
    target = variables.choice("DB_TARGET", TARGET_NAMES, "local")
    variables.check()
    # Only the stack with a local database shares its socket.
    has_database = bool(variables.text("DB_SOCKET_DIR"))
    if target == "local" and not has_database:
        raise ConfigurationError(
            "DB_TARGET is local, but this stack has no local database",
            "Take docker-compose.cloud.yml out of COMPOSE_FILE, or set DB_TARGET to the hosted"
            " database.",
        )
    if target != "local" and has_database:
        raise ConfigurationError(
            f"DB_TARGET is {target}, but this stack has a local database",
            "Set COMPOSE_FILE=docker-compose.yml:docker-compose.cloud.yml in .env, which"
            f" `invoke switch {target}` does; `docker compose rm --stop db` then takes the local"
            " one away.",
        )


def migrate(settings: Config) -> None:
    """Bring the active target to where this version of the code expects it."""
    if settings.socket_dir is None:
        say(f"schema: {upgrade(settings.admin)} (head)")
        return
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
