from __future__ import annotations

import ast
import re
import shlex
import signal
from pathlib import Path

import pytest
from invoke.parser import Parser
from invoke.program import Program

import tasks
from infra import boundary, migrations
from infra.app import App
from infra.console import Console
from infra.errors import UsageError
from infra.migrations import SchemaState
from tests.unit.conftest import CHECKOUT, MakeSettings, RecordingRunner

SOURCE = (CHECKOUT / "tasks.py").read_text(encoding="utf-8")
TREE = ast.parse(SOURCE)
BODIES = [node for node in TREE.body if isinstance(node, ast.FunctionDef)]
# Those that are too long for the menu have a module of their own.
TASKS = BODIES + [
    node
    for path in sorted((CHECKOUT / "infra" / "commands").glob("*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.decorator_list
]

# The commands of the design that exist so far.
COMMANDS = {
    "archives",
    "bench",
    "build-images",
    "down",
    "export-local",
    "lint",
    "logs",
    "migrate",
    "psql",
    "restore",
    "revision",
    "schema-check",
    "stamp",
    "status",
    "switch",
    "target-set",
    "targets",
    "test",
    "transfer",
    "undo",
    "up",
    "verify",
}

# Those that texts may name already.
COMING = {"adopt", "doctor"}


def test_the_menu_is_short() -> None:
    assert len(SOURCE.splitlines()) <= 300


def test_the_menu_starts_no_program_and_reads_no_environment() -> None:
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(TREE)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        str(node.module).partition(".")[0]
        for node in ast.walk(TREE)
        if isinstance(node, ast.ImportFrom)
    }

    assert imported == {"__future__", "infra", "invoke"}


def test_the_menu_repeats_nothing() -> None:
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

    assert [ast.unparse(node) for node in ast.walk(TREE) if isinstance(node, loops)] == []


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_a_task_is_a_few_lines_with_a_docstring(body: ast.FunctionDef) -> None:
    documentation, *statements = body.body

    assert ast.get_docstring(body)
    assert statements
    assert (body.end_lineno or 0) - (documentation.end_lineno or 0) <= 11


@pytest.mark.parametrize("body", TASKS, ids=lambda body: body.name)
def test_a_task_takes_the_app_and_explains_its_options(body: ast.FunctionDef) -> None:
    first, *options = [argument.arg for argument in body.args.args]
    (decorator,) = body.decorator_list

    assert isinstance(decorator, ast.Call)
    explained = {
        key.value: value
        for keyword in decorator.keywords
        if keyword.arg == "help" and isinstance(keyword.value, ast.Dict)
        for key, value in zip(keyword.value.keys, keyword.value.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    assert first == "app"
    assert set(explained) == set(options)


def test_the_commands_of_the_design_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    program().run(["invoke", "--list"], exit=False)

    listed = {
        line.split()[0]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    }
    assert listed >= COMMANDS


def test_every_task_is_listed() -> None:
    declared = {body.name.replace("_", "-") for body in TASKS}

    assert set(tasks.namespace.task_names) == declared


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sure that no task's body runs."""

    def fail(work: object) -> None:
        raise AssertionError(work)

    monkeypatch.setattr(boundary, "guarded", fail)


def program() -> Program:
    return Program(namespace=tasks.namespace, name="invoke", binary="invoke")


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.usefixtures("never_run")
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    program().run(["invoke", "--help", name], exit=False)

    assert f"invoke [--core-opts] {name} " in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_asking_a_command_for_help_never_runs_it(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    touched: list[str] = []

    class Untouchable(App):
        def __getattribute__(self, attribute: str) -> object:
            touched.append(attribute)
            raise UsageError(f"{attribute} was used", "Do not run the task.")

    make_settings()
    monkeypatch.setattr(boundary, "App", Untouchable)
    monkeypatch.setattr(boundary, "_ROOT", tmp_path)
    monkeypatch.setattr(Untouchable, "__init__", lambda *_: None)
    before = signal.getsignal(signal.SIGTERM)

    program().run(["invoke", name, "--help"], exit=False)

    signal.signal(signal.SIGTERM, before)
    assert touched == []


def parsed(words: list[str]) -> dict[str, object]:
    (context,) = Parser(contexts=tasks.namespace.to_contexts()).parse_argv(words)
    return {name: argument.value for name, argument in context.args.items()}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("restore A --to local --yes", {"archive": "A", "to": "local", "yes": True}),
        ("revision 'add a table'", {"message": "add a table", "empty": False}),
        ("psql --command 'select 1'", {"command": "select 1", "superuser": False}),
        ("logs --follow --tail 5", {"service": "", "follow": True, "tail": 5}),
        ("export-local --jobs 3", {"jobs": 3}),
        ("export-local --plan --json", {"plan": True, "json": True}),
        ("restore A --to local --discard-previous", {"discard-previous": True, "yes": False}),
        ("verify A local --jobs 2 --json", {"expected": "A", "found": "local", "json": True}),
        ("undo --yes", {"yes": True}),
        ("transfer --from source --to local --yes", {"from": "source", "to": "local", "yes": True}),
        ("transfer --from local --to neon --yes neon", {"to": "neon", "yes": "neon"}),
        ("switch neon --yes neon", {"target": "neon", "yes": "neon"}),
        ("switch local", {"target": "local", "yes": ""}),
        ("transfer --partition-by day", {"partition-by": "day", "yes": "", "hypertables": False}),
        ("transfer --hypertables --discard-previous", {"discard-previous": True, "from": ""}),
    ],
)
def test_words_on_the_command_line_arrive(line: str, values: dict[str, object]) -> None:
    assert values.items() <= parsed(shlex.split(line)).items()


def commands_in_texts() -> set[str]:
    """Find what the code tells people to type, values and upper-case words made words."""
    paths = [
        *(CHECKOUT / "backend").rglob("*.py"),
        *(CHECKOUT / "infra").rglob("*.py"),
        *(CHECKOUT / "migrations").rglob("*.py"),
    ]
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    # A text may go on in the next line.
    whole = re.sub(r'"\s*\n\s*f?"', "", text)
    found = re.findall(r"`invoke ([a-z][^`\n]*)`", whole)
    return {re.sub(r"\{[^}]*\}|\b[A-Z]+\b", "x", command) for command in found}


def test_the_commands_in_texts_are_found() -> None:
    assert {"up", "migrate", "restore x --to local"} <= commands_in_texts()


@pytest.mark.parametrize("command", sorted(commands_in_texts()))
def test_a_command_that_a_text_names_can_be_typed(command: str) -> None:
    name, *_ = words = command.split()

    if name in COMING:
        assert name not in tasks.namespace.task_names
    elif words == [name]:
        assert name in tasks.namespace.task_names
    else:
        parsed(words)


@pytest.mark.parametrize(
    "name", ["archives", "export-local", "restore", "status", "targets", "transfer", "verify"]
)
def test_commands_that_report_take_json(name: str) -> None:
    arguments = {argument.name for argument in tasks.namespace[name].get_arguments()}

    assert "json" in arguments


def test_stamp_tells_where_the_schema_stands_in_words(
    make_settings: MakeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_settings()
    monkeypatch.setattr(migrations, "stamp", lambda _: "0001")
    monkeypatch.setattr(migrations, "state", lambda _: SchemaState(("0001",), "0001", "at head"))

    tasks.stamp.body.__wrapped__(App(tmp_path, Console(), RecordingRunner()))

    assert capsys.readouterr().out == "schema: at head (0001)\n"
