"""Findings: what becomes of one kind of thing in a transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Decision = Literal["refused", "not carried", "adapted", "remedied", "note", "carried"]

_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One line of a plan; `names` holds every object, the text the first few."""

    subject: str
    decision: Decision
    text: str
    hint: str = ""
    names: tuple[str, ...] = ()


def listed(names: Sequence[str]) -> str:
    """Write the first few names and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
