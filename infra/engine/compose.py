"""Command lines for Docker Compose: they are built here and run elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.settings import Settings

MINIMUM_VERSION = (2, 24)


@dataclass(frozen=True)
class Compose:
    """The Compose project of one checkout."""

    settings: Settings

    def base(self) -> list[str]:
        """Name the project and its files, so that the working directory does not matter."""
        argv = ["docker", "compose", "--project-directory", str(self.settings.root)]
        argv += ["--project-name", self.settings.project]
        for file in self.settings.compose_files:
            argv += ["--file", str(file)]
        return argv

    def version(self) -> list[str]:
        """Ask for the plugin's version."""
        return ["docker", "compose", "version", "--short"]

    def build_migrator(self) -> list[str]:
        """Build the migrator from the checkout's models and revisions."""
        return [*self.base(), "build", "--quiet", "migrator"]

    def up(self, services: Sequence[str]) -> list[str]:
        """Start services; who needs them healthy waits for that."""
        return [*self.base(), "up", "--detach", *services]

    def migrate(self) -> list[str]:
        """Run the one-shot migrator and return its exit code."""
        return [*self.base(), "run", "--rm", "--no-deps", "-T", "migrator"]

    def down(self) -> list[str]:
        """Stop and remove the containers and the network; volumes and folders stay."""
        return [*self.base(), "down", "--remove-orphans"]

    def logs(self, services: Sequence[str], *, follow: bool, tail: int) -> list[str]:
        """Show what the services wrote."""
        argv = [*self.base(), "logs", "--tail", str(tail)]
        if follow:
            argv.append("--follow")
        return [*argv, *services]

    def psql(self, user: str, database: str, arguments: Sequence[str]) -> list[str]:
        """Open psql inside the database's container, where the socket trusts us."""
        return [
            *self.base(), "exec", "db", "psql", "--username", user, "--dbname", database,
            *arguments,
        ]  # fmt: skip


def parse_version(text: str) -> tuple[int, ...]:
    """Read `2.26.1-4` or `v2.40.0` as numbers; unreadable text is version 0."""
    numbers = []
    for part in text.strip().lstrip("v").split("."):
        digits = part.split("-")[0].split("+")[0]
        if not digits.isdigit():
            break
        numbers.append(int(digits))
    return tuple(numbers) or (0,)
