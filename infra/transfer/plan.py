"""The plan: what a transfer carries, adapts, leaves behind and refuses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args

from infra.errors import RefusedError
from infra.postgres.survey import Survey
from infra.postgres.target import TargetFacts
from infra.transfer import shared_findings
from infra.transfer.findings import Decision, Finding, listed
from infra.transfer.prediction import Prediction
from infra.transfer.source_findings import of_source
from infra.transfer.stream_findings import Tables, of_load, of_stream
from infra.transfer.target_findings import of_target
from infra.transfer.wording import size

__all__ = [
    "Decision",
    "Finding",
    "Plan",
    "Tables",
    "TargetFacts",
    "for_export",
    "for_restore",
    "for_stream",
]

# The order in which a person wants to read them.
_ORDER = get_args(Decision)
# What `of_source` says of these is about dumps of TimescaleDB's own tables.
_ARCHIVES_ONLY = {
    "column statistics of chunks",
    "compressed columns of NULL",
    "hypertables",
    "job statistics",
    "large objects",
    "rows in roots",
}
# A prediction is no promise, and a load needs a little room besides.
_HEADROOM = 1.1


@dataclass(frozen=True)
class Plan:
    """The findings, the refusals first, and what the transfer is predicted to take."""

    findings: tuple[Finding, ...]
    prediction: Prediction

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Return the findings for which the transfer cannot begin."""
        return tuple(found for found in self.findings if found.decision == "refused")

    def as_json(self) -> dict[str, Any]:
        """Return the plan as `--plan --json` prints it."""
        return asdict(self)

    def require(self) -> None:
        """Raise RefusedError that names every refusal; return when there is none."""
        if self.refusals:
            raise RefusedError(
                "; ".join(found.text for found in self.refusals),
                " ".join(dict.fromkeys(found.hint for found in self.refusals)),
            )


def for_export(
    source: Survey, *, client_major: int, archive_free: int, prediction: Prediction
) -> Plan:
    """Decide what a dump of the source carries; `archive_free` is in bytes."""
    return _plan(
        [
            *_client(source, client_major),
            *of_source(source),
            *shared_findings.of_source(source),
            *_locks(source, source, "source"),
            *_archive(source, archive_free, prediction),
        ],
        prediction,
    )


def for_restore(
    source: Survey, target: TargetFacts, *, client_major: int, prediction: Prediction
) -> Plan:
    """Decide what the target can take of an archive of the source."""
    return _plan(
        [
            *_client(source, client_major),
            *of_source(source),
            *of_target(source, target),
            *_locks(source, target, "target"),
            *_space(target, prediction),
        ],
        prediction,
    )


def for_stream(
    source: Survey,
    target: TargetFacts,
    tables: Tables,
    *,
    shared: Iterable[Finding] | None,
    restarts: bool,
    fewer_jobs: int | None,
    client_major: int,
    prediction: Prediction,
) -> Plan:
    """Decide what can be streamed straight from the source into the target.

    `shared` are the findings of a load in place, None where a staging database is made.
    """
    return _plan(
        [
            *_client(source, client_major),
            *(found for found in of_source(source) if found.subject not in _ARCHIVES_ONLY),
            *shared_findings.of_source(source),
            *of_stream(source, target, tables),
            *of_load(restarts=restarts, fewer_jobs=fewer_jobs),
            *_locks(source, source, "source"),
            *_locks(source, target, "target"),
            *(_space(target, prediction) if shared is None else shared),
        ],
        prediction,
    )


def _plan(findings: Iterable[Finding], prediction: Prediction) -> Plan:
    ordered = sorted(findings, key=lambda found: _ORDER.index(found.decision))
    return Plan(tuple(ordered), prediction)


def _client(source: Survey, client_major: int) -> Iterator[Finding]:
    if client_major < source.major:
        yield Finding(
            "client tools",
            "refused",
            f"pg_dump {client_major} cannot dump a server of version {source.major}",
            f"Set TOOLS_IMAGE in .env to an image with version {source.major} or newer.",
        )


def _locks(source: Survey, server: Survey | TargetFacts, side: str) -> Iterator[Finding]:
    if source.relations > server.lock_capacity:
        per_transaction = math.ceil(source.relations * _HEADROOM / server.lock_slots)
        yield Finding(
            "lock table",
            "refused",
            f"the {side}'s lock table is made for {server.lock_capacity} locks, and "
            f"{source.relations} relations are locked at once",
            f"Set max_locks_per_transaction = {per_transaction} in the {side}'s postgresql.conf "
            "and restart it.",
        )


def _archive(source: Survey, free: int, prediction: Prediction) -> Iterator[Finding]:
    if source.superuser_objects:
        yield Finding(
            "objects of superusers",
            "note",
            f"an archive with {listed(source.superuser_objects)} can only be restored by hand, "
            "as a superuser",
            names=source.superuser_objects,
        )
    needed = math.ceil(prediction.archive_bytes * _HEADROOM)
    if needed > free:
        yield Finding(
            "space for the archive",
            "refused",
            f"the archive needs about {size(needed)} and {size(free)} are free",
            f"Make {size(needed - free)} free where archives are kept; `invoke archives` lists "
            "old ones.",
        )


def _space(target: TargetFacts, prediction: Prediction) -> Iterator[Finding]:
    needed = math.ceil(prediction.target_bytes * _HEADROOM)
    if target.size is not None:
        yield Finding(
            "live database",
            "note",
            f"database {target.database} ({size(target.size)}) is kept as {target.previous}",
        )
    if target.free is None or needed <= target.free:
        return
    hint = f"Make {size(needed - target.free)} free on the disk of the target's data directory."
    if target.previous_size is not None:
        hint += (
            f" `--discard-previous` drops {target.previous} first, "
            f"which frees {size(target.previous_size)}."
        )
    yield Finding(
        "space on the target",
        "refused",
        f"the staging database needs about {size(needed)} and {size(target.free)} are free",
        hint,
    )
