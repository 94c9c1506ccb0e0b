from __future__ import annotations

import pytest

from infra import migrations, stack
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
from infra.stack import Status
from infra.transfer.journal import Journal
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner
from tests.unit.stacks import NEON, Case, Recovering, failure, service


@pytest.fixture
def case(make_settings: MakeSettings, runner: RecordingRunner) -> Case:
    return Case(make_settings, runner)


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


def test_the_status_tells_since_when_the_stack_is_on_its_target(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = case.stack(FakeEngine([service("redis")]), NEON)
    monkeypatch.setattr(migrations, "state", lambda _: SchemaState(("0001",), "0001", "at head"))
    record = Journal(case.root / "data" / "journal", lambda _: None).begin(
        "switch", database="trading", archive="local"
    )
    record.reach("done", target="neon")

    found = built.status()

    assert (found.target, found.since, found.previous) == ("neon", record.entry.moment, "local")


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


def test_psql_opens_no_hosted_database(case: Case) -> None:
    built = case.stack(FakeEngine([service("db")]), NEON)

    failure(
        lambda: built.psql("", superuser=False),
        RefusedError,
        "the stack is on neon, and psql opens the local database only",
    )


def test_a_database_that_has_to_run_is_started_beside_a_hosted_one(case: Case) -> None:
    built = case.stack(Recovering([], [], [service("db")]), NEON)
    local = Compose(built.on_local().settings)
    case.runner.expect(local.up(["db"]))
    case.runner.expect(local.build_migrator())
    # Somebody's own schema is nothing to stop at: the roles are set by then.
    case.runner.expect(local.migrate(), returncode=9, stderr="error: it is so\nHINT: Stamp it.\n")

    built.require_database()


def test_the_stacks_own_database_is_not_started_unasked(case: Case) -> None:
    failure(
        case.stack(FakeEngine()).require_database,
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
