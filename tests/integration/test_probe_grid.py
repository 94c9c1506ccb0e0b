"""The probe's answers are exact: direct and behind each kind of pooler, with each certificate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from typing import get_args

import docker
import psycopg
import pytest

from backend import pooling
from backend.config import Endpoint, Secret
from backend.errors import ConfigurationError
from infra.postgres.endpoint import findings
from infra.postgres.endpoint.examination import Examined, Sessions, examine
from migrations import session
from tests.doubles import poolers, server
from tests.doubles.certificates import Kind
from tests.doubles.poolers import Grid, Mode
from tests.doubles.server import Entrance

MODES: tuple[Mode, ...] = get_args(Mode)
PREPARED = (0, 1000)
CELLS: list[tuple[Mode | None, int]] = [(None, 0), *product(MODES, PREPARED)]
# What the certificate of each kind is found to be, and what ends the probe there.
FAULTS = {
    "wrong name": "wrong name",
    "expired": "expired",
    "other authority": "unknown authority",
    "none": "no tls",
}
# As many sessions as a pool of the grid has.
POOL_SIZE = 3
# What a session of a pool is found to hold, whoever had it before.
LEFT = (
    "SELECT pg_backend_pid(), COALESCE(current_setting('slipway.probe', true), ''), "
    "(SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'slipway%'), "
    "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), "
    "current_setting('session_replication_role'), current_setting('statement_timeout')"
)


@pytest.fixture(scope="module")
def grid(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grid]:
    with poolers.running(docker_client, tmp_path_factory.mktemp("grid")) as started:
        yield started


def endpoint_of(entrance: Entrance, sslmode: str = "verify-full") -> Endpoint:
    return Endpoint(
        "neon",
        "admin",
        entrance.host,
        entrance.port,
        entrance.database,
        entrance.user,
        Secret(entrance.password),
        sslmode,
        str(entrance.ca),
    )


def cell(grid: Grid, mode: Mode | None, prepared: int, certificate: Kind = "right") -> Entrance:
    if mode is None:
        return grid.direct(certificate)
    return grid.pooler(mode, prepared=prepared, certificate=certificate)


def expected(mode: Mode | None, prepared: int) -> tuple[str, Sessions]:
    if mode is None:
        return "direct", Sessions(options=True, leaks=False, prepared=True)
    whole = mode == "session"
    return mode, Sessions(options=False, leaks=not whole, prepared=whole or prepared > 0)


@pytest.mark.parametrize(("mode", "prepared"), CELLS)
def test_sessions_are_told_apart_by_behaviour(grid: Grid, mode: Mode | None, prepared: int) -> None:
    found = examine(endpoint_of(cell(grid, mode, prepared)))

    assert found.failure is None
    assert (found.pooling, found.sessions) == expected(mode, prepared)
    assert found.certificate is not None
    assert found.certificate.problem is None
    refused = [error.exit_code for error in findings.problems(found)]
    assert refused == ([2] if mode in {"transaction", "statement"} else [])


@pytest.mark.parametrize("certificate", FAULTS)
@pytest.mark.parametrize(("mode", "prepared"), CELLS)
def test_a_certificate_that_is_not_right_is_named_and_nobody_logs_in(
    grid: Grid, mode: Mode | None, prepared: int, certificate: Kind
) -> None:
    found = examine(endpoint_of(cell(grid, mode, prepared, certificate)))

    assert found.certificate is not None
    assert found.certificate.problem == FAULTS[certificate]
    assert found.failure is not None
    assert found.failure.cause == FAULTS[certificate]
    assert [found.pooling, found.sessions, found.facts] == [None, None, None]
    assert [error.exit_code for error in findings.problems(found)] == [6]


def test_who_asks_for_encryption_only_is_told_what_is_not_checked(grid: Grid) -> None:
    entrance = grid.pooler("session", certificate="wrong name")

    found = examine(replace(endpoint_of(entrance, "require"), sslrootcert=None))

    assert found.pooling == "session"
    (note,) = [note for note in findings.notes(found) if "NEON_DB_SSLMODE" in note]
    assert note == (
        "nobody checks who answers: NEON_DB_SSLMODE is 'require', not 'verify-full', "
        "which would find it unknown authority"
    )


@pytest.mark.parametrize(("mode", "prepared"), [cell for cell in CELLS if cell[0] is not None])
def test_nothing_is_left_behind(grid: Grid, mode: Mode, prepared: int) -> None:
    entrance = grid.pooler(mode, prepared=prepared)

    examine(endpoint_of(entrance))

    for _, *left in every_session(entrance):
        assert left == ["", 0, 0, "origin", "0"]
    with grid.base.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_db_role_setting").fetchone() == (0,)
        others = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
        ).fetchone()
        assert others == (0,)


def every_session(entrance: Entrance) -> Iterator[list[object]]:
    """Yield what all sessions of a pool hold: clients that ask together share none."""
    rows: dict[object, list[object]] = {}

    def ask(together: threading.Barrier) -> None:
        with entrance.connect() as connection:
            together.wait()
            row = connection.execute(f"{LEFT} FROM pg_sleep(0.2)".encode()).fetchone()
            assert row is not None
            rows[row[0]] = list(row)

    together = threading.Barrier(POOL_SIZE)
    clients = [threading.Thread(target=ask, args=(together,)) for _ in range(POOL_SIZE)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(rows) == POOL_SIZE
    yield from rows.values()


@pytest.mark.parametrize("mode", MODES)
def test_a_pool_of_one_session_is_enough(grid: Grid, mode: Mode) -> None:
    found = examine(endpoint_of(small_pool(grid, mode)))

    assert found.failure is None
    assert (found.pooling, found.sessions) == expected(mode, 0)


def small_pool(grid: Grid, mode: Mode) -> Entrance:
    return start(grid, mode, default_pool_size="1", max_prepared_statements="0")


def start(grid: Grid, mode: Mode, *, port: int | None = None, **settings: str) -> Entrance:
    """Start one more pooler, with settings that the grid's own do not have."""
    port = port or server.free_port()
    grid.base.start_pooler(
        port,
        {"*": ""},
        certificate=grid.authority.issue(),
        files=None,
        pool_mode=mode,
        auth_user=grid.base.superuser,
        auth_dbname="postgres",
        auth_query="SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
        **settings,
    )
    return replace(grid.direct(), port=port)


def test_a_proxy_that_keeps_no_session_for_the_next_client_counts_as_direct(grid: Grid) -> None:
    # Such a session is closed once it has been used.
    entrance = start(grid, "session", server_lifetime="0")

    assert pooling.kind(endpoint_of(entrance)) == "direct"


def test_a_session_that_nobody_cleans_is_found_to_leak(grid: Grid) -> None:
    found = examine(endpoint_of(start(grid, "session", server_reset_query="")))

    assert found.pooling == "session"
    assert found.sessions is not None
    assert found.sessions.leaks


@pytest.mark.parametrize("mode", MODES)
def test_processes_that_share_a_port_but_no_sessions_are_seen_through(
    grid: Grid, mode: Mode
) -> None:
    entrance = start(grid, mode, so_reuseport="1")
    for _ in range(3):
        grid.base.run_pooler(entrance.port)

    assert [pooling.kind(endpoint_of(entrance)) for _ in range(5)] == [mode] * 5


@pytest.mark.parametrize("mode", MODES)
def test_other_clients_do_not_change_the_answer(grid: Grid, mode: Mode) -> None:
    entrance = grid.pooler(mode, prepared=0)
    # One more would leave a session pool without a place for the probe.
    with busy(entrance, clients=1 if mode == "session" else 5):
        found = [pooling.kind(endpoint_of(entrance)) for _ in range(3)]

    assert found == [mode] * 3


@contextmanager
def busy(entrance: Entrance, clients: int) -> Iterator[None]:
    """Run short statements of several clients all the time."""
    stop = threading.Event()

    def work(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        while not stop.wait(0.002):
            connection.execute("SELECT pg_sleep(0.002)")

    with ExitStack() as stack:
        threads = [
            threading.Thread(target=work, args=(stack.enter_context(entrance.connect()),))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_migrations_do_not_begin_where_sessions_are_shared(grid: Grid, mode: Mode) -> None:
    endpoint = endpoint_of(grid.pooler(mode))

    with pytest.raises(ConfigurationError, match=r"^NEON_DB_HOST leads to a pooler") as caught:
        session.run(endpoint, lambda _: pytest.fail("the work has begun"))

    assert "set NEON_DB_HOST and NEON_DB_PORT in .env" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("mode", [None, "session"])
def test_migrations_run_where_sessions_are_whole(grid: Grid, mode: Mode | None) -> None:
    endpoint = endpoint_of(cell(grid, mode, 0))

    assert session.run(endpoint, lambda connection: connection.closed) is False


def test_a_wrong_password_is_sent_once(grid: Grid) -> None:
    wrong = replace(endpoint_of(grid.direct()), password=Secret("wrong"))
    before = grid.base.log().count("password authentication failed")

    found = examine(wrong)

    assert found.failure is not None
    assert found.failure.cause == "refused"
    assert found.pooling is None
    assert grid.base.log().count("password authentication failed") == before + 1


def test_a_database_that_is_read_only_is_no_target(grid: Grid) -> None:
    entrance = grid.direct()
    with grid.base.connect() as connection:
        freeze = f"ALTER DATABASE {poolers.DATABASE} SET default_transaction_read_only = "
        connection.execute(f"{freeze} on".encode())
        try:
            found: Examined = examine(endpoint_of(entrance))
        finally:
            connection.execute(f"{freeze} off".encode())
            connection.execute(
                f"ALTER DATABASE {poolers.DATABASE} RESET default_transaction_read_only".encode()
            )

    assert found.facts is not None
    assert found.facts.server.read_only
    (problem,) = findings.problems(found)
    assert problem.exit_code == 6
    assert found.read_only is not None
    assert found.read_only.cause == "frozen"
