"""Refused statements of hosted databases, produced for real, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import docker
import psycopg
import pytest
import sqlalchemy as sa

from backend.config import Endpoint, Secret
from backend.errors import MigrationError
from backend.reachability import diagnose, explain, last_line, log_in
from infra.engine.images import POSTGRES_15, build_images
from infra.errors import TargetError, TargetLostError
from infra.postgres.connection import connect
from infra.process import SubprocessRunner
from migrations import session
from tests.doubles import poolers
from tests.doubles.poolers import Grid
from tests.doubles.server import Connection, Entrance
from tests.fixtures.checkout import ALL_CHARACTERS, ROOT
from tests.fixtures.servers import Server, put_file, start_server

OWNER = "vendor_owner"
DATABASE = "vendor_errors"


@pytest.fixture(scope="module")
def owned(server: Server) -> Iterator[Endpoint]:
    """Give a role without powers a database with TimescaleDB in its Apache edition."""
    server.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD 'secret'")
    server.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    server.execute("CREATE EXTENSION IF NOT EXISTS timescaledb", DATABASE)
    yield Endpoint(
        "neon", "admin", "127.0.0.1", server.port, DATABASE, OWNER, Secret("secret"), "disable"
    )
    server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    server.execute(f"DROP ROLE {OWNER}")


@pytest.fixture(scope="module")
def grid(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grid]:
    with poolers.running(docker_client, tmp_path_factory.mktemp("grid")) as started:
        yield started


@pytest.fixture(scope="module")
def standby(docker_client: docker.DockerClient) -> Iterator[Server]:
    """Start an old server that waits for a primary's changes, as a read replica does."""
    build_images(SubprocessRunner(), root=ROOT, report=print, only=(POSTGRES_15,))
    started = start_server(docker_client, POSTGRES_15)
    try:
        folder = started.execute("SHOW data_directory")[0][0]
        put_file(started.container, f"{folder}/standby.signal", b"")
        started.container.restart()
        started.container.reload()
        ports = started.container.attrs["NetworkSettings"]["Ports"]
        started.port = int(ports["5432/tcp"][0]["HostPort"])
        started.wait()
        yield started
    finally:
        started.container.remove(force=True, v=True)


def through(entrance: Entrance, target: str = "neon") -> Endpoint:
    return Endpoint(
        target,
        "admin",
        entrance.host,
        entrance.port,
        entrance.database,
        entrance.user,
        Secret(entrance.password),
        "verify-full",
        str(entrance.ca),
    )


def refusal(way: Endpoint, *statements: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        run(way, *statements)
    assert way.password.reveal() not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def run(way: Endpoint, *statements: str) -> None:
    with connect(way, "target", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@dataclass(frozen=True)
class Row:
    """Statements of which the last one is refused, and what we say then."""

    statements: tuple[str, ...]
    message: str
    hint: str
    lost: bool = False


ROWS = {
    'permission denied to set parameter "session_replication_role"': Row(
        ("SET session_replication_role = replica",),
        "user 'vendor_owner' may not set session_replication_role on the neon server at {where}",
        "load triggers and foreign keys after the rows, as `invoke transfer` does",
    ),
    'permission denied to set parameter "timescaledb.restoring"': Row(
        (f"ALTER DATABASE {DATABASE} SET timescaledb.restoring = 'on'",),
        "user 'vendor_owner' may not set timescaledb.restoring on the neon server at {where}",
        "use `invoke transfer`, which makes the hypertables anew",
    ),
    'functionality not supported under the current "apache" license': Row(
        (
            "CREATE TABLE public.tick (at timestamptz NOT NULL)",
            "SELECT public.create_hypertable('public.tick', 'at')",
            "SELECT public.add_retention_policy('public.tick', interval '1 day')",
        ),
        'neon server at {where} has TimescaleDB\'s edition "apache", which cannot do this',
        "need the community edition",
    ),
    "permission denied to change default privileges": Row(
        ("ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO vendor_owner",),
        "may not change another role's default privileges on the neon server at {where}",
        "Restore with --no-privileges (also called --no-acl)",
    ),
    "must be owner of extension": Row(
        ("COMMENT ON EXTENSION timescaledb IS 'mine'",),
        "extension 'timescaledb' belongs to the vendor on the neon server at {where}",
        "give the rest to --use-list",
    ),
    "canceling statement due to statement timeout": Row(
        ("SET statement_timeout = 20", "SELECT pg_catalog.pg_sleep(60)"),
        "neon server at {where} ended a statement that took too long (statement_timeout)",
        "ALTER ROLE vendor_owner SET statement_timeout = '1h'",
    ),
    'relation "x" does not exist': Row(
        ("SELECT FROM orders",),
        "relation 'orders' is not found in neon database 'vendor_errors' at {where}",
        "the session's search_path is empty: a restore leaves it so on a pooler",
    ),
    "terminating connection due to administrator command": Row(
        ("SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())",),
        "neon server at {where} ended the connection",
        "It sleeps when idle, or was restarted: repeat the command",
        lost=True,
    ),
    "any other": Row(
        ("SELECT FROM public.orders",),
        "neon database 'vendor_errors': relation \"public.orders\" does not exist",
        "SQLSTATE 42P01",
    ),
}


@pytest.mark.parametrize("text", ROWS)
def test_each_refused_statement_is_put_into_our_words(owned: Endpoint, text: str) -> None:
    row = ROWS[text]

    error = refusal(owned, *row.statements)

    assert row.message.format(where=f"127.0.0.1:{owned.port}") in error.message
    assert row.hint in error.hint
    assert isinstance(error, TargetLostError) == row.lost


def test_too_many_connections_of_a_role_are_named(server: Server, owned: Endpoint) -> None:
    server.execute(f"ALTER ROLE {OWNER} CONNECTION LIMIT 0")
    try:
        error = refusal(owned, "SELECT 1")
    finally:
        server.execute(f"ALTER ROLE {OWNER} CONNECTION LIMIT -1")

    assert f"neon database at 127.0.0.1:{owned.port} has no connection left" in error.message
    assert isinstance(error, TargetLostError)


WRITE = "CREATE TABLE public.written (id int)"


@contextmanager
def frozen(server: Server, what: str) -> Iterator[None]:
    server.execute(f"ALTER {what} SET default_transaction_read_only = on")
    try:
        yield
    finally:
        server.execute(f"ALTER {what} RESET default_transaction_read_only")


@pytest.mark.parametrize(
    ("what", "owner", "thawed"),
    [
        (f"DATABASE {DATABASE}", "database", f'DATABASE "{DATABASE}"'),
        (f"ROLE {OWNER}", "role", f'ROLE "{OWNER}"'),
        (
            f"ROLE {OWNER} IN DATABASE {DATABASE}",
            "role",
            f'ROLE "{OWNER}" IN DATABASE "{DATABASE}"',
        ),
    ],
)
def test_a_frozen_database_is_told_from_all_else_that_is_read_only(
    server: Server, owned: Endpoint, what: str, owner: str, thawed: str
) -> None:
    with frozen(server, what):
        error = refusal(owned, WRITE)

        assert error.message == (
            f"neon database at 127.0.0.1:{owned.port} is frozen: default_transaction_read_only is "
            f"set for its {owner}"
        )
        assert error.hint.endswith(f"ALTER {thawed} RESET default_transaction_read_only.")
        with pytest.raises(MigrationError, match=f"is frozen: .* is set for its {owner}"):
            session.run(owned, lambda connection: connection.execute(sa.text(WRITE)))


def test_a_transaction_that_began_read_only_is_no_frozen_database(owned: Endpoint) -> None:
    error = refusal(owned, "BEGIN READ ONLY", WRITE)

    assert error.message.startswith("a session of the neon server")


def test_a_setting_that_leaked_through_a_pooler_is_told(grid: Grid) -> None:
    way = grid.pooler("transaction", prepared=0)
    with way.connect() as other:
        other.execute("SET default_transaction_read_only = on")

    error = refusal(through(way), WRITE)
    with way.connect() as other:
        other.execute("RESET default_transaction_read_only")

    assert error.message == (
        f"a session of the neon server at {way.host}:{way.port} is read-only, the database is not"
    )
    assert "Another client of the same pooler has set it" in error.hint
    assert "set NEON_DB_HOST and NEON_DB_PORT in .env to the server itself" in error.hint


def test_a_server_that_is_read_only_as_a_whole_is_told(grid: Grid) -> None:
    way = grid.direct()
    with grid.base.connect() as admin:
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            error = refusal(through(way, "supabase"), "SELECT pg_catalog.pg_sleep(0.2)", WRITE)
        finally:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")

    assert error.message == f"supabase server at {way.host}:{way.port} is read-only as a whole"
    assert "when the disk or the plan's limit is full (Supabase's free plan: 500 MB)" in error.hint


def test_a_read_replica_is_told(standby: Server) -> None:
    way = Endpoint(
        "neon",
        "admin",
        "127.0.0.1",
        standby.port,
        "postgres",
        "postgres",
        Secret(standby.password),
        "disable",
    )

    error = refusal(way, WRITE)

    assert error.message == f"neon server at 127.0.0.1:{standby.port} is a read replica"
    assert error.hint == "Set NEON_DB_HOST in .env to the primary's endpoint."
    # An old server does not know what newer client tools set.
    error = refusal(way, "SET transaction_timeout = 0")
    assert "is older than the client tools: it knows no transaction_timeout" in error.message
    assert "of the server's major version" in error.hint


def test_a_prepared_statement_of_another_client_is_told(grid: Grid) -> None:
    way = through(grid.pooler("transaction", prepared=0))

    with pytest.raises(TargetError) as caught:
        prepare_twice(way)

    assert "has given us the session of another client: prepared statement" in caught.value.message
    assert "prepare_threshold to None" in caught.value.hint


def prepare_twice(way: Endpoint) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(connect(way, "target", autocommit=True))
            client.execute("SELECT 1", prepare=True)


def test_a_prepared_statement_that_another_session_has_is_told(grid: Grid) -> None:
    # Another certificate stands for another pooler, none of whose sessions has a statement yet.
    entrance = grid.pooler("transaction", prepared=0, certificate="wrong name")
    way = replace(through(entrance), sslmode="verify-ca")

    with entrance.connect(sslmode="verify-ca") as other, pytest.raises(TargetError) as caught:
        change_session(way, other)

    assert "lost a prepared statement" in caught.value.message


def change_session(way: Endpoint, other: Connection) -> None:
    with connect(way, "target", autocommit=True) as client:
        client.execute("SELECT 1", prepare=True)
        other.execute("BEGIN")
        other.execute("SELECT 1")
        client.execute("SELECT 1", prepare=True)


def test_a_search_path_that_a_restore_has_left_behind_is_told(grid: Grid) -> None:
    direct, way = grid.direct(), grid.pooler("transaction", prepared=0)
    with direct.connect() as owner:
        owner.execute("CREATE TABLE orders (id int)")
    with way.connect() as restore:
        restore.execute("SELECT pg_catalog.set_config('search_path', '', false)")

    with way.connect() as application, pytest.raises(psycopg.errors.UndefinedTable) as caught:
        application.execute("SELECT FROM orders")
    with way.connect() as other:
        other.execute("RESET search_path")

    found = explain(through(way), last_line(caught.value), caught.value.sqlstate)
    assert found is not None
    assert found.message.startswith("relation 'orders' is not found in neon database 'market'")
    assert "search_path is empty" in found.hint


def test_a_startup_parameter_that_a_pooler_does_not_take_is_told(grid: Grid) -> None:
    way = through(grid.pooler("transaction", prepared=0))

    with pytest.raises(psycopg.OperationalError) as caught:
        log_in(way, options="-c statement_timeout=0")

    found = diagnose(way, caught.value)
    assert found.message == (
        f"pooler at {way.host}:{way.port} takes no startup parameter statement_timeout"
    )
    assert "ALTER ROLE shop SET" in found.hint


def test_a_wrong_password_at_a_pooler_is_told(grid: Grid) -> None:
    way = through(grid.pooler("session"))
    wrong = replace(way, password=Secret("another-one"))

    error = refusal(wrong)

    assert f"neon database at {way.host}:{way.port} refuses user 'shop'" in error.message
    assert ALL_CHARACTERS not in error.message


def test_a_database_that_a_server_does_not_have_is_told(grid: Grid) -> None:
    for entrance in (grid.direct(), grid.pooler("session")):
        way = replace(through(entrance), database="nowhere")

        error = refusal(way)

        assert error.message == f"database 'nowhere' does not exist at {way.host}:{way.port}"
        assert "Set NEON_DB_NAME in .env." in error.hint
