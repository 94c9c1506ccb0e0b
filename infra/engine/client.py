"""What the Docker engine knows: versions, containers of the project, who publishes a port."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import psutil
from docker.errors import APIError, DockerException, NotFound

from infra.engine.compose import MINIMUM_VERSION, Compose, parse_version
from infra.errors import EngineError
from infra.process import Runner

# On a client-tool container: the process that started it.
TOOL_LABEL = "io.slipway.pid"

# As long as Compose gives the database.
_STOP_SECONDS = 60

# device, blocks, used, available, capacity, mount
_DF_FIELDS = 6

_START_HINT = (
    "Start Docker Desktop or `sudo systemctl start docker`; "
    "`python3 scripts/bootstrap.py` installs it on Debian and Ubuntu."
)


@dataclass(frozen=True)
class Service:
    """One container of the stack; `restarts` counts how often the engine had to start it again."""

    name: str
    state: str
    health: str
    restarts: int
    image: str
    ports: str


class Engine:
    """The Docker engine that the command line uses, its context included."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        """Connect at first use; EngineError when nothing answers."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def check(self, compose: Compose) -> None:
        """Raise EngineError unless the engine answers and Compose is new enough."""
        _ = self.client
        answer = self._runner.run(compose.version())
        required = ".".join(map(str, MINIMUM_VERSION))
        if not answer.ok:
            raise EngineError(
                "docker compose is not installed",
                f"Install the Compose plugin {required} or newer; "
                "`python3 scripts/bootstrap.py` does it on Debian and Ubuntu.",
            )
        if parse_version(answer.stdout) < MINIMUM_VERSION:
            raise EngineError(
                f"docker compose {answer.stdout.strip()} is too old",
                f"Update the Compose plugin to {required} or newer.",
            )

    def is_desktop(self) -> bool:
        """Tell whether containers run in Docker Desktop's virtual machine."""
        return "Docker Desktop" in str(self.client.info().get("OperatingSystem", ""))

    def services(self, project: str) -> list[Service]:
        """List the project's containers, stopped ones included, in order of their names."""
        services = []
        for attributes in self._containers(project):
            state = attributes["State"]
            services.append(
                Service(
                    name=attributes["Config"]["Labels"]["com.docker.compose.service"],
                    state=state["Status"],
                    health=state.get("Health", {}).get("Status", ""),
                    restarts=attributes["RestartCount"],
                    image=attributes["Config"]["Image"],
                    ports=", ".join(_published(attributes)),
                )
            )
        return sorted(services, key=lambda service: service.name)

    def is_running(self, project: str, service: str) -> bool:
        """Tell whether the project's service is up."""
        return any(
            found.name == service and found.state == "running" for found in self.services(project)
        )

    def restart_service(self, project: str, service: str) -> None:
        """Stop a service in peace and start it again; EngineError where it has no container."""
        containers = self.client.containers.list(
            filters={
                "label": [
                    f"com.docker.compose.project={project}",
                    f"com.docker.compose.service={service}",
                    "com.docker.compose.oneoff=False",
                ]
            }
        )
        if not containers:
            raise EngineError(f"service {service!r} is not running", "Run `invoke up`.")
        for container in containers:
            container.restart(timeout=_STOP_SECONDS)

    def free_bytes(self, project: str, service: str) -> int | None:
        """Return the room left on the disk of a service's data; None where nobody can tell."""
        labels = [
            f"com.docker.compose.project={project}",
            f"com.docker.compose.service={service}",
            "com.docker.compose.oneoff=False",
        ]
        for container in self.client.containers.list(filters={"label": labels}):
            code, output = container.exec_run(["sh", "-c", 'df -Pk "${PGDATA:-/}"'])
            lines = bytes(output).decode(errors="replace").splitlines()[-1:]  # type: ignore[arg-type]
            words = lines[0].split() if code == 0 and lines else []
            if len(words) >= _DF_FIELDS and words[3].isdigit():
                return int(words[3]) * 1024
        return None

    def remove_container(self, name: str) -> None:
        """Kill and remove a container that may be gone already."""
        try:
            self.client.containers.get(name).remove(force=True)
        except NotFound:
            return
        except APIError as error:
            # 409: the engine is removing it already, because of --rm.
            if error.status_code != 409:  # noqa: PLR2004
                raise

    def remove_orphaned_tools(self) -> None:
        """Remove client-tool containers whose command was killed before it could do so."""
        for container in self.client.containers.list(all=True, filters={"label": TOOL_LABEL}):
            pid = container.labels[TOOL_LABEL]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                self.remove_container(str(container.name))

    def container_on_port(self, port: int) -> str | None:
        """Name the container that publishes a TCP port of this machine."""
        for container in self.client.containers.list(filters={"publish": str(port)}):
            return str(container.name)
        return None

    def _containers(self, project: str) -> Iterator[dict[str, Any]]:
        label = f"com.docker.compose.project={project}"
        for container in self.client.containers.list(all=True, filters={"label": label}):
            # One-off containers of `compose run` are no services.
            if container.labels.get("com.docker.compose.oneoff") != "True":
                yield container.attrs

    def _connect(self) -> docker.DockerClient:
        # The SDK does not know contexts, and Docker Desktop's socket is found only through one.
        answer = self._runner.run(
            ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        )
        if answer.returncode == 127:  # noqa: PLR2004 - the shell's code for a missing program
            raise EngineError("the docker command is not installed", _START_HINT)
        try:
            client = docker.DockerClient(base_url=answer.stdout.strip() or None)
            client.ping()
        except DockerException as error:
            raise EngineError("the docker engine does not answer", _START_HINT) from error
        return client


def process_on_port(port: int) -> str | None:
    """Name the program that listens on a TCP port, where the system tells."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid is not None:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return None
    return None


def _published(attributes: dict[str, Any]) -> Iterator[str]:
    ports = attributes["NetworkSettings"]["Ports"] or {}
    for inner, bindings in ports.items():
        for binding in bindings or []:
            yield f"{binding['HostIp']}:{binding['HostPort']}->{inner}"
