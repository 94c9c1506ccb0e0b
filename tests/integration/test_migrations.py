"""Migrations and roles on a real server, with TimescaleDB in the database and without."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import psycopg
import pytest
from docker.models.containers import Container
from psycopg.rows import TupleRow

from backend.config import Config, Endpoint, RedisEndpoint, Secret
from backend.errors import ConfigurationError
from infra import migrations
from infra.errors import MigrationError
from infra.migrations import Patience
from infra.process import Completed, SubprocessRunner
from migrations import roles, session, upgrade

pytestmark = pytest.mark.integration

ROOT = session.DIRECTORY.parent
MIGRATOR = str(ROOT / "scripts" / "migrator.py")
IMAGE = "slipway/timescaledb:2.19.3-pg17"
SUPERUSER_PASSWORD = "first password"
PRINTABLE = "".join(chr(code) for code in range(32, 127))
SHORT = Patience(migration=0.3, table=0.3)


@dataclass(frozen=True)
class Server:
    """A running container, reachable over TCP and over its unix socket."""

    container: Container
    port: int
    socket_dir: Path

    def endpoint(self, database: str, user: str = "postgres", password: str = "") -> Endpoint:
        secret = Secret(password or SUPERUSER_PASSWORD)
        return Endpoint("local", "admin", "127.0.0.1", self.port, database, user, secret)

    @contextmanager
    def connect(self, database: str) -> Iterator[psycopg.Connection[TupleRow]]:
        with psycopg.connect(
            host=str(self.socket_dir), user="postgres", dbname=database, autocommit=True
        ) as connection:
            yield connection

    def execute(self, database: str, statement: str) -> list[TupleRow]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def relations(self, database: str) -> set[TupleRow]:
        return set(self.execute(database, "SELECT oid, relname, relowner::int FROM pg_class"))

    def config(
        self, database: str, *, owner: str = "trading_owner", app: str = "trading_app"
    ) -> Config:
        admin = self.endpoint(database, owner, "owner's password")
        return Config(
            target="local",
            admin=admin,
            app=replace(admin, role="app", user=app, password=Secret("app's password")),
            redis=RedisEndpoint("127.0.0.1", 6379, Secret("unused")),
            superuser=self.endpoint(database),
            socket_dir=self.socket_dir,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="slipway-") as folder,
        closing(docker.from_env()) as client,
    ):
        socket_dir = Path(folder) / "socket"
        socket_dir.mkdir()
        socket_dir.chmod(0o3777)
        container = client.containers.run(
            IMAGE,
            detach=True,
            labels={"io.slipway.test": "1"},
            environment={"POSTGRES_PASSWORD": SUPERUSER_PASSWORD},
            ports={"5432/tcp": ("127.0.0.1", 0)},
            volumes={str(socket_dir): {"bind": "/var/run/postgresql", "mode": "rw"}},
        )
        try:
            container.reload()
            port = int(container.attrs["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"])
            wait_for(port)
            yield Server(container, port, socket_dir)
        finally:
            container.stop(timeout=10)
            container.remove(force=True, v=True)


def wait_for(port: int) -> None:
    # Over TCP: the temporary server of a first start listens on the socket only.
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user="postgres", password=SUPERUSER_PASSWORD
            ).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def new_database(server: Server) -> Iterator[Callable[..., Endpoint]]:
    names: list[str] = []

    def create(*, timescaledb: bool = False) -> Endpoint:
        names.append(f"test_{uuid.uuid4().hex[:12]}")
        server.execute("postgres", f"CREATE DATABASE {names[-1]} TEMPLATE template0")
        if timescaledb:
            server.execute(names[-1], "CREATE EXTENSION timescaledb")
        return server.endpoint(names[-1])

    yield create
    for name in names:
        server.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=[True, False], ids=["timescaledb", "plain"])
def endpoint(request: pytest.FixtureRequest, new_database: Callable[..., Endpoint]) -> Endpoint:
    return new_database(timescaledb=request.param)


@pytest.fixture
def plain(new_database: Callable[..., Endpoint]) -> Endpoint:
    return new_database()


@pytest.fixture
def revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a copy of the revisions in place of the real ones, to add to."""
    copy = shutil.copytree(session.DIRECTORY, tmp_path / "migrations")
    monkeypatch.setattr(session, "DIRECTORY", copy)
    return copy / "versions"


def write_revision(revisions: Path, name: str, statement: str) -> None:
    (revisions / f"{name}.py").write_text(
        "from alembic import op\n"
        f"revision = {name!r}\n"
        "down_revision = '0001'\n"
        f"def upgrade():\n    {statement}\n"
        "def downgrade():\n    pass\n"
    )


# The way up and down


def test_the_schema_goes_up_down_and_up_again(server: Server, endpoint: Endpoint) -> None:
    before = server.relations(endpoint.database)

    assert migrations.state(endpoint).status == "empty"
    assert migrations.upgrade(endpoint) == "0001"
    assert migrations.state(endpoint).status == "at head"
    migrations.downgrade(endpoint, "base")

    left = {name for _, name, _ in server.relations(endpoint.database) - before}
    assert {name for name in left if not name.startswith("pg_toast")} == {
        "alembic_version",
        "alembic_version_pkc",
    }
    assert migrations.state(endpoint).status == "empty"
    assert migrations.upgrade(endpoint) == "0001"
    assert migrations.upgrade(endpoint) == "0001"


def test_ticks_are_a_hypertable_with_timescaledb(
    server: Server, new_database: Callable[..., Endpoint]
) -> None:
    endpoint = new_database(timescaledb=True)
    migrations.upgrade(endpoint)

    assert server.execute(
        endpoint.database,
        "SELECT hypertable_name, column_name, time_interval::text"
        " FROM timescaledb_information.dimensions",
    ) == [("ticks", "ts", "7 days")]


def test_ticks_are_partitioned_without_timescaledb(server: Server, plain: Endpoint) -> None:
    migrations.upgrade(plain)

    assert server.execute(
        plain.database,
        "SELECT count(*), count(*) FILTER (WHERE pg_get_expr(relpartbound, oid) = 'DEFAULT')"
        " FROM pg_class WHERE relispartition AND relkind = 'r'",
    ) == [(25, 1)]


def test_rows_of_any_time_go_in_and_come_out(server: Server, endpoint: Endpoint) -> None:
    migrations.upgrade(endpoint)
    with server.connect(endpoint.database) as connection:
        connection.execute(
            "INSERT INTO instruments (symbol, name, kind, tick_size, currency)"
            " VALUES ('ES', 'E-mini', 'future', 0.25, 'USD')"
        )
        connection.execute(
            "INSERT INTO ticks (instrument_id, ts, sequence, last)"
            " SELECT 1, ts::timestamptz, n, n FROM generate_series(0, 1) n, (VALUES"
            " ('1999-12-31 23:59:59+00'), ('2026-01-01 00:00:00+00'),"
            " ('2026-11-22 12:00:00+00'), ('2040-02-29 00:00:00+00')) instant (ts)"
        )

        assert connection.execute("SELECT count(*), sum(last) FROM ticks").fetchone() == (8, 4)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                "INSERT INTO ticks (instrument_id, ts) VALUES (1, '2026-11-22 12:00:00+00')"
            )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO ticks (instrument_id, ts) VALUES (2, now())")


def test_two_upgrades_at_once_both_succeed(endpoint: Endpoint) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(migrations.upgrade, [endpoint, endpoint]))

    assert results == ["0001", "0001"]
    assert migrations.state(endpoint).status == "at head"


# Drift


def test_models_and_a_migrated_database_agree(server: Server, endpoint: Endpoint) -> None:
    migrations.upgrade(endpoint)
    server.execute(
        endpoint.database,
        "INSERT INTO instruments (symbol, name, kind, tick_size, currency)"
        " VALUES ('ES', 'E-mini', 'future', 0.25, 'USD');"
        "INSERT INTO ticks (instrument_id, ts) VALUES (1, now())",
    )

    assert migrations.check(endpoint) == []


def test_every_difference_is_a_line_of_its_own(server: Server, endpoint: Endpoint) -> None:
    migrations.upgrade(endpoint)
    server.execute(
        endpoint.database,
        "ALTER TABLE ticks ADD COLUMN venue text;"
        "DROP INDEX ix_ticks_ts;"
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_price;"
        "ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;"
        "ALTER TABLE trades ALTER COLUMN fee DROP NOT NULL;"
        "ALTER TABLE instruments ALTER COLUMN name TYPE varchar(300);"
        "ALTER TABLE trades DROP CONSTRAINT fk_trades_order_id_orders;"
        "COMMENT ON TABLE trades IS 'theirs';"
        "CREATE TABLE notes (id int);",
    )

    assert sorted(migrations.check(endpoint)) == [
        "column instruments.name: type is VARCHAR(300), the models say VARCHAR(200)",
        "column orders.status: server default is none, the models say pending",
        "column ticks.venue is not in the models",
        "column trades.fee: nullable is True, the models say False",
        "constraint ck_orders_price of orders is missing",
        "foreign key fk_trades_order_id_orders of trades is missing",
        "index ix_ticks_ts of ticks is missing",
        "table comment trades is not in the models",
        "table notes is not in the models",
    ]


def test_a_new_revision_takes_the_schema_to_the_models(
    server: Server, endpoint: Endpoint, revisions: Path
) -> None:
    migrations.upgrade(endpoint)
    server.execute(endpoint.database, "ALTER TABLE orders DROP COLUMN price")

    path = migrations.revision(endpoint, "Bring the price back")

    assert path.parent == revisions
    assert migrations.state(endpoint).status == "behind"
    migrations.upgrade(endpoint)
    assert migrations.check(endpoint) == []


def test_a_new_revision_needs_a_database_at_the_newest_one(
    plain: Endpoint, revisions: Path
) -> None:
    with pytest.raises(MigrationError, match="is not at the newest revision 0001"):
        migrations.revision(plain, "Too early")

    assert migrations.revision(plain, "Empty", autogenerate=False).parent == revisions


# Somebody else's database


def test_a_foreign_schema_is_refused_and_left_alone(server: Server, endpoint: Endpoint) -> None:
    server.execute(
        endpoint.database,
        "CREATE TABLE theirs (id serial PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS x",
    )
    before = server.relations(endpoint.database)

    with pytest.raises(MigrationError) as refusal:
        migrations.upgrade(endpoint)

    assert refusal.value.message == (
        f'database "{endpoint.database}" holds 1 table, 1 view that alembic does not know'
    )
    assert "invoke stamp" in refusal.value.hint
    assert server.relations(endpoint.database) == before
    assert migrations.state(endpoint).status == "foreign"


def test_an_empty_version_table_does_not_make_a_schema_ours(
    server: Server, plain: Endpoint
) -> None:
    server.execute(
        plain.database, "CREATE TABLE alembic_version (version_num text); CREATE TABLE theirs ()"
    )

    with pytest.raises(MigrationError, match="holds 1 table that"):
        migrations.upgrade(plain)


def test_a_stamp_needs_a_schema_that_matches(server: Server, endpoint: Endpoint) -> None:
    migrations.upgrade(endpoint)
    server.execute(endpoint.database, "DROP TABLE alembic_version; DROP INDEX ix_trades_order_id")

    with pytest.raises(MigrationError, match="index ix_trades_order_id of trades is missing"):
        migrations.stamp(endpoint)
    assert migrations.state(endpoint).status == "foreign"

    server.execute(endpoint.database, "CREATE INDEX ix_trades_order_id ON trades (order_id)")
    assert migrations.stamp(endpoint) == "0001"
    assert migrations.state(endpoint).status == "at head"


def test_an_unknown_revision_is_named(server: Server, plain: Endpoint) -> None:
    migrations.upgrade(plain)
    server.execute(plain.database, "UPDATE alembic_version SET version_num = 'dead'")

    with pytest.raises(MigrationError, match="at revision dead, which this code does not know"):
        migrations.upgrade(plain)
    assert migrations.state(plain).status == "unknown revision"

    assert migrations.stamp(plain) == "0001"


# Failures


def test_another_migration_is_waited_for_and_then_named(server: Server, plain: Endpoint) -> None:
    with server.connect(plain.database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [upgrade.LOCK_KEY])

        with pytest.raises(MigrationError, match=r"did not end within 0\.3 s"):
            migrations.upgrade(plain, SHORT)

    assert migrations.upgrade(plain, SHORT) == "0001"


def test_a_held_table_ends_the_upgrade_and_takes_back_what_it_did(
    server: Server, plain: Endpoint, revisions: Path
) -> None:
    migrations.upgrade(plain)
    before = server.relations(plain.database)
    write_revision(revisions, "0002", "op.drop_table('trades'); op.drop_index('ix_ticks_ts')")

    with server.connect(plain.database) as other, other.transaction():
        other.execute("LOCK TABLE ticks IN ACCESS SHARE MODE")
        with pytest.raises(MigrationError, match="revision 0002 waited too long for a lock"):
            migrations.upgrade(plain, SHORT)

    assert server.relations(plain.database) == before
    assert migrations.state(plain).current == ("0001",)


def test_a_failing_revision_is_named_with_the_servers_words(
    server: Server, plain: Endpoint, revisions: Path
) -> None:
    before = server.relations(plain.database)
    write_revision(revisions, "0002", "op.drop_column('orders', 'nowhere')")

    with pytest.raises(MigrationError) as failure:
        migrations.upgrade(plain)

    assert failure.value.message == (
        "revision 0002 failed with SQLSTATE 42703:"
        ' column "nowhere" of relation "orders" does not exist'
    )
    assert server.relations(plain.database) == before


def test_a_downgrade_to_nowhere_is_named(plain: Endpoint) -> None:
    migrations.upgrade(plain)

    with pytest.raises(MigrationError, match="nowhere"):
        migrations.downgrade(plain, "nowhere")


def test_unreachable_endpoints_are_told_apart(server: Server, plain: Endpoint) -> None:
    for endpoint, message in (
        (replace(plain, password=Secret("wrong")), "refuses user 'postgres'"),
        (replace(plain, database="nowhere"), "database 'nowhere' does not exist at 127.0.0.1"),
        (replace(plain, port=1), "nothing answers at 127.0.0.1:1"),
        (replace(plain, sslmode="require"), f"127.0.0.1:{server.port} speaks no TLS"),
    ):
        with pytest.raises(MigrationError, match=message):
            migrations.state(endpoint)


# The commands


def environment(server: Server, config: Config) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "SLIPWAY_IN_CONTAINER": "0",
        "DB_TARGET": "local",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(server.port),
        "DB_NAME": config.admin.database,
        "DB_OWNER_USER": config.admin.user,
        "DB_OWNER_PASSWORD": config.admin.password.reveal(),
        "DB_USER": config.app.user,
        "DB_PASSWORD": config.app.password.reveal(),
        "POSTGRES_PASSWORD": SUPERUSER_PASSWORD,
        "REDIS_PASSWORD": "unused",
        "DB_SOCKET_DIR": str(server.socket_dir),
    }


def run(argv: list[str], variables: dict[str, str]) -> Completed:
    done = SubprocessRunner().run([sys.executable, *argv], env=variables)
    for name, value in variables.items():
        if name.endswith("PASSWORD"):
            assert value not in done.stdout + done.stderr
    return done


def test_the_migrator_says_what_it_did_and_does_it_again(server: Server, config: Config) -> None:
    for _ in range(2):
        done = run([MIGRATOR], environment(server, config))

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "roles: reconciled",
            "schema: 0001 (head)",
            f"grants: application role {config.app.user}",
        ]


def test_the_migrator_ends_with_the_code_of_what_went_wrong(server: Server, config: Config) -> None:
    variables = environment(server, config)
    server.execute("postgres", f"CREATE DATABASE {config.admin.database} TEMPLATE template0")
    server.execute(config.admin.database, "CREATE TABLE theirs ()")

    foreign = run([MIGRATOR], variables)
    colliding = run([MIGRATOR], variables | {"DB_USER": config.admin.user})
    no_socket = run([MIGRATOR], variables | {"DB_SOCKET_DIR": "/nowhere"})

    assert [foreign.returncode, colliding.returncode, no_socket.returncode] == [9, 2, 9]
    assert foreign.stdout == "roles: reconciled\n"
    assert foreign.stderr.splitlines()[0] == (
        f'error: database "{config.admin.database}" holds 1 table that alembic does not know'
    )
    assert foreign.stderr.splitlines()[1].startswith("HINT: Run `invoke stamp`")


def test_the_alembic_command_is_as_careful(server: Server, config: Config) -> None:
    command = ["-m", "alembic", "-c", str(ROOT / "alembic.ini")]
    variables = environment(server, config)
    roles.reconcile(config, server.socket_dir)

    assert run([*command, "upgrade", "head"], variables).returncode == 0
    assert run([*command, "check"], variables).returncode == 0
    assert run([*command, "downgrade", "base"], variables).returncode == 0
    server.execute(config.admin.database, "CREATE TABLE theirs ()")
    refused = run([*command, "upgrade", "head"], variables)
    assert refused.returncode != 0
    assert "holds 1 table that alembic does not know" in refused.stdout + refused.stderr
    assert run([*command, "stamp", "head"], variables).returncode == 0

    script = run([*command, "-x", "timescaledb=yes", "upgrade", "head", "--sql"], {})
    assert "create_hypertable" in script.stdout


# Roles


@pytest.fixture
def config(server: Server) -> Iterator[Config]:
    name = f"roles_{uuid.uuid4().hex[:12]}"
    config = server.config(name, owner=f"{name} owner", app=f"{name}_app")
    yield config
    for (database,) in server.execute(
        "postgres", f"SELECT datname FROM pg_database WHERE starts_with(datname, '{name}')"
    ):
        server.execute("postgres", f'DROP DATABASE "{database}" WITH (FORCE)')
    for (role,) in server.execute(
        "postgres", f"SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{name}')"
    ):
        server.execute("postgres", f'DROP ROLE "{role}"')


def login(endpoint: Endpoint) -> psycopg.Connection[TupleRow]:
    return psycopg.connect(**endpoint.conninfo(), autocommit=True)


def bring_up(server: Server, config: Config) -> None:
    roles.reconcile(config, server.socket_dir)
    migrations.upgrade(config.admin)
    roles.grant(config, server.socket_dir)


def test_a_fresh_database_is_made_with_the_extension_and_belongs_to_the_owner(
    server: Server, config: Config
) -> None:
    bring_up(server, config)

    assert server.execute(
        config.admin.database,
        "SELECT pg_get_userbyid(datdba), nspowner::regrole::text, extname, rolsuper, rolcanlogin"
        " FROM pg_database, pg_namespace, pg_extension, pg_roles"
        " WHERE datname = current_database() AND nspname = 'public'"
        f" AND extname = 'timescaledb' AND rolname = '{config.admin.user}'",
    ) == [(config.admin.user, f'"{config.admin.user}"', "timescaledb", False, True)]
    assert migrations.check(config.admin) == []


def test_bringing_it_up_again_changes_nothing(server: Server, config: Config) -> None:
    bring_up(server, config)
    acl = (
        "SELECT relname, relacl::text FROM pg_class"
        " UNION SELECT nspname, nspacl::text FROM pg_namespace"
    )
    before = sorted(server.execute(config.admin.database, acl))

    started = time.monotonic()
    bring_up(server, config)

    assert time.monotonic() - started < 2
    assert sorted(server.execute(config.admin.database, acl)) == before


def test_no_extension_goes_into_a_database_with_tables(server: Server, config: Config) -> None:
    server.execute("postgres", f"CREATE DATABASE {config.admin.database} TEMPLATE template0")
    server.execute(config.admin.database, "CREATE TABLE theirs ()")

    roles.reconcile(config, server.socket_dir)

    assert server.execute(config.admin.database, "SELECT extname FROM pg_extension") == [
        ("plpgsql",)
    ]


@pytest.mark.parametrize(
    "password", [PRINTABLE, "pässwörd €", "x" * 500], ids=["ascii", "utf-8", "long"]
)
def test_a_changed_password_is_healed_and_reaches_no_log(
    server: Server, config: Config, password: str
) -> None:
    roles.reconcile(config, server.socket_dir)
    changed = replace(
        config,
        admin=replace(config.admin, password=Secret(password)),
        app=replace(config.app, password=Secret(password + "2")),
        superuser=server.endpoint("postgres"),
    )
    server.execute(
        "postgres", f"ALTER ROLE \"{config.app.user}\" VALID UNTIL '2000-01-01' SUPERUSER"
    )
    server.execute("postgres", "ALTER SYSTEM SET log_statement = 'all'")
    server.execute("postgres", "ALTER SYSTEM SET log_min_duration_statement = 0")
    server.execute("postgres", "SELECT pg_reload_conf()")
    try:
        roles.reconcile(changed, server.socket_dir)
    finally:
        server.execute("postgres", "ALTER SYSTEM RESET ALL")
        server.execute("postgres", "SELECT pg_reload_conf()")

    for endpoint in (changed.admin, changed.app, server.endpoint("postgres")):
        login(endpoint).close()
    with pytest.raises(MigrationError, match="refuses user"):
        migrations.state(config.admin)
    log = server.container.logs().decode()
    assert "ALTER SCHEMA public OWNER" in log
    assert "SCRAM-SHA-256$" not in log
    assert password not in log
    assert server.execute(
        "postgres", f"SELECT rolsuper FROM pg_roles WHERE rolname = '{config.app.user}'"
    ) == [(False,)]


def test_the_application_works_with_rows_and_nothing_else(server: Server, config: Config) -> None:
    bring_up(server, config)
    with login(config.app) as connection:
        connection.execute(
            "INSERT INTO instruments (symbol, name, kind, tick_size, currency)"
            " VALUES ('ES', 'E-mini', 'future', 0.25, 'USD')"
        )
        connection.execute("INSERT INTO ticks (instrument_id, ts, last) VALUES (1, now(), 1)")
        connection.execute("UPDATE ticks SET last = 2")
        assert connection.execute("SELECT last FROM ticks").fetchall() == [(2,)]
        connection.execute("DELETE FROM ticks")
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("0001",)
        ]
        for statement in (
            "CREATE TABLE mine (id int)",
            "DROP TABLE ticks",
            "TRUNCATE ticks",
            "ALTER TABLE ticks ADD COLUMN mine int",
            "DELETE FROM alembic_version",
            "SELECT * FROM pg_authid",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_what_the_owner_adds_later_is_the_applications_too(server: Server, config: Config) -> None:
    bring_up(server, config)
    with login(config.admin) as connection:
        connection.execute("CREATE SCHEMA sales CREATE TABLE invoices (id serial)")

    with login(config.app) as connection:
        connection.execute("INSERT INTO sales.invoices DEFAULT VALUES")
        assert connection.execute("SELECT id FROM sales.invoices").fetchall() == [(1,)]


@pytest.mark.parametrize("grantor", ["owner", "superuser"])
def test_rights_on_restored_objects_come_from_the_owner_or_the_superuser(
    server: Server, config: Config, grantor: str
) -> None:
    roles.reconcile(config, server.socket_dir)
    with login(config.admin) as connection:
        connection.execute(
            'CREATE SCHEMA "odd "" schema"; SET search_path = "odd "" schema";'
            'CREATE TABLE "t\' $x" (id serial); CREATE FUNCTION f(int) RETURNS int'
            " LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f(int) FROM PUBLIC"
        )
    if grantor == "owner":
        with login(config.admin) as connection:
            roles.grant_application_role(connection, config.admin.user, config.app.user)
    else:
        roles.grant(config, server.socket_dir)

    with login(config.app) as connection:
        connection.execute('SET search_path = "odd "" schema"')
        connection.execute('INSERT INTO "t\' $x" DEFAULT VALUES')
        assert connection.execute("SELECT f(1)").fetchone() == (1,)


def test_role_names_that_collide_are_refused(server: Server, config: Config) -> None:
    for owner, app, message in (
        ("same", "same", 'DB_OWNER_USER and DB_USER both name the role "same"'),
        ("postgres", "app", 'DB_OWNER_USER names the superuser "postgres"'),
        ("owner", "postgres", 'DB_USER names the superuser "postgres"'),
    ):
        colliding = server.config(config.admin.database, owner=owner, app=app)
        with pytest.raises(ConfigurationError, match=message):
            roles.reconcile(colliding, server.socket_dir)


@pytest.mark.parametrize("suffix", ["__previous_20261122", "__staging"])
def test_an_interrupted_swap_is_not_covered_by_an_empty_database(
    server: Server, config: Config, suffix: str
) -> None:
    server.execute("postgres", f"CREATE DATABASE {config.admin.database}{suffix}")

    with pytest.raises(MigrationError, match="a swap was interrupted") as refusal:
        roles.reconcile(config, server.socket_dir)

    assert "invoke status" in refusal.value.hint
    assert (
        server.execute(
            "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{config.admin.database}'"
        )
        == []
    )


def test_a_missing_socket_is_named(config: Config, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="cannot be reached on the socket in"):
        roles.reconcile(config, tmp_path)
