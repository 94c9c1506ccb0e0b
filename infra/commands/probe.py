"""`invoke probe`: what a target really is, as a table."""

from __future__ import annotations

from infra import probing
from infra.app import App
from infra.boundary import task
from infra.console import Console
from infra.postgres.endpoint.examination import Examined
from infra.postgres.endpoint.server import Facts
from infra.probing import Probed
from infra.transfer.wording import printable, size

# Extensions that decide what a database can be moved to; JSON has the others.
_SHOWN = ("timescaledb", "vector", "pg_partman", "pg_cron", "pg_stat_statements")


@task(
    recovers=False,
    help={"target": "source, local, supabase or neon", "json": "print JSON"},
)
def probe(app: App, target: str, json: bool = False) -> None:
    """Find out what a target really is, leaving nothing behind; exit code 0 when it is usable."""
    found = probing.probe(app.settings, app.engine, app.tools, target)
    if json:
        app.console.json(found.as_json())
    else:
        show(app.console, found)
    found.require_all()


def show(console: Console, found: Probed) -> None:
    """Show each endpoint as a table with its notes, then all problems but the first.

    What is the same at the second endpoint is shown once.
    """
    shown: list[object] = []
    for examined in found.endpoints:
        rows = [row for row in _rows(found, examined) if row not in shown]
        console.table([examined.endpoint.role, str(examined.endpoint)], rows)
        notes = [note for note in found.notes(examined) if note not in shown]
        for note in notes:
            console.line(f"note: {printable(note)}")
        console.line("")
        shown += [*rows, *notes]
    for problem in found.problems[1:]:
        console.error(problem.error)
    if not found.problems:
        console.line(f"{found.name} is usable")


def _rows(found: Probed, examined: Examined) -> list[list[str]]:
    rows = [["from here", _addresses(examined)]]
    inside = found.inside.get(examined.endpoint.role)
    if inside is not None:
        reached = ", ".join(
            f"{address.address} {address.error or 'answers'}" for address in inside.addresses
        )
        rows.append(["from containers", f"{reached} (network {inside.network})"])
    rows.append(["tls", _tls(examined)])
    if examined.pooling is not None:
        rows.append(["sessions", _sessions(examined)])
    if examined.facts is not None:
        rows += _server(examined.facts)
    return rows


def _addresses(examined: Examined) -> str:
    return (
        ", ".join(
            f"{address.family} {address.address} {address.error or 'answers'}"
            for address in examined.addresses
        )
        or "the host's name is not known"
    )


def _tls(examined: Examined) -> str:
    shown, endpoint = examined.certificate, examined.endpoint
    if shown is None:
        return "not seen"
    if shown.problem == "no tls":
        return f"{endpoint.sslmode}; not spoken there"
    by = endpoint.certificates() or "this machine"
    until = f", until {shown.expires:%Y-%m-%d}" if shown.expires else ""
    verdict = f"{shown.problem}, says {by}" if shown.problem else f"trusted by {by}"
    return f"{endpoint.sslmode}; {', '.join(shown.names)}; by {shown.issuer}{until}; {verdict}"


def _sessions(examined: Examined) -> str:
    words = {"direct": "direct", "session": "pooled, a session for each connection"}
    kind = examined.pooling or "direct"
    text = words.get(kind, f"pooled, another session for each {kind}")
    known = examined.sessions
    if known is None:
        return text
    answers = {True: "yes", False: "no", None: "not seen"}
    return (
        f"{text}; prepared statements {answers[known.prepared]}, "
        f"SET leaks {answers[known.leaks]}, options {answers[known.options]}"
    )


def _server(facts: Facts) -> list[list[str]]:
    server, powers = facts.server, facts.powers
    can = [
        name
        for name, held in (
            ("superuser", powers.superuser),
            ("owner", powers.owns_database),
            ("createdb", powers.creates_databases),
            ("createrole", powers.creates_roles),
            ("bypassrls", powers.bypasses_row_security),
            ("replication", powers.replicates),
            ("create schemas", powers.creates_schemas),
            ("signal backends", powers.signals_backends),
            ("session_replication_role", facts.replication_role),
        )
        if held
    ]
    state = "replica" if server.replica else "read-only" if server.read_only else "writable"
    offered = {extension.name: extension for extension in facts.extensions}
    extensions = [
        f"{name} {offered[name].installed or offered[name].default + ' offered'}"
        for name in _SHOWN
        if name in offered
    ]
    limit = f", {server.role_limit} for the role" if server.role_limit is not None else ""
    used = f"{server.used_connections} of {server.max_connections} used{limit}"
    idle = server.idle_in_transaction_session_timeout
    return [
        ["server", f"PostgreSQL {server.version}, {state}, {size(server.size)}"],
        ["role", f"{powers.name}: {', '.join(can) or 'no powers'}"],
        ["extensions", ", ".join(extensions) or "none of ours"],
        ["timeouts", f"statement {server.statement_timeout}, idle in transaction {idle}"],
        ["connections", f"{used}, room for {facts.room}"],
    ]
