"""Servers and networks that go away under a transfer: it goes on, or ends with one clear line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker
import pytest

from infra.settings import Images
from tests.fixtures.checkout import Checkout, free_port
from tests.fixtures.faults import (
    ask,
    complaint,
    edited,
    ended,
    leftovers,
    staging,
    started,
    wait_until,
)
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import Server, start_server
from tests.fixtures.transfers import (
    ONE_BY_ONE,
    TRANSFER,
    arrived_units,
    drop_staging,
    held_in_rows,
    newest,
    streamed,
)

CUTS = 20
CRATES = 100
CRATE_BYTES = 1_200_000
FREIGHT = f"""
CREATE DATABASE freight TEMPLATE template0;
\\c freight
DO $$
BEGIN
  FOR n IN 1..{CRATES} LOOP
    EXECUTE format('CREATE TABLE crate_%s AS SELECT i AS id, repeat(chr(65 + %s %% 26), 990) AS '
      'load FROM generate_series(1, {CRATE_BYTES // 1000}) i', n, n);
  END LOOP;
END $$;
"""
# The deck is the largest, so it comes first.
SKIFF = """
CREATE DATABASE skiff TEMPLATE template0;
\\c skiff
CREATE TABLE deck AS SELECT i AS plank, repeat('x', 100) AS note FROM generate_series(1, 5000) i;
CREATE TABLE crew AS SELECT i AS id, 'n' || i AS name FROM generate_series(1, 100) i;
CREATE TABLE sail (id int PRIMARY KEY);
INSERT INTO sail SELECT generate_series(1, 10);
"""
# A tenth of the program's own patience.
IMPATIENT = {
    "infra/postgres/connection.py": [
        ("keepalives_idle=20", "keepalives_idle=2"),
        ("keepalives_interval=10", "keepalives_interval=1"),
        ("tcp_user_timeout=60_000", "tcp_user_timeout=6_000"),
    ],
    "infra/engine/tools.py": [
        ('"connect_timeout": "15"', '"connect_timeout": "2"'),
        ('"keepalives_idle": "30"', '"keepalives_idle": "3"'),
        ('"keepalives_interval": "10"', '"keepalives_interval": "1"'),
    ],
    "infra/transfer/stream/stream.py": [("_TRIES = 6", "_TRIES = 1")],
    "backend/config.py": [("_CONNECT_TIMEOUT = 15", "_CONNECT_TIMEOUT = 2")],
    "backend/reachability.py": [("_TCP_TIMEOUT = 5.0", "_TCP_TIMEOUT = 1.0")],
}


@pytest.fixture(scope="module")
def doomed(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start an old install that keeps its port when a test stops it."""
    server = start_server(docker_client, images.database, port=free_port())
    try:
        server.load(SKIFF)
        server.load(FREIGHT)
        yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture(autouse=True)
def _skiff(stack: Checkout, source: Server, doomed: Server) -> Iterator[None]:
    """Make the skiff the source, one plank ahead of what any test brought before."""
    doomed.execute("INSERT INTO deck VALUES (0, 'more')", "skiff")
    drop_staging(stack)
    stack.set(**{**doomed.settings, "SOURCE_DB_NAME": "skiff"})
    yield
    stack.set(**source.settings)


@pytest.fixture
def proxy(stack: Checkout, doomed: Server) -> Iterator[Proxy]:
    """Put a proxy between the stack and a source of many tables."""
    with Proxy(doomed.port) as proxy:
        stack.set(SOURCE_DB_PORT=str(proxy.port), SOURCE_DB_NAME="freight")
        yield proxy


@pytest.fixture
def impatient(stack: Checkout) -> Iterator[None]:
    """Let the stack's own copy of the program give up sooner."""
    with edited(stack, IMPATIENT):
        yield


def bytes_of_the_load(stack: Checkout, proxy: Proxy, *, cut_after: int = 0) -> int:
    """Transfer to the end and return what the source sent once the plan was made."""
    drop_staging(stack)
    with started(stack, *ONE_BY_ONE) as process:
        wait_until(lambda: newest(stack, "journal").get("state") == "confirmed")
        planned = proxy.received
        if cut_after:
            proxy.cut_all(cut_after, times=CUTS)
        stdout, stderr = process.communicate(timeout=200)
    proxy.mode = "pass"
    assert process.returncode == 0, stdout + stderr
    return proxy.received - planned


def test_twenty_cuts_cost_less_than_a_third_more(stack: Checkout, proxy: Proxy) -> None:
    stack.sql("CHECKPOINT")
    clean = bytes_of_the_load(stack, proxy)
    with_cuts = bytes_of_the_load(stack, proxy, cut_after=clean // CUTS)

    assert clean > CRATES * CRATE_BYTES * 0.9
    assert proxy.cuts == CUTS
    assert with_cuts <= 1.3 * clean
    assert leftovers(stack) == []
    stack.expect("verify", "source", "local")


def test_a_source_on_another_continent_is_slow_and_no_more(stack: Checkout, doomed: Server) -> None:
    with Proxy(doomed.port) as proxy:
        stack.set(SOURCE_DB_PORT=str(proxy.port))
        proxy.seconds, proxy.mode = 0.3, "delay"

        stack.expect(*TRANSFER)

    stack.set(SOURCE_DB_PORT=str(doomed.port))
    stack.expect("verify", "source", "local")


def source_restarts(stack: Checkout, doomed: Server) -> None:
    del stack
    doomed.container.restart(timeout=30)
    doomed.wait()


def source_ends_its_sessions(stack: Checkout, doomed: Server) -> None:
    del stack
    doomed.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'skiff'")


def target_restarts(stack: Checkout, doomed: Server) -> None:
    del doomed
    stack.compose("restart", "db")


def target_is_killed(stack: Checkout, doomed: Server) -> None:
    del doomed
    stack.compose("kill", "--signal", "KILL", "db")
    stack.compose("up", "--detach", "--wait", "db")


@pytest.mark.parametrize(
    "mishap", [source_restarts, source_ends_its_sessions, target_restarts, target_is_killed]
)
def test_a_transfer_survives_a_server_that_goes_away(
    stack: Checkout, doomed: Server, mishap: Callable[[Checkout, Server], None]
) -> None:
    with started(stack, *ONE_BY_ONE) as process:
        with held_in_rows(stack, "deck", arrived=0):
            mishap(stack, doomed)
        done = ended(process)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "trying again: " in done.stdout
    assert leftovers(stack) == []
    stack.expect("verify", "source", "local")
    assert ask(stack, "SHOW fsync") == [("on",)]


@contextmanager
def dropped(port: int) -> Iterator[None]:
    """Drop every packet to and from a port of this machine, without a word to either side."""
    rules = [
        ["INPUT", "--protocol", "tcp", side, str(port), "--jump", "DROP"]
        for side in ("--destination-port", "--source-port")
    ]
    for rule in rules:
        subprocess.run(["iptables", "--wait", "--insert", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "--wait", "--delete", *rule], check=True)


@pytest.mark.usefixtures("impatient")
def test_a_network_that_swallows_everything_ends_the_transfer_with_one_line(
    stack: Checkout, proxy: Proxy
) -> None:
    drop_staging(stack)
    with started(stack, *ONE_BY_ONE) as process:
        wait_until(lambda: arrived_units(stack) > 0)
        proxy.mode = "hold"
        with dropped(proxy.port):
            done = ended(process)
    proxy.reset()
    proxy.mode = "pass"

    line = complaint(done, 5)
    assert f"127.0.0.1:{proxy.port}" in line
    assert leftovers(stack) == [staging(stack)]
    arrived = arrived_units(stack)
    assert 0 < arrived < CRATES
    stack.expect(*ONE_BY_ONE)
    brought, whole = streamed(stack)
    assert 0 < brought < whole * (1 - 0.9 * arrived / CRATES)
    stack.expect("verify", "source", "local")
    assert leftovers(stack) == []


def refusals(stack: Checkout, doomed: Server) -> int:
    """Count the logins that both servers have refused for their passwords so far."""
    logs = doomed.container.logs().decode() + stack.compose("logs", "db").stdout
    return logs.count("password authentication failed")


@pytest.mark.parametrize(
    ("variable", "code"), [("SOURCE_DB_PASSWORD", 5), ("POSTGRES_PASSWORD", 6)]
)
def test_a_wrong_password_is_tried_once_at_each_place(
    stack: Checkout, doomed: Server, variable: str, code: int
) -> None:
    right, before = stack.values[variable], refusals(stack, doomed)
    stack.set(**{variable: "wrong"})
    try:
        line = complaint(stack.invoke(*TRANSFER), code)
    finally:
        stack.set(**{variable: right})

    assert "refuses user 'postgres'" in line
    # Once where it was wanted, and once at each database that is always there.
    assert 1 <= refusals(stack, doomed) - before <= 3
    assert leftovers(stack) == []


def test_a_password_that_changes_meanwhile_is_not_tried_again_and_again(
    stack: Checkout, doomed: Server
) -> None:
    before = refusals(stack, doomed)
    try:
        with started(stack, *ONE_BY_ONE) as process:
            with held_in_rows(stack, "deck", arrived=0):
                doomed.execute("ALTER ROLE postgres PASSWORD 'another'")
            done = ended(process)
    finally:
        doomed.load(f"ALTER ROLE postgres PASSWORD '{doomed.password}'")

    assert "password authentication failed" in complaint(done, 5)
    assert refusals(stack, doomed) - before == 1
    assert leftovers(stack) == [staging(stack)]
    stack.expect(*ONE_BY_ONE)
    brought, whole = streamed(stack)
    assert 0 < brought < whole / 2
