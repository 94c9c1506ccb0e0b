"""What a target decides about an archive's content."""

from __future__ import annotations

from collections.abc import Iterator

from infra.postgres.hypertables import Hypertables
from infra.postgres.inventory import Extension
from infra.postgres.survey import Survey
from infra.postgres.target import TargetFacts
from infra.transfer.findings import Finding, listed
from infra.transfer.source_findings import counted

_IMAGE = "Set DB_IMAGE in .env to an image that carries it"


def of_target(source: Survey, target: TargetFacts) -> Iterator[Finding]:
    """Decide about everything in which source and target have to fit."""
    for extension in source.extensions:
        yield from _extension(extension, target)
    if source.timescaledb and "timescaledb" in target.extensions:
        yield from _timescaledb(source, source.timescaledb, target)
    yield from roles(source, target)
    yield from job_owners(source, target)
    yield from sorting(source, target)
    yield from superuser_objects(source)
    if target.major < source.major:
        yield Finding(
            "version",
            "note",
            f"the target is PostgreSQL {target.major}, older than the source's {source.major}: "
            "definitions that only the newer one knows will fail",
        )


def _extension(extension: Extension, target: TargetFacts) -> Iterator[Finding]:
    name, version = extension.name, extension.version
    versions = target.extensions.get(name, ())
    exact = name == "timescaledb"
    if not versions or (exact and version not in versions):
        yield Finding(
            f"extension {name}",
            "refused",
            f"extension {name} {version} is not in the target's image (it has "
            f"{', '.join(versions) or 'none'})",
            f"{_IMAGE}, or update the source to a version listed and export again."
            if versions
            else f"{_IMAGE}.",
            (name,),
        )
    elif exact or version == versions[0]:
        yield Finding(f"extension {name}", "carried", f"extension {name} {version}")
    else:
        yield Finding(
            f"extension {name}", "adapted", f"extension {name} {version} becomes {versions[0]}"
        )


def preloaded(target: TargetFacts) -> Iterator[Finding]:
    """Refuse a server that has TimescaleDB's files and does not load them."""
    if target.preloaded is not None and "timescaledb" not in target.preloaded:
        yield Finding(
            "preloaded libraries",
            "refused",
            "timescaledb is not among the target's preloaded libraries",
            "Set shared_preload_libraries = 'timescaledb' in the target's postgresql.conf and "
            "restart it.",
        )


def _timescaledb(source: Survey, found: Hypertables, target: TargetFacts) -> Iterator[Finding]:
    yield from preloaded(target)
    if found.old_continuous_aggregates and source.major != target.major:
        yield Finding(
            "old continuous aggregates",
            "refused",
            f"continuous aggregates {listed(found.old_continuous_aggregates)} have a format that "
            f"PostgreSQL {target.major} does not read from {source.major}",
            f"Run `CALL {found.schema}.cagg_migrate(…)` for each on the source and export again.",
            found.old_continuous_aggregates,
        )
    for subject, names in (
        ("compressed chunks", counted(found)),
        ("continuous aggregates", found.continuous_aggregates),
        ("jobs", found.jobs),
    ):
        if not names:
            continue
        # What an Apache edition has by hand in its catalog fits another one's.
        if target.edition == "apache" and found.edition != "apache":
            yield Finding(
                subject,
                "refused",
                f"the target's Apache edition of TimescaleDB knows no {subject}: {listed(names)}",
                "Set DB_IMAGE in .env to an image with TimescaleDB's Community edition.",
                names,
            )
        else:
            yield Finding(subject, "carried", f"{subject}: {listed(names)}", names=names)


def roles(source: Survey, target: TargetFacts) -> Iterator[Finding]:
    """Decide about what belongs to roles that the target may lack."""

    def missing(roles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(role for role in roles if role not in target.roles)

    if policy_roles := missing(source.policy_roles):
        yield Finding(
            "roles of policies",
            "refused",
            f"row-level security policies name roles that the target lacks: {listed(policy_roles)}",
            f"Run `CREATE ROLE` for each of them there, beginning with {policy_roles[0]}.",
            policy_roles,
        )
    if grantees := missing(source.grantees):
        yield Finding(
            "grants",
            "not carried",
            f"grants to roles that the target lacks: {listed(grantees)}",
            names=grantees,
        )
    if source.default_privilege_roles:
        yield Finding(
            "default privileges",
            "not carried",
            "default privileges for what these roles will make: "
            f"{listed(source.default_privilege_roles)}",
            names=source.default_privilege_roles,
        )


def job_owners(source: Survey, target: TargetFacts) -> Iterator[Finding]:
    """Decide about the owners of jobs, which only an archive carries."""
    names = source.timescaledb.job_owners if source.timescaledb else ()
    if owners := tuple(role for role in names if role not in target.roles):
        yield Finding(
            "owners of jobs",
            "remedied",
            f"roles {listed(owners)} are made for the load, and their jobs go to {target.owner}",
            names=owners,
        )


def sorting(source: Survey, target: TargetFacts) -> Iterator[Finding]:
    """Decide about collations and the order of text."""
    missing = [
        found
        for found in source.column_collations
        if found.needs is not None and found.needs not in target.collations
    ]
    if missing:
        names = tuple(f"{found.column} ({found.needs})" for found in missing)
        yield Finding(
            "collations",
            "refused",
            f"the target lacks the collations of {listed(names)}",
            "Set DB_IMAGE in .env to an image with these locales, or alter the columns on the "
            "source to an ICU collation and begin again.",
            names,
        )
    if _spelling(source.collation) != _spelling(target.collation):
        yield Finding(
            "sort order",
            "adapted",
            f"text sorts by {target.collation} instead of {source.collation}",
        )


def superuser_objects(source: Survey) -> Iterator[Finding]:
    """Refuse what only a superuser may make: the owner loads the archive."""
    if source.superuser_objects:
        yield Finding(
            "objects of superusers",
            "refused",
            f"only a superuser may make these: {listed(source.superuser_objects)}",
            "Drop them on the source, or put them into an extension that the target has.",
            source.superuser_objects,
        )


def _spelling(locale: str) -> str:
    return locale.replace("-", "").lower()
