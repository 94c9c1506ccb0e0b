"""Results as a person or a program wants to read them; the console does the printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from backend.config import Endpoint
from infra.archives import Listed
from infra.console import Console
from infra.errors import UsageError, VerificationError
from infra.local import Session, Undoable
from infra.stack import Status
from infra.targets import Target
from infra.transfer.archive import Archive
from infra.transfer.compare import Comparison
from infra.transfer.plan import Plan
from infra.transfer.prediction import Prediction
from infra.transfer.receipt import Receipt
from infra.transfer.swap import previous_name
from infra.transfer.wording import age, duration, printable, size
from infra.transfers import Session as Transfer


def lines(console: Console, text: Sequence[str]) -> None:
    """Print lines as they are."""
    for line in text:
        console.line(line)


def status(
    console: Console, found: Status, undoable: Undoable | None, *, as_json: bool = False
) -> None:
    """Show the services, the schema, and what can be undone."""
    if as_json:
        console.json(found.as_json() | {"undo": asdict(undoable) if undoable else None})
        return
    if found.services:
        rows = [
            [service.name, service.health or service.state, service.ports, service.image]
            for service in found.services
        ]
        console.table(["service", "state", "ports", "image"], rows)
    else:
        console.line("no services are running; start them with `invoke up`")
    since = f" since {found.since}, {found.previous} before" if found.since else ""
    console.line(f"target: {found.target}{since}")
    console.line(f"schema: {found.schema}")
    _undo_line(console, undoable)


def targets(console: Console, found: Sequence[Target], *, as_json: bool = False) -> None:
    """Show each target's endpoint, or what its settings lack."""
    if as_json:
        console.json(
            [
                {
                    "name": target.name,
                    "active": target.active,
                    "admin": str(target.admin) if target.admin else None,
                    "app": str(target.app) if target.app else None,
                    "problem": target.problem,
                }
                for target in found
            ]
        )
        return
    rows = [
        [
            target.name + (" *" if target.active else ""),
            str(target.admin) if target.admin else "not configured",
            (target.problem or "").removeprefix("settings cannot be used: "),
        ]
        for target in found
    ]
    console.table(["target", "admin endpoint", "problem"], rows)


def plan(console: Console, made: Plan, *, as_json: bool = False) -> None:
    """Show every finding, the refusals first, and the prediction; raise RefusedError for those."""
    if as_json:
        console.json(made.as_json())
    else:
        rows = [[found.decision, found.subject, found.text] for found in made.findings]
        console.table(["decision", "subject", "what"], rows)
        _prediction(console, made.prediction)
    made.require()


def archive(console: Console, made: Archive, lines: Sequence[str]) -> None:
    """Show what an export made and what to do with it."""
    content = made.content
    console.line(f"archive: {made.name}")
    for line in lines:
        console.line(line)
    console.line(
        f"{content['tables']} tables, {content['rows']:,} rows, {size(made.size)}; "
        f"restore it with `invoke restore {made.name} --to local`"
    )


def archives(
    console: Console,
    found: Sequence[Listed],
    undoable: Undoable | None,
    *,
    as_json: bool = False,
) -> None:
    """List archives; a damaged one shows what is wrong with it."""
    if as_json:
        console.json([_archive_facts(item) for item in found])
        return
    if not found:
        console.line("no archives yet; make one with `invoke export-local`")
        return
    rows = []
    for item in found:
        made = item.archive
        if isinstance(made, Archive):
            state = f"verified {age(item.verified)} ago" if item.verified else "sealed"
            rows.append(
                [made.name, age(made.created), size(made.size), f"{made.content['rows']:,}", state]
            )
        else:
            rows.append([made.message, "", "", "", "damaged"])
    console.table(["archive", "age", "size", "rows", "state"], rows)
    _undo_line(console, undoable)


def confirm_restore(console: Console, session: Session, *, yes: bool) -> None:
    """Show what is not carried as it is, what would be replaced by what, and ask."""
    content, database = session.archive.content, session.target.database
    _changes(console, session.plan)
    console.confirm(
        source=f"archive {session.archive.name} ({content['rows']:,} rows of database "
        f"{content['source']['database']!r}, {age(session.archive.created)} old)",
        target=f"database {database!r} of target local, which is kept as "
        f"{previous_name(database)!r}",
        question="Replace the database?",
        yes=yes,
    )


def confirm_transfer(console: Console, session: Transfer, *, yes: str | bool) -> None:
    """Show what is not carried as it is, what would be replaced by what, and ask.

    A target that is not local has to be named in full.
    """
    there = session.target
    name = "" if there.target == "local" else there.target
    if yes and name and yes != name:
        raise UsageError(f"--yes is not enough for target {name!r}", f"Name it: `--yes {name}`.")
    _changes(console, session.prepared.plan)
    console.confirm(
        source=f"{session.source.endpoint}",
        target=f"database {there.database!r} of target {there.target}, "
        + (
            "whose content is replaced"
            if there.in_place
            else f"which is kept as {previous_name(there.database)!r}"
        ),
        question="Replace the database?",
        yes=bool(yes),
        name=name,
    )


def confirm_undo(console: Console, found: Undoable, *, yes: bool) -> None:
    """Show which database would come back, and ask."""
    live = found.name.removesuffix("__previous")
    since = f", put aside at {found.since}" if found.since else ""
    console.confirm(
        source=f"database {found.name!r} ({size(found.size)}{since})",
        target=f"database {live!r} of target local, which is kept as {found.name!r}",
        question="Put it back?",
        yes=yes,
    )


def confirm_downgrade(console: Console, endpoint: Endpoint, revision: str, *, yes: bool) -> None:
    """Show which schema would go back to what, and ask: tables and their rows may go."""
    console.confirm(
        source=f"schema of database {endpoint.database!r} of target {endpoint.target}, at head",
        target=f"revision {revision}; what later revisions added is dropped with its rows",
        question="Take the schema back?",
        yes=yes,
    )


def restored(console: Console, arrived: Receipt, lines: Sequence[str]) -> None:
    """Show what a restore brought, table by table."""
    _arrived(console, arrived, lines, "the archive's; `invoke undo` takes it back")


def transferred(
    console: Console, arrived: Receipt, lines: Sequence[str], origin: str, before: str
) -> None:
    """Show what a transfer brought, table by table, and what became of what was there `before`."""
    _arrived(console, arrived, lines, f"those of {origin}; {before}")


def _arrived(console: Console, arrived: Receipt, lines: Sequence[str], equal: str) -> None:
    rows = [
        [printable(str(table)), f"{table.rows:,}", str(len(table.parts) or "")]
        for table in arrived.tables
    ]
    console.table(["table", "rows", "parts"], rows)
    for line in lines:
        console.line(line)
    console.line(
        f"verified: {len(arrived.tables)} tables, {arrived.rows:,} rows and "
        f"{len(arrived.objects):,} objects equal {equal}"
    )


def comparison(
    console: Console, compared: Comparison, expected: str, found: str, *, as_json: bool = False
) -> None:
    """Show every difference; raise VerificationError when there is one."""
    if as_json:
        console.json(compared.as_json())
    else:
        for change in compared.adapted:
            console.line(f"adapted: {change}")
        for change in compared.differences:
            console.line(f"difference: {change}")
    if compared.differences:
        count = len(compared.differences)
        raise VerificationError(
            f"{found!r} differs from {expected!r} in {count} {'thing' if count == 1 else 'things'}",
            "Each is named above; `invoke restore NAME --to local` brings an archive back.",
            tuple(map(str, compared.differences)),
        )
    if not as_json:
        console.line(f"verified: {found} equals {expected}")


def _undo_line(console: Console, undoable: Undoable | None) -> None:
    if undoable is not None:
        since = f" since {undoable.since}" if undoable.since else ""
        console.line(
            f"undo: database {undoable.name!r} ({size(undoable.size)}) is kept{since}; "
            "`invoke undo` puts it back"
        )


def _changes(console: Console, made: Plan) -> None:
    for found in made.findings:
        if found.decision != "carried":
            console.line(f"{found.decision}: {found.text}")
    _prediction(console, made.prediction)


def _prediction(console: Console, predicted: Prediction) -> None:
    archive = f"{size(predicted.archive_bytes)} of archive, " if predicted.archive_bytes else ""
    console.line(
        f"predicted: {predicted.rows:,} rows, {archive}"
        f"{size(predicted.target_bytes)} on the target's disk, {duration(predicted.seconds)}"
    )


def _archive_facts(item: Listed) -> dict[str, object]:
    made = item.archive
    if not isinstance(made, Archive):
        return {"problem": made.message}
    return {
        "name": made.name,
        "created": made.content["created"],
        "bytes": made.size,
        "tables": made.content["tables"],
        "rows": made.content["rows"],
        "source": made.content["source"],
        "verified": item.verified.isoformat() if item.verified else None,
    }
