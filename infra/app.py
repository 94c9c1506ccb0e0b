"""The composition root: what every command works with, built once and only when needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from infra import settings
from infra.console import Console
from infra.engine.client import Engine
from infra.engine.compose import Compose
from infra.engine.tools import ClientTools
from infra.errors import SlipwayError
from infra.local import Local
from infra.process import Runner, SubprocessRunner, kill_self
from infra.settings import Settings
from infra.stack import Stack
from infra.switching import Switching
from infra.transfer import recovery
from infra.transfer.journal import SWITCH, Entry, Journal
from infra.transfer.recovery import Owned
from infra.transfers import Transfers


class App:
    """The console, the settings and the Docker engine of one checkout."""

    def __init__(self, root: Path, console: Console, runner: Runner | None = None) -> None:
        self.root = root
        self.console = console
        self.runner = runner or SubprocessRunner()

    @cached_property
    def settings(self) -> Settings:
        """Read `.env` once."""
        return settings.load(self.root)

    @cached_property
    def compose(self) -> Compose:
        """Build the project's command lines."""
        return Compose(self.settings)

    @cached_property
    def engine(self) -> Engine:
        """Reach the Docker engine, checked for a Compose that is new enough."""
        engine = Engine(self.runner)
        engine.check(self.compose)
        return engine

    @cached_property
    def tools(self) -> ClientTools:
        """Run client tools in their image."""
        return ClientTools(self.runner, self.engine, self.settings.images.tools)

    @cached_property
    def journal(self) -> Journal:
        """Keep the journal of this checkout's transfers."""
        point = self.settings.kill_point
        return Journal(
            self.settings.journal, lambda reached: kill_self() if reached == point else None
        )

    @cached_property
    def local(self) -> Local:
        """Work with the archives and the Compose database."""
        return Local(self.settings, self.engine, self.tools, self.journal)

    def recover(self, *, aside: bool = False) -> None:
        """Finish or take back what a killed command left, and say so; `aside` on standard error."""
        interrupted = self.journal.interrupted()
        if not interrupted:
            return
        say = self.console.warn if aside else self.console.line
        try:
            # A client tool goes on when its command is killed, and would load into what is dropped.
            self.engine.remove_orphaned_tools()
            # A killed switch may have left the database stopped that the others need.
            for entry in interrupted:
                if entry.command == SWITCH:
                    say(f"recovered: {self.switching.settle(entry)}")
            for line in recovery.settle_all(self.journal, self._server_of):
                say(f"recovered: {line}")
        except SlipwayError as error:
            self.console.warn(f"a killed command is not settled yet: {error.message}")

    def _server_of(self, entry: Entry) -> Owned:
        return Owned(
            self.settings.highest(entry.facts.get("target", "local")),
            lambda: self.engine.restart_service(self.settings.project, "db"),
        )

    @cached_property
    def transfers(self) -> Transfers:
        """Work with two databases at once."""
        return Transfers(self.settings, self.engine, self.tools, self.journal)

    @cached_property
    def switching(self) -> Switching:
        """Point the stack at another target."""
        return Switching(self.stack, self.engine, self.tools, self.journal)

    @cached_property
    def stack(self) -> Stack:
        """Work with the project's services."""
        return Stack(self.settings, self.compose, self.engine, self.runner, self.journal)
