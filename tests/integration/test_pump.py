"""Rows through real pairs of psql, and what is left of them when something fails."""

from __future__ import annotations

import os
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from psycopg import sql

from backend.config import Endpoint, Secret
from infra.engine import tools
from infra.engine.client import TOOL_LABEL, Engine
from infra.engine.pump import End, Pump
from infra.engine.tools import ClientTools
from infra.errors import (
    SlipwayError,
    SourceError,
    SourceLostError,
    TargetError,
    TargetLostError,
    ToolLostError,
)
from infra.process import SubprocessRunner
from infra.settings import Images
from tests.fixtures.checkout import ROOT
from tests.fixtures.servers import Server

AWKWARD = [
    "it's",
    'say "x"',
    "two\nlines\n",
    "back\\slash \\! id",
    "$HOME $(id) `id` $$",
    ":var :'var' :\"var\"",
    "%b %s \\0101 \\c",
    "a=b; DROP TABLE t; --",
    "\\",
    # Every second byte of these means something to dash.
    "".join(map(chr, range(0xC0, 0xC9))) + "Ł漢字\N{ROCKET}",
    "\x01\x02\x7f\x81\x88",
    "".join(map(chr, range(32, 80))),
]
PRINTABLE = string.printable[:95]
DEFERRED = "ALTER TABLE t ADD u int, ADD UNIQUE (u) DEFERRABLE INITIALLY DEFERRED"

SOURCE, TARGET = "pump source", "pump'target=\\"


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[Server]:
    for name in (SOURCE, TARGET):
        with server.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
            )
    server.execute("CREATE TABLE t (a int PRIMARY KEY CHECK (a <> 7), b text)", TARGET)
    server.execute("CREATE TABLE held (a int, b text)", SOURCE)
    yield server
    for name in (SOURCE, TARGET):
        with server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def client_tools(images: Images) -> ClientTools:
    runner = SubprocessRunner()
    return ClientTools(runner, Engine(runner), images.tools)


@pytest.fixture(scope="module")
def access(databases: Server) -> tools.Server:
    password = Secret(databases.password)
    endpoint = Endpoint(
        "source", "admin", "127.0.0.1", databases.port, "postgres", "postgres", password
    )
    return tools.on_host(endpoint, "slipway", desktop=False)


@pytest.fixture(scope="module")
def pump(client_tools: ClientTools, access: tools.Server) -> Iterator[Pump]:
    with client_tools.pump(access, access) as made:
        yield made


@pytest.fixture(autouse=True)
def _empty(databases: Server) -> None:
    databases.execute("TRUNCATE t", TARGET)


def select(query: str, then: str = "") -> End:
    return End(SOURCE, f"BEGIN READ ONLY; COPY ({query}) TO STDOUT{then}")


INTO = End(TARGET, "COPY t FROM STDIN")


def rows(server: Server) -> int:
    return int(str(server.execute("SELECT count(*) FROM t", TARGET)[0][0]))


def labelled(client: docker.DockerClient, label: str) -> list[Container]:
    # Between the list and a look at each some may go.
    return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def containers(client: docker.DockerClient) -> list[Container]:
    return labelled(client, f"{TOOL_LABEL}={os.getpid()}")


@contextmanager
def held(server: Server, database: str, table: str) -> Iterator[None]:
    with server.connect(database) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table}".encode())
        yield


@contextmanager
def in_progress(pump: Pump, source: End, target: End = INTO) -> Iterator[list[SlipwayError]]:
    """Copy in a thread, which is through by the end of the block, and collect its error."""
    errors: list[SlipwayError] = []

    def work() -> None:
        try:
            pump.copy(source, target)
        except SlipwayError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield errors
    thread.join(10)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def backends(server: Server, database: str, condition: str = "true") -> list[int]:
    found = server.execute(
        f"SELECT pid FROM pg_stat_activity WHERE datname = $name${database}$name$ "
        f"AND application_name = 'psql' AND query LIKE '%COPY%' AND {condition}"
    )
    return [int(str(pid)) for (pid,) in found]


@pytest.mark.parametrize("form", ["binary", "text"])
def test_rows_arrive_as_they_were(databases: Server, pump: Pump, form: str) -> None:
    query = "SELECT i + 10 AS a, CASE WHEN i % 3 > 0 THEN E'é\\t\\\\\\n' || i END AS b"
    query += " FROM generate_series(1, 100000) i"
    digest = "SELECT count(*), sum(hashtext(s::text)::bigint) FROM "

    pump.copy(select(query, f" (FORMAT {form})"), End(TARGET, f"COPY t FROM STDIN (FORMAT {form})"))
    expected = databases.execute(f"{digest} ({query}) s", SOURCE)
    assert databases.execute(f"{digest} t s", TARGET) == expected


def test_names_mean_nothing_to_shell_and_psql(databases: Server, pump: Pump) -> None:
    for name in AWKWARD:
        for database in (SOURCE, TARGET):
            with databases.connect(database) as connection:
                table = sql.Identifier(name)
                connection.execute(sql.SQL("CREATE TABLE {} (a text)").format(table))
                if database == SOURCE:
                    row = sql.SQL("INSERT INTO {} VALUES ({})").format(table, name)
                    connection.execute(row)
        pump.copy(
            End(SOURCE, sql.SQL("COPY {} TO STDOUT").format(table).as_string()),
            End(TARGET, sql.SQL("COPY {} FROM STDIN").format(table).as_string()),
        )
        with databases.connect(TARGET) as connection:
            assert connection.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall() == [
                (name,)
            ]


@pytest.mark.parametrize(
    ("source", "state"),
    [
        (End(SOURCE, "COPY missing TO STDOUT"), "42P01"),
        (select("SELECT i, 1 / (300000 - i) FROM generate_series(8, 400000) i"), "22012"),
        (select("SELECT 1, 'x'", "; SELECT 'x'::int"), "22P02"),
        # A whole number of pipes and of rows has gone when it fails.
        (
            select("SELECT i + 10, CASE WHEN i = 65537 THEN (i - 65537 + 1) / 0 ELSE 1000 END "
                   "FROM generate_series(1, 70000) i"),
            "22012",
        ),
    ],
)  # fmt: skip
def test_a_source_that_fails_leaves_nothing(
    databases: Server, pump: Pump, source: End, state: str
) -> None:
    with pytest.raises(SourceError) as caught:
        pump.copy(source, INTO)

    assert type(caught.value) is SourceError
    assert state in caught.value.hint
    wait_for(lambda: not backends(databases, TARGET))
    assert rows(databases) == 0


@pytest.mark.parametrize(
    ("target", "message", "state"),
    [
        ("COPY t FROM STDIN", 'new row for relation "t" violates check constraint', "23514"),
        ("COPY missing FROM STDIN", 'relation "missing" does not exist', "42P01"),
        ("COPY t FROM STDIN; SELECT 1 / 0", "division by zero", "22012"),
        (f"{DEFERRED}; COPY t (a, u) FROM STDIN", "duplicate key", "23505"),
    ],
)
def test_a_target_that_fails_is_told(
    databases: Server, pump: Pump, target: str, message: str, state: str
) -> None:
    query = "SELECT i, 5 FROM generate_series(%d, 9) i"
    with pytest.raises(TargetError) as caught:
        pump.copy(select(query % (7 if "23514" in state else 8)), End(TARGET, target))

    assert type(caught.value) is TargetError
    assert caught.value.message.startswith(message)
    assert state in caught.value.hint
    assert rows(databases) == 0


def test_an_error_that_a_function_of_the_target_handles_is_none(
    databases: Server, pump: Pump
) -> None:
    databases.execute(
        """
        CREATE FUNCTION wary(i int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
          $$BEGIN RETURN 1 / i > 0; EXCEPTION WHEN division_by_zero THEN RETURN true; END$$;
        CREATE TABLE careful (a int CHECK (wary(a)));
        """,
        TARGET,
    )

    pump.copy(select("SELECT 0"), End(TARGET, "COPY careful FROM STDIN"))
    with pytest.raises(TargetError, match="check constraint"):
        pump.copy(select("SELECT 2"), End(TARGET, "COPY careful FROM STDIN"))

    assert databases.execute("SELECT * FROM careful", TARGET) == [(0,)]


@pytest.mark.parametrize(("victim", "lost"), [(SOURCE, SourceLostError), (TARGET, TargetLostError)])
def test_a_terminated_backend_is_a_lost_side(
    databases: Server, pump: Pump, victim: str, lost: type[SlipwayError]
) -> None:
    slow = select(
        "SELECT i + 10, repeat('x', 500) || CASE i % 100 WHEN 0 THEN pg_sleep(0.01)::text END "
        "FROM generate_series(1, 1000000) i"
    )
    with in_progress(pump, slow) as errors:
        wait_for(lambda: backends(databases, TARGET) and backends(databases, SOURCE))
        time.sleep(0.2)
        for pid in backends(databases, victim):
            databases.execute(f"SELECT pg_terminate_backend({pid})")

    assert [type(error) for error in errors] == [lost]
    assert "57P01" in errors[0].hint
    wait_for(lambda: not backends(databases, TARGET))
    assert rows(databases) == 0


@pytest.mark.parametrize("victim", [SOURCE, TARGET])
def test_a_killed_psql_is_a_lost_tool(
    databases: Server, docker_client: docker.DockerClient, pump: Pump, victim: str
) -> None:
    with held(databases, SOURCE, "held"), in_progress(pump, select("SELECT * FROM held")) as errors:
        wait_for(lambda: backends(databases, SOURCE) and backends(databases, TARGET))
        statement = "FROM.STDIN" if victim == TARGET else "TO.STDOUT"
        for container in containers(docker_client):
            find = f"grep -l {statement} /proc/[0-9]*/cmdline | grep -v /1/ | cut -d/ -f3"
            script = f"for pid in $({find}); do grep -q ^psql /proc/$pid/cmdline && kill -9 $pid"
            container.exec_run(["sh", "-c", f"{script}; done"])
        wait_for(lambda: errors)

    assert [type(error) for error in errors] == [ToolLostError]
    assert rows(databases) == 0


@pytest.mark.parametrize("side", ["source", "target"])
def test_what_is_refused_is_not_lost_and_what_is_unreachable_is(
    client_tools: ClientTools, access: tools.Server, side: str
) -> None:
    wrong = replace(access, password=Secret("wrong"))
    closed = replace(access, port=1)
    refused: type[SlipwayError] = SourceError if side == "source" else TargetError
    lost: type[SlipwayError] = SourceLostError if side == "source" else TargetLostError

    for other, expected in ((wrong, refused), (closed, lost)):
        ends = (other, access) if side == "source" else (access, other)
        with client_tools.pump(*ends) as made, pytest.raises(expected) as caught:
            made.copy(select("SELECT 10, 'x'"), INTO)
        assert type(caught.value) is expected


def test_a_missing_database_is_not_lost(pump: Pump) -> None:
    with pytest.raises(SourceError) as caught:
        pump.copy(End("nowhere", "COPY t TO STDOUT"), INTO)

    assert type(caught.value) is SourceError
    assert caught.value.message == 'database "nowhere" does not exist'


@pytest.mark.parametrize("password", [PRINTABLE, PRINTABLE[::-1], "  é\\Áñ\\  "])
def test_a_password_may_hold_any_sign(
    databases: Server, client_tools: ClientTools, access: tools.Server, password: str
) -> None:
    role = sql.Identifier("pump reader")
    with databases.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
    try:
        source = replace(access, user="pump reader", password=Secret(password))
        with client_tools.pump(source, access) as made:
            made.copy(select("SELECT 10, 'x'"), INTO)
        assert rows(databases) == 1
    finally:
        with databases.connect() as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize("database", [SOURCE, TARGET])
def test_a_pump_that_waits_for_a_lock_can_be_stopped(
    databases: Server, client_tools: ClientTools, access: tools.Server, database: str
) -> None:
    waiting = "wait_event_type = 'Lock'"
    table, source = (
        ("held", "SELECT * FROM held") if database == SOURCE else ("t", "SELECT 10, 'x'")
    )

    with (
        held(databases, database, table),
        client_tools.pump(access, access) as made,
        in_progress(made, select(source)) as errors,
    ):
        wait_for(lambda: backends(databases, database, waiting))
        started = time.monotonic()
        made.stop()
        wait_for(lambda: errors)
        assert time.monotonic() - started < 3

    assert [type(error) for error in errors] == [ToolLostError]
    wait_for(lambda: not backends(databases, TARGET))
    assert rows(databases) == 0


def test_many_copies_leave_nothing_behind_and_the_block_no_container(
    docker_client: docker.DockerClient, client_tools: ClientTools, access: tools.Server
) -> None:
    temporary = End(TARGET, "CREATE TEMP TABLE mine (a int, b text); COPY mine FROM STDIN")
    # By one process: another that is starting or ending would be counted or not.
    count = "set -- /proc/[0-9]* /proc/[0-9]*/fd/* /tmp/* /tmp/*/*; echo $#"

    with client_tools.pump(access, access) as made:
        made.copy(select("SELECT 1, 'x'"), temporary)
        own = docker_client.containers.get(made._name)  # noqa: SLF001 - others may run here too
        first = own.exec_run(["sh", "-c", count]).output
        for number in range(300):
            with suppress(SourceError, TargetError):
                wrong = number % 30
                source = select("SELECT 1 / 0, 'x'" if wrong == 1 else "SELECT 1, 'x'")
                made.copy(
                    source, End(TARGET, "COPY missing FROM STDIN") if wrong == 2 else temporary
                )
        assert own.exec_run(["sh", "-c", count]).output == first

    with pytest.raises(NotFound):
        own.reload()


def test_a_command_killed_in_the_middle_leaves_no_container_and_no_row(
    databases: Server, docker_client: docker.DockerClient, images: Images
) -> None:
    words = [images.tools, str(databases.port), SOURCE, TARGET]

    with held(databases, SOURCE, "held"):
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdin is not None
            command.stdin.write(f"{databases.password}\n")
            command.stdin.flush()
            wait_for(lambda: backends(databases, SOURCE))
            command.kill()
        mine = f"{TOOL_LABEL}={command.pid}"
        wait_for(lambda: not labelled(docker_client, mine))

    wait_for(lambda: not backends(databases, TARGET))
    assert rows(databases) == 0


COMMAND = """
import sys
from backend.config import Secret
from infra.engine.client import Engine
from infra.engine.pump import End
from infra.engine.tools import ClientTools, Server
from infra.process import SubprocessRunner

image, port, source, target = sys.argv[1:]
password = Secret(sys.stdin.readline()[:-1])
server = Server("host", "127.0.0.1", int(port), "postgres", "prefer", password)
runner = SubprocessRunner()
with ClientTools(runner, Engine(runner), image).pump(server, server) as pump:
    pump.copy(
        End(source, "COPY (SELECT 10, 'x' UNION ALL SELECT * FROM held) TO STDOUT"),
        End(target, "COPY t FROM STDIN"),
    )
"""
