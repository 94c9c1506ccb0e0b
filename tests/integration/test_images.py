"""The built images keep the official images' contract: variables, scripts, users, signals."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from infra.engine import images
from infra.process import Completed, SubprocessRunner

pytestmark = pytest.mark.integration

ROOT = Path(images.__file__).parents[2]
# What a user may type: every character that a shell, SQL or a URL treats in its own way.
PASSWORD = "p'a\"s $s\\w%o:r@d/#"
# The private server of a first start is ready too, but listens on no address.
READY = r"listening on IPv4.*?ready to accept connections"
RUNNER = SubprocessRunner()


class Container:
    """A container of the test, by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec(self, *words: str) -> str:
        return docker("exec", self.name, *words).stdout.strip()

    def log(self) -> str:
        shown = docker("logs", self.name)
        return shown.stdout + shown.stderr

    def wait_for(self, pattern: str, *, times: int = 1, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while len(re.findall(pattern, log := self.log(), re.DOTALL)) < times:
            assert time.monotonic() < deadline, f"{pattern} not seen in:\n{log}"
            time.sleep(0.2)

    def start(self) -> None:
        docker("start", self.name)

    def exit_code(self) -> int:
        return int(docker("wait", self.name).stdout)

    def put(self, path: Path, target: str) -> None:
        docker("cp", str(path), f"{self.name}:{target}")

    def connect(
        self, *, user: str = "postgres", password: str | None = None, dbname: str = "postgres"
    ) -> psycopg.Connection[tuple[object, ...]]:
        port = docker("port", self.name, "5432/tcp").stdout.strip().rpartition(":")[2]
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=user,
            password=password,
            dbname=dbname,
            connect_timeout=5,
        )


def docker(*words: str, stdin: str | None = None) -> Completed:
    completed = RUNNER.run(["docker", *words], stdin=stdin)
    assert completed.ok, f"docker {' '.join(words)}: {completed.stderr}"
    return completed


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    stack = tuple(image.tag for image in images.STACK_IMAGES)
    images.build_images(RUNNER, root=ROOT, report=print, only=(*stack, images.POSTGRES_15))


@contextmanager
def created(
    image: str, *command: str, options: tuple[str, ...] = (), **environment: str
) -> Iterator[Container]:
    container = Container(f"slipway-test-{uuid.uuid4().hex[:12]}")
    variables = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    docker(
        *("create", "--interactive", "--name", container.name),
        *("--label", "io.slipway.test=1", "--publish", "127.0.0.1::5432"),
        *(*options, *variables, image, *command),
    )
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container.name)


@contextmanager
def running(
    image: str, *command: str, options: tuple[str, ...] = (), **environment: str
) -> Iterator[Container]:
    with created(image, *command, options=options, **environment) as container:
        container.start()
        container.wait_for(READY)
        yield container


def once(image: str, *command: str, options: tuple[str, ...] = ()) -> Completed:
    words = ("run", "--rm", "--label", "io.slipway.test=1", *options, image, *command)
    return RUNNER.run(["docker", *words])


@pytest.fixture
def script(tmp_path: Path) -> Callable[[Container, str, str], None]:
    def place(container: Container, name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o644)
        container.put(path, f"/docker-entrypoint-initdb.d/{name}")

    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A first start with everything set, and an init script of each kind."""
    scripts = tmp_path_factory.mktemp("initdb")
    (scripts / "010_table.sql").write_text("create table seen (what text, how text);\n")
    (scripts / "020_tcp.sh").write_text(
        "pg_isready --quiet && socket=open || socket=closed\n"
        "pg_isready --quiet --host=127.0.0.1 && tcp=open || tcp=closed\n"
        'psql --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --command='
        "\"insert into seen values ('socket', '$socket'), ('tcp', '$tcp')\"\n"
    )
    (scripts / "030_row.sql").write_text("insert into seen values ('gz', 'run');\n")
    (scripts / "040_note.txt").write_text("not for the database\n")
    assert RUNNER.run(["gzip", str(scripts / "030_row.sql")]).ok
    for path in scripts.iterdir():
        path.chmod(0o644)
    with created(
        images.TIMESCALEDB,
        "-c",
        "work_mem=7MB",
        POSTGRES_USER="boss",
        POSTGRES_PASSWORD=PASSWORD,
        POSTGRES_DB="trading app",
    ) as container:
        for path in scripts.iterdir():
            container.put(path, "/docker-entrypoint-initdb.d/")
        container.start()
        container.wait_for(READY)
        yield container


def test_user_password_and_database_are_the_ones_asked_for(server: Container) -> None:
    with server.connect(user="boss", password=PASSWORD, dbname="trading app") as connection:
        row = connection.execute(
            "select rolsuper, current_setting('server_encoding'), current_setting('work_mem'),"
            " datcollate from pg_roles, pg_database"
            " where rolname = current_user and datname = current_database()"
        ).fetchone()

    assert row == (True, "UTF8", "7MB", "C.UTF-8")


def test_tcp_wants_the_password(server: Container) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect(user="boss", password="wrong")


def test_init_scripts_ran_in_order_before_tcp_was_open(server: Container) -> None:
    with server.connect(user="boss", password=PASSWORD, dbname="trading app") as connection:
        rows = connection.execute("select what, how from seen").fetchall()

    assert rows == [("socket", "open"), ("tcp", "closed"), ("gz", "run")]
    assert "ignoring /docker-entrypoint-initdb.d/040_note.txt" in server.log()


@pytest.mark.parametrize("database", ["template1", "postgres", "trading app"])
def test_timescaledb_is_in_every_database(server: Container, database: str) -> None:
    with server.connect(user="boss", password=PASSWORD, dbname=database) as connection:
        row = connection.execute(
            "select extversion, current_setting('shared_preload_libraries'),"
            " current_setting('timescaledb.telemetry_level')"
            " from pg_extension where extname = 'timescaledb'"
        ).fetchone()

    assert row == (images.TIMESCALEDB_VERSION, "timescaledb", "off")


def test_pgvector_can_be_created(server: Container) -> None:
    with server.connect(user="boss", password=PASSWORD) as connection:
        connection.execute("create extension vector")
        connection.rollback()


def test_server_is_process_one_and_not_root(server: Container) -> None:
    assert server.exec("cat", "/proc/1/comm") == "postgres"
    assert server.exec("stat", "--format=%U", "/proc/1") == "postgres"


def test_password_is_not_in_the_servers_environment(server: Container) -> None:
    command = ("exec", "--user", "postgres", server.name, "cat", "/proc/1/environ")

    environment = docker(*command).stdout

    assert "POSTGRES_DB=trading app" in environment
    assert "POSTGRES_PASSWORD" not in environment


def test_socket_directory_is_open_to_a_container_that_shares_it(server: Container) -> None:
    shown = server.exec("stat", "--format=%a %U", "/var/run/postgresql")

    assert shown == "3777 postgres"


def test_second_container_on_the_same_data_is_refused(server: Container) -> None:
    second = once(images.TIMESCALEDB, options=("--volumes-from", server.name))

    assert second.returncode == 1
    assert "in use by another container" in second.stderr


def test_stop_is_clean_and_the_data_is_there_after_it() -> None:
    with running(images.TIMESCALEDB, POSTGRES_PASSWORD="one") as container:
        container.exec("psql", "-U", "postgres", "-c", "create table kept as select 42 as answer")
        # An open session must not hold the stop up.
        with container.connect(password="one"):
            began = time.monotonic()
            docker("stop", container.name)
            took = time.monotonic() - began

        assert took < 8
        assert container.exit_code() == 0
        assert container.log().count("database system is shut down") == 2

        container.start()
        container.wait_for(READY, times=2)

        kept = container.exec("psql", "-U", "postgres", "-Atc", "select answer from kept")
        assert kept == "42"
        assert container.log().count("first start complete") == 1


@pytest.mark.parametrize("moment", ["creating configuration files", "020_slow.sh"])
def test_first_start_that_was_killed_is_done_again(
    moment: str, script: Callable[[Container, str, str], None]
) -> None:
    with created(images.TIMESCALEDB, POSTGRES_PASSWORD="one") as container:
        script(container, "010_table.sql", "create table seen ();\n")
        script(container, "020_slow.sh", "sleep 60\n")
        container.start()
        container.wait_for(moment)
        docker("kill", container.name)
        script(container, "020_slow.sh", "true\n")

        container.start()
        container.wait_for(READY)

        assert "was cut short" in container.log()
        assert container.exec("psql", "-U", "postgres", "-Atc", "select count(*) from seen") == "0"
        left = container.exec("ls", "-A", "/var/lib/postgresql/data")
        assert "slipway-init-incomplete" not in left


def test_stop_during_the_first_start_does_not_wait_for_the_kill(
    script: Callable[[Container, str, str], None],
) -> None:
    with created(images.POSTGRES_15, POSTGRES_PASSWORD="one") as container:
        script(container, "010_slow.sh", "sleep 2\n")
        container.start()
        container.wait_for("010_slow.sh")

        docker("stop", container.name)

        assert container.exit_code() == 130


def test_failing_init_script_ends_the_container_and_is_run_again(
    script: Callable[[Container, str, str], None],
) -> None:
    with created(images.POSTGRES_15, POSTGRES_PASSWORD="one") as container:
        script(container, "010_table.sql", "create table seen (); select 1/0;\n")
        container.start()
        assert container.exit_code() != 0

        script(container, "010_table.sql", "create table seen ();\n")
        container.start()
        container.wait_for(READY)

        assert container.exec("psql", "-U", "postgres", "-Atc", "select count(*) from seen") == "0"


def test_secrets_come_from_files_that_only_root_can_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    with created(
        images.POSTGRES_15,
        POSTGRES_PASSWORD_FILE="/run/secret",
        POSTGRES_INITDB_ARGS="--data-checksums --locale='C'",
    ) as container:
        container.put(secret, "/run/secret")
        container.start()
        container.wait_for(READY)

        with container.connect(password=PASSWORD) as connection:
            row = connection.execute(
                "select current_setting('data_checksums'), datcollate from pg_database"
                " where datname = current_database()"
            ).fetchone()

    assert row == ("on", "C")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "POSTGRES_PASSWORD is empty"),
        (("-e", "POSTGRES_PASSWORD="), "POSTGRES_PASSWORD is empty"),
        (
            ("-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_PASSWORD_FILE=/etc/hostname"),
            "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set",
        ),
        (("-e", "POSTGRES_PASSWORD_FILE=/nowhere"), "POSTGRES_PASSWORD_FILE: cannot read /nowhere"),
        (("-e", "POSTGRES_PASSWORD=x", "-e", "PGDATA=/etc"), "/etc is not empty"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: tuple[str, ...], complaint: str) -> None:
    refused = once(images.TIMESCALEDB, options=options)

    assert refused.returncode == 1
    assert re.search(f"^entrypoint: {complaint}.*\nHINT: [A-Z].*\\.$", refused.stderr, re.MULTILINE)


def test_data_directory_below_a_closed_mount(tmp_path: Path) -> None:
    mount = tmp_path / "db"
    mount.mkdir(mode=0o700)
    bind = ("--volume", f"{mount}:/var/lib/postgresql/data")
    pgdata = "/var/lib/postgresql/data/pgdata"
    try:
        with running(
            images.TIMESCALEDB, options=bind, POSTGRES_PASSWORD="one", PGDATA=pgdata
        ) as container:
            assert container.exec("psql", "-U", "postgres", "-Atc", "show data_directory") == pgdata

        assert [path.name for path in mount.iterdir()] == ["pgdata"]
    finally:
        # Its files belong to the image's user, whom the host does not know.
        once(images.TIMESCALEDB, "rm", "-rf", pgdata, options=bind)


def test_starts_without_root_and_trusts_where_told_to() -> None:
    with (
        running(
            images.POSTGRES_15,
            options=("--user", "postgres"),
            POSTGRES_HOST_AUTH_METHOD="trust",
        ) as container,
        container.connect() as connection,
    ):
        assert connection.info.server_version // 10000 == 15


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("bash", "-c", "echo $PG_MAJOR"), "17"),
        (("postgres", "--version"), "postgres (PostgreSQL) 17."),
        (("--version",), "postgres (PostgreSQL) 17."),
        (("date", "+%Z"), "UTC"),
    ],
)
def test_other_commands_run_as_they_are(command: tuple[str, ...], answer: str) -> None:
    assert once(images.TIMESCALEDB, *command).stdout.startswith(answer)


def test_redis_reads_its_configuration_from_standard_input_as_its_own_user() -> None:
    container = Container(f"slipway-test-{uuid.uuid4().hex[:12]}")
    # As the stack does it: the password is in no argument, each byte escaped.
    command = (
        'password=$(printf %s "$REDIS_PASSWORD"'
        " | od -An -v -tx1 | tr -d '\\n' | sed 's/ /\\\\x/g');"
        ' printf \'requirepass "%s"\\nappendonly yes\\n\' "$password"'
        " | docker-entrypoint.sh redis-server -"
    )
    try:
        docker(
            *("run", "--detach", "--name", container.name, "--label", "io.slipway.test=1"),
            *("-e", f"REDIS_PASSWORD={PASSWORD}", images.REDIS, "sh", "-c", command),
        )
        container.wait_for("Ready to accept connections")

        refused = container.exec("redis-cli", "ping")
        answered = docker(
            *("exec", "-e", f"REDISCLI_AUTH={PASSWORD}", container.name, "redis-cli", "ping")
        ).stdout
        owner = container.exec("sh", "-c", "stat --format=%U /proc/$(pidof redis-server)")

        assert refused.startswith("NOAUTH")
        assert answered == "PONG\n"
        assert owner == "redis"
        assert container.exec("stat", "--format=%U", "/data/appendonlydir") == "redis"
    finally:
        docker("rm", "--force", "--volumes", container.name)


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [((), "no"), (("--protected-mode", "yes"), "yes"), (("--port", "6379"), "no")],
)
def test_redis_is_open_to_other_containers_unless_told_otherwise(
    arguments: tuple[str, ...], mode: str
) -> None:
    with created(images.REDIS, *arguments) as container:
        container.start()
        container.wait_for("Ready to accept connections")

        shown = container.exec("redis-cli", "config", "get", "protected-mode")

        assert shown.split() == ["protected-mode", mode]
        docker("stop", container.name)
        assert container.exit_code() == 0


def test_tools_are_the_programs_themselves() -> None:
    command = (
        "for program in pg_dump pg_restore psql; do command -v $program; $program --version; done;"
        " command -v postgres || echo no server"
    )

    lines = once(images.TOOLS, "sh", "-c", command).stdout.splitlines()

    home = f"/usr/lib/postgresql/{images.PG_MAJOR}/bin"
    assert lines[::2] == [f"{home}/pg_dump", f"{home}/pg_restore", f"{home}/psql", "no server"]
    for program, version in zip(("pg_dump", "pg_restore", "psql"), lines[1::2], strict=True):
        assert version.startswith(f"{program} (PostgreSQL) {images.PG_MAJOR}.")


def test_python_makes_virtual_environments() -> None:
    # What pip is unpacked from must be there; unpacking it takes seconds and proves no more.
    made = once(
        images.PYTHON,
        *("sh", "-c", "python -m venv --without-pip /tmp/v && /tmp/v/bin/python -m ensurepip -h"),
    )

    assert made.ok, made.stderr
    assert once(images.PYTHON, "python3", "--version").stdout.startswith("Python 3.13.")


def test_every_image_carries_the_projects_label() -> None:
    for image in (*images.STACK_IMAGES, *images.TEST_IMAGES):
        labels = docker("image", "inspect", "--format", "{{json .Config.Labels}}", image.tag).stdout
        assert '"io.slipway.project":"slipway"' in labels
