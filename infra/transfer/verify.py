"""Verification: two receipts brought into the same terms and compared."""

from __future__ import annotations

from dataclasses import replace

from infra.transfer.compare import MISSING, UNEXPECTED, Comparison, Difference, compare
from infra.transfer.landing import Landing
from infra.transfer.receipt import Receipt
from infra.transfer.shared import without_platform


def against_landing(source: Receipt, arrived: Receipt, landing: Landing) -> Comparison:
    """Compare what a source held with what a target of our own has."""
    expected, found = without_platform(landing.expected(source), landing.found(arrived))
    comparison = compare(expected, found)
    return replace(comparison, differences=(*comparison.differences, *landing.lacking(arrived)))


def reversed_sides(comparison: Comparison) -> Comparison:
    """Tell the same differences from the other side."""

    def turn(change: Difference) -> Difference:
        if change.aspect:
            return replace(change, expected=change.found, found=change.expected)
        missing = change.found == MISSING
        return replace(change, expected="", found=UNEXPECTED if missing else MISSING)

    return Comparison(
        tuple(map(turn, comparison.differences)), tuple(map(turn, comparison.adapted))
    )
