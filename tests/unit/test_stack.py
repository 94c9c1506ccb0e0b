from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

import pytest

from infra import migrations, stack
from infra.engine.client import Service
from infra.engine.compose import Compose
from infra.errors import (
    ConfigurationError,
    EngineError,
    MigrationError,
    RefusedError,
    SlipwayError,
    TargetError,
    UsageError,
)
from infra.migrations import SchemaState
from infra.stack import Stack, Status
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner

NEON = {
    "DB_TARGET": "neon",
    "NEON_DB_HOST": "ep-1.neon.tech",
    "NEON_DB_NAME": "trading",
    "NEON_DB_USER": "owner",
    "NEON_DB_PASSWORD": "neon secret",
}


def service(
    name: str, state: str = "running", health: str = "healthy", restarts: int = 0
) -> Service:
    return Service(name, state, health, restarts, f"{name}:1", "")


HEALTHY = [service("db"), service("redis")]


@pytest.fixture
def listening() -> Iterator[int]:
    """Listen on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Case:
    """A stack with a runner that records and an engine that is none."""

    def __init__(self, make_settings: MakeSettings, runner: RecordingRunner) -> None:
        self._make_settings = make_settings
        self.runner = runner

    def stack(
        self, engine: FakeEngine | None = None, values: Mapping[str, str] | None = None
    ) -> Stack:
        ports = {"DB_PORT": str(unused_port()), "REDIS_PORT": str(unused_port())}
        settings = self._make_settings(**{**ports, **(values or {})})
        self.compose = Compose(settings)
        self.root = settings.root
        return Stack(settings, self.compose, engine or FakeEngine(HEALTHY), self.runner)


@pytest.fixture
def case(make_settings: MakeSettings, runner: RecordingRunner) -> Case:
    return Case(make_settings, runner)


def failure(
    work: object, kind: type[SlipwayError], message: str, hint: str | None = None
) -> SlipwayError:
    assert callable(work)
    with pytest.raises(SlipwayError) as caught:
        work()
    assert (type(caught.value), caught.value.message) == (kind, message)
    if hint is not None:
        assert caught.value.hint == hint
    return caught.value


def test_services_are_started_and_waited_for(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.up(["db", "redis"]))

    built.start()


def test_the_folders_of_the_toolbox_belong_to_its_user(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.up(["db", "redis"]))

    built.start()

    assert sorted(path.name for path in (case.root / "data").iterdir()) == [
        "archives",
        "journal",
        "reports",
    ]


def test_on_a_cloud_target_there_is_no_local_database(case: Case) -> None:
    built = case.stack(values=NEON)
    case.runner.expect(case.compose.up(["redis"]))

    built.start()

    assert built.services == ["redis"]


@pytest.mark.parametrize("name", ["DB_PORT", "REDIS_PORT"])
def test_a_port_taken_by_a_container_names_it(case: Case, listening: int, name: str) -> None:
    engine = FakeEngine(ports={listening: "old-postgres"})
    built = case.stack(engine, {name: str(listening)})

    failure(
        built.start,
        EngineError,
        f"port {listening} ({name}) is taken by container old-postgres",
        f"Stop that, or set {name} in .env to a free port.",
    )


def test_a_port_taken_by_a_program_names_it(
    case: Case, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "process_on_port", {listening: "postgres (pid 17)"}.get)
    built = case.stack(FakeEngine(), {"DB_PORT": str(listening)})

    failure(built.start, EngineError, f"port {listening} (DB_PORT) is taken by postgres (pid 17)")


def test_a_port_taken_by_nobody_knows_whom_says_so(
    case: Case, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "process_on_port", lambda _: None)
    built = case.stack(FakeEngine(), {"DB_PORT": str(listening)})

    failure(built.start, EngineError, f"port {listening} (DB_PORT) is taken by another program")


def test_a_port_held_by_our_own_service_is_no_problem(case: Case, listening: int) -> None:
    built = case.stack(FakeEngine(HEALTHY), {"DB_PORT": str(listening)})
    case.runner.expect(case.compose.up(["db", "redis"]))

    built.start()


class Recovering(FakeEngine):
    """Knows other services each time it is asked."""

    def __init__(self, *states: list[Service]) -> None:
        super().__init__()
        self.states = list(states)

    def services(self, project: str) -> list[Service]:
        del project
        return self.states.pop(0)


def test_a_start_waits_until_every_service_is_healthy(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("infra.stack.time.sleep", slept.append)
    starting = service("db", health="starting", restarts=2)
    engine = Recovering([], [], [starting, service("redis")], [starting, service("redis")], HEALTHY)
    built = case.stack(engine)
    case.runner.expect(case.compose.up(["db", "redis"]))

    built.start()

    assert len(slept) == 2
    assert engine.states == []


def test_a_service_without_a_container_is_not_waited_for(case: Case) -> None:
    built = case.stack(FakeEngine([service("db")]))
    case.runner.expect(case.compose.up(["db", "redis"]))

    failure(built.start, EngineError, "service redis is gone")


@pytest.mark.parametrize(
    ("ill", "state"),
    [
        (service("db", health="unhealthy"), "unhealthy"),
        (service("db", "exited", ""), "exited"),
        (service("db", "restarting", "starting", restarts=3), "keeps dying"),
    ],
)
def test_a_service_that_stays_ill_is_named_with_its_own_words(
    case: Case, ill: Service, state: str
) -> None:
    built = case.stack(FakeEngine([ill, service("redis")]))
    case.runner.expect(case.compose.up(["db", "redis"]))
    case.runner.expect(
        case.compose.logs(["db"], follow=False, tail=20),
        stdout="db-1  | starting\ndb-1  | FATAL: wrong version\ndb-1  | shut down\n",
    )

    failure(
        built.start,
        EngineError,
        f"service db {state}: FATAL: wrong version",
        "Run `invoke logs --service db` for the rest.",
    )


def test_a_service_that_never_becomes_healthy_is_waited_for_no_longer(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "_HEALTHY_SECONDS", -1.0)
    built = case.stack(FakeEngine([service("db", health="starting"), service("redis")]))
    case.runner.expect(case.compose.up(["db", "redis"]))
    case.runner.expect(case.compose.logs(["db"], follow=False, tail=20))

    failure(built.start, EngineError, "service db starting: no log")


def test_a_variable_that_compose_misses_is_a_matter_of_settings(case: Case) -> None:
    built = case.stack()
    case.runner.expect(
        case.compose.up(["db", "redis"]),
        returncode=1,
        stderr="error while interpolating: required variable DB_USER is missing a value: set it\n",
    )

    failure(
        built.start,
        ConfigurationError,
        "settings cannot be used: DB_USER is missing",
        "Set it in .env.",
    )


def test_any_other_failure_of_compose_is_told_by_its_last_line(case: Case) -> None:
    built = case.stack()
    case.runner.expect(
        case.compose.up(["db", "redis"]), returncode=17, stderr="pulling\nno such image\n"
    )

    failure(built.start, EngineError, "docker compose up failed: no such image")


def test_a_failure_without_a_word_is_told_by_its_exit_code(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.down(), returncode=14)

    failure(
        built.stop,
        EngineError,
        "the stack cannot be stopped: exit code 14",
        "Run `invoke status` to see what is left.",
    )


def test_the_migrator_is_built_and_run(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.build_migrator())
    case.runner.expect(case.compose.migrate(), stdout="roles: reconciled\nschema: 1 (head)\n")

    assert built.migrate() == ["roles: reconciled", "schema: 1 (head)"]


def test_a_migrator_that_cannot_be_built_is_never_run(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.build_migrator(), returncode=1, stderr="no network\n")

    raised = failure(built.migrate, EngineError, "the migrator image cannot be built: no network")
    assert " build migrator`" in raised.hint


@pytest.mark.parametrize(("code", "kind"), [(9, MigrationError), (2, ConfigurationError)])
def test_the_migrators_own_words_are_passed_on(
    case: Case, code: int, kind: type[SlipwayError]
) -> None:
    built = case.stack()
    case.runner.expect(case.compose.build_migrator())
    case.runner.expect(
        case.compose.migrate(),
        returncode=code,
        stderr=" Container slipway-db-1  Running\nerror: it is so\nHINT: Do this: `that`.\n",
    )

    failure(built.migrate, kind, "it is so", "Do this: `that`.")


def test_a_migrator_that_breaks_is_told_by_its_last_line(case: Case) -> None:
    built = case.stack()
    case.runner.expect(case.compose.build_migrator())
    case.runner.expect(
        case.compose.migrate(), returncode=1, stderr="Traceback\nValueError: surprise\n"
    )

    failure(
        built.migrate,
        MigrationError,
        "the migrator ended with exit code 1: ValueError: surprise",
        "Run `docker compose run --rm migrator` to see all it says.",
    )


def test_a_stopped_database_is_not_asked_for_its_schema(case: Case) -> None:
    found = [service("db", "exited", ""), service("redis")]
    built = case.stack(FakeEngine(found))

    assert built.status() == Status("local", found, "unknown: the database is not running")


def test_the_status_tells_where_the_schema_stands(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = case.stack(FakeEngine([service("db")]))
    monkeypatch.setattr(migrations, "state", lambda _: SchemaState(("0001",), "0001", "at head"))

    assert built.status().schema == "at head (0001)"


def test_the_status_survives_a_database_that_refuses(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(endpoint: object) -> SchemaState:
        raise TargetError(f"{endpoint} refuses", "Check it.")

    built = case.stack(values=NEON)
    monkeypatch.setattr(migrations, "state", refuse)

    assert built.status().schema == "unknown: owner@ep-1.neon.tech:5432/trading refuses"


def test_psql_opens_as_the_owner_or_as_the_superuser(case: Case) -> None:
    built = case.stack(FakeEngine([service("db")]))

    assert built.psql("", superuser=False) == case.compose.psql("trading_owner", "trading", [])
    assert built.psql("select 1", superuser=True) == case.compose.psql(
        "postgres", "trading", ["--command", "select 1"]
    )


def test_psql_needs_the_stacks_database(case: Case) -> None:
    built = case.stack(FakeEngine([service("db", "exited", "")]))

    failure(
        lambda: built.psql("", superuser=False),
        RefusedError,
        "the stack's database is not running",
        "Start it with `invoke up`.",
    )


def test_a_schema_that_differs_is_an_error_with_every_difference(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = case.stack()
    monkeypatch.setattr(migrations, "check", lambda _: ["table a is missing", "column b is text"])

    failure(
        built.check_schema,
        MigrationError,
        "database 'trading' differs from the models: table a is missing; column b is text",
    )


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (SchemaState(("2",), "2", "at head"), "at head (2)"),
        (SchemaState(("1",), "2", "behind"), "behind: at 1, head is 2; run `invoke migrate`"),
        (SchemaState((), "2", "empty"), "empty; run `invoke migrate`"),
        (
            SchemaState((), "2", "foreign"),
            "not known to alembic; run `invoke stamp` when it matches the models",
        ),
        (
            SchemaState(("8", "9"), "2", "unknown revision"),
            "at 8, 9, a revision that this code does not know",
        ),
    ],
)
def test_a_schemas_state_is_one_line(state: SchemaState, line: str) -> None:
    assert stack.describe(state) == line


@pytest.mark.parametrize("major", ["13", "14"])
def test_an_image_without_support_is_noticed(make_settings: MakeSettings, major: str) -> None:
    assert stack.pg14_notice(make_settings(PG_MAJOR=major)) == (
        f"PostgreSQL {major} has been out of support since 2026-11-12 and its image is frozen; "
        "set PG_MAJOR=17 with a new DB_VOLUME and restore an archive into it"
    )


@pytest.mark.parametrize("major", ["15", "17", "18"])
def test_a_supported_image_is_not_noticed(make_settings: MakeSettings, major: str) -> None:
    assert stack.pg14_notice(make_settings(PG_MAJOR=major)) is None


def test_the_statements_of_a_migration_are_for_one_kind_of_database() -> None:
    assert "PARTITION BY RANGE (ts)" in stack.migration_sql("plain")
    assert "create_hypertable" in stack.migration_sql("timescaledb")

    failure(lambda: stack.migration_sql("mysql"), UsageError, "--sql is 'mysql'")
