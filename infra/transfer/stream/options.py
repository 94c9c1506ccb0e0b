"""What the operator may choose of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from infra.errors import UsageError

Width = Literal["chunk", "day", "week", "month"]


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
