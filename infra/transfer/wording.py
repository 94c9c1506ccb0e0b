"""Numbers and names as people read them, on a terminal and in a report."""

from __future__ import annotations

from datetime import UTC, datetime

_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_ONE_DIGIT = 9.95


def size(count: float) -> str:
    """Write a number of bytes in the largest unit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < _THOUSAND - 0.05 or (unit == "B" and count < _THOUSAND):
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _THOUSAND
    return f"{value:.1f} TB"


def amount(count: float, unit: str) -> str:
    """Write a number of bytes, rows or objects; a bare number without a unit."""
    if unit == "bytes":
        return size(count)
    name = unit.removesuffix("s") if round(count) == 1 else unit
    return f"{count:,.0f} {name}".rstrip()


def rate(per_second: float, unit: str) -> str:
    """Write how much is done in a second; a slow pace with its fraction."""
    if unit != "bytes" and per_second < _ONE_DIGIT:
        return f"{per_second:.1f} {unit}/s"
    return f"{amount(per_second, unit)}/s"


def duration(seconds: float) -> str:
    """Write how long something took, in two units at most."""
    whole = round(seconds)
    if seconds < _ONE_DIGIT:
        return f"{seconds:.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def age(moment: datetime, now: datetime | None = None) -> str:
    """Write how long ago a moment was."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def printable(name: str) -> str:
    """Replace what would move a terminal's cursor or turn a line's direction around."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
