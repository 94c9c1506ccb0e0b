"""What follows from what an endpoint is: what makes it unusable, and what is good to know."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from backend import login_causes, pooling
from backend.causes import Cause, is_hosted, variable, word
from backend.platform import ALL_MANAGED
from infra.errors import SlipwayError, SourceError, TargetError
from infra.postgres.endpoint.examination import Examined, Sessions
from infra.postgres.endpoint.server import Facts

# What the free plans hold, in bytes, as the vendors count.
_FREE_PLANS = {"neon": 500_000_000, "supabase": 500_000_000}
# A transfer with few workers, and what else it opens.
_LITTLE_ROOM = 6
_VERIFIED = {"verify-ca", "verify-full"}

# How systems say that a network has no IPv6, in the words of two C libraries.
_NO_ROUTE = {
    "network is unreachable",
    "cannot assign requested address",
    "network unreachable",
    "address not available",
}

_NOTHING_CREATED = Cause(
    "creates nothing",
    "role {user!r} may create nothing in database {database!r} at {where}",
    "Set {USER} in .env to the owner of the database.",
)
_NO_IPV6_INSIDE = Cause(
    "no IPv6 in containers",
    "{target} host {host!r} has IPv6 addresses only, and containers of the stack have no IPv6:"
    " {said}",
    "Give the containers IPv6 (an IPv6 subnet for the stack's network), or use a host with IPv4.",
)
_NOT_FROM_CONTAINERS = Cause(
    "no answer to containers",
    "{target} database: nothing answers containers at {where}, though it answers this machine:"
    " {said}",
    "Set {HOST} in .env to a name that leads there from anywhere, not only from this machine, and"
    " see what its firewall does with Docker's networks.",
)


def problems(found: Examined) -> Iterator[SlipwayError]:
    """Yield what makes the endpoint unusable, what is found first before the rest."""
    endpoint = found.endpoint
    error = SourceError if endpoint.target == "source" else TargetError
    if found.failure is not None:
        yield error(found.failure.message, found.failure.hint)
    if endpoint.role == "admin" and found.pooling in {"transaction", "statement"}:
        yield pooling.refusal(endpoint, found.pooling)
    if endpoint.target == "source":
        return
    if found.read_only is not None:
        yield error(found.read_only.message, found.read_only.hint)
    if endpoint.role == "admin" and found.facts is not None:
        powers = found.facts.powers
        if not (powers.creates_schemas or powers.creates_in_public):
            worded = word(_NOTHING_CREATED, endpoint, "")
            yield error(worded.message, worded.hint)


def unreachable_inside(found: Examined, said: str) -> SlipwayError:
    """Say that containers do not reach what this machine reaches; `said` is their system's word."""
    only_ipv6 = {address.family for address in found.addresses} == {"IPv6"} and said in _NO_ROUTE
    cause = _NO_IPV6_INSIDE if only_ipv6 else _NOT_FROM_CONTAINERS
    worded = word(cause, found.endpoint, said)
    if only_ipv6 and found.endpoint.target == "supabase":
        return TargetError(worded.message, word(login_causes.NO_IPV6, found.endpoint, said).hint)
    return TargetError(worded.message, worded.hint)


def notes(found: Examined) -> Iterator[str]:
    """Yield what is good to know of an endpoint that can be used."""
    yield from _protection(found)
    if found.sessions is not None:
        yield from _sessions(found, found.sessions)
    if found.facts is not None:
        yield from _server(found, found.facts)
        yield from _extensions(found.facts)
        yield from _grants(found.facts)


def _protection(found: Examined) -> Iterator[str]:
    endpoint, shown = found.endpoint, found.certificate
    mode = variable(endpoint, "SSLMODE")
    if not is_hosted(endpoint) or shown is None:
        return
    if endpoint.sslmode == "disable":
        yield f"passwords and rows travel unencrypted: {mode} is 'disable'"
    elif endpoint.sslmode not in _VERIFIED:
        wrong = f", which would find it {shown.problem}" if shown.problem else ""
        yield f"nobody checks who answers: {mode} is {endpoint.sslmode!r}, not 'verify-full'{wrong}"


def _sessions(found: Examined, sessions: Sessions) -> Iterator[str]:
    if found.pooling in {"transaction", "statement"}:
        yield f"each {found.pooling} gets another session: use SET LOCAL, and no LISTEN"
    if sessions.leaks:
        yield "what one client SETs is found by the next one"
    if sessions.prepared is False:
        yield "statements that a driver prepares are lost: prepare_threshold=None, as backend has"
    if not sessions.options:
        yield "settings given at login (options) are refused or ignored"


def _server(found: Examined, facts: Facts) -> Iterator[str]:
    server = facts.server
    if server.statement_timeout != "0":
        yield f"a statement ends after {server.statement_timeout} where its session sets no limit"
    if facts.room < _LITTLE_ROOM:
        yield f"the role may open {facts.room} more sessions: use fewer workers (--jobs)"
    limit = _FREE_PLANS.get(found.endpoint.target)
    if limit is not None:
        over = "over" if server.size > limit else "within"
        yield (
            f"the database has {server.size / 1e6:,.1f} MB, {over} the {limit / 1e6:,.0f} MB of a"
            " free plan"
        )


def _extensions(facts: Facts) -> Iterator[str]:
    if not any(extension.name == "timescaledb" for extension in facts.extensions):
        yield "no TimescaleDB is offered: hypertables become partitioned tables"
    elif facts.server.timescaledb_edition == "apache":
        yield "TimescaleDB's Apache edition: no compression, continuous aggregates or policies"


def _grants(facts: Facts) -> Iterator[str]:
    given = sorted(
        {
            (grant.schema, grant.grantee)
            for grant in facts.default_grants
            if grant.objects == "tables" and grant.owner == facts.powers.name
        }
    )
    for schema, group in groupby(given, key=itemgetter(0)):
        if schema in ALL_MANAGED:
            continue
        yield (
            f"tables made in {schema} are open to {' and '.join(name for _, name in group)},"
            " the roles of the Data API"
        )
    readable = [name for name in facts.readable if name.partition(".")[0] not in ALL_MANAGED]
    if readable:
        yield f"anybody can read over the Data API: {', '.join(readable)}"
