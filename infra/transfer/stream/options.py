"""What the operator may choose of a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from infra.errors import UsageError

Width = Literal["chunk", "day", "week", "month"]

# Beside the workers: what holds the snapshot, the staging database, the maintenance database, and
# pg_dump or pg_restore. The indexes of the dump and our own are made at the same time.
_BESIDE_SOURCE, _BESIDE_TARGET = 3, 4
_TARGET_PER_JOB = 2


@dataclass(frozen=True)
class Options:
    """`jobs` connections at once; how wide partitions are, and whether hypertables are wanted.

    `width` is for hypertables at a target without TimescaleDB, `hypertables` for partitioned tables
    at one that has it.
    """

    jobs: int
    width: Width = "chunk"
    hypertables: bool = False


def width(text: str) -> Width:
    """Read a width from the command line; UsageError for another word."""
    known: tuple[Width, ...] = get_args(Width)
    for found in known:
        if found == text:
            return found
    raise UsageError(f"--partition-by is {text!r}", f"Choose one of: {', '.join(get_args(Width))}.")


def fitted(options: Options, *, source: int, target: int) -> Options:
    """Choose fewer jobs where either server has no room for so many more sessions."""
    possible = min(source - _BESIDE_SOURCE, (target - _BESIDE_TARGET) // _TARGET_PER_JOB)
    return replace(options, jobs=max(1, min(options.jobs, possible)))
