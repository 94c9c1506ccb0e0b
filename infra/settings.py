"""The operator's settings on top of `backend.config`: images, volumes, targets, the source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend import config as base
from backend.config import Config, Endpoint
from backend.variables import PLACEHOLDER, Variables
from infra.errors import ConfigurationError, UsageError
from infra.targets import CAPABILITIES, Target

DEFAULT_PG_MAJOR = "14"
DEFAULT_REDIS_IMAGE = "redis:8-alpine"
DEFAULT_PYTHON_IMAGE = "python:3.13-slim"
DEFAULT_TOOLS_IMAGE = "postgres:17-alpine"

# The flag without which no fault point does anything.
_FAULTS = "SLIPWAY_TEST_FAULTS"


@dataclass(frozen=True)
class Images:
    """The names of the images that the stack and the toolbox run."""

    database: str
    redis: str
    python: str
    tools: str


@dataclass(frozen=True)
class Settings:
    """Everything the toolbox knows before it looks at Docker or a database."""

    root: Path
    project: str
    pg_major: str
    images: Images
    volume: str
    compose_files: tuple[Path, ...]
    config: Config
    values: Mapping[str, str] = field(repr=False)

    @property
    def archives(self) -> Path:
        """Return the folder that holds the archives."""
        return self.root / "data" / "archives"

    @property
    def journal(self) -> Path:
        """Return the folder that says what every transfer has reached."""
        return self.root / "data" / "journal"

    @property
    def reports(self) -> Path:
        """Return the folder that holds a report for each transfer."""
        return self.root / "data" / "reports"

    @property
    def kill_point(self) -> str:
        """Return where the fault tests want this process to be killed; empty without their flag."""
        variables = Variables(self.values, self.root)
        return variables.text("SLIPWAY_KILL_AT") if variables.text(_FAULTS) == "1" else ""

    @property
    def superuser(self) -> Endpoint:
        """Return the superuser's way into the Compose database."""
        variables = Variables(self.values, self.root)
        _, _, endpoint = base.local_endpoints(variables, in_container=False)
        variables.check()
        return endpoint

    def highest(self, name: str) -> Endpoint:
        """Return the way into a target for whoever may do most there; see `admin`."""
        return self.superuser if name == "local" else self.admin(name)

    def admin(self, name: str) -> Endpoint:
        """Return a target's admin endpoint; UsageError, ConfigurationError where it has none."""
        found = self.target(name)
        if found.admin is None:
            problem = (found.problem or "").removeprefix("settings cannot be used: ")
            hosted = name in base.TARGET_NAMES and name != "local"
            raise ConfigurationError(
                f"target {name}: {problem}",
                f"Run `invoke target-set {name}`, or correct these lines in .env."
                if hosted
                else "Correct these lines in .env.",
            )
        return found.admin

    def app(self, name: str) -> Endpoint:
        """Return the endpoint of a target's applications: the admin's where it has no other."""
        return self.target(name).app or self.admin(name)

    def source(self) -> Endpoint:
        """Return the old install; ConfigurationError names every variable that is missing."""
        variables = Variables(self.values, self.root)
        endpoint = base.source_endpoint(variables)
        variables.check()
        return endpoint

    def targets(self) -> list[Target]:
        """Return every target, the unusable ones with what is wrong with their settings."""
        return [self.target(name) for name in CAPABILITIES]

    def target(self, name: str) -> Target:
        """Return one target by name."""
        if name not in CAPABILITIES:
            raise UsageError(
                f"target {name!r} does not exist", f"Choose one of: {', '.join(CAPABILITIES)}."
            )
        variables = Variables(self.values, self.root)
        admin, app = self._endpoints(name, variables)
        problem = None
        try:
            variables.check()
        except ConfigurationError as error:
            problem = error.message
            if variables.text(f"{name.upper()}_DB_HOST") in {"", PLACEHOLDER}:
                problem = f"fill in {name.upper()}_DB_* in .env"
            admin = app = None
        active = name == self.config.target
        return Target(name, admin, app, CAPABILITIES[name], active, problem)

    def _endpoints(
        self, name: str, variables: Variables
    ) -> tuple[Endpoint | None, Endpoint | None]:
        if name == "source":
            return base.source_endpoint(variables), None
        if name == "local":
            admin, app, _ = base.local_endpoints(variables, in_container=False)
            return admin, app
        return base.cloud_endpoints(variables, name)


def load(root: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `.env` in the checkout, the environment laid over it; all problems in one error."""
    outer = os.environ if environ is None else environ  # noqa: TID251 - handed to the reader
    values = base.merged(outer, root / ".env")
    variables = Variables(values, root)
    major = variables.text("PG_MAJOR", DEFAULT_PG_MAJOR)
    if not (major.isascii() and major.isdigit()):
        variables.problem(f"PG_MAJOR is not a number: {major!r}")
    build_ca = variables.text("BUILD_CA_FILE")
    if build_ca and not (root / build_ca).is_file():
        variables.problem(f"BUILD_CA_FILE names no file: {build_ca!r}")
    # The toolbox drives Docker from outside the stack, even where it runs in a container itself:
    # service names never resolve for it.
    config = base.from_variables(variables, in_container=False)
    if config.redis is None:
        variables.problem("REDIS_PASSWORD is missing")
    separator = variables.text("COMPOSE_PATH_SEPARATOR", ":")
    variables.check()
    return Settings(
        root=root,
        project=variables.text("COMPOSE_PROJECT_NAME", "slipway"),
        pg_major=major,
        images=Images(
            database=variables.text("DB_IMAGE", f"timescale/timescaledb:latest-pg{major}"),
            redis=variables.text("REDIS_IMAGE", DEFAULT_REDIS_IMAGE),
            python=variables.text("PYTHON_IMAGE", DEFAULT_PYTHON_IMAGE),
            tools=variables.text("TOOLS_IMAGE", DEFAULT_TOOLS_IMAGE),
        ),
        volume=variables.text("DB_VOLUME", "./data/db"),
        compose_files=tuple(
            root / name
            for name in variables.text("COMPOSE_FILE", "docker-compose.yml").split(separator)
        ),
        config=config,
        values=values,
    )
