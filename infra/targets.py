"""Targets as values: the named places a database can live, and what each lets us do."""

from __future__ import annotations

from dataclasses import dataclass

from backend.config import Endpoint


@dataclass(frozen=True)
class Capabilities:
    """What a target's owner may do there.

    `superuser`: TimescaleDB's catalog can be loaded. `renames_databases`: a restore can go live
    by rename.
    """

    superuser: bool
    renames_databases: bool


@dataclass(frozen=True)
class Target:
    """A named place with its endpoints; `problem` says why it cannot be used as configured."""

    name: str
    admin: Endpoint | None
    app: Endpoint | None
    capabilities: Capabilities
    active: bool = False
    problem: str | None = None


# What the kinds of places allow by their nature; a probe of the real one refines it.
CAPABILITIES = {
    "source": Capabilities(superuser=False, renames_databases=False),
    "local": Capabilities(superuser=True, renames_databases=True),
    "supabase": Capabilities(superuser=False, renames_databases=False),
    "neon": Capabilities(superuser=False, renames_databases=True),
}
