"""The receipt: what a database held at one moment, to be compared with what arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.postgres.objects import DatabaseObject

FORMAT = 2


@dataclass(frozen=True)
class PartReceipt:
    """The rows of one chunk range or partition."""

    label: str
    rows: int
    digest: int


@dataclass(frozen=True)
class TableReceipt:
    """One table; its digest is the sum of its rows' hashes, and so of its parts' digests."""

    schema: str
    name: str
    kind: str
    rows: int
    digest: int
    parts: tuple[PartReceipt, ...] = ()
    hidden: tuple[str, ...] = ()
    size: int = 0

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Receipt:
    """Every table of a database in order of name, and every object besides rows.

    `recoded` says that text was hashed by its UTF-8 bytes, because the database has another
    encoding. `seconds` is how long the digests took, `server_version` a number such as 170011.
    """

    server_version: int
    recoded: bool
    tables: tuple[TableReceipt, ...]
    objects: tuple[DatabaseObject, ...]
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Return the rows of all tables together."""
        return sum(table.rows for table in self.tables)

    def of_kind(self, kind: str) -> tuple[DatabaseObject, ...]:
        """Return the objects of one kind."""
        return tuple(found for found in self.objects if found.kind == kind)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; digests as text, since JSON's numbers are too short for them."""
        value = asdict(self) | {"format": FORMAT}
        for table in value["tables"]:
            table["digest"] = str(table["digest"])
            for part in table["parts"]:
                part["digest"] = str(part["digest"])
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Receipt:
        """Read back what `as_json` gave.

        Raises KeyError, TypeError or ValueError when it is something else.
        """
        if value["format"] != FORMAT:
            raise ValueError(f"receipt format {value['format']!r}")
        return cls(
            server_version=int(value["server_version"]),
            recoded=bool(value["recoded"]),
            tables=tuple(_table(table) for table in value["tables"]),
            objects=tuple(DatabaseObject(**found) for found in value["objects"]),
            seconds=float(value["seconds"]),
        )


def add_up(parts: Sequence[PartReceipt]) -> tuple[PartReceipt, ...]:
    """Merge parts of the same label: the chunks of one range, the page ranges of one table."""
    rows: dict[str, int] = defaultdict(int)
    digests: dict[str, int] = defaultdict(int)
    for part in parts:
        rows[part.label] += part.rows
        digests[part.label] += part.digest
    return tuple(PartReceipt(label, rows[label], digests[label]) for label in rows)


def _table(value: dict[str, Any]) -> TableReceipt:
    parts = tuple(
        PartReceipt(part["label"], int(part["rows"]), int(part["digest"]))
        for part in value["parts"]
    )
    plain = {**value, "digest": int(value["digest"]), "parts": parts}
    return TableReceipt(**{**plain, "hidden": tuple(value["hidden"])})
