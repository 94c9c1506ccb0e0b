"""The stack as a whole: start it, stop it, say how it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from infra import migrations, switch_history
from infra import settings as configuration
from infra.engine.client import Engine, Service
from infra.engine.compose import Compose, selection, selection_for
from infra.errors import (
    ConfigurationError,
    EngineError,
    MigrationError,
    RefusedError,
    SlipwayError,
    UsageError,
)
from infra.migrations import SchemaState
from infra.process import Completed, Runner
from infra.services import Services, last_line
from infra.settings import Settings
from infra.transfer.journal import Journal

# The community ended PostgreSQL 14 on 2026-11-12; the image was frozen before.
_LAST_UNSUPPORTED_MAJOR = 14
_LOCAL = "local"


@dataclass(frozen=True)
class Status:
    """What runs, and how the active target's schema stands.

    `since` is when the stack was switched to the target and `previous` from where, None where it
    never was.
    """

    target: str
    services: list[Service]
    schema: str
    since: str | None = None
    previous: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Stack:
    """The Compose project of this checkout and the database behind it."""

    def __init__(
        self,
        settings: Settings,
        compose: Compose,
        engine: Engine,
        runner: Runner,
        journal: Journal,
    ) -> None:
        self._settings = settings
        self._compose = compose
        self._engine = engine
        self._runner = runner
        self._journal = journal
        self.services = Services(settings, compose, engine, runner)

    @property
    def target(self) -> str:
        """Name the target that the stack is on, or would be."""
        return self._settings.config.target

    @property
    def selection(self) -> dict[str, str]:
        """Return the two variables of `.env` that put the stack on its target."""
        return selection(self._settings.values)

    @property
    def settings(self) -> Settings:
        """Return the settings that go with the target."""
        return self._settings

    def on(self, chosen: Mapping[str, str]) -> Stack:
        """Return the same stack as it is with other values of these variables in `.env`."""
        made = configuration.load(self._settings.root, {**self._settings.values, **chosen})
        return Stack(made, Compose(made), self._engine, self._runner, self._journal)

    def on_local(self) -> Stack:
        """Return the stack as it is on its own database."""
        return self.on(selection_for(self._settings, _LOCAL))

    def start(self) -> None:
        """Start the target's services and wait until they are healthy; EngineError otherwise."""
        self.services.start(self.services.own)

    def migrate(self) -> list[str]:
        """Reconcile roles, bring the schema to head, grant; return the migrator's lines."""
        answer = self.services.run(self._compose.build_migrator())
        if not answer.ok:
            raise EngineError(
                f"the migrator image cannot be built: {last_line(answer)}",
                "Read the lines above it with "
                f"`{' '.join(self._compose.build_migrator()).replace(' --quiet', '')}`.",
            )
        answer = self.services.run(self._compose.migrate())
        if not answer.ok:
            raise _migrator_failure(answer)
        return answer.stdout.splitlines()

    def stop(self) -> None:
        """Remove the containers; the data stays."""
        answer = self.services.run(self._compose.down())
        if not answer.ok:
            raise EngineError(
                f"the stack cannot be stopped: {last_line(answer)}",
                "Run `invoke status` to see what is left.",
            )

    def status(self) -> Status:
        """Look at the containers and at the schema, without changing either."""
        config = self._settings.config
        services = self._engine.services(self._settings.project)
        switch = switch_history.last_switch(self._journal, config.target)
        return Status(
            config.target,
            services,
            self._schema(services),
            since=switch.moment if switch else None,
            previous=switch.archive if switch else None,
        )

    def check_schema(self) -> None:
        """Raise MigrationError listing each difference between the models and the database."""
        endpoint = self._settings.config.admin
        differences = migrations.check(endpoint)
        if differences:
            raise MigrationError(
                f"database {endpoint.database!r} differs from the models: "
                + "; ".join(differences),
                "Write the change as a revision with `invoke revision MESSAGE`, or correct the "
                "models.",
            )

    def psql(self, command: str, *, superuser: bool) -> list[str]:
        """Return the command line of psql on the local database; RefusedError on a hosted one."""
        if self.target != _LOCAL:
            raise RefusedError(
                f"the stack is on {self.target}, and psql opens the local database only",
                f"Use {self.target}'s own console, or a psql of yours with "
                f"{self.target.upper()}_DB_* of .env.",
            )
        if not self._engine.is_running(self._settings.project, "db"):
            raise _not_running()
        admin = self._settings.superuser if superuser else self._settings.config.admin
        arguments = ["--command", command] if command else []
        return self._compose.psql(admin.user, admin.database, arguments)

    def require_database(self) -> None:
        """Have the Compose database running; RefusedError where the stack is on it and stopped.

        On a hosted target it is started beside, for a transfer back or a restore.
        """
        if self._engine.is_running(self._settings.project, "db"):
            return
        if self.target == _LOCAL:
            raise _not_running()
        local = self.on_local()
        local.services.start(["db"])
        # Roles are set first; a schema that Alembic does not know is nothing to stop at.
        with suppress(MigrationError):
            local.migrate()

    def _schema(self, services: list[Service]) -> str:
        config = self._settings.config
        running = any(found.name == "db" and found.state == "running" for found in services)
        if config.target == _LOCAL and not running:
            return "unknown: the database is not running"
        try:
            return describe(migrations.state(config.admin))
        except SlipwayError as error:
            return f"unknown: {error.message}"


def _not_running() -> RefusedError:
    return RefusedError("the stack's database is not running", "Start it with `invoke up`.")


def migration_sql(kind: str) -> str:
    """Return the statements of all revisions, for a review or for a database run by others."""
    if kind not in {"plain", "timescaledb"}:
        raise UsageError(
            f"--sql is {kind!r}", "Say `--sql plain` or `--sql timescaledb`, as the database is."
        )
    return migrations.offline_sql(timescaledb=kind == "timescaledb")


def describe(state: SchemaState) -> str:
    """Say in one line where a schema stands."""
    current = ", ".join(state.current)
    match state.status:
        case "at head":
            return f"at head ({current})"
        case "behind":
            return f"behind: at {current}, head is {state.head}; run `invoke migrate`"
        case "empty":
            return "empty; run `invoke migrate`"
        case "foreign":
            return "not known to alembic; run `invoke stamp` when it matches the models"
        case _:
            return f"at {current}, a revision that this code does not know"


def pg14_notice(settings: Settings) -> str | None:
    """Return the one line about an image that gets no fixes any more, or None."""
    if int(settings.pg_major) > _LAST_UNSUPPORTED_MAJOR:
        return None
    return (
        f"PostgreSQL {settings.pg_major} has been out of support since 2026-11-12 and its image "
        "is frozen; set PG_MAJOR=17 with a new DB_VOLUME and restore an archive into it"
    )


def _migrator_failure(answer: Completed) -> SlipwayError:
    complaint = re.search(r"^error: (.*)\nHINT: (.*)$", answer.stderr, re.MULTILINE)
    if complaint is None:
        return MigrationError(
            f"the migrator ended with exit code {answer.returncode}: {last_line(answer)}",
            "Run `docker compose run --rm migrator` to see all it says.",
        )
    kind = ConfigurationError if answer.returncode == ConfigurationError.exit_code else None
    return (kind or MigrationError)(complaint.group(1), complaint.group(2))
