"""What the names of Supabase's and Neon's hosts say of the endpoint behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from infra.errors import UsageError

Vendor = Literal["supabase", "neon"]
Kind = Literal["direct", "session", "transaction"]

DISPLAY: dict[Vendor, str] = {"supabase": "Supabase", "neon": "Neon"}
DEFAULT_PORT = 5432
# Where Supabase's poolers give out a connection for a transaction only.
TRANSACTION_PORT = 6543

_POOLER = "-pooler"
_SHARED_POOLER = ".pooler.supabase.com"
_SUPABASE_HOST = re.compile(r"db\.(?P<project>[a-z0-9-]+)\.supabase\.co")


@dataclass(frozen=True)
class VendorEndpoint:
    """Where a host leads: no `vendor` for a name that is neither's.

    `project` is Supabase's reference or Neon's endpoint, empty where it is not known. A `shared`
    pooler learns the project from the user's name.
    """

    vendor: Vendor | None
    kind: Kind = "direct"
    project: str = ""
    shared: bool = False


def identify(host: str, port: int, user: str) -> VendorEndpoint:
    """Tell an endpoint by its name; UsageError for a vendor's host that is no database."""
    label, _, domain = host.partition(".")
    if host.endswith(".neon.tech"):
        if not label.startswith("ep-"):
            raise UsageError(
                f"host {host} is Neon's, but none of a database",
                "Copy the string from Connect in Neon's console; its host begins with ep-.",
            )
        pooled = label.endswith(_POOLER)
        return VendorEndpoint(
            "neon", "transaction" if pooled else "direct", label.removesuffix(_POOLER)
        )
    if host.endswith(_SHARED_POOLER):
        kind: Kind = "transaction" if _pools_transactions(host, port) else "session"
        _, dot, project = user.rpartition(".")
        return VendorEndpoint("supabase", kind, project if dot else "", shared=True)
    if found := _SUPABASE_HOST.fullmatch(host):
        kind = "transaction" if _pools_transactions(host, port) else "direct"
        return VendorEndpoint("supabase", kind, found["project"])
    if domain in {"supabase.co", "supabase.com"}:
        raise UsageError(
            f"host {host} is Supabase's, but none of a database",
            "Copy the string from Connect in Supabase's dashboard; its host begins with db. or"
            " ends with pooler.supabase.com.",
        )
    return VendorEndpoint(None)


def neon_direct(host: str) -> str:
    """Return the direct host of a Neon endpoint."""
    label, _, domain = host.partition(".")
    return f"{label.removesuffix(_POOLER)}.{domain}"


def neon_pooled(host: str) -> str:
    """Return the pooled host of a Neon endpoint."""
    label, _, domain = host.partition(".")
    return f"{label.removesuffix(_POOLER)}{_POOLER}.{domain}"


def _pools_transactions(host: str, port: int) -> bool:
    if port not in {DEFAULT_PORT, TRANSACTION_PORT}:
        raise UsageError(
            f"port {port} of {host} is none of Supabase's",
            "It is 5432 for the direct connection and the session pooler, and 6543 for the"
            " transaction pooler.",
        )
    return port == TRANSACTION_PORT
