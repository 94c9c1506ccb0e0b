"""What becomes of things that are streamed straight into a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.postgres.hypertables import Hypertables
from infra.postgres.inventory import Extension
from infra.postgres.survey import Survey
from infra.postgres.target import TargetFacts
from infra.transfer.align import STORED
from infra.transfer.findings import Finding, listed
from infra.transfer.source_findings import counted
from infra.transfer.target_findings import (
    preloaded,
    roles,
    sorting,
    superuser_objects,
)
from infra.transfer.wording import size


@dataclass(frozen=True)
class Tables:
    """What the stream does with tables that are not ordinary ones.

    `timescaledb` says whether the target will have it, `impossible` why a table cannot be made
    anew, `aggregates` how each continuous aggregate is refreshed; `uncompressed` is in bytes;
    `forced` are those whose row security would hide rows from the target's role.
    """

    timescaledb: bool
    to_hypertables: tuple[str, ...]
    to_partitions: tuple[str, ...]
    width: str
    impossible: Mapping[str, str]
    unvalidated: tuple[str, ...]
    aggregates: Mapping[str, str]
    uncompressed: int
    forced: tuple[str, ...]


def of_stream(source: Survey, target: TargetFacts, tables: Tables) -> Iterator[Finding]:
    """Decide about everything in which source and target have to fit."""
    for extension in source.extensions:
        yield from _extension(extension, target, tables)
    if source.timescaledb:
        yield from _timescaledb(source.timescaledb, tables)
    if tables.timescaledb:
        yield from preloaded(target)
    yield from _converted(tables)
    if tables.forced:
        yield Finding(
            "row security",
            "refused",
            "row security that is forced on the owner would hide rows of these tables from "
            f"{target.owner}, who could prove nothing: {listed(tables.forced)}",
            f"Give {target.owner} BYPASSRLS on the target, or run `ALTER TABLE … NO FORCE ROW "
            "LEVEL SECURITY` on the source.",
            tables.forced,
        )
    if source.large_objects:
        yield Finding(
            "large objects",
            "refused",
            f"the stream carries no large objects, and there are {source.large_objects}",
            "Use `invoke export-local` and `invoke restore`, which carry them.",
        )
    yield from roles(source, target)
    yield from sorting(source, target)
    yield from superuser_objects(source)
    if target.major < source.major:
        yield Finding(
            "version",
            "note",
            f"the target is PostgreSQL {target.major}, older than the source's {source.major}: "
            "definitions that only the newer one knows will fail",
        )


def of_load(*, restarts: bool, fewer_jobs: int | None) -> Iterator[Finding]:
    """Tell what becomes of the servers' settings and of --jobs; None where it stays as asked."""
    if restarts:
        yield Finding(
            "load settings",
            "note",
            "the database server is restarted before and after the load, if its settings allow it, "
            "so that new rows need no log",
        )
    if fewer_jobs is not None:
        yield Finding(
            "connections",
            "adapted",
            f"--jobs becomes {fewer_jobs}: the servers have no room for more connections",
        )


def _extension(extension: Extension, target: TargetFacts, tables: Tables) -> Iterator[Finding]:
    name, version = extension.name, extension.version
    versions = target.extensions.get(name, ())
    subject = f"extension {name}"
    if name == "timescaledb" and not tables.timescaledb:
        if not tables.to_partitions:
            yield Finding(subject, "not carried", f"extension {name}, which no table uses")
    elif not versions:
        yield Finding(
            subject,
            "refused",
            f"extension {name} {version} is not on the target's server",
            "Install it there, or drop it on the source with what uses it.",
            (name,),
        )
    elif version == versions[0]:
        yield Finding(subject, "carried", f"extension {name} {version}")
    else:
        yield Finding(subject, "adapted", f"extension {name} {version} becomes {versions[0]}")


def _timescaledb(found: Hypertables, tables: Tables) -> Iterator[Finding]:
    if found.old_continuous_aggregates:
        yield Finding(
            "old continuous aggregates",
            "refused",
            f"continuous aggregates {listed(found.old_continuous_aggregates)} keep no rows that "
            "could be read elsewhere",
            f"Run `CALL {found.schema}.cagg_migrate(…)` for each on the source.",
            found.old_continuous_aggregates,
        )
    for name, refresh in tables.aggregates.items():
        yield Finding(
            "continuous aggregates",
            "adapted",
            f"the stored rows of {name} go into a table, {name}{STORED}, that a view of the old "
            f"name shows; nothing refreshes it but `{refresh}`",
            names=(name,),
        )
    if found.compressed:
        yield Finding(
            "compressed chunks",
            "adapted",
            f"compressed chunks arrive uncompressed, {size(tables.uncompressed)} of them: "
            f"{listed(counted(found))}",
            names=counted(found),
        )
    if found.jobs:
        yield Finding(
            "policies",
            "not carried",
            f"retention, compression and other jobs, to be added again: {listed(found.jobs)}",
            names=found.jobs,
        )
    if found.root_rows:
        names = tuple(f"{name} ({rows})" for name, rows in found.root_rows.items())
        yield Finding(
            "rows in roots",
            "not carried",
            f"rows that lie in a hypertable's root, where no query sees them: {listed(names)}",
            names=names,
        )


def _converted(tables: Tables) -> Iterator[Finding]:
    if tables.to_partitions:
        yield Finding(
            "hypertables",
            "adapted",
            f"hypertables become tables with one partition for each {tables.width}, and "
            f"`SELECT slipway_partitions.extend()` makes more: {listed(tables.to_partitions)}",
            names=tables.to_partitions,
        )
    if tables.to_hypertables:
        yield Finding(
            "partitioned tables",
            "adapted",
            f"partitioned tables become hypertables: {listed(tables.to_hypertables)}",
            names=tables.to_hypertables,
        )
    for name, reason in tables.impossible.items():
        yield Finding(
            "tables made anew",
            "refused",
            f"{name} cannot be made anew: {reason}",
            "Change it on the source, or choose another target or --partition-by.",
            (name,),
        )
    if tables.unvalidated:
        yield Finding(
            "foreign keys not validated",
            "refused",
            f"a partitioned table cannot have foreign keys that are not valid: "
            f"{listed(tables.unvalidated)}",
            "Run `ALTER TABLE … VALIDATE CONSTRAINT …` for each on the source, or drop it.",
            tables.unvalidated,
        )
