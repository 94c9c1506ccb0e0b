from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import pytest

from infra import services
from infra.engine.client import Service
from infra.errors import ConfigurationError, EngineError, RefusedError
from infra.process import Completed
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner
from tests.unit.stacks import HEALTHY, NEON, Case, Recovering, failure, service


@pytest.fixture
def case(make_settings: MakeSettings, runner: RecordingRunner) -> Case:
    return Case(make_settings, runner)


@pytest.fixture
def listening() -> Iterator[int]:
    """Listen on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


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

    assert built.services.own == ["redis"]


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
    monkeypatch.setattr(services, "process_on_port", {listening: "postgres (pid 17)"}.get)
    built = case.stack(FakeEngine(), {"DB_PORT": str(listening)})

    failure(built.start, EngineError, f"port {listening} (DB_PORT) is taken by postgres (pid 17)")


def test_a_port_taken_by_nobody_knows_whom_says_so(
    case: Case, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "process_on_port", lambda _: None)
    built = case.stack(FakeEngine(), {"DB_PORT": str(listening)})

    failure(built.start, EngineError, f"port {listening} (DB_PORT) is taken by another program")


def test_a_port_held_by_our_own_service_is_no_problem(case: Case, listening: int) -> None:
    built = case.stack(FakeEngine(HEALTHY), {"DB_PORT": str(listening)})
    case.runner.expect(case.compose.up(["db", "redis"]))

    built.start()


def test_a_start_waits_until_every_service_is_healthy(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("infra.services.time.sleep", slept.append)
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
    monkeypatch.setattr(services, "_HEALTHY_SECONDS", -1.0)
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


def test_what_a_bare_up_would_start_is_asked_of_compose(case: Case) -> None:
    built = case.stack().services
    case.runner.expect(case.compose.services(), stdout="db\nredis\napp\n")

    assert built.startable() == ["db", "redis", "app"]


def test_files_that_do_not_fit_together_are_refused_in_composes_words(case: Case) -> None:
    built = case.stack(values=NEON).services
    case.runner.expect(
        case.compose.services(),
        returncode=15,
        stderr='service "app" depends on undefined service "db": invalid compose project\n',
    )

    raised = failure(
        built.startable,
        RefusedError,
        "the Compose files do not fit together: "
        'service "app" depends on undefined service "db": invalid compose project',
    )
    assert "`required: false`" in raised.hint


def test_a_variable_that_the_overlay_misses_is_a_matter_of_settings(case: Case) -> None:
    built = case.stack(values=NEON).services
    case.runner.expect(
        case.compose.services(),
        returncode=1,
        stderr="error while interpolating: required variable NEON_DB_HOST is missing a value\n",
    )

    failure(built.startable, ConfigurationError, "settings cannot be used: NEON_DB_HOST is missing")


def test_what_runs_is_present_and_so_is_a_migrator_that_ran(case: Case) -> None:
    found = [
        service("app"),
        service("db", "exited", ""),
        service("ill", "restarting", ""),
        service("migrator", "exited", ""),
        service("once", "exited", ""),
    ]

    assert case.stack(FakeEngine(found)).services.present() == ["app", "ill", "migrator"]


def test_the_database_is_stopped_and_its_container_removed(case: Case) -> None:
    built = case.stack(FakeEngine([service("db", "exited", "")])).services
    case.runner.expect(case.compose.remove(["db"]))

    built.remove_database()


def test_a_database_without_a_container_is_left_alone(case: Case) -> None:
    case.stack(FakeEngine([service("redis")])).services.remove_database()


def test_a_database_that_cannot_be_stopped_is_named(case: Case) -> None:
    built = case.stack().services
    case.runner.expect(case.compose.remove(["db"]), returncode=1, stderr="permission denied\n")

    failure(
        built.remove_database,
        EngineError,
        "the local database cannot be stopped: permission denied",
    )


def test_compose_is_told_the_target_whatever_the_file_says(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []

    def run(argv: Sequence[str], **options: object) -> Completed:
        told.append(options["env"])
        return Completed(tuple(argv), 0, "", "")

    built = case.stack(values=NEON).services
    monkeypatch.setattr(case.runner, "run", run)
    built.startable()

    assert told == [{name: NEON[name] for name in ("DB_TARGET", "COMPOSE_FILE")}]
