"""Names as a catalog prints them: dotted, and quoted where they need it."""

from __future__ import annotations

import re

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')


def parts(name: str) -> tuple[str, ...]:
    """Take a printed name apart and the quotes off."""
    return tuple(quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(name))


def split(name: str) -> tuple[str, str]:
    """Split a printed name before its last part, quotes and all."""
    last = list(_PART.finditer(name))[-1]
    return name[: last.start() - 1], last[0]
