from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import errors
from infra.errors import SlipwayError, VerificationError
from tests.unit.conftest import CHECKOUT


def every_kind(error: type[SlipwayError]) -> Iterator[type[SlipwayError]]:
    yield error
    for kind in error.__subclasses__():
        yield from every_kind(kind)


LEAVES = sorted(SlipwayError.__subclasses__(), key=lambda leaf: leaf.exit_code)

SOURCES = sorted(
    [
        *(CHECKOUT / "backend").rglob("*.py"),
        *(CHECKOUT / "infra").rglob("*.py"),
        *(CHECKOUT / "migrations").rglob("*.py"),
        CHECKOUT / "scripts" / "migrator.py",
    ]
)

# What stands for a value that is only known at run time.
VALUE = "\N{OBJECT REPLACEMENT CHARACTER}"

# Lower case, a value, an option, a product's or a variable's name.
MESSAGE_START = re.compile(rf"[a-z{VALUE}`-]|[A-Z][A-Z0-9_]+ |PostgreSQL |TimescaleDB ")
HINT_START = re.compile(rf"[A-Z`'\"{VALUE}]")


def test_each_exit_code_stands_for_one_kind_of_error() -> None:
    assert {leaf.__name__: leaf.exit_code for leaf in LEAVES} == {
        "UsageError": 1,
        "ConfigurationError": 2,
        "RefusedError": 3,
        "EngineError": 4,
        "SourceError": 5,
        "TargetError": 6,
        "ClientToolError": 7,
        "VerificationError": 8,
        "MigrationError": 9,
    }


def test_every_kind_of_error_can_be_had_from_one_module() -> None:
    exported = {getattr(errors, name) for name in errors.__all__}

    assert exported == {SlipwayError, *LEAVES}


def built(leaf: type[SlipwayError], message: str, hint: str) -> SlipwayError:
    if issubclass(leaf, VerificationError):
        return leaf(message, hint, ("a difference",))
    return leaf(message, hint)


@pytest.mark.parametrize("leaf", LEAVES)
def test_an_error_carries_message_hint_and_code(leaf: type[SlipwayError]) -> None:
    error = built(leaf, "object is wrong", "Correct it.")

    assert (str(error), error.message, error.hint) == (
        "object is wrong",
        "object is wrong",
        "Correct it.",
    )
    assert 1 <= error.exit_code <= 9
    assert leaf.__doc__


Names = dict[str, list[ast.expr]]


def names_of(tree: ast.Module) -> Names:
    """Return everything that a module's names stand for."""
    found: Names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for name in node.targets:
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(node.value)
    return found


def texts(node: ast.expr, names: Names) -> set[str]:
    """Return every text that an expression can be, values replaced by one sign."""
    if isinstance(node, ast.Name):
        others = {name: values for name, values in names.items() if name != node.id}
        return {text for value in names.get(node.id, ()) for text in texts(value, others)} or {
            VALUE
        }
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.IfExp):
        node = node.value
    if isinstance(node, ast.IfExp):
        return texts(node.body, names) | texts(node.orelse, names)
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    parts = parts_of(node)
    found = {""} if parts else {VALUE}
    for part in parts:
        found = {before + after for before in found for after in texts(part, names)}
    return found


def parts_of(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return node.values
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [node.left, node.right]
    return []


KINDS = {leaf.__name__ for leaf in every_kind(SlipwayError)} | {"failure"}
# Where the side decides.
BY_SIDE = {"_ERRORS", "_LOST"}


def builds_error(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Subscript):
        words = {name.id for name in ast.walk(node.func) if isinstance(name, ast.Name)}
        return bool(words & BY_SIDE)
    return isinstance(node.func, ast.Name) and node.func.id in KINDS


def built_errors(path: Path) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield the place, messages and hints of every error that a module builds."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = names_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and builds_error(node) and len(node.args) >= 2:
            message, hint = node.args[:2]
            yield (
                f"{path.relative_to(CHECKOUT)}:{node.lineno}",
                texts(message, names),
                texts(hint, names),
            )


BUILT = [found for path in SOURCES for found in built_errors(path)]


def test_errors_are_found_where_they_are_built() -> None:
    places = {place.partition(":")[0] for place, _, _ in BUILT}

    assert len(BUILT) > 60
    assert {
        "backend/variables.py",
        "infra/postgres/connection.py",
        "infra/transfer/archive.py",
        "infra/transfer/stream/schema.py",
        "migrations/upgrade.py",
    } <= places


def test_messages_are_lower_case_and_end_without_a_full_stop() -> None:
    wrong = [
        f"{place}: {text}"
        for place, messages, _ in BUILT
        for text in messages
        if not MESSAGE_START.match(text) or text.endswith((".", "!", "\n"))
    ]

    assert wrong == []


def test_hints_are_full_sentences() -> None:
    wrong = [
        f"{place}: {text}"
        for place, _, hints in BUILT
        for text in hints
        if text != VALUE and not (HINT_START.match(text) and text.endswith("."))
    ]

    assert wrong == []
