"""A connection string read as one of Supabase's or Neon's, with what is theirs alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.config import Secret
from infra.connection_string import ConnectionString
from infra.errors import UsageError
from infra.vendor_endpoints import (
    DEFAULT_PORT,
    DISPLAY,
    Vendor,
    VendorEndpoint,
    identify,
)

# What names the project where a client cannot send the host's name with TLS.
_ROUTE = re.compile(r"(?P<name>endpoint|project|reference)=(?P<project>[\w-]+)")
_NEON_PASSWORD = re.compile(r"endpoint=(?P<project>ep-[a-z0-9-]+)[;$](?P<rest>.*)")


@dataclass(frozen=True)
class VendorString:
    """A connection string, complete, with the endpoint that it leads to."""

    endpoint: VendorEndpoint
    host: str
    port: int
    database: str
    user: str
    password: Secret | None
    placeholder: str
    sslmode: str
    sslrootcert: str
    notes: tuple[str, ...]


def read(vendor: Vendor, given: ConnectionString) -> VendorString:
    """Complete a string; UsageError where it is the other vendor's, or lacks what nobody knows."""
    notes = [f"not taken over: {', '.join(given.ignored)}"] if given.ignored else []
    if not given.user:
        raise UsageError(
            "the connection string names no user", "Copy the whole string, with USER before the @."
        )
    port = given.port or DEFAULT_PORT
    route, user = _ROUTE.fullmatch(given.options), given.user
    if given.options and not route:
        notes.append(
            "not taken over: startup options, which poolers refuse; ALTER ROLE ... SET does the"
            " same"
        )
    if route and route["name"] == "reference" and "." not in user:
        user = f"{user}.{route['project']}"
    endpoint = identify(given.host, port, user)
    if endpoint.vendor not in {vendor, None}:
        other = DISPLAY["neon" if vendor == "supabase" else "supabase"]
        raise UsageError(
            f"the connection string is {other}'s, not {DISPLAY[vendor]}'s",
            f"Run `invoke target-set {other.lower()}` for it.",
        )
    # The user's name has carried the reference over already.
    if route and (endpoint.vendor or route["name"] != "reference"):
        _require_project(endpoint, route["project"])
    if endpoint.shared and not endpoint.project:
        raise UsageError(
            f"user {user!r} names no project, which the shared pooler needs",
            f"Copy the string of the pooler from Supabase's dashboard; its user is {user}.PROJECT.",
        )
    if endpoint.vendor == "supabase" and not endpoint.shared:
        user = user.removesuffix(f".{endpoint.project}")
        if user != given.user:
            notes.append(f"user {user}: only the shared pooler wants the project behind it")
    return VendorString(
        endpoint=endpoint,
        host=given.host,
        port=port,
        database=given.database or _database(vendor),
        user=user,
        password=_password(endpoint, given.password),
        placeholder=given.placeholder,
        sslmode=given.sslmode,
        sslrootcert=given.sslrootcert,
        notes=tuple(notes),
    )


def _require_project(endpoint: VendorEndpoint, project: str) -> None:
    if endpoint.vendor is None:
        raise UsageError(
            "the project stands in the options of the connection string, not in its host's name",
            "Copy the string from the vendor's console, whose host names the project.",
        )
    if endpoint.project != project.removesuffix("-pooler"):
        raise UsageError(
            f"the connection string names two projects, {endpoint.project} and {project}",
            "Copy it again from the vendor's console.",
        )


def _database(vendor: Vendor) -> str:
    if vendor == "supabase":
        return "postgres"
    raise UsageError(
        "the connection string names no database",
        "Copy the whole string; Neon's first database is called neondb.",
    )


def _password(endpoint: VendorEndpoint, given: Secret | None) -> Secret | None:
    prefixed = _NEON_PASSWORD.fullmatch(given.reveal()) if given else None
    if not prefixed or endpoint.vendor != "neon":
        return given
    _require_project(endpoint, prefixed["project"])
    return Secret(prefixed["rest"]) if prefixed["rest"] else None
