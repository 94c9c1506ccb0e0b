"""What the source alone decides, whatever the target is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infra.postgres.hypertables import Hypertables, version_number
from infra.postgres.survey import Survey
from infra.transfer.findings import Decision, Finding, listed

# The first version that has the hash functions of a receipt.
OLDEST_MAJOR = 11
# Up to here a query of the Apache edition passes over compressed chunks and says nothing.
_LOUD_ABOUT_COMPRESSED = (2, 26, 4)
# How many statements a hint spells out.
_SPELLED_OUT = 3


@dataclass(frozen=True)
class _Named:
    """A decision about all objects of a kind; `{names}` in the text stands for the first few."""

    subject: str
    decision: Decision
    names: Callable[[Survey], Sequence[str]]
    text: str
    hint: str = ""


_NAMED = (
    _Named(
        "foreign tables in use",
        "refused",
        lambda source: source.required_foreign_tables,
        "foreign tables cannot be carried, and other objects are made of {names}",
        "Drop what uses them on the source, or copy their rows into tables of its own.",
    ),
    _Named(
        "event triggers",
        "not carried",
        lambda source: source.event_triggers,
        "event triggers belong to a superuser: {names}",
    ),
    _Named(
        "subscriptions",
        "not carried",
        lambda source: source.subscriptions,
        "subscriptions would fetch the same rows twice: {names}",
    ),
    _Named(
        "publications",
        "not carried",
        lambda source: (*source.publications_for_all_tables, *source.publications_for_schemas),
        "publications of all tables or of schemas belong to a superuser: {names}",
    ),
    _Named(
        "foreign data wrappers",
        "not carried",
        lambda source: source.foreign_data_wrappers,
        "foreign data wrappers belong to a superuser: {names}",
    ),
    _Named(
        "foreign servers",
        "not carried",
        lambda source: source.foreign_servers,
        "foreign servers are reached from where the source is: {names}",
    ),
    _Named(
        "foreign tables",
        "not carried",
        lambda source: [
            name for name in source.foreign_tables if name not in source.required_foreign_tables
        ],
        "foreign tables, whose rows are on another server: {names}",
    ),
    _Named(
        "user mappings",
        "not carried",
        lambda source: source.user_mappings,
        "logins to foreign servers: {names}",
    ),
    _Named(
        "security labels",
        "not carried",
        lambda source: source.security_labels,
        "security labels need their provider on the target: {names}",
    ),
    _Named(
        "invalid indexes",
        "not carried",
        lambda source: source.invalid_indexes,
        "indexes whose build was interrupted, which no dump holds: {names}",
    ),
    _Named(
        "prepared transactions",
        "not carried",
        lambda source: source.prepared_transactions,
        "rows of transactions that are prepared and not committed: {names}",
    ),
    _Named(
        "owners",
        "adapted",
        lambda source: source.owners,
        "objects of {names} will belong to the target's owner",
    ),
    _Named(
        "tablespaces",
        "adapted",
        lambda source: source.tablespaces,
        "what lies in tablespaces will lie in the target's default one: {names}",
    ),
    _Named(
        "materialized views",
        "adapted",
        lambda source: source.materialized_views,
        "materialized views are filled anew from the rows that arrive: {names}",
    ),
    _Named(
        "publications of tables",
        "carried",
        lambda source: source.publications,
        "publications: {names}",
    ),
    _Named(
        "unlogged tables",
        "note",
        lambda source: source.unlogged_tables,
        "unlogged tables stay so, and a crash of the server empties them: {names}",
    ),
)


def of_source(source: Survey) -> Iterator[Finding]:
    """Decide about everything that needs no look at the target."""
    yield Finding(
        "tables", "carried", f"{len(source.tables)} tables", names=tuple(map(str, source.tables))
    )
    yield from _reading(source)
    yield from _bytes(source)
    for row in _NAMED:
        names = tuple(row.names(source))
        if names:
            text = row.text.replace("{names}", listed(names))
            yield Finding(row.subject, row.decision, text, row.hint, names)
    if source.large_objects:
        yield Finding("large objects", "note", f"{source.large_objects} large objects are carried")
    if source.timescaledb:
        yield from _damaged(source, source.timescaledb)
        yield from _hypertables(source.timescaledb)


def _reading(source: Survey) -> Iterator[Finding]:
    """Refuse what this role would read less of than there is."""
    role = repr(source.role.name)
    if source.major < OLDEST_MAJOR:
        yield Finding(
            "version",
            "refused",
            f"a receipt needs PostgreSQL {OLDEST_MAJOR} or newer, the source is {source.major}",
            f"Upgrade the source to {OLDEST_MAJOR} or newer first.",
        )
    grant = "Grant SELECT on the source to this role, or set SOURCE_DB_USER to one that has it."
    for subject, names in (
        ("tables", source.unreadable_tables),
        ("sequences", source.unreadable_sequences),
    ):
        if names:
            yield Finding(
                f"unreadable {subject}",
                "refused",
                f"role {role} may not read {subject} {listed(names)}",
                grant,
                names,
            )
    if source.unreadable_large_objects:
        yield Finding(
            "unreadable large objects",
            "refused",
            f"role {role} may not read {source.unreadable_large_objects} of "
            f"{source.large_objects} large objects",
            grant,
        )
    if source.hidden_rows:
        yield Finding(
            "row-level security",
            "refused",
            f"row-level security hides rows from role {role} in {listed(source.hidden_rows)}",
            "Set SOURCE_DB_USER to a superuser or to a role with BYPASSRLS.",
            source.hidden_rows,
        )


def _bytes(source: Survey) -> Iterator[Finding]:
    if source.invalid_bytes is not None:
        yield Finding(
            "encoding",
            "refused",
            f"database {source.database!r} has no encoding, and bytes that are no UTF-8 stand in "
            f"{source.invalid_bytes}",
            "Convert them on the source, for example with "
            "`convert_from(convert_to(…, 'SQL_ASCII'), 'WIN1252')`, and begin again.",
            (source.invalid_bytes,),
        )
    elif source.encoding != "UTF8":
        yield Finding(
            "encoding", "adapted", f"text of encoding {source.encoding} will be stored as UTF8"
        )


def _damaged(source: Survey, found: Hypertables) -> Iterator[Finding]:
    """Refuse hypertables whose rows a dump would lose."""
    if source.restoring:
        yield Finding(
            "restoring mode",
            "refused",
            f"database {source.database!r} was left in TimescaleDB's restoring mode, where "
            "hypertables look empty",
            f"Run `SELECT {found.schema}.timescaledb_post_restore()` there as a superuser.",
        )
    if found.edition == "apache" and found.compressed:
        verb = (
            "fails on" if version_number(found.version) >= _LOUD_ABOUT_COMPRESSED else "passes over"
        )
        yield Finding(
            "compressed chunks",
            "refused",
            f"the source's Apache edition of TimescaleDB {verb} the compressed chunks of "
            f"{listed(counted(found))}",
            "Start the source with the Community edition and timescaledb.license = 'timescale'.",
            counted(found),
        )
    if found.elsewhere:
        yield Finding(
            "chunks elsewhere",
            "refused",
            f"rows of hypertables {listed(found.elsewhere)} lie on other servers",
            "Bring them back to the source first: no dump of it holds them.",
            found.elsewhere,
        )
    if found.null_batches:
        statements = " ".join(
            f"`SELECT {found.schema}.decompress_chunk('{chunk}');`"
            for chunk in found.null_batches[:_SPELLED_OUT]
        )
        others = " and so on for each of them" if len(found.null_batches) > _SPELLED_OUT else ""
        yield Finding(
            "compressed columns of NULL",
            "refused",
            f"what TimescaleDB {found.version} dumps of a compressed column of nothing but NULL it "
            f"cannot restore, and there is one in chunks {listed(found.null_batches)}",
            f"Run {statements}{others} on the source, export, and compress them again; or update "
            "the extension there to 2.20.1 or newer.",
            found.null_batches,
        )


def _hypertables(found: Hypertables) -> Iterator[Finding]:
    if found.names:
        yield Finding(
            "hypertables",
            "carried",
            f"hypertables with {found.chunks} chunks: {listed(found.names)}",
            names=found.names,
        )
    if found.tablespaces:
        yield Finding(
            "tablespaces of hypertables",
            "not carried",
            f"tablespaces for new chunks: {listed(found.tablespaces)}",
            names=found.tablespaces,
        )
    if found.jobs:
        yield Finding(
            "job statistics", "not carried", "statistics and history of jobs", names=found.jobs
        )
    if found.orphaned_column_stats:
        yield Finding(
            "column statistics of chunks",
            "remedied",
            f"{found.orphaned_column_stats} rows of chunk_column_stats belong to no chunk and are "
            "loaded by themselves, with their foreign key off",
        )
    if found.root_rows:
        names = tuple(f"{name} ({rows})" for name, rows in found.root_rows.items())
        yield Finding(
            "rows in roots",
            "note",
            "rows that lie in a hypertable's root are carried, and no query sees them before or "
            f"after: {listed(names)}",
            names=names,
        )


def counted(found: Hypertables) -> tuple[str, ...]:
    """Name hypertables with the number of their compressed chunks."""
    return tuple(f"{name} ({chunks})" for name, chunks in found.compressed.items())
