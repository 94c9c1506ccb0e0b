"""The servers of a transfer: a source, a stack of a scratch checkout, and plain PostgreSQL."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

from psycopg import sql

from backend.config import Endpoint, Secret
from benchmarks import containers
from benchmarks.server import server
from infra.console import Console
from infra.engine import images
from infra.engine.client import Engine
from infra.errors import TargetError
from infra.postgres.connection import Connection, connect
from infra.process import Runner
from infra.settings import Images
from tests.fixtures.checkout import Checkout, running

# The database of the source, and its twin without a hypertable.
MARKET, TWIN = "market", "market_twin"
# The live database at both targets, and what a transfer keeps beside it.
LIVE = "trading"
_BESIDE = (LIVE, f"{LIVE}__previous", f"{LIVE}__staging", f"{LIVE}__discarded")
_NEEDED = (images.TIMESCALEDB, images.REDIS, images.PYTHON, images.TOOLS, images.POSTGRES_17)
_START_SECONDS = 60
_SHOWN = (
    "server_version",
    "shared_buffers",
    "wal_level",
    "max_wal_size",
    "maintenance_work_mem",
    "synchronous_commit",
    "fsync",
)
_EXTENSION: LiteralString = "CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public"


@dataclass(frozen=True)
class Scene:
    """All endpoints are superusers' but `owner`, who may make databases at `plain` and no more."""

    engine: Engine
    checkout: Checkout
    source: Endpoint
    local: Endpoint
    plain: Endpoint
    owner: Endpoint

    @contextmanager
    def session(self, endpoint: Endpoint) -> Iterator[Connection]:
        """Connect in autocommit, names found in `public`."""
        with connect(endpoint, "target", autocommit=True) as connection:
            connection.execute("SET search_path = public")
            yield connection

    def database(
        self, server: Endpoint, name: str, *, timescaledb: bool = False, owner: str = "postgres"
    ) -> Endpoint:
        """Make an empty database in the place of one of that name."""
        self.drop(server, [name])
        with self.session(replace(server, database="postgres")) as session:
            session.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )
        made = replace(server, database=name)
        if timescaledb:
            with self.session(made) as session:
                session.execute(_EXTENSION)
        return made

    def drop(self, server: Endpoint, names: Sequence[str] = _BESIDE) -> None:
        """Drop databases, and write out what others have left to be written."""
        with self.session(replace(server, database="postgres")) as session:
            for name in names:
                session.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )
            session.execute("CHECKPOINT")

    def restart_local(self) -> float:
        """Restart the Compose database and return the seconds until it answers."""
        started = time.monotonic()
        self.engine.restart_service(self.checkout.project, "db")
        while True:
            try:
                with connect(replace(self.local, database="postgres"), "target"):
                    return time.monotonic() - started
            except TargetError:
                if time.monotonic() - started > _START_SECONDS:
                    raise
                time.sleep(0.1)

    def settings(self) -> list[str]:
        """Say with what versions and settings each server runs."""
        servers = {"source": self.source, "Compose database": self.local, "plain": self.plain}
        return [f"{name}: {self._settings(endpoint)}" for name, endpoint in servers.items()]

    def _settings(self, endpoint: Endpoint) -> str:
        with self.session(replace(endpoint, database="postgres")) as session:
            values = [
                f"{name} {row[0]}"
                for name in _SHOWN
                if (row := session.execute("SELECT current_setting(%s)", [name]).fetchone())
            ]
        return ", ".join(values)


@contextmanager
def scene(
    console: Console, runner: Runner, engine: Engine, *, source: Sequence[str] = ("postgres",)
) -> Iterator[Scene]:
    """Start all servers with their images' own settings; nothing of it is left however this ends.

    `source` is the command line of the source's server.
    """
    for line in containers.build_missing(runner, engine, _NEEDED):
        console.line(line)
    with (
        console.step("starting two servers and the stack of a scratch checkout"),
        server(engine, images.TIMESCALEDB, source) as reading,
        server(engine, images.POSTGRES_17, ("postgres",)) as plain,
        tempfile.TemporaryDirectory(prefix="slipway-bench-", dir="/var/tmp") as folder,
        running(
            Path(folder) / "checkout",
            Images(images.TIMESCALEDB, images.REDIS, images.PYTHON, images.TOOLS),
            PG_MAJOR=images.PG_MAJOR,
            DB_NAME=LIVE,
            SOURCE_DB_PORT=str(reading.port),
            SOURCE_DB_NAME=MARKET,
            SOURCE_DB_PASSWORD=reading.password.reveal(),
        ) as checkout,
    ):
        owner = _owner(plain)
        checkout.set(
            NEON_DB_HOST=owner.host,
            NEON_DB_PORT=str(owner.port),
            NEON_DB_NAME=LIVE,
            NEON_DB_USER=owner.user,
            NEON_DB_PASSWORD=owner.password.reveal(),
            NEON_DB_SSLMODE="disable",
            # Never read without TLS; the system's store would ask for it.
            NEON_DB_SSLROOTCERT=str(checkout.folder / "infra" / "images" / "no-ca.pem"),
            NEON_DB_POOL_HOST=owner.host,
        )
        yield Scene(engine, checkout, reading, _local(checkout), plain, owner)


def _local(checkout: Checkout) -> Endpoint:
    values = checkout.values
    password = Secret(values["POSTGRES_PASSWORD"])
    port = int(values["DB_PORT"])
    return Endpoint("local", "admin", "127.0.0.1", port, "postgres", "postgres", password)


def _owner(plain: Endpoint) -> Endpoint:
    password = Secret(secrets.token_urlsafe(12))
    with connect(plain, "target", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE owner LOGIN CREATEDB PASSWORD {}").format(
                sql.Literal(password.reveal())
            )
        )
    return replace(plain, user="owner", password=password)
