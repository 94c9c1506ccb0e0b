"""The composition root: what every command works with, built once and only when needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from infra import settings
from infra.console import Console
from infra.engine.client import Engine
from infra.engine.compose import Compose
from infra.engine.tools import ClientTools
from infra.process import Runner, SubprocessRunner
from infra.settings import Settings
from infra.stack import Stack


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
    def stack(self) -> Stack:
        """Work with the project's services."""
        return Stack(self.settings, self.compose, self.engine, self.runner)
