"""Servers that die under a transfer, on either side, and networks that go away."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import psycopg
import pytest

from infra.settings import Images
from tests.faults.conftest import Shipment, export
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import (
    ask,
    blocked,
    complaint,
    ended,
    held,
    leftovers,
    live_digest,
    started,
    wait_until,
)
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import LITTLE, Server, start_server

INSTRUMENT = (
    "INSERT INTO instruments (symbol, name, kind, currency, tick_size) "
    "VALUES ('EURUSD', 'Euro', 'forex', 'USD', 0.00001)"
)


@pytest.fixture
def doomed(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start an old install that a test may take down."""
    server = start_server(docker_client, images.database)
    try:
        server.load(LITTLE)
        yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture
def proxy(stack: Checkout, source: Server) -> Iterator[Proxy]:
    """Put a proxy between the stack and its source."""
    with Proxy(source.port) as proxy:
        stack.set(SOURCE_DB_PORT=str(proxy.port), SOURCE_DB_NAME="little")
        yield proxy
    stack.set(**source.settings)


def test_a_source_that_stops_at_once_during_the_dump_leaves_no_archive(
    stack: Checkout, source: Server, doomed: Server
) -> None:
    stack.set(**{**doomed.settings, "SOURCE_DB_NAME": "little"})
    before = stack.archives
    try:
        with started(stack, "export-local") as process:
            with blocked(doomed, "little", "LOCK TABLE parent"):
                # What `pg_ctl stop -m immediate` sends.
                doomed.container.kill("SIGQUIT")
            done = ended(process)

        complaint(done, 5, 7)
        assert stack.archives == before
        stack.set(SOURCE_DB_PORT=str(port_after_start(doomed)))
        stack.expect("verify", export(stack, "little"), "source")
    finally:
        stack.set(**source.settings)


def test_a_target_killed_during_the_load_comes_back_with_the_old_database(
    at_head: Checkout, shipments: tuple[Shipment, Shipment]
) -> None:
    at_head.sql(INSTRUMENT)
    restoring = ("restore", shipments[0].name, "--to", "local", "--yes")
    with started(at_head, *restoring) as process, held(at_head):
        at_head.compose("kill", "--signal", "KILL", "db")
        done = ended(process)

    complaint(done, 6, 7)
    output = at_head.expect("up")
    assert "recovered: " in output
    assert at_head.sql("SELECT symbol FROM instruments") == "EURUSD"
    assert leftovers(at_head) == []
    at_head.expect(*restoring)
    assert live_digest(at_head) == shipments[0].digest


def test_a_database_container_that_runs_out_of_memory_loses_nothing(at_head: Checkout) -> None:
    at_head.sql(INSTRUMENT)
    at_head.compose("kill", "--signal", "KILL", "db")

    output = at_head.expect("up")

    assert "healthy" in output
    assert at_head.sql("SELECT symbol FROM instruments") == "EURUSD"
    assert ask(at_head, "SELECT current_setting('fsync'), current_setting('full_page_writes')") == [
        ("on", "on")
    ]


@pytest.mark.parametrize("after", [1_000, 40_000])
def test_a_source_connection_that_is_cut_leaves_no_archive(
    stack: Checkout, proxy: Proxy, after: int
) -> None:
    before = stack.archives
    proxy.mode, proxy.after = "cut", after

    line = complaint(stack.invoke("export-local"), 5, 7)

    assert proxy.cuts > 0
    assert "connection" in line
    assert stack.archives == before
    proxy.mode = "pass"
    assert export(stack, "little") in stack.archives


def test_a_source_that_refuses_every_connection_is_named(stack: Checkout, proxy: Proxy) -> None:
    before = stack.archives
    proxy.mode = "refuse"

    line = complaint(stack.invoke("export-local"), 5)

    assert f"127.0.0.1:{proxy.port}" in line
    assert stack.archives == before


def port_after_start(server: Server) -> int:
    """Start a stopped server and return the port that Docker chose this time."""
    server.container.start()
    server.container.reload()
    port = int(server.container.attrs["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"])
    again = Server(server.container, port, server.password)

    def answers() -> bool:
        try:
            return again.execute("SELECT 1") != []
        except psycopg.OperationalError:
            return False

    wait_until(answers)
    return port
