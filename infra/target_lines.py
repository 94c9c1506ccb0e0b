"""The lines of a target in `.env` that follow from a vendor's connection string."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.errors import UsageError
from infra.vendor_endpoints import (
    DEFAULT_PORT,
    DISPLAY,
    TRANSACTION_PORT,
    Vendor,
    VendorEndpoint,
    identify,
    neon_direct,
    neon_pooled,
)
from infra.vendor_strings import VendorString

# What follows SUPABASE_DB_ and NEON_DB_.
NAMES = (
    "HOST",
    "PORT",
    "NAME",
    "USER",
    "PASSWORD",
    "SSLMODE",
    "SSLROOTCERT",
    "POOL_HOST",
    "POOL_PORT",
    "POOL_USER",
)
Lines = dict[str, str]

_NO_POOL: Lines = {"POOL_HOST": "", "POOL_PORT": "", "POOL_USER": ""}


@dataclass
class Remarks:
    """What there is to say about lines that were derived."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def derive(vendor: Vendor, given: VendorString, lines: Lines, remarks: Remarks) -> Lines:
    """Return the lines with the string's endpoints in them, and remark on what was decided."""
    remarks.notes.extend(given.notes)
    if given.endpoint.vendor is None:
        return _unknown(vendor, given, lines, remarks)
    return (_neon if vendor == "neon" else _supabase)(given, lines, remarks)


def admin_of(lines: Lines) -> VendorEndpoint:
    """Tell the admin endpoint of lines that may hold anything."""
    return _identified(lines["HOST"], lines["PORT"], lines["USER"])


def has_pool(lines: Lines) -> bool:
    """Tell whether the application has an endpoint of its own."""
    return any(lines[name] for name in _NO_POOL)


def with_pooler(host: str, lines: Lines) -> Lines:
    """Return the lines with Supabase's shared pooler as the application's endpoint."""
    user = lines["USER"]
    project = admin_of(lines).project
    user = user if user.endswith(f".{project}") else f"{user}.{project}"
    endpoint = identify(host, TRANSACTION_PORT, user)
    if not endpoint.shared:
        raise UsageError(
            f"host {host} is none of Supabase's shared poolers",
            "Copy it from Connect in Supabase's dashboard, under Transaction pooler.",
        )
    return {**lines, "POOL_HOST": host, "POOL_PORT": str(TRANSACTION_PORT), "POOL_USER": user}


def _unknown(vendor: Vendor, given: VendorString, lines: Lines, remarks: Remarks) -> Lines:
    """Take a host of a name of one's own as it is, for migrations and the application alike."""
    remarks.warnings.append(
        f"host {given.host} is none of {DISPLAY[vendor]}'s, so no other endpoint follows from it"
    )
    if given.host == lines["HOST"]:
        return {**lines, **_admin(given, given.host)}
    if has_pool(lines):
        remarks.notes.append("the application's endpoint (POOL_*) was that of another database")
    # Left empty, Neon's would be made from the name.
    pool = {**_NO_POOL, "POOL_HOST": given.host if vendor == "neon" else ""}
    return {**lines, **_admin(given, given.host), **pool}


def _neon(given: VendorString, lines: Lines, remarks: Remarks) -> Lines:
    direct, pooled = neon_direct(given.host), neon_pooled(given.host)
    if given.host != direct:
        remarks.notes.append(f"the admin endpoint is {direct}, the host without -pooler")
    pool = {}
    if has_pool(lines) and admin_of(lines).project != given.endpoint.project:
        pool = _NO_POOL
        if _pool_of(lines).project != given.endpoint.project:
            remarks.notes.append("the application's endpoint (POOL_*) was that of another project")
    elif lines["POOL_HOST"] == pooled:
        pool = {"POOL_HOST": ""}
    if not {**lines, **pool}["POOL_HOST"]:
        remarks.notes.append(f"the application's endpoint is {pooled}, derived from the direct one")
    return {**lines, **_admin(given, direct), **pool}


def _supabase(given: VendorString, lines: Lines, remarks: Remarks) -> Lines:
    project = given.endpoint.project
    before = admin_of(lines)
    admin = _admin(given, given.host)
    if given.endpoint.kind != "transaction":
        found = {**lines, **admin, **_kept_pool(lines, admin, project, remarks)}
        if given.endpoint.shared and not has_pool(found):
            remarks.notes.append(
                "the application uses the session pooler too; give the string of the transaction"
                " pooler to change that"
            )
        return found
    pool = {"POOL_HOST": given.host, "POOL_PORT": str(given.port), "POOL_USER": given.user}
    # A project has one host of a shared pooler, so another one is out of date.
    same = before.project == project and before.kind != "transaction"
    if same and (lines["HOST"] == given.host or before.shared != given.endpoint.shared):
        remarks.notes.append(f"the admin endpoint stays {lines['HOST']}:{lines['PORT']}")
        return {**lines, **pool, "NAME": given.database}
    mode = "session mode" if given.endpoint.shared else "the direct connection"
    remarks.notes.append(
        f"the admin endpoint is {given.host}:{DEFAULT_PORT}, {mode}; the application's is port"
        f" {given.port}"
    )
    return {**lines, **admin, "PORT": str(DEFAULT_PORT), **pool}


def _kept_pool(lines: Lines, admin: Lines, project: str, remarks: Remarks) -> Lines:
    """Keep the application's endpoint where it is the same project's, whatever was left empty."""
    if not has_pool(lines):
        return {}
    if _pool_of(lines).project != project:
        remarks.notes.append("the application's endpoint (POOL_*) was that of another project")
        return _NO_POOL
    if all(lines[name] == value for name, value in admin.items()):
        return {}
    # What is empty there is the admin endpoint's, which is about to change.
    return {
        "POOL_HOST": lines["POOL_HOST"] or lines["HOST"],
        "POOL_PORT": lines["POOL_PORT"] or lines["PORT"],
        "POOL_USER": lines["POOL_USER"] or lines["USER"],
    }


def _admin(given: VendorString, host: str) -> Lines:
    return {"HOST": host, "PORT": str(given.port), "NAME": given.database, "USER": given.user}


def _pool_of(lines: Lines) -> VendorEndpoint:
    return _identified(
        lines["POOL_HOST"] or lines["HOST"],
        lines["POOL_PORT"] or lines["PORT"],
        lines["POOL_USER"] or lines["USER"],
    )


def _identified(host: str, port: str, user: str) -> VendorEndpoint:
    try:
        return identify(host, int(port or DEFAULT_PORT), user)
    except (UsageError, ValueError):
        return VendorEndpoint(None)
