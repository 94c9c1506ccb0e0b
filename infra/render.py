"""Results as a person or a program wants to read them; the console does the printing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from backend.config import Endpoint
from infra.console import Console
from infra.errors import RefusedError
from infra.stack import Status
from infra.targets import Target
from infra.transfer.archive import Archive
from infra.transfer.receipt import Receipt
from infra.transfer.restore import LocalTarget
from infra.transfer.swap import previous_name

_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def lines(console: Console, text: Sequence[str]) -> None:
    """Print lines as they are."""
    for line in text:
        console.line(line)


def status(console: Console, found: Status, *, as_json: bool = False) -> None:
    """Show the services and the schema."""
    if as_json:
        console.json(found.as_json())
        return
    if found.services:
        rows = [
            [service.name, service.health or service.state, service.ports, service.image]
            for service in found.services
        ]
        console.table(["service", "state", "ports", "image"], rows)
    else:
        console.line("no services are running; start them with `invoke up`")
    console.line(f"target: {found.target}")
    console.line(f"schema: {found.schema}")


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


def archive(console: Console, made: Archive) -> None:
    """Show what an export made and what to do with it."""
    content = made.content
    console.line(f"archive: {made.name}")
    console.line(
        f"{content['tables']} tables, {content['rows']:,} rows, {size(made.size)}; "
        f"restore it with `invoke restore {made.name} --to local`"
    )


def archives(
    console: Console, found: Sequence[Archive | RefusedError], *, as_json: bool = False
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
        if isinstance(item, Archive):
            content = item.content
            rows.append(
                [item.name, age(item.created), size(item.size), f"{content['rows']:,}", "sealed"]
            )
        else:
            rows.append([item.message, "", "", "", "damaged"])
    console.table(["archive", "age", "size", "rows", "state"], rows)


def confirm_restore(console: Console, found: Archive, target: LocalTarget, *, yes: bool) -> None:
    """Show what would be replaced by what, and ask."""
    source = found.content["source"]
    console.confirm(
        source=f"archive {found.name} ({found.content['rows']:,} rows of database "
        f"{source['database']!r}, {age(found.created)} old)",
        target=f"database {target.database!r} of target local, which is kept as "
        f"{previous_name(target.database)!r}",
        question="Replace the database?",
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


def restored(console: Console, arrived: Receipt, target: LocalTarget) -> None:
    """Show what arrived, table by table."""
    rows = [
        [str(table), f"{table.rows:,}", "" if table.chunks is None else str(table.chunks)]
        for table in arrived.tables
    ]
    console.table(["table", "rows", "chunks"], rows)
    console.line(
        f"verified: {len(arrived.tables)} tables, {arrived.rows:,} rows equal the archive's; "
        f"database {target.database!r} is live"
    )


def size(count: int) -> str:
    """Write a number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < _THOUSAND - 0.05 or (unit == "B" and count < _THOUSAND):
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _THOUSAND
    return f"{value:.1f} TB"


def age(moment: datetime, now: datetime | None = None) -> str:
    """Write how long ago a moment was."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _archive_facts(item: Archive | RefusedError) -> dict[str, object]:
    if not isinstance(item, Archive):
        return {"problem": item.message}
    return {
        "name": item.name,
        "created": item.content["created"],
        "bytes": item.size,
        "tables": item.content["tables"],
        "rows": item.content["rows"],
        "source": item.content["source"],
    }
