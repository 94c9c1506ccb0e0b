"""Command lines for Docker Compose: they are built here and run elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.errors import ConfigurationError
from infra.settings import Settings

MINIMUM_VERSION = (2, 24)

# The stack itself, and what is laid over it where the database is elsewhere.
FILE = "docker-compose.yml"
OVERLAY = "docker-compose.cloud.yml"
_CERTIFICATES = ("NEON_DB_SSLROOTCERT", "SUPABASE_DB_SSLROOTCERT", "SOURCE_DB_SSLROOTCERT")


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

    @property
    def environment(self) -> dict[str, str]:
        """Return what these command lines read, whatever `.env` says at the moment.

        Compose would take the word for the machine's own certificates for a file.
        """
        system = {name: "" for name in _CERTIFICATES if self.settings.values.get(name) == "system"}
        return {**selection(self.settings.values), **system}

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

    def services(self) -> list[str]:
        """List the services that `up` starts; fails where the files do not fit together."""
        return [*self.base(), "config", "--services"]

    def remove(self, services: Sequence[str]) -> list[str]:
        """Stop services in peace and remove their containers; the data stays."""
        return [*self.base(), "rm", "--stop", "--force", *services]

    def down(self) -> list[str]:
        """Stop and remove the containers and the network; volumes and folders stay.

        Containers of profiles that are not active would keep the network in use.
        """
        return [*self.base(), "--profile", "*", "down", "--remove-orphans"]

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


def selection(values: Mapping[str, str]) -> dict[str, str]:
    """Return the two variables that tell Compose and all programs where the database is."""
    defaults = {"DB_TARGET": "local", "COMPOSE_FILE": FILE}
    return {name: values.get(name) or default for name, default in defaults.items()}


def selection_for(settings: Settings, target: str) -> dict[str, str]:
    """Return the two variables as they are for a target; an application's files keep their place.

    Raises ConfigurationError where the stack's own file is not among the Compose files.
    """
    separator = settings.values.get("COMPOSE_PATH_SEPARATOR") or ":"
    root = settings.root.resolve()
    names = selection(settings.values)["COMPOSE_FILE"].split(separator)
    kept = [name for name in names if (root / name).resolve() != root / OVERLAY]
    own = [place for place, name in enumerate(kept, 1) if (root / name).resolve() == root / FILE]
    if not own:
        raise ConfigurationError(
            f"COMPOSE_FILE does not name {FILE}: {separator.join(names)}",
            f"Set COMPOSE_FILE={FILE} in .env, with the files that are laid over it behind that.",
        )
    overlay = [] if target == "local" else [OVERLAY]
    files = [*kept[: own[0]], *overlay, *kept[own[0] :]]
    return {"DB_TARGET": target, "COMPOSE_FILE": separator.join(files)}


def parse_version(text: str) -> tuple[int, ...]:
    """Read `2.26.1-4` or `v2.40.0` as numbers; unreadable text is version 0."""
    numbers = []
    for part in text.strip().lstrip("v").split("."):
        digits = part.split("-")[0].split("+")[0]
        if not digits.isdigit():
            break
        numbers.append(int(digits))
    return tuple(numbers) or (0,)
