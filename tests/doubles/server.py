"""What every double stands on: a container with PostgreSQL, and PgBouncers beside it in there.

The container runs on the host's own network, so the address of Docker's default bridge is the same
server for the host, for client tools in a container and for every other network of containers.
That takes a Docker engine on this very machine, not one in a virtual machine.
"""

from __future__ import annotations

import io
import secrets
import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import docker
import psycopg
from docker.models.containers import Container

from infra.engine.images import HOSTED, PG_MAJOR, build_images
from infra.process import SubprocessRunner
from tests.doubles.certificates import Certificate
from tests.fixtures.checkout import ROOT
from tests.fixtures.servers import LABEL

Connection = psycopg.Connection[tuple[object, ...]]

_FOLDER = "/etc/hosted"
_EXTENSIONS = f"/usr/share/postgresql/{PG_MAJOR}/extension"
_SOCKETS = "/var/run/postgresql"
# The user `postgres` of the image, who must own a private key to read it.
_USER = 999
_WAIT_SECONDS = 60
_PORTS = range(20000, 32000)
_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - containers have to reach it
# A test server's files need not survive a power cut.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ANY_CONNECTION = "host"
TLS_ONLY = "hostssl"


@dataclass(frozen=True)
class Entrance:
    """A way into a double, as somebody would use it who trusts its authority `ca`."""

    host: str
    port: int
    user: str
    password: str
    database: str
    ca: Path

    @property
    def settings(self) -> dict[str, str]:
        """Return what `.env` says where this is all there is to the target `neon`."""
        return {
            "NEON_DB_HOST": self.host,
            "NEON_DB_PORT": str(self.port),
            "NEON_DB_NAME": self.database,
            "NEON_DB_USER": self.user,
            "NEON_DB_PASSWORD": self.password,
            "NEON_DB_SSLMODE": "verify-full",
            "NEON_DB_SSLROOTCERT": str(self.ca),
            "NEON_DB_POOL_HOST": self.host,
            "NEON_DB_POOL_PORT": str(self.port),
            "NEON_DB_POOL_USER": self.user,
        }

    def connect(self, **others: object) -> Connection:
        """Connect with the driver, which prepares nothing, with other parameters where given."""
        parameters: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca),
            "connect_timeout": 20,
            "autocommit": True,
            "prepare_threshold": None,
        }
        return psycopg.connect(**(parameters | others))


@dataclass(frozen=True)
class Server:
    """PostgreSQL on `port` of `host`, with a superuser for the tests themselves."""

    container: Container
    host: str
    port: int
    superuser: str
    password: str

    def connect(self, database: str = "postgres") -> Connection:
        """Connect as the superuser, past every pooler."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.superuser,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def wait(self) -> None:
        """Wait until PostgreSQL answers."""
        _until(lambda: self.connect().close(), psycopg.OperationalError, self.log)

    def log(self) -> str:
        """Return the server's log."""
        output = self.container.logs()
        assert isinstance(output, bytes)
        return output.decode(errors="replace")

    def put(self, files: Mapping[str, str | bytes]) -> None:
        """Write files that only the server's user may read."""
        self.container.put_archive("/", _tar(files))

    def start_pooler(
        self,
        port: int,
        databases: Mapping[str, str],
        *,
        certificate: Certificate | None,
        files: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        """Start a PgBouncer on that port for databases, given as their connection parameters.

        It reaches PostgreSQL through the unix socket, where no password is asked for. `files` go
        beside its configuration, where settings name them by `{folder}`.
        """
        folder = f"{_FOLDER}/pooler-{port}"
        ini = {
            "listen_addr": _ALL_ADDRESSES,
            "listen_port": str(port),
            "unix_socket_dir": "",
            "logfile": f"{folder}/log",
            "auth_type": "scram-sha-256",
            "server_tls_sslmode": "disable",
            **{name: value.format(folder=folder) for name, value in settings.items()},
        }
        kept = {f"{folder}/{name}": text for name, text in (files or {}).items()}
        if certificate:
            ini["client_tls_cert_file"] = f"{folder}/server.crt"
            ini["client_tls_key_file"] = f"{folder}/server.key"
            # The image has no authorities, and it does not start without any.
            ini["client_tls_ca_file"] = f"{folder}/server.crt"
            ini.setdefault("client_tls_sslmode", "require")
            self.put(
                {f"{folder}/server.crt": certificate.chain, f"{folder}/server.key": certificate.key}
            )
        target = f"host={_SOCKETS} port={self.port}"
        lines = ["[databases]"]
        lines += [f"{name} = {target} {rest}" for name, rest in databases.items()]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in ini.items())]
        self.put({**kept, f"{folder}/pgbouncer.ini": "\n".join(lines) + "\n", f"{folder}/log": ""})
        self.run_pooler(port)

    def run_pooler(self, port: int) -> None:
        """Start the PgBouncer that was configured for that port, and wait until it listens."""
        ini = f"{_FOLDER}/pooler-{port}/pgbouncer.ini"
        self.container.exec_run(["pgbouncer", "--quiet", ini], user="postgres", detach=True)
        _until(
            lambda: socket.create_connection((self.host, port), 5).close(),
            OSError,
            lambda: self.run(f"cat {_FOLDER}/pooler-{port}/log"),
        )

    def trust_extensions(self, *names: str) -> None:
        """Let the owner of a database create these extensions, as hosted servers do."""
        controls = " ".join(f"{_EXTENSIONS}/{name}.control" for name in names)
        self.run(f"echo 'trusted = true' | tee --append {controls}")

    def hide_extension(self, name: str) -> None:
        """Let the server not have this extension."""
        self.run(f"rm {_EXTENSIONS}/{name}.control")

    def run(self, command: str) -> str:
        """Run a shell's command as root in the container and return its output."""
        code, output = self.container.exec_run(["sh", "-c", command])
        assert isinstance(output, bytes)
        text = output.decode(errors="replace")
        assert code == 0, text
        return text

    def start_again(self) -> None:
        """Start the container that was stopped, without its poolers."""
        self.container.start()
        self.wait()


@contextmanager
def running(
    client: docker.DockerClient,
    *,
    superuser: str,
    certificate: Certificate | None,
    accepts: str = ANY_CONNECTION,
    **options: str,
) -> Iterator[Server]:
    """Run PostgreSQL with these options until the block ends.

    `accepts` is the kind of connection that may come over TCP, in the words of pg_hba.conf.
    """
    _build_image()
    port = free_port()
    password = secrets.token_urlsafe(12)
    files: dict[str, str | bytes] = {
        f"{_FOLDER}/pg_hba.conf": f"local all all trust\n{accepts} all all all scram-sha-256\n"
    }
    settings = {
        "port": str(port),
        "listen_addresses": _ALL_ADDRESSES,
        "hba_file": f"{_FOLDER}/pg_hba.conf",
        **_FAST,
        **options,
    }
    if certificate:
        files[f"{_FOLDER}/server.crt"] = certificate.chain
        files[f"{_FOLDER}/server.key"] = certificate.key
        settings["ssl"] = "on"
        settings["ssl_cert_file"] = f"{_FOLDER}/server.crt"
        settings["ssl_key_file"] = f"{_FOLDER}/server.key"
    container = client.containers.create(
        HOSTED,
        ["postgres", *(word for item in settings.items() for word in ("-c", "=".join(item)))],
        environment={
            "POSTGRES_USER": superuser,
            "POSTGRES_DB": "postgres",
            "POSTGRES_PASSWORD": password,
        },
        name=f"slipway-test-{secrets.token_hex(6)}",
        labels={LABEL: "1"},
        network_mode="host",
    )
    server = Server(container, address(client), port, superuser, password)
    try:
        server.put(files)
        container.start()
        server.wait()
        yield server
    finally:
        container.remove(force=True, v=True)


@cache
def _build_image() -> None:
    build_images(SubprocessRunner(), root=ROOT, report=print, only=(HOSTED,))


def address(client: docker.DockerClient) -> str:
    """Return the host's address in Docker's default network."""
    configured = client.networks.get("bridge").attrs["IPAM"]["Config"]
    return str(configured[0]["Gateway"])


def free_port() -> int:
    """Return a port that nobody listens on, at any address.

    It is none that the system gives to connections going out: those could take it before a server
    does, or while the server is down.
    """
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_ALL_ADDRESSES, port))
            return port


def _until(attempt: Callable[[], None], failure: type[Exception], log: Callable[[], str]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            attempt()
        except failure as error:
            if time.monotonic() > deadline:
                error.add_note(log())
                raise
            time.sleep(0.05)
        else:
            return


def _tar(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folders = dict.fromkeys(str(Path(path).parent) for path in files)
        for folder in folders:
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type = tarfile.DIRTYPE
            entry.uid = entry.gid = _USER
            entry.mode = 0o700
            tar.addfile(entry)
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.uid = entry.gid = _USER
            entry.mode = 0o600
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
