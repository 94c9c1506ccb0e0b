"""Client tools in a throw-away container, so that the host needs none of its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from docker.errors import DockerException

from backend import trust
from backend.config import Endpoint, Secret
from infra.engine.client import TOOL_LABEL, Engine
from infra.engine.pump import SCRIPT, Access, Pump
from infra.process import Completed, LineSink, Runner

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Where a container finds the CA certificates of its server, or of its two servers.
_CERTIFICATES = PurePosixPath("/trust/server.pem")
_SOURCE_CERTIFICATES = PurePosixPath("/trust/source.pem")
_TARGET_CERTIFICATES = PurePosixPath("/trust/target.pem")
# Where the Compose database and whoever shares its volume have the server's unix socket.
SOCKETS = "/var/run/postgresql"
# A hosted database that sleeps needs this long to wake; a connection that is cut without a word is
# given up after a minute. Seconds.
_PATIENCE = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# The password arrives as the first line of standard input: it stands in no argument list and in
# nothing that `docker inspect` shows. Most of our patience has no variable of its own: libpq reads
# it from a file of services.
_WRAPPER = (
    "IFS= read -r PGPASSWORD && export PGPASSWORD PGSERVICE=slipway PGSERVICEFILE=/tmp/services && "
    f"printf '%s\\n' '[slipway]' {' '.join(f'{name}={_PATIENCE[name]}' for name in _PATIENCE)} "
    '>"$PGSERVICEFILE" && exec "$@"'
)


@dataclass(frozen=True)
class Server:
    """How a client-tool container reaches a database, and as whom; `volume` holds its socket."""

    network: str
    host: str
    port: int
    user: str
    sslmode: str
    password: Secret
    certificates: Path | None = None
    volume: str | None = None

    def environment(self) -> dict[str, str]:
        """Return libpq's variables; the password is none of them."""
        parameters = self.parameters(_CERTIFICATES)
        return {f"PG{name.upper()}": value for name, value in parameters.items()}

    def parameters(self, certificates: PurePosixPath) -> dict[str, str]:
        """Return libpq's parameters where the CA certificates are mounted at the given place."""
        return {
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            **trust.parameters(self.sslmode, certificates if self.certificates else None),
        }

    def mounts(self, certificates: PurePosixPath) -> list[str]:
        """Return what `docker run --mount` brings along: the CA certificates at a place, if any.

        Images of client tools need not have any of their own.
        """
        if self.certificates is None:
            return []
        file = self.certificates.resolve()
        return [f"type=bind,source={file},target={certificates},readonly"]


def server(endpoint: Endpoint, project: str, *, desktop: bool) -> Server:
    """Choose the network for an endpoint as it is known on the host.

    The Compose database is reached by its service name, any other server as the host does: a
    network of containers has no IPv6, which is all that some hosted databases have.
    """
    if endpoint.target == "local":
        return _server(endpoint, f"{project}_default", "db", 5432)
    return on_host(endpoint, project, desktop=desktop)


def socket_volume(project: str) -> str:
    """Return the name of the volume that Compose makes for the database's socket."""
    return f"{project}_db_socket"


def on_host(endpoint: Endpoint, project: str, *, desktop: bool) -> Server:
    """Reach an endpoint just as the host does, so that one container can reach any two.

    The Compose database is reached by its socket: all that goes through a published port is copied
    twice more, which takes a third of the time. Docker Desktop's containers have no part in the
    host's network, only a name for it.
    """
    network = "bridge" if desktop else "host"
    if endpoint.target == "local":
        return replace(_server(endpoint, network, SOCKETS, 5432), volume=socket_volume(project))
    forwarded = desktop and endpoint.host in _LOOPBACK
    host = "host.docker.internal" if forwarded else endpoint.host
    return _server(endpoint, network, host, endpoint.port)


def _server(endpoint: Endpoint, network: str, host: str, port: int) -> Server:
    return Server(
        network,
        host,
        port,
        endpoint.user,
        endpoint.sslmode,
        endpoint.password,
        endpoint.certificates(),
    )


def docker_run(
    image: str,
    command: Sequence[str],
    *,
    name: str,
    network: str,
    environment: Mapping[str, str],
    mount: Path | None = None,
    mounts: Sequence[str] = (),
    script: str = _WRAPPER,
) -> list[str]:
    """Build the command line of a client-tool container with the archive at /archive.

    `mounts` are further ones, as `docker run --mount` reads them.
    """
    argv = ["docker", "run", "--rm", "--interactive", "--init", "--name", name]
    argv += ["--label", "io.slipway.project=slipway", "--label", f"{TOOL_LABEL}={os.getpid()}"]
    argv += ["--network", network]
    if mount is not None:
        argv += ["--volume", f"{mount}:/archive", "--workdir", "/archive"]
    for further in mounts:
        argv += ["--mount", further]
    if hasattr(os, "getuid"):
        # Files of the archive belong to whoever runs the command.
        argv += ["--user", f"{os.getuid()}:{os.getgid()}"]
    for variable, value in {"LC_MESSAGES": "C", **environment}.items():
        argv += ["--env", f"{variable}={value}"]
    argv += ["--entrypoint", "sh", image]
    return [*argv, "-c", script, "sh", *command]


class ClientTools:
    """Runs pg_dump and its kin in the client-tool image."""

    def __init__(self, runner: Runner, engine: Engine, image: str) -> None:
        self._runner = runner
        self._engine = engine
        self._image = image

    def run(
        self,
        command: Sequence[str],
        *,
        mount: Path,
        server: Server | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        """Run one tool to its end, without any network when no server is given.

        An interrupted tool leaves no container behind.
        """
        name = f"slipway-tool-{secrets.token_hex(6)}"
        argv = docker_run(
            self._image,
            command,
            name=name,
            network=server.network if server else "none",
            environment=server.environment() if server else {},
            mount=mount,
            mounts=server.mounts(_CERTIFICATES) if server else [],
        )
        password = server.password.reveal() if server else ""
        try:
            return self._runner.run(argv, stdin=f"{password}\n", on_stderr=on_stderr)
        except BaseException:
            # The engine's own trouble must not hide why this ended.
            with suppress(DockerException):
                self._engine.remove_container(name)
            raise

    def pump(self, source: Server, target: Server) -> Pump:
        """Prepare a container that copies rows between two servers, both in its one network."""
        if source.network != target.network:
            raise ValueError((source.network, target.network))
        mounts = source.mounts(_SOURCE_CERTIFICATES) + target.mounts(_TARGET_CERTIFICATES)
        mounts += [
            f"type=volume,source={server.volume},target={SOCKETS}"
            for server in (source, target)
            if server.volume
        ]
        return Pump(
            self._runner,
            self._engine,
            lambda name: docker_run(
                self._image,
                [],
                name=name,
                network=source.network,
                environment={"PGCLIENTENCODING": "UTF8"},
                mounts=mounts,
                script=SCRIPT,
            ),
            source=_access(source, _SOURCE_CERTIFICATES),
            target=_access(target, _TARGET_CERTIFICATES),
        )


def _access(server: Server, certificates: PurePosixPath) -> Access:
    return Access({**server.parameters(certificates), **_PATIENCE}, server.password)
