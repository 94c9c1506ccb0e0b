"""What a target really is, found out by behaviour and not by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from backend.causes import is_hosted
from backend.config import Endpoint
from infra.engine import dialling
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import SlipwayError
from infra.postgres.endpoint import findings
from infra.postgres.endpoint.examination import Examined, examine
from infra.settings import Settings
from infra.targets import CAPABILITIES, Capabilities

Role = Literal["admin", "app"]


@dataclass(frozen=True)
class Problem:
    """What makes an endpoint unusable, as the error that a command would end with.

    `containers` tells that it concerns the stack's containers only.
    """

    role: Role
    error: SlipwayError
    containers: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "endpoint": self.role,
            "containers": self.containers,
            "message": self.error.message,
            "hint": self.error.hint,
            "exit_code": self.error.exit_code,
        }


@dataclass(frozen=True)
class Inside:
    """How the endpoint's addresses answer in a network of Docker's."""

    network: str
    addresses: tuple[dialling.Dialled, ...]

    @property
    def answers(self) -> bool:
        """Tell whether there is a way in."""
        return any(address.error is None for address in self.addresses)


@dataclass(frozen=True)
class Probed:
    """A target's endpoints as they are; `inside` is None where no container could be made."""

    name: str
    capabilities: Capabilities
    endpoints: tuple[Examined, ...]
    inside: dict[Role, Inside]
    problems: tuple[Problem, ...]

    def require(self) -> None:
        """Raise the first problem that keeps this machine from using the admin endpoint."""
        for problem in self.problems:
            if problem.role == "admin" and not problem.containers:
                raise problem.error

    def require_all(self) -> None:
        """Raise the first problem of all."""
        for problem in self.problems:
            raise problem.error

    def notes(self, found: Examined) -> list[str]:
        """Return what is good to know of one of the endpoints."""
        return list(findings.notes(found))

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "target": self.name,
            "usable": not self.problems,
            "problems": [problem.as_json() for problem in self.problems],
            "endpoints": {found.endpoint.role: self._facts(found) for found in self.endpoints},
        }

    def _facts(self, found: Examined) -> dict[str, Any]:
        endpoint, sessions, facts = found.endpoint, found.sessions, found.facts
        inside = self.inside.get(endpoint.role)
        known: dict[str, Any] = {
            "address": str(endpoint),
            "addresses": [asdict(address) for address in found.addresses],
            "containers": asdict(inside) if inside else None,
            "tls": _tls(found),
            "admitted": found.pooling is not None,
            "pooling": found.pooling,
            "startup_options": sessions.options if sessions else None,
            "set_leaks": sessions.leaks if sessions else None,
            "prepared_statements": sessions.prepared if sessions else None,
            "notes": self.notes(found),
        }
        if facts is not None:
            powers = asdict(facts.powers) | {
                "sets_session_replication_role": facts.replication_role,
                "renames_databases": self._renames(found),
            }
            known |= {
                "server": asdict(facts.server) | {"room": facts.room},
                "role": powers,
                "extensions": [asdict(extension) for extension in facts.extensions],
                "default_grants": [asdict(grant) for grant in facts.default_grants],
                "readable_by_anon": list(facts.readable),
            }
        return known

    def _renames(self, found: Examined) -> bool:
        if found.facts is None or not self.capabilities.renames_databases:
            return False
        powers = found.facts.powers
        return powers.superuser or (powers.creates_databases and powers.owns_database)


def probe(settings: Settings, engine: Engine, tools: ClientTools, name: str) -> Probed:
    """Probe a target's endpoints, as far as they differ.

    Raises ConfigurationError where the target's settings cannot be used, EngineError without
    Docker.
    """
    admin, app = settings.admin(name), settings.app(name)
    endpoints = tuple(examine(endpoint) for endpoint in _distinct(admin, app))
    inside = dict(_dial(settings, engine, tools, endpoints))
    problems = tuple(_problems(endpoints, inside))
    return Probed(name, CAPABILITIES[name], endpoints, inside, problems)


def _distinct(admin: Endpoint, app: Endpoint) -> Sequence[Endpoint]:
    return [admin] if str(app) == str(admin) else [admin, app]


def _dial(
    settings: Settings, engine: Engine, tools: ClientTools, endpoints: Sequence[Examined]
) -> Iterator[tuple[Role, Inside]]:
    """Reach each endpoint as containers do: those of the stack, and for the source our tools'."""
    for found in endpoints:
        endpoint = found.endpoint
        there = client_images.server(endpoint, settings.project, desktop=engine.is_desktop())
        addresses, network = [there.host], there.network
        if is_hosted(endpoint):
            addresses = [address.address for address in found.addresses]
            network = dialling.network(engine, settings.project)
        dialled = dialling.dial(tools, network, addresses, there.port) if addresses else None
        if dialled is not None:
            yield endpoint.role, Inside(network, tuple(dialled))


def _problems(endpoints: Sequence[Examined], inside: dict[Role, Inside]) -> Iterator[Problem]:
    for found in endpoints:
        role = found.endpoint.role
        for error in findings.problems(found):
            yield Problem(role, error)
        reached = inside.get(role)
        if reached is None or reached.answers or found.endpoint.target == "source":
            continue
        if any(address.answers for address in found.addresses):
            said = next((address.error for address in reached.addresses), None)
            error = findings.unreachable_inside(found, said or "")
            yield Problem(role, error, containers=True)


def _tls(found: Examined) -> dict[str, Any] | None:
    shown, endpoint = found.certificate, found.endpoint
    if shown is None:
        return None
    trusted = endpoint.certificates()
    return {
        "sslmode": endpoint.sslmode,
        "trust": str(trusted) if trusted else "system",
        "offered": shown.problem != "no tls",
        "problem": shown.problem,
        "issuer": shown.issuer or None,
        "names": list(shown.names),
        "expires": shown.expires.isoformat() if shown.expires else None,
    }
