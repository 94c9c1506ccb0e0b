"""A vendor's connection string, taken apart whatever shape it was copied in."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from backend.config import Secret
from infra import connection_shapes
from infra.connection_shapes import Parameters
from infra.errors import UsageError

_UNDERSTOOD = {"host", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "options"}
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
# What drivers write for them.
_SSL_WORDS = {"true": "require", "1": "require", "no-verify": "require", "false": "disable"}
_HIGHEST_PORT = 65535

# What vendors show in the place of a password.
_WORDS = r"(?:(?:your|my|new|db|database|user|role)[-_ ]?)*password"
_PLACEHOLDER = re.compile(
    rf"\[{_WORDS}\]|<{_WORDS}>|\{{{_WORDS}\}}|your[-_ ]?{_WORDS}"
    r"|\$\{?PGPASSWORD\}?|change-me|(?:npg_)?\*{4,}",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_THIS_MACHINE = {"localhost", "db", "host.docker.internal", "localhost.localdomain"}


@dataclass(frozen=True)
class ConnectionString:
    """What a connection string says; empty or None where it says nothing.

    `placeholder` is what stands where the password belongs, `options` what libpq sends at the start
    of a session, `ignored` the names of all other parameters.
    """

    host: str
    port: int | None
    database: str
    user: str
    password: Secret | None
    placeholder: str
    sslmode: str
    sslrootcert: str
    options: str
    ignored: tuple[str, ...]


def parse(text: str) -> tuple[ConnectionString, ...]:
    """Take every connection string of a text apart, each one once.

    Raises UsageError, which never shows a password, where one cannot be used.
    """
    return tuple(dict.fromkeys(map(_interpreted, connection_shapes.find(text))))


def _interpreted(given: Parameters) -> ConnectionString:
    password = given.get("password", "")
    if re.search(r"[\r\n\0]", password):
        raise UsageError(
            "the password holds a line end, which cannot stand in .env",
            "Choose a password of one line in the vendor's console.",
        )
    placeholder = password if _PLACEHOLDER.fullmatch(password) else ""
    return ConnectionString(
        host=remote_host(given.get("host") or given.get("hostaddr", "")),
        port=_port(given.get("port", "")),
        database=_plain("database", given.get("dbname", "")),
        user=_plain("user", given.get("user", "")),
        password=Secret(password) if password and not placeholder else None,
        placeholder=placeholder,
        sslmode=_sslmode(given.get("sslmode", "")),
        sslrootcert=given.get("sslrootcert", ""),
        options=given.get("options", "").strip(),
        ignored=tuple(sorted(set(given) - _UNDERSTOOD - {"hostaddr"})),
    )


def remote_host(written: str) -> str:
    """Return a host as it is compared, an address without brackets; UsageError for this machine's.

    The text is not repeated: where a string lacks its host, what stands there is a password.
    """
    host = written.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    if not host:
        raise UsageError(
            "the connection string names no host",
            "Copy the whole string from the vendor's console, with what follows the @.",
        )
    if "," in host:
        raise UsageError(
            "the connection string names several hosts",
            "Give the string of the one that takes writes.",
        )
    address = _address(host)
    here = address is not None and (address.is_loopback or address.is_unspecified)
    if here or host in _THIS_MACHINE or host.startswith(("/", "@")):
        raise UsageError(
            "the connection string leads to this machine, not to a vendor",
            "The old install belongs into SOURCE_DB_* of .env, the Compose database into DB_*.",
        )
    if address is None and not (_NAME.fullmatch(host) and "." in host):
        raise UsageError(
            "the host is no full name, nor an address",
            "Copy the string from the vendor's console, and fill in its placeholders.",
        )
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _port(written: str) -> int | None:
    if not written:
        return None
    if written.isascii() and written.isdigit() and 0 < int(written) <= _HIGHEST_PORT:
        return int(written)
    raise UsageError(
        "the port of the connection string is no port number", "Neon's and Supabase's is 5432."
    )


def _plain(part: str, written: str) -> str:
    if written.isprintable():
        return written
    raise UsageError(
        f"the {part} of the connection string holds a character that cannot be printed",
        "Copy the string again from the vendor's console.",
    )


def _sslmode(written: str) -> str:
    mode = _SSL_WORDS.get(written.lower(), written.lower())
    if mode and mode not in _SSL_MODES:
        raise UsageError(
            "the sslmode of the connection string does not exist",
            f"It is one of {', '.join(sorted(_SSL_MODES))}.",
        )
    return mode
