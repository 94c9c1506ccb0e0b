"""A switch with its programs recorded: what is run in which order, and what `.env` says then."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from backend import envfile
from infra import probing, switch_survey
from infra.engine.client import Service
from infra.engine.compose import Compose
from infra.engine.tools import ClientTools
from infra.errors import (
    ConfigurationError,
    EngineError,
    MigrationError,
    RefusedError,
    TargetError,
    UsageError,
)
from infra.migrations import SchemaState
from infra.probing import Probed
from infra.process import Completed
from infra.settings import Settings
from infra.stack import Stack
from infra.switch_survey import Surveyed
from infra.switching import Switching
from infra.transfer.journal import Journal
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner
from tests.unit.stacks import NEON, service
from tests.unit.test_switch_survey import surveyed

BASE = "docker-compose.yml"
CLOUD = f"{BASE}:docker-compose.cloud.yml"
AT = {"local": {"DB_TARGET": "local", "COMPOSE_FILE": BASE},
      "neon": {"DB_TARGET": "neon", "COMPOSE_FILE": CLOUD}}  # fmt: skip
AT_HEAD = SchemaState(("0002",), "0002", "at head")


@dataclass
class World(RecordingRunner):
    """Docker as far as a switch sees it: runs Compose's words and knows what runs then.

    `done` holds each word of Compose with the target it was told, and the one in `.env` then.
    """

    root: Path = Path()
    running: set[str] = field(default_factory=lambda: {"db", "redis"})
    startable: tuple[str, ...] = ("db", "redis")
    fails: dict[str, str] = field(default_factory=dict)
    done: list[tuple[str, str, str]] = field(default_factory=list)

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: object
    ) -> Completed:
        del options
        assert env is not None
        words = list(argv)[list(argv).index("--project-name") + 2 :]
        while words[0] == "--file":
            words = words[2:]
        self.done.append((" ".join(words), env["DB_TARGET"], selected(self.root)["DB_TARGET"]))
        if words[0] in self.fails:
            return Completed(tuple(argv), 1, "", f"{self.fails.pop(words[0])}\n")
        if words[:2] == ["up", "--detach"]:
            assert words[2:]
            self.running |= set(words[2:])
        elif words[0] == "rm":
            self.running -= set(words[3:])
        listed = [name for name in self.startable if name != "db" or env["DB_TARGET"] == "local"]
        return Completed(tuple(argv), 0, "\n".join(listed), "")

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        return [line for line in self.done if not line[0].startswith(("config", "build"))]


class Docker(FakeEngine):
    """Knows the services that run in a world, all healthy."""

    def __init__(self, world: World) -> None:
        super().__init__(ports={})
        self.world = world

    def services(self, project: str) -> list[Service]:
        del project
        return [service(name) for name in sorted(self.world.running)]


@dataclass
class Case:
    """A checkout with a world around it."""

    world: World
    switching: Switching
    journal: Journal
    said: list[str] = field(default_factory=list)

    def switch(self, name: str) -> None:
        with self.switching.switching(name, self.said.append) as session:
            session.run()

    @property
    def selection(self) -> dict[str, str]:
        return selected(self.world.root)

    @property
    def outcome(self) -> str | None:
        return self.journal.entries()[-1].outcome


MakeCase = Callable[..., Case]


def selected(root: Path) -> dict[str, str]:
    values = envfile.read(root / ".env")
    return {name: values[name] for name in ("DB_TARGET", "COMPOSE_FILE")}


@pytest.fixture
def make_case(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> MakeCase:
    def survey(settings: Settings) -> Surveyed:
        return surveyed(settings.config.target, "at head", "0002")

    monkeypatch.setattr(probing, "probe", lambda *_: Probed("neon", cast("Any", None), (), {}, ()))
    monkeypatch.setattr(switch_survey, "require", survey)
    monkeypatch.setattr(switch_survey, "look", survey)
    monkeypatch.setattr(switch_survey, "verify", lambda *_, **__: AT_HEAD)
    for name in ("DB_TARGET", "COMPOSE_FILE"):
        monkeypatch.delenv(name, raising=False)

    def make(at: str = "local", **values: str) -> Case:
        settings = make_settings(**{**NEON, **AT[at], **values})
        world = World(root=settings.root)
        engine = Docker(world)
        journal = Journal(settings.journal, lambda _: None)
        stack = Stack(settings, Compose(settings), engine, world, journal)
        tools = ClientTools(world, engine, "image")
        return Case(world, Switching(stack, engine, tools, journal), journal)

    return make


def test_the_new_target_is_migrated_before_the_old_one_is_stopped_and_the_file_flipped(
    make_case: MakeCase,
) -> None:
    case = make_case()

    case.switch("neon")

    assert case.world.changes == [
        ("run --rm --no-deps -T migrator", "neon", "local"),
        ("rm --stop --force db", "local", "local"),
        ("up --detach redis", "neon", "neon"),
    ]
    assert case.selection == AT["neon"]
    assert case.outcome == "done"
    assert case.said == [
        "migrating neon",
        "stopping the local database",
        "restarting what depends on it",
    ]


def test_on_the_way_back_the_local_database_is_started_first(make_case: MakeCase) -> None:
    case = make_case("neon")
    case.world.running = {"redis"}

    case.switch("local")

    assert case.world.changes == [
        ("up --detach db", "local", "neon"),
        ("run --rm --no-deps -T migrator", "local", "neon"),
        ("up --detach db redis", "local", "local"),
    ]
    assert case.selection == AT["local"]
    assert case.said[0] == "starting the local database"


def test_an_applications_services_are_restarted_where_they_ran(make_case: MakeCase) -> None:
    case = make_case(COMPOSE_FILE=f"{BASE}:app.yml")
    case.world.startable = ("db", "redis", "app", "stopped")
    # One that runs in a profile of its own is left alone.
    case.world.running = {"db", "redis", "app", "debugger"}

    case.switch("neon")

    assert case.world.changes[-1] == ("up --detach redis app", "neon", "neon")
    assert case.selection["COMPOSE_FILE"] == f"{CLOUD}:app.yml"


def test_a_schema_of_somebodys_own_is_left_as_it_is(
    make_case: MakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def survey(settings: Settings) -> Surveyed:
        return surveyed(settings.config.target, "foreign")

    monkeypatch.setattr(switch_survey, "require", survey)
    monkeypatch.setattr(switch_survey, "look", survey)
    case = make_case()

    case.switch("neon")

    assert [line[0].split()[0] for line in case.world.changes] == ["rm", "up"]


@pytest.mark.parametrize(
    ("word", "error", "taken_back"),
    [
        ("run", MigrationError, []),
        ("rm", EngineError, [("up --detach db redis", "local", "local")]),
        ("up", EngineError, [("up --detach db redis", "local", "local")]),
    ],
)
def test_a_step_that_fails_leaves_everything_as_it_was(
    make_case: MakeCase, word: str, error: type[Exception], taken_back: list[tuple[str, str, str]]
) -> None:
    case = make_case()
    case.world.fails = {word: "it is so"}

    with pytest.raises(error, match="it is so"):
        case.switch("neon")

    after = case.world.changes
    assert after[[line[0].split()[0] for line in after].index(word) + 1 :] == taken_back
    assert case.selection == AT["local"]
    assert case.world.running == {"db", "redis"}
    assert case.outcome == "taken back"
    assert ("taken back: the stack is on local as before" in case.said) == bool(taken_back)


@pytest.mark.parametrize("error", [TargetError("no", "Check."), KeyboardInterrupt()])
def test_what_fails_at_the_very_end_is_taken_back(
    make_case: MakeCase, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(settings: Settings, *, migrated: bool) -> SchemaState:
        del settings, migrated
        raise error

    monkeypatch.setattr(switch_survey, "verify", fail)
    case = make_case("neon")
    case.world.running = {"redis"}

    with pytest.raises(type(error)):
        case.switch("local")

    assert case.selection == AT["neon"]
    assert case.world.running == {"redis"}
    assert case.outcome == "taken back"


def test_a_switch_that_is_declined_stops_what_it_started(make_case: MakeCase) -> None:
    case = make_case("neon")
    case.world.running = {"redis"}

    with (
        pytest.raises(RefusedError, match="not confirmed"),
        case.switching.switching("local", case.said.append),
    ):
        raise RefusedError("not confirmed", "Answer y.")

    assert case.world.running == {"redis"}
    assert case.said == ["starting the local database"]
    assert case.outcome == "taken back"


def test_what_cannot_be_taken_back_is_left_to_the_next_command(make_case: MakeCase) -> None:
    case = make_case()

    case.world.fails = {"rm": "docker is gone", "up": "docker is gone"}
    with pytest.raises(EngineError):
        case.switch("neon")

    assert case.said[-1].startswith("not taken back yet, the next command does it: ")
    assert case.outcome is None
    case.world.running = set()
    assert case.switching.settle(case.journal.entries()[0]).endswith(
        "was taken back; the stack is on local as before"
    )
    assert case.world.running == {"db", "redis"}


@pytest.mark.parametrize(
    ("now", "line", "outcome", "running"),
    [
        ("neon", "had been made and is finished", "finished", {"redis"}),
        (
            "local",
            "was taken back; the stack is on local as before",
            "taken back",
            {"db", "redis"},
        ),
    ],
)
def test_a_killed_switch_is_settled_as_the_file_says(
    make_case: MakeCase, now: str, line: str, outcome: str, running: set[str]
) -> None:
    case = make_case()
    record = case.journal.begin("switch", database="trading", archive="local")
    record.reach("begun", target="neon", before=AT["local"], after=AT["neon"],
                 present=["db", "redis"], starts_database=False)  # fmt: skip
    record.reach("left")
    envfile.update(case.world.root / ".env", AT[now])
    # Somebody started what was stopped, or it was not stopped yet.
    case.world.running = {"db"}

    assert case.switching.settle(record.entry) == f"the switch from local to neon {line}"

    assert case.world.running == running
    assert case.selection == AT[now]
    assert case.outcome == outcome


def test_a_file_that_was_changed_since_is_left_as_it_is(make_case: MakeCase) -> None:
    case = make_case()
    record = case.journal.begin("switch", database="trading", archive="local")
    record.reach("begun", target="neon", before=AT["local"], after=AT["neon"],
                 present=["db", "redis"], starts_database=False)  # fmt: skip
    changed = {"DB_TARGET": "supabase", "COMPOSE_FILE": CLOUD}
    envfile.update(case.world.root / ".env", changed)

    assert "has been changed since" in case.switching.settle(record.entry)
    assert case.selection == changed
    assert case.world.done == []
    assert case.outcome == "taken back"


@pytest.mark.parametrize("command", ["transfer", "restore", "switch"])
def test_another_command_at_work_is_named_and_nothing_begun(
    make_case: MakeCase, command: str
) -> None:
    case = make_case()
    case.journal.begin(command, database="trading", archive="source").reach("rows")

    with pytest.raises(RefusedError) as caught:
        case.switch("neon")

    assert f"{command}, pid {os.getpid()}, since " in caught.value.message
    assert case.world.changes == []


def test_a_command_that_was_killed_stands_in_no_switchs_way(make_case: MakeCase) -> None:
    case = make_case()
    record = case.journal.begin("transfer", database="trading", archive="source")
    record.entry = replace(record.entry, process_started=1.0)
    record.reach("rows")

    case.switch("neon")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("source", RefusedError, "the source is only read: no stack can be on it"),
        ("nowhere", UsageError, "target 'nowhere' does not exist"),
        ("supabase", ConfigurationError, "target supabase: fill in SUPABASE_DB_* in .env"),
    ],
)
def test_what_no_stack_can_be_on_is_named(
    make_case: MakeCase, name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("*", r"\*")):
        make_case().switching.is_at(name)


def test_the_stack_is_at_a_target_when_both_variables_say_so(make_case: MakeCase) -> None:
    assert make_case("neon").switching.is_at("neon")
    assert not make_case("neon").switching.is_at("local")
    assert not make_case("neon", COMPOSE_FILE=BASE).switching.is_at("neon")


@pytest.mark.parametrize(
    ("name", "value"), [("DB_TARGET", "local"), ("COMPOSE_FILE", "docker-compose.yml")]
)
def test_an_environment_that_goes_before_the_file_is_refused(
    make_case: MakeCase, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    case = make_case()
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        case.switch("neon")

    assert caught.value.message.startswith(f"{name} is {value!r} in the environment")
    assert case.world.done == []
