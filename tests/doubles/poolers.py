"""One server and every way into it: direct, or through a PgBouncer of each mode.

It models what an endpoint can be, one cell at a time: no pooler, or one in session, transaction or
statement mode, that knows prepared statements or does not; with each kind of certificate, or no TLS
at all. PostgreSQL, its one role and its one database are plain.

It does not model a vendor: see neon_like.py and supabase_like.py. PostgreSQL shows one certificate
at a time, so asking for a direct entrance changes what the one before it shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import docker
from psycopg import sql

from tests.doubles import server
from tests.doubles.certificates import Authority, Certificate, Kind
from tests.doubles.server import Entrance, Server
from tests.fixtures.checkout import ALL_CHARACTERS

Mode = Literal["session", "transaction", "statement"]

USER = "shop"
DATABASE = "market"
_POOL_SIZE = 3
_CERTIFICATE = "/etc/hosted/direct"


@dataclass
class Grid:
    """A running server; poolers are started when they are first asked for."""

    base: Server
    authority: Authority
    _poolers: dict[tuple[Mode, int, Kind], Entrance] = field(default_factory=dict)
    _certificates: dict[Kind, Certificate | None] = field(default_factory=dict)

    def direct(self, certificate: Kind = "right") -> Entrance:
        """Return PostgreSQL itself, which shows this certificate from now on."""
        issued = self._issue(certificate)
        path = f"{_CERTIFICATE}/{certificate.replace(' ', '-')}"
        settings = {"ssl": "off"}
        if issued:
            self.base.put({f"{path}.crt": issued.chain, f"{path}.key": issued.key})
            settings = {"ssl": "on", "ssl_cert_file": f"{path}.crt", "ssl_key_file": f"{path}.key"}
        with self.base.connect() as connection:
            # The certificate first: TLS is not switched on without one.
            for name, value in reversed(settings.items()):
                connection.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value)
                )
            connection.execute("SELECT pg_reload_conf()")
        self._wait_for(settings)
        return self._entrance(self.base.port)

    def pooler(self, mode: Mode, *, prepared: int = 1000, certificate: Kind = "right") -> Entrance:
        """Return a PgBouncer that keeps so many prepared statements for its clients."""
        key = (mode, prepared, certificate)
        if key not in self._poolers:
            port = server.free_port()
            self.base.start_pooler(
                port,
                {"*": ""},
                certificate=self._issue(certificate),
                pool_mode=mode,
                max_prepared_statements=str(prepared),
                default_pool_size=str(_POOL_SIZE),
                ignore_startup_parameters="extra_float_digits",
                auth_user=self.base.superuser,
                auth_dbname="postgres",
                auth_query="SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
            )
            self._poolers[key] = self._entrance(port)
        return self._poolers[key]

    def _entrance(self, port: int) -> Entrance:
        return Entrance(self.base.host, port, USER, ALL_CHARACTERS, DATABASE, self.authority.file)

    def _issue(self, kind: Kind) -> Certificate | None:
        if kind not in self._certificates:
            self._certificates[kind] = self.authority.issue(kind)
        return self._certificates[kind]

    def _wait_for(self, settings: dict[str, str]) -> None:
        """Wait until new sessions have these settings: a reload is only a signal."""
        deadline = time.monotonic() + 10
        while True:
            with self.base.connect() as connection:
                shown = {
                    name: connection.execute(
                        sql.SQL("SHOW {}").format(sql.Identifier(name))
                    ).fetchone()
                    for name in settings
                }
            if shown == {name: (value,) for name, value in settings.items()}:
                return
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)


@contextmanager
def running(client: docker.DockerClient, folder: Path) -> Iterator[Grid]:
    """Run the server until the block ends; its authority's certificate is put into `folder`."""
    authority = Authority(folder / "grid-ca.pem", server.address(client), "localhost")
    with server.running(client, superuser="root", certificate=None) as base:
        with base.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                    sql.Identifier(USER), sql.Literal(ALL_CHARACTERS)
                )
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(USER)
                )
            )
        yield Grid(base, authority)
