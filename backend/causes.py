"""What an error of a server can mean, and how that is worded for whoever meets it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from backend.config import Endpoint

# libpq puts what the server itself says behind one of these; some proxies call a refusal an error.
_SERVER_SAYS = re.compile(r"(?:FATAL|PANIC|ERROR):  (.*)")
_NETWORK_SAYS = re.compile(r"connection to server .*? failed: (.*)")


@dataclass(frozen=True)
class Cause:
    """One thing that can be wrong, with the sign by which it is known.

    SQLSTATE `state` decides where the error has one, then `sign`, which also finds the words that
    the texts may quote; a cause without a sign is found out by behaviour. `passing`: another try
    may succeed. `hosted` narrows a sign to hosted targets; elsewhere it means something else.

    Texts may quote the endpoint, the variables of `.env` it comes from, and what the server `said`.
    """

    name: str
    message: str
    hint: str
    sign: re.Pattern[str] | None = None
    state: str | None = None
    passing: bool = False
    hosted: bool = False
    local_hint: str = ""
    hosted_hint: str = ""


@dataclass(frozen=True)
class Explanation:
    """A failure in our own words; `passing` tells whether another try may succeed."""

    cause: str
    message: str
    hint: str
    passing: bool


@dataclass(frozen=True)
class Recognised:
    """A cause, the line of the text that shows it, and the words of it that are quoted."""

    cause: Cause
    line: str
    quoted: dict[str, str]


def is_hosted(endpoint: Endpoint) -> bool:
    """Tell whether somebody else runs the server, and bans who guesses passwords."""
    return endpoint.target not in {"local", "source"}


def recognise(
    causes: tuple[Cause, ...], text: str, state: str | None = None, *, hosted: bool
) -> Recognised | None:
    """Find what a server's error, or the output of a client tool with one in it, stands for."""
    for cause in causes:
        if cause.sign is None or (cause.hosted and not hosted):
            continue
        if None not in {state, cause.state} and state != cause.state:
            continue
        found = cause.sign.search(text)
        if found is not None:
            begin = text.rfind("\n", 0, found.start()) + 1
            return Recognised(cause, text[begin:].partition("\n")[0], found.groupdict())
    return None


def word(cause: Cause, endpoint: Endpoint, text: str, **quoted: str) -> Explanation:
    """Put a cause into words for one endpoint."""
    special = {"local": cause.local_hint, "source": ""}.get(endpoint.target, cause.hosted_hint)
    values = {
        "target": endpoint.target,
        "host": endpoint.host,
        "where": f"{endpoint.host}:{endpoint.port}",
        "user": endpoint.user,
        "role": _role(endpoint),
        "database": endpoint.database,
        "said": said(text, endpoint),
        "direct": _direct(endpoint),
        **{
            part: variable(endpoint, part)
            for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD", "SSLMODE", "SSLROOTCERT")
        },
        **quoted,
    }
    message, hint = (text.format_map(values) for text in (cause.message, special or cause.hint))
    return Explanation(cause.name, message, hint, cause.passing)


def variable(endpoint: Endpoint, part: str) -> str:
    """Name the variable of `.env` that a part of the endpoint comes from."""
    prefix = {"local": "DB", "source": "SOURCE_DB"}.get(
        endpoint.target, f"{endpoint.target.upper()}_DB"
    )
    pooled = is_hosted(endpoint) and endpoint.role == "app" and part in {"HOST", "PORT", "USER"}
    return f"{prefix}_POOL_{part}" if pooled else f"{prefix}_{part}"


def said(text: str, endpoint: Endpoint | None = None) -> str:
    """Return the one line that matters of an error's text, without the endpoint's password."""
    server, network = _SERVER_SAYS.findall(text), _NETWORK_SAYS.findall(text)
    first = text.strip().splitlines()[:1] or ["nothing"]
    line = str((server or network or first)[-1]).strip()
    password = endpoint.password.reveal() if endpoint is not None else ""
    return line.replace(password, "***") if password else line


def _role(endpoint: Endpoint) -> str:
    """Return the name of the role in the server; Supabase's poolers want the project behind it."""
    return endpoint.user.partition(".")[0] if endpoint.target == "supabase" else endpoint.user


def _direct(endpoint: Endpoint) -> str:
    """Say how the same database is reached without a pooler that shares sessions."""
    admin = replace(endpoint, role="admin")
    host, port = variable(admin, "HOST"), variable(admin, "PORT")
    label, _, domain = endpoint.host.partition(".")
    if endpoint.target == "neon" and label.endswith("-pooler"):
        return f"set {host}={label.removesuffix('-pooler')}.{domain} in .env"
    if endpoint.target == "supabase":
        return f"set {port}=5432 in .env"
    return f"set {host} and {port} in .env to the server itself, not to a pooler"
