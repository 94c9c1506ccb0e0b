"""What proves a change: style, types, tests. CI runs the same commands."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.errors import UsageError
from infra.process import Runner

LAYERS = ("unit", "integration", "e2e", "faults")
BENCHMARKS = ("receipt", "stream", "chunks")


def lint_commands() -> list[list[str]]:
    """Return the checks that read the code only."""
    ruff = [sys.executable, "-m", "ruff"]
    return [
        [*ruff, "check", "."],
        [*ruff, "format", "--check", "."],
        [sys.executable, "-m", "mypy"],
    ]


def test_command(root: Path, layer: str) -> list[str]:
    """Return pytest's command line for one layer, or for all of them."""
    if layer and layer not in LAYERS:
        raise UsageError(
            f"test layer {layer!r} does not exist", f"Name one of {', '.join(LAYERS)}."
        )
    return [sys.executable, "-m", "pytest", str(root / "tests" / layer)]


def lint(runner: Runner, root: Path) -> int:
    """Run every check and return the first exit code that is not 0."""
    codes = [runner.attach(command, cwd=root) for command in lint_commands()]
    return next((code for code in codes if code), 0)


def test(runner: Runner, root: Path, layer: str) -> int:
    """Run one layer, or lint and then every layer; return the exit code."""
    if not layer:
        code = lint(runner, root)
        if code:
            return code
    return runner.attach(test_command(root, layer), cwd=root)


def bench_command(what: str, rows: int) -> list[str]:
    """Return the command line of one benchmark; that of chunks has few rows whatever is asked."""
    if what not in BENCHMARKS:
        raise UsageError(
            f"benchmark {what!r} does not exist", f"Name one of {', '.join(BENCHMARKS)}."
        )
    command = [sys.executable, "-m", f"benchmarks.{what}"]
    return command if what == "chunks" else [*command, "--rows", str(rows)]


def bench(runner: Runner, root: Path, what: str, rows: int) -> int:
    """Run one benchmark or all of them; return the first exit code that is not 0."""
    commands = [bench_command(name, rows) for name in ([what] if what else BENCHMARKS)]
    codes = [runner.attach(command, cwd=root) for command in commands]
    return next((code for code in codes if code), 0)
