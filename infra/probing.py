"""What a target really is, found out by behaviour and not by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend import pooling
from backend.config import Endpoint
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import SlipwayError, UsageError
from infra.settings import Settings

Role = Literal["admin", "app"]


@dataclass(frozen=True)
class Problem:
    """What makes an endpoint unusable, as the error that a command would end with."""

    role: Role
    error: SlipwayError

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "endpoint": self.role,
            "message": self.error.message,
            "hint": self.error.hint,
            "exit_code": self.error.exit_code,
        }


@dataclass(frozen=True)
class Probed:
    """A target's endpoints as they are, and what makes them unusable."""

    name: str
    endpoints: dict[str, dict[str, Any]]
    problems: tuple[Problem, ...]

    def require(self) -> None:
        """Raise the first problem of the admin endpoint."""
        for problem in self.problems:
            if problem.role == "admin":
                raise problem.error

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "target": self.name,
            "usable": not self.problems,
            "endpoints": self.endpoints,
            "problems": [problem.as_json() for problem in self.problems],
        }


def probe(settings: Settings, engine: Engine, tools: ClientTools, name: str) -> Probed:
    """Probe both endpoints of a target; UsageError where its settings cannot be used."""
    del engine, tools
    found = settings.target(name)
    if found.admin is None:
        raise UsageError(f"target {name}: {found.problem}", "Correct these lines in .env.")
    problems: list[Problem] = []
    endpoints: dict[str, dict[str, Any]] = {}
    for endpoint in _distinct(found.admin, found.app):
        kind = pooling.kind(endpoint)
        endpoints[endpoint.role] = {"address": str(endpoint), "pooling": kind}
        if endpoint.role == "admin" and kind in {"transaction", "statement"}:
            problems.append(Problem("admin", pooling.refusal(endpoint, kind)))
    return Probed(name, endpoints, tuple(problems))


def _distinct(admin: Endpoint, app: Endpoint | None) -> Sequence[Endpoint]:
    return [admin] if app is None or str(app) == str(admin) else [admin, app]
