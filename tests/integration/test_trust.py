"""Every way to a hosted database believes the same certificates, and no others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from backend.config import Endpoint, Secret
from backend.database import create_engine
from infra.engine import tools
from infra.engine.client import Engine
from infra.engine.pump import End
from infra.engine.tools import ClientTools
from infra.errors import ClientToolError, SlipwayError, SourceError
from infra.process import SubprocessRunner
from infra.settings import Images
from tests.doubles import poolers
from tests.doubles.certificates import Authority, Kind
from tests.doubles.poolers import Grid

# What a client says whom nobody it believes has vouched for the server, or vouched for another.
UNKNOWN = "certificate verify failed"
WRONG_NAME = "does not match host name"

Way = Callable[[Endpoint, ClientTools, Path], None]


@pytest.fixture(scope="module")
def grid(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grid]:
    with poolers.running(docker_client, tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def client_tools(images: Images) -> ClientTools:
    runner = SubprocessRunner()
    return ClientTools(runner, Engine(runner), images.tools)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """Make the certificate of an authority that has signed nothing."""
    return Authority(tmp_path / "stranger.pem").file


def psycopg_way(endpoint: Endpoint, _: ClientTools, __: Path) -> None:
    try:
        with psycopg.connect(**endpoint.conninfo()) as connection:
            encrypted(connection)
    except psycopg.OperationalError as error:
        raise SourceError(str(error), "") from error


def encrypted(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert row == (True,)


def sqlalchemy_way(endpoint: Endpoint, _: ClientTools, __: Path) -> None:
    async def ask() -> None:
        engine = create_engine(endpoint)
        try:
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
        finally:
            await engine.dispose()

    try:
        asyncio.run(ask())
    except OperationalError as error:
        raise SourceError(str(error), "") from error


def pg_dump_way(endpoint: Endpoint, client_tools: ClientTools, folder: Path) -> None:
    done = client_tools.run(
        ["pg_dump", "--no-password", "--schema-only", endpoint.database],
        mount=folder,
        server=tools.server(endpoint, "slipway", desktop=False),
    )
    if not done.ok:
        raise ClientToolError(done.stderr, "")


def pump_way(endpoint: Endpoint, client_tools: ClientTools, _: Path) -> None:
    server = tools.on_host(endpoint, "slipway", desktop=False)
    with client_tools.pump(server, server) as pump:
        pump.copy(
            End(endpoint.database, "COPY (SELECT 1) TO STDOUT"),
            End(endpoint.database, "CREATE TEMP TABLE t (a int); COPY t FROM STDIN"),
        )


@pytest.fixture(params=[psycopg_way, sqlalchemy_way, pg_dump_way, pump_way])
def connect(
    request: pytest.FixtureRequest, client_tools: ClientTools, tmp_path: Path
) -> Callable[[Endpoint], None]:
    way: Way = request.param
    return lambda endpoint: way(endpoint, client_tools, tmp_path)


def endpoint(grid: Grid, certificate: Kind = "right", trusted: str = "") -> Endpoint:
    """Return a way in as it is configured by default, which believes the right authority."""
    found = grid.direct(certificate)
    return Endpoint(
        "neon",
        "admin",
        found.host,
        found.port,
        found.database,
        found.user,
        Secret(found.password),
        "verify-full",
        trusted or str(found.ca),
    )


def test_a_server_that_the_file_vouches_for_is_believed(
    grid: Grid, connect: Callable[[Endpoint], None]
) -> None:
    connect(endpoint(grid))


@pytest.mark.parametrize(
    ("certificate", "complaint"), [("other authority", UNKNOWN), ("wrong name", WRONG_NAME)]
)
def test_a_server_that_shows_another_certificate_is_not(
    grid: Grid, connect: Callable[[Endpoint], None], certificate: Kind, complaint: str
) -> None:
    with pytest.raises(SlipwayError, match=complaint):
        connect(endpoint(grid, certificate))


def test_a_server_without_tls_is_not_talked_to(
    grid: Grid, connect: Callable[[Endpoint], None]
) -> None:
    with pytest.raises(SlipwayError, match="server does not support SSL"):
        connect(endpoint(grid, "none"))


def test_the_machines_store_is_what_its_variable_names(
    grid: Grid, connect: Callable[[Endpoint], None], monkeypatch: pytest.MonkeyPatch, stranger: Path
) -> None:
    hosted = endpoint(grid, trusted="system")

    monkeypatch.setenv("SSL_CERT_FILE", str(grid.authority.file))
    connect(hosted)
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger))
    with pytest.raises(SlipwayError, match=UNKNOWN):
        connect(hosted)


def test_the_machines_own_store_does_not_know_a_private_authority(
    grid: Grid, connect: Callable[[Endpoint], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    with pytest.raises(SlipwayError, match=UNKNOWN):
        connect(endpoint(grid, trusted="system"))


def test_a_client_tool_notices_a_cut_as_soon_as_the_pump_does(
    grid: Grid, client_tools: ClientTools, tmp_path: Path
) -> None:
    hosted = endpoint(grid)
    done = client_tools.run(
        ["psql", "--no-password", "--dbname", hosted.database, "-c", "\\! cat /proc/net/tcp"],
        mount=tmp_path,
        server=tools.server(hosted, "slipway", desktop=False),
    )

    # The connections to that port; timer 2 is the one that asks whether the other side is still
    # there, in hundredths of a second.
    timers = re.findall(rf":{hosted.port:04X} 01 \S+ 02:([0-9A-F]+) ", done.stdout)
    assert [0 < int(ticks, 16) <= 30 * 100 for ticks in timers] == [True], done
