"""The stack as a whole: start it, stop it, say how it is."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from infra import migrations
from infra.engine.client import Engine, Service, process_on_port
from infra.engine.compose import Compose
from infra.errors import (
    ConfigurationError,
    EngineError,
    MigrationError,
    RefusedError,
    SlipwayError,
    UsageError,
)
from infra.migrations import SchemaState
from infra.ports import is_free
from infra.process import Completed, Runner
from infra.settings import Settings

# The community ended PostgreSQL 14 on 2026-11-12; the image was frozen before.
_LAST_UNSUPPORTED_MAJOR = 14

# A first start runs init scripts and a killed one its recovery: both may take minutes.
_HEALTHY_SECONDS = 300.0
_POLL_SECONDS = 0.3
# A service that the engine had to start this often will not come up by itself.
_RESTARTS = 3


@dataclass(frozen=True)
class Status:
    """What runs, and how the active target's schema stands."""

    target: str
    services: list[Service]
    schema: str

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Stack:
    """The Compose project of this checkout and the database behind it."""

    def __init__(
        self, settings: Settings, compose: Compose, engine: Engine, runner: Runner
    ) -> None:
        self._settings = settings
        self._compose = compose
        self._engine = engine
        self._runner = runner

    @property
    def services(self) -> list[str]:
        """Name the long-running services of the active target."""
        return ["db", "redis"] if self._settings.config.target == "local" else ["redis"]

    def start(self) -> None:
        """Start the services and wait until they are healthy; EngineError says which is not."""
        self._check_ports()
        self._own_folders()
        answer = self._runner.run(self._compose.up(self.services))
        if not answer.ok:
            raise _compose_failure(answer)
        self._wait()

    def migrate(self) -> list[str]:
        """Reconcile roles, bring the schema to head, grant; return the migrator's lines."""
        answer = self._runner.run(self._compose.build_migrator())
        if not answer.ok:
            raise EngineError(
                f"the migrator image cannot be built: {_last_line(answer)}",
                "Read the lines above it with "
                f"`{' '.join(self._compose.build_migrator()).replace(' --quiet', '')}`.",
            )
        answer = self._runner.run(self._compose.migrate())
        if not answer.ok:
            raise _migrator_failure(answer)
        return answer.stdout.splitlines()

    def stop(self) -> None:
        """Remove the containers; the data stays."""
        answer = self._runner.run(self._compose.down())
        if not answer.ok:
            raise EngineError(
                f"the stack cannot be stopped: {_last_line(answer)}",
                "Run `invoke status` to see what is left.",
            )

    def status(self) -> Status:
        """Look at the containers and at the schema, without changing either."""
        config = self._settings.config
        services = self._engine.services(self._settings.project)
        running = any(found.name == "db" and found.state == "running" for found in services)
        if config.target == "local" and not running:
            return Status(config.target, services, "unknown: the database is not running")
        try:
            schema = describe(migrations.state(config.admin))
        except SlipwayError as error:
            schema = f"unknown: {error.message}"
        return Status(config.target, services, schema)

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
        """Return the command line of psql on the local database."""
        self.require_database()
        admin = self._settings.superuser if superuser else self._settings.config.admin
        arguments = ["--command", command] if command else []
        return self._compose.psql(admin.user, admin.database, arguments)

    def require_database(self) -> None:
        """Raise RefusedError unless the Compose database is running."""
        if not self._engine.is_running(self._settings.project, "db"):
            raise RefusedError("the stack's database is not running", "Start it with `invoke up`.")

    def _check_ports(self) -> None:
        values = self._settings.config
        ports = {}
        if values.target == "local":
            ports["db"] = ("DB_PORT", values.admin.port)
        if values.redis is not None:
            ports["redis"] = ("REDIS_PORT", values.redis.port)
        for service, (name, port) in ports.items():
            ours = self._engine.is_running(self._settings.project, service)
            if not ours and not is_free(port):
                container = self._engine.container_on_port(port)
                owner = f"container {container}" if container else process_on_port(port)
                raise EngineError(
                    f"port {port} ({name}) is taken by {owner or 'another program'}",
                    f"Stop that, or set {name} in .env to a free port.",
                )

    def _own_folders(self) -> None:
        # Made by the engine they would belong to root, archives included.
        for name in ("archives", "journal", "reports"):
            (self._settings.root / "data" / name).mkdir(parents=True, exist_ok=True)

    def _wait(self) -> None:
        """Wait until every service is healthy; EngineError for one that cannot become so.

        Compose's own waiting takes a service that dies and is started again for one that is
        starting, and says so only when the grace period of a first start is over.
        """
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while True:
            found = {
                service.name: service
                for service in self._engine.services(self._settings.project)
                if service.name in self.services
            }
            gone = [name for name in self.services if name not in found]
            if gone:
                raise EngineError(
                    f"service {gone[0]} is gone",
                    "Somebody stopped the stack meanwhile; run `invoke up` again.",
                )
            waiting = [service for service in found.values() if service.health != "healthy"]
            if not waiting:
                return
            for service in waiting:
                dying = service.state == "exited" or service.restarts >= _RESTARTS
                if dying or service.health == "unhealthy" or time.monotonic() > deadline:
                    raise self._unhealthy(service)
            time.sleep(_POLL_SECONDS)

    def _unhealthy(self, service: Service) -> EngineError:
        logs = self._runner.run(self._compose.logs([service.name], follow=False, tail=20))
        # The entrypoints' and servers' own word for what went wrong, without Compose's prefix.
        lines = [line.partition("| ")[2].strip() for line in logs.stdout.splitlines()]
        fatal = [line for line in lines if "FATAL" in line or "ERROR" in line]
        state = "keeps dying" if service.restarts else service.health or service.state
        return EngineError(
            f"service {service.name} {state}: {(fatal or lines or ['no log'])[-1]}",
            f"Run `invoke logs --service {service.name}` for the rest.",
        )


def _compose_failure(answer: Completed) -> SlipwayError:
    missing = re.search(r"required variable (\w+) is missing", answer.stderr)
    if missing:
        return ConfigurationError(
            f"settings cannot be used: {missing.group(1)} is missing", "Set it in .env."
        )
    return EngineError(
        f"docker compose up failed: {_last_line(answer)}",
        "Run `docker compose config` to check the files, `invoke logs` for the services.",
    )


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
            f"the migrator ended with exit code {answer.returncode}: {_last_line(answer)}",
            "Run `docker compose run --rm migrator` to see all it says.",
        )
    kind = ConfigurationError if answer.returncode == ConfigurationError.exit_code else None
    return (kind or MigrationError)(complaint.group(1), complaint.group(2))


def _last_line(answer: Completed) -> str:
    lines = [line.strip() for line in (answer.stderr + answer.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {answer.returncode}"
