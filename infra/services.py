"""The services of the Compose project: start them, wait for them, take one away."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from infra.engine.client import Engine, Service, process_on_port
from infra.engine.compose import Compose
from infra.errors import ConfigurationError, EngineError, RefusedError, SlipwayError
from infra.ports import is_free
from infra.process import Completed, Runner
from infra.settings import Settings

# A first start runs init scripts and a killed one its recovery: both may take minutes.
_HEALTHY_SECONDS = 300.0
_POLL_SECONDS = 0.3
# A service that the engine had to start this often will not come up by itself.
_RESTARTS = 3


class Services:
    """The containers of this checkout's project."""

    def __init__(
        self, settings: Settings, compose: Compose, engine: Engine, runner: Runner
    ) -> None:
        self._settings = settings
        self._compose = compose
        self._engine = engine
        self._runner = runner

    @property
    def own(self) -> list[str]:
        """Name the long-running services of the active target."""
        return ["db", "redis"] if self._settings.config.target == "local" else ["redis"]

    def start(self, names: Sequence[str]) -> None:
        """Start services and wait until ours are healthy; EngineError says which is not."""
        self._check_ports(names)
        self._own_folders()
        answer = self.run(self._compose.up(names))
        if not answer.ok:
            raise _compose_failure(answer)
        self._wait([name for name in names if name in self.own])

    def startable(self) -> list[str]:
        """Return the services that a bare `docker compose up` starts.

        Raises RefusedError where the Compose files do not fit together.
        """
        answer = self.run(self._compose.services())
        if answer.ok:
            return answer.stdout.split()
        failure = _compose_failure(answer)
        if isinstance(failure, ConfigurationError):
            raise failure
        raise RefusedError(
            f"the Compose files do not fit together: {last_line(answer)}",
            "A service that needs `db` wants `required: false` there: with a hosted database there "
            "is none.",
        )

    def present(self) -> list[str]:
        """Return the services that run, and the migrator where it ran once."""
        return [
            found.name
            for found in self._engine.services(self._settings.project)
            if found.state in {"running", "restarting"} or found.name == "migrator"
        ]

    def remove_database(self) -> None:
        """Stop the local database in peace, so that nobody writes to it any more; its data stays.

        A container that was only stopped would not start again once `docker compose down` has
        removed its network, which it does without touching the database under the overlay.
        """
        known = self._engine.services(self._settings.project)
        if all(found.name != "db" for found in known):
            return
        answer = self.run(self._compose.remove(["db"]))
        if not answer.ok:
            raise EngineError(
                f"the local database cannot be stopped: {last_line(answer)}",
                "Run `invoke status` to see how it is.",
            )

    def run(self, argv: Sequence[str]) -> Completed:
        """Run one of Compose's command lines to its end."""
        # Compose reads `.env` by itself, which may name another target than these settings.
        return self._runner.run(argv, env=self._compose.environment)

    def _check_ports(self, services: Sequence[str]) -> None:
        values = self._settings.config
        ports = {}
        if values.target == "local":
            ports["db"] = ("DB_PORT", values.admin.port)
        if values.redis is not None:
            ports["redis"] = ("REDIS_PORT", values.redis.port)
        for service, (name, port) in ports.items():
            if service not in services:
                continue
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

    def _wait(self, services: Sequence[str]) -> None:
        """Wait until all of them are healthy; EngineError for one that cannot become so.

        Compose's own waiting takes a service that dies and is started again for one that is
        starting, and says so only when the grace period of a first start is over.
        """
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while True:
            found = {
                service.name: service
                for service in self._engine.services(self._settings.project)
                if service.name in services
            }
            gone = [name for name in services if name not in found]
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
        logs = self.run(self._compose.logs([service.name], follow=False, tail=20))
        # The entrypoints' and servers' own word for what went wrong, without Compose's prefix.
        lines = [line.partition("| ")[2].strip() for line in logs.stdout.splitlines()]
        fatal = [line for line in lines if "FATAL" in line or "ERROR" in line]
        state = "keeps dying" if service.restarts else service.health or service.state
        return EngineError(
            f"service {service.name} {state}: {(fatal or lines or ['no log'])[-1]}",
            f"Run `invoke logs --service {service.name}` for the rest.",
        )


def last_line(answer: Completed) -> str:
    """Return what a program said last; its exit code where it said nothing."""
    lines = [line.strip() for line in (answer.stderr + answer.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {answer.returncode}"


def _compose_failure(answer: Completed) -> SlipwayError:
    missing = re.search(r"required variable (\w+) is missing", answer.stderr)
    if missing:
        return ConfigurationError(
            f"settings cannot be used: {missing.group(1)} is missing", "Set it in .env."
        )
    absent = re.search(r"bind source path does not exist: (\S+)", answer.stderr)
    if absent:
        return ConfigurationError(
            f"settings cannot be used: there is no file {absent.group(1)}",
            "Correct SUPABASE_DB_SSLROOTCERT or NEON_DB_SSLROOTCERT in .env, whichever names it.",
        )
    return EngineError(
        f"docker compose up failed: {last_line(answer)}",
        "Run `docker compose config` to check the files, `invoke logs` for the services.",
    )
