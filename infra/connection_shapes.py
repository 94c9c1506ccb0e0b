"""The shapes in which connection strings are copied: found in a text, made libpq's parameters.

No error here repeats a piece of the text: which piece is the password is what is being found out.
"""

from __future__ import annotations

import getopt
import re
import shlex
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from psycopg.pq import Conninfo

from backend import envfile
from infra.errors import UsageError

Parameters = Mapping[str, str]

_SCHEME = re.compile(r"(?P<jdbc>jdbc:)?postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)
_PROMPT = r"\s*(?:[$>%]\s+)?"
# What may stand before it: a shell's prompt, a variable's name, psql and its options, a quote.
_BEFORE = re.compile(
    rf"{_PROMPT}(?:export\s+|set\s+|\$env:)?(?:[\"']?[\w.-]+[\"']?\s*[=:]\s*)?(?:psql\s+(?:-[\w-]+[\s=]+)*)?"
    r"(?P<quote>[\"'`]?)"
)
_HOST = r"(?:\[[^\[\]@/?#]*\]|[\w.%-]*)(?::\d*)?"
_PAIR = r"[A-Za-z_][\w.-]*=[^&]*?"
# What follows the @: host, port, database, parameters, and what a line may end with.
_PLACE = re.compile(
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/(?P<database>[^/?#@\s]*?))?"
    rf"(?:\?(?P<query>(?:{_PAIR})?(?:&(?:{_PAIR})?)*))?"
    r"(?P<tail>\s*[;,]\s*|\s+[#-].*|\s*)"
)
_HOST_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A URL's own signs, which a password that is percent-encoded does not hold.
_SIGNS = re.compile(r"[@/?#\s]")

_KEYWORD = re.compile(
    r"\s*(?P<name>[A-Za-z_]+)\s*=\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>(?!')(?:[^\s\\]|\\.)*))(?=\s|\Z)",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?[A-Za-z_]\w*\s*=")
_TWO_KEYWORDS = re.compile(r"\s*\w+\s*=\s*[^'\"\s]*\s+\w+\s*=")
_COMMENT = re.compile(r"\s*(?:#|//|\Z)")
_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])*"
_PSQL = re.compile(rf"{_PROMPT}(?P<assigned>(?:\w+={_WORD}\s+)*)psql\s")

# What drivers and programs call libpq's parameters.
_ALIASES = {
    "channelbinding": "channel_binding",
    "database": "dbname",
    "ssl": "sslmode",
    "targetservertype": "target_session_attrs",
    "targetsessionattrs": "target_session_attrs",
    "username": "user",
}
# What vendors and drivers put beside libpq's parameters.
_FOREIGN = {
    "applicationname",
    "connection_limit",
    "currentschema",
    "pgbouncer",
    "pool_timeout",
    "prepare_threshold",
    "prepared_statement_cache_size",
    "preparethreshold",
    "schema",
    "search_path",
    "statement_cache_size",
    "supa",
    "uselibpqcompat",
    "workaround",
}
_KNOWN = {option.keyword.decode() for option in Conninfo.get_defaults()} | _FOREIGN

_SHOWN = (
    "Copy it as the vendor shows it: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or"
    " host=HOST port=PORT dbname=DATABASE user=USER password=PASSWORD."
)
_ENCODE = (
    "Percent-encode the password: %40 is @, %2F is /, %3F is ?, %23 is #, %26 is &, %25 is %,"
    " %2B is +, %20 is a space."
)


def find(text: str) -> list[Parameters]:
    """Return the parameters of every connection string in the text, decoded, by libpq's names.

    Raises UsageError where there is none, and where a password can be read in two ways.
    """
    written = re.split(r"\r\n|\r|\n", text.lstrip("\ufeff"))
    lines = [line for line in written if not _COMMENT.match(line)]
    if not lines:
        raise UsageError(
            "no connection string was given",
            "Paste it when it is asked for, or pipe it in as the vendor shows it.",
        )
    urls = [(line, scheme) for line in lines if (scheme := _SCHEME.search(line))]
    if urls:
        others = [line for line in lines if not _SCHEME.search(line)]
        if not all(map(_ASSIGNMENT.match, others)):
            raise UsageError("the connection string does not stand on one line", _SHOWN)
        return [_of_line(line, scheme) for line, scheme in urls]
    if psql := _PSQL.match(lines[0]):
        arguments = [lines[0][psql.end() :], *lines[1:]]
        return [_of_psql(psql["assigned"], " ".join(line.rstrip(" \\") for line in arguments))]
    if all(map(_ASSIGNMENT.match, lines)) and not any(map(_TWO_KEYWORDS.match, lines)):
        return [_named(envfile.parse("\n".join(lines), "the text").items())]
    return [_named(_without_rest(_keywords("\n".join(lines))))]


def decoded_password(raw: str) -> str:
    """Undo percent-encoding where there is any; UsageError where that cannot be told."""
    if not _ESCAPE.search(raw):
        return raw
    if _SIGNS.search(raw) or _BARE_PERCENT.search(raw):
        raise UsageError("the password is percent-encoded in part only", _ENCODE)
    return _decoded(raw)


def _of_line(line: str, scheme: re.Match[str]) -> Parameters:
    before = _BEFORE.fullmatch(line[: scheme.start()])
    if not before:
        raise UsageError("what stands before the connection string is not understood", _SHOWN)
    rest = line[scheme.end() :]
    if before["quote"]:
        end = re.search(before["quote"] + r"(?=[\s;,)}]|$)", rest)
        if not end:
            raise UsageError("the quotes of the connection string are not closed", _SHOWN)
        rest = rest[: end.start()]
    return _of_url(rest, jdbc=bool(scheme["jdbc"]))


def _of_url(rest: str, *, jdbc: bool) -> Parameters:
    # An @ that is not percent-encoded may belong to the password, so each one is tried.
    ends = [] if jdbc else [match.start() for match in re.finditer("@", rest)]
    found = [
        (rest[: max(end, 0)], place)
        for end in [-1, *ends]
        if (place := _PLACE.fullmatch(rest, end + 1))
    ]
    if not found:
        raise UsageError("the connection string is not understood", _SHOWN)
    if len(found) > 1:
        raise UsageError("the connection string can be read in two ways", _ENCODE)
    [(userinfo, place)] = found
    user, colon, password = userinfo.partition(":")
    hosts = [_HOST_PORT.fullmatch(host) for host in place["hosts"].split(",")]
    ports = [host["port"] or "" for host in hosts if host]
    parts = {
        "user": _decoded(user),
        "password": decoded_password(password) if colon else "",
        "host": ",".join(_decoded(host["host"]) for host in hosts if host),
        "port": ",".join(ports) if any(ports) else "",
        "dbname": _decoded(place["database"] or ""),
    }
    given = {name: value for name, value in parts.items() if value}
    return {**given, **_named(_without_rest(_query(place, jdbc=jdbc)))}


def _query(place: re.Match[str], *, jdbc: bool) -> list[tuple[str, str]]:
    pairs = []
    written = place["query"].split("&") if place["query"] else []
    named = any(pair.lower().startswith("password=") for pair in written)
    for pair in written:
        name, _, value = pair.partition("=")
        if not pair and not named:
            continue
        if name.lower() not in {"", "password"}:
            pairs.append((name, _decoded(value)))
            continue
        # An & or what ends the line may belong to the password, and JDBC's + is a space.
        ends_line = pair == written[-1] and place["tail"].strip()
        if not pair or ends_line or (jdbc and "+" in value):
            raise UsageError("the password can be read in two ways", _ENCODE)
        pairs.append((name, decoded_password(value)))
    return pairs


def _decoded(raw: str) -> str:
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise UsageError(
            "the connection string is percent-encoded, but not as UTF-8", _ENCODE
        ) from None


def _keywords(text: str) -> list[tuple[str, str]]:
    """Read a keyword string by libpq's rules, but with any keyword."""
    pairs = []
    position = 0
    while text[position:].strip():
        match = _KEYWORD.match(text, position)
        if not match:
            raise UsageError("the connection string is not understood", _SHOWN)
        value = match["plain"] if match["quoted"] is None else match["quoted"]
        pairs.append((match["name"], re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)))
        position = match.end()
    return pairs


def _of_psql(assigned: str, arguments: str) -> Parameters:
    """Take psql's command line apart."""
    try:
        variables = [word.partition("=") for word in shlex.split(assigned)]
        options, positional = getopt.gnu_getopt(
            shlex.split(arguments), "d:h:p:U:wW", ["dbname=", "host=", "port=", "username="]
        )
    except (ValueError, getopt.GetoptError):
        raise UsageError("the psql command is not understood", _SHOWN) from None
    names = {"-d": "dbname", "-h": "host", "-p": "port", "-U": "user"}
    pairs = [(name, value) for name, _, value in variables]
    for name, value in [
        *zip(("dbname", "user"), positional, strict=False),
        *((names.get(option, option.lstrip("-")), value) for option, value in options if value),
    ]:
        whole = name == "dbname" and "=" in value
        pairs += _without_rest(_keywords(value)) if whole else [(name, value)]
    return _named(pairs)


def _without_rest(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Refuse unknown names after a password: they may be the rest of it."""
    names = [_name(name) for name, _ in pairs]
    if "password" in names and set(names[names.index("password") :]) - _KNOWN:
        raise UsageError(
            "the password may go on in what follows it, which is no known parameter", _ENCODE
        )
    return pairs


def _named(pairs: Iterable[tuple[str, str]]) -> Parameters:
    return {_name(name): value for name, value in pairs}


def _name(given: str) -> str:
    name = given.lower()
    bare = name.removeprefix("pg")  # of a variable such as PGHOST
    if bare in _KNOWN or bare in _ALIASES:
        name = bare
    return _ALIASES.get(name, name)
