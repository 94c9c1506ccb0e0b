"""The terminal: the only place that prints, asks and draws progress."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from infra.errors import RefusedError, SlipwayError, UsageError
from infra.progress_display import NARROWEST, MovingProgress, PlainProgress
from infra.transfer.progress import Progress, Silent


class Step(Protocol):
    """A long step that tells how far it is."""

    def update(self, text: str) -> None:
        """Say what is being worked on."""
        ...


class Console:
    """Prints for a person on a terminal, and plain lines for anything else."""

    def __init__(self) -> None:
        self._out = _plain_console(stderr=False)
        self._err = _plain_console(stderr=True)
        self._moving = False

    @property
    def interactive(self) -> bool:
        """Tell whether a person can answer a question."""
        return sys.stdin.isatty() and self._out.is_terminal

    def line(self, text: str) -> None:
        """Print one line as it is."""
        self._out.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print one line that needs attention, on standard error."""
        # On the terminal that shows progress only its own console knows where a line can go.
        console = self._out if self._moving and self._err.file.isatty() else self._err
        console.print(f"warning: {text}", style="yellow", markup=False)

    def error(self, error: SlipwayError) -> None:
        """Print an expected failure and its hint on standard error."""
        self._err.print(f"error: {error.message}", style="bold red", markup=False)
        self._err.print(f"HINT: {error.hint}", markup=False)

    def bug(self, summary: str, log: str) -> None:
        """Apologise for an unexpected failure and name the file with its trace."""
        self._err.print(f"error: {summary}", style="bold red", markup=False)
        self._err.print(f"HINT: This is a bug in Slipway; its trace is in {log}.", markup=False)

    def json(self, value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Print a value as JSON, for programs."""
        print(json.dumps(value, indent=2, default=str))  # noqa: T201 - this is the printer

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; names too long for the terminal are folded, never cut."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._out.print(table, soft_wrap=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a long step: a moving line on a terminal, a plain line elsewhere."""
        if not self._out.is_terminal:
            self.line(title)
            yield _Silent()
            return
        with RichProgress(
            SpinnerColumn(),
            TextColumn(f"{title} [dim]{{task.fields[detail]}}"),
            BarColumn(bar_width=10),
            TimeElapsedColumn(),
            console=self._out,
            transient=True,
        ) as progress:
            yield _Moving(progress)
        self.line(title)

    @contextmanager
    def progress(self, title: str, *, quiet: bool = False) -> Iterator[Progress]:
        """Show the stages of a transfer: moving on a terminal, plain lines elsewhere.

        `quiet` shows none, where the output is for a program.
        """
        if quiet:
            yield Silent()
            return
        self.line(title)
        # Colours may be forced into a pipe, a moving cursor never.
        person = self._out.is_interactive and self._out.file.isatty()
        if not person or self._out.width < NARROWEST:
            with PlainProgress(self.line) as plain:
                yield plain
            return
        with MovingProgress(self._out) as moving:
            self._moving = True
            try:
                yield moving
            finally:
                self._moving = False

    def ask(self, question: str, *, secret: bool = False) -> str:
        """Ask for one line; a secret one is not shown while it is typed."""
        try:
            return getpass.getpass(question) if secret else self._out.input(question, markup=False)
        except EOFError:  # Ctrl-D
            return ""

    def secret_input(self, question: str) -> str:
        """Ask a terminal for one secret line; without one, take all of standard input."""
        if sys.stdin.isatty():
            return self.ask(question, secret=True)
        try:
            return sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError(
                "standard input is not UTF-8 text", "Save it as UTF-8, and pipe it in again."
            ) from None

    def confirm(
        self, *, source: str, target: str, question: str, yes: bool, name: str = ""
    ) -> None:
        """Show From and To and ask, default No; raise RefusedError without consent.

        With a `name` only that, typed in full, counts as consent.
        """
        self.line(f"From: {source}")
        self.line(f"To:   {target}")
        if yes:
            return
        if not self.interactive:
            raise RefusedError(
                f"{question.rstrip('?').lower()} needs a yes and nobody can be asked",
                f"Run it on a terminal, or add --yes{f' {name}' if name else ''}.",
            )
        choice = f"type {name!r} to go on" if name else "y/N"
        try:
            answer = self._out.input(f"{question} [{choice}] ", markup=False).strip()
        except EOFError:  # Ctrl-D
            answer = ""
        if answer != name if name else answer.lower() not in {"y", "yes"}:
            raise RefusedError(
                "not confirmed, nothing was changed", f"Answer {name or 'y'} to go on."
            )


def _plain_console(*, stderr: bool) -> RichConsole:
    # Names are printed as they are, whatever Rich would read into them. On a terminal lines break
    # between words; anywhere else a line stays one line, for grep and scripts.
    wrap = (sys.stderr if stderr else sys.stdout).isatty()
    return RichConsole(
        stderr=stderr, highlight=False, soft_wrap=not wrap, markup=False, emoji=False
    )


class _Silent:
    def update(self, text: str) -> None:
        """Lines that are not a terminal's get no moving detail."""


class _Moving:
    def __init__(self, progress: RichProgress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, detail="")

    def update(self, text: str) -> None:
        self._progress.update(self._task, detail=escape(text))
