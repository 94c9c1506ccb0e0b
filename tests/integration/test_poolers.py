"""Each cell of the probe's grid is what it is called: the mode, the statements, the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import docker
import psycopg
import pytest
from psycopg import errors

from tests.doubles import poolers
from tests.doubles.certificates import Kind
from tests.doubles.poolers import Grid, Mode
from tests.doubles.server import Connection

COMPLAINTS: dict[Kind, str] = {
    "wrong name": "does not match host name",
    "expired": "certificate verify failed",
    "other authority": "certificate verify failed",
    "none": "server does not support SSL",
}


@pytest.fixture(scope="module")
def grid(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grid]:
    with poolers.running(docker_client, tmp_path_factory.mktemp("grid")) as started:
        yield started


def process(connection: Connection) -> object:
    return connection.execute("SELECT pg_backend_pid()").fetchone()


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("kind", COMPLAINTS)
def test_a_wrong_certificate_is_wrong_in_its_own_way(grid: Grid, kind: Kind, pooled: bool) -> None:
    right = grid.pooler("session") if pooled else grid.direct()
    with right.connect() as connection:
        assert connection.pgconn.ssl_in_use

    wrong = grid.pooler("session", certificate=kind) if pooled else grid.direct(kind)
    with pytest.raises(psycopg.OperationalError, match=COMPLAINTS[kind]):
        wrong.connect()
    with wrong.connect(sslmode="prefer", sslrootcert="") as connection:
        assert connection.pgconn.ssl_in_use == (kind != "none")


@pytest.mark.parametrize("mode", ["direct", "session", "transaction", "statement"])
def test_two_clients_share_a_backend_where_the_mode_says_so(
    grid: Grid, mode: Literal["direct"] | Mode
) -> None:
    entrance = grid.direct() if mode == "direct" else grid.pooler(mode)

    with entrance.connect() as first, entrance.connect() as second:
        shared = process(first) == process(second)

    assert shared == (mode in {"transaction", "statement"})


def test_statement_mode_has_no_transactions(grid: Grid) -> None:
    with grid.pooler("transaction").connect() as connection, connection.transaction():
        served = process(connection)
        assert process(connection) == served
    with (
        grid.pooler("statement").connect() as connection,
        pytest.raises(errors.ProtocolViolation, match="transaction blocks not allowed"),
    ):
        connection.execute("BEGIN")


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_prepared_statements_are_told_apart_only_where_they_are_known(
    grid: Grid, mode: Mode
) -> None:
    known, unknown = (grid.pooler(mode, prepared=count) for count in (1000, 0))

    with known.connect(prepare_threshold=0) as first, known.connect(prepare_threshold=0) as second:
        assert first.execute("SELECT 1").fetchone() == (1,)
        assert second.execute("SELECT 2").fetchone() == (2,)
    with (
        unknown.connect(prepare_threshold=0) as first,
        unknown.connect(prepare_threshold=0) as second,
    ):
        first.execute("SELECT 1")
        with pytest.raises(errors.DuplicatePreparedStatement):
            second.execute("SELECT 2")
        first.execute("DEALLOCATE ALL")
