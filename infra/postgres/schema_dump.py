"""Which entries of a schema's dump are restored, in which order, and between which other steps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

from infra.postgres import inventory
from infra.postgres.connection import Connection

_SQL = Path(__file__).parent / "sql"

# Catalogs have the same oid on every server.
RELATIONS = 1259

_ENTRY = re.compile(r"^(\d+); (\d+) (\d+) (.*)$")
_OWNED_BY = "SEQUENCE OWNED BY "
_ROW_SECURITY = ("ROW SECURITY ", "POLICY ")

# A catalog and a row of it.
Key = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """A line of `pg_restore --list`; the text begins with the entry's type."""

    line: str
    number: int
    catalog: int
    oid: int
    text: str

    @property
    def key(self) -> Key | None:
        """Return what the entry makes; nothing where it names no oid."""
        if not self.oid:
            return None
        # The entry that turns on row security has the table's oid and no catalog.
        return (self.catalog or RELATIONS, self.oid)


@dataclass(frozen=True)
class Step:
    """Lines that are restored in one go, and the table that is converted after them, if any."""

    entries: tuple[str, ...]
    converts: int | None


@dataclass(frozen=True)
class PostData:
    """What is made once the rows are there, the keys before the rest, `policies` last of all.

    `remade` are the source's indexes of converted tables that no entry can make: the dump says
    ONLY, or clusters the table by them. They are to be made before the rest. Under row security
    nothing can be read whole any more, views that are to be filled neither.
    """

    keys: tuple[str, ...]
    rest: tuple[str, ...]
    remade: tuple[int, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Something in the source: the table it belongs to, and entries that name it by text only."""

    relation: int
    kind: str
    timescale: bool = False
    texts: tuple[str, ...] = ()
    links: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """What the source holds, in the snapshot of the dump."""

    parts: Mapping[Key, Part]
    identities: Mapping[Key, str]


def read_catalog(connection: Connection) -> Catalog:
    """Read what the table of contents is to be understood by."""
    timescaledb = inventory.facts(connection).timescaledb is not None
    chunks = _text("chunks" if timescaledb else "no_chunks")
    parts = {
        (catalog, oid): Part(relation, kind, theirs, tuple(texts), tuple(map(_key, links)))
        for catalog, oid, relation, kind, theirs, texts, links in inventory.query(
            connection, "WITH " + _text("platform") + chunks + _text("dump_entries")
        )
    }
    return Catalog(parts, _identities(connection))


def read_present(connection: Connection) -> frozenset[str]:
    """Read what a target has of what the last entries of a dump make."""
    return frozenset(_identities(connection).values())


def entries(table_of_contents: str) -> tuple[Entry, ...]:
    """Take the lines of a table of contents apart."""
    return tuple(
        Entry(match[0], int(match[1]), int(match[2]), int(match[3]), match[4])
        for match in map(_ENTRY.match, table_of_contents.split("\n"))
        if match
    )


def pre_data(
    table_of_contents: str,
    catalog: Catalog,
    *,
    converted: Collection[int],
    absorbed: Collection[int],
    left_out: Collection[Key],
) -> tuple[Step, ...]:
    """Cut the entries after each converted table; the last step converts nothing.

    One that is left out as well is cut at, so that something else can be made in its place. The
    defaults of such a table and the sequences they need come before the cut: a dump sets them
    with ONLY, which no hypertable takes.
    """
    choice = _Choice(catalog, converted, absorbed, left_out)
    listed = entries(table_of_contents)
    kept = list(choice.kept(listed))
    restored = set(kept)
    early = _early_defaults(kept, catalog, converted)
    moved = {entry for group in early.values() for entry in group}
    steps: list[Step] = []
    lines: list[str] = []
    for entry in listed:
        if entry in moved:
            continue
        if entry in restored:
            lines.append(entry.line)
        if entry.catalog == RELATIONS and entry.oid in converted:
            lines += (other.line for other in early[entry.oid])
            steps.append(Step(tuple(lines), entry.oid))
            lines = []
    return (*steps, Step(tuple(lines), None))


def post_data(
    table_of_contents: str,
    catalog: Catalog,
    *,
    converted: Collection[int],
    absorbed: Collection[int],
    left_out: Collection[Key],
    present: Collection[str],
) -> PostData:
    """Part the keys from the rest, without what is present at the target."""
    choice = _Choice(catalog, converted, absorbed, left_out)
    kept = list(choice.kept(entries(table_of_contents)))
    # A view that groups by a primary key is made after that key, and its indexes after it.
    late = {
        entry.oid
        for entry in kept
        if entry.catalog == RELATIONS and not entry.text.startswith("INDEX ")
    }
    keys: list[str] = []
    rest: list[str] = []
    policies: list[str] = []
    remade = []
    others = rest
    for entry in kept:
        # A comment follows what it is on.
        if entry.key:
            others = policies if entry.text.startswith(_ROW_SECURITY) else rest
        part = catalog.parts.get(entry.key) if entry.key else None
        if entry.key and catalog.identities.get(entry.key) in present:
            continue
        if part and part.kind == "index of one table" and part.relation in converted:
            remade.append(entry.oid)
        elif entry.text.startswith(("INDEX ", "CONSTRAINT ")) and not (
            part and part.relation in late
        ):
            keys.append(entry.line)
        else:
            others.append(entry.line)
    return PostData(tuple(keys), tuple(rest), tuple(remade), tuple(policies))


@dataclass
class _Choice:
    """What of a dump is restored at all."""

    catalog: Catalog
    converted: Collection[int]
    absorbed: Collection[int]
    left_out: Collection[Key]
    named: dict[str, list[Key]] = field(init=False)

    def __post_init__(self) -> None:
        self.named = defaultdict(list)
        for key, part in self.catalog.parts.items():
            for text in part.texts:
                self.named[text].append(key)

    def kept(self, found: Collection[Entry]) -> Iterator[Entry]:
        """Yield the entries that are to be restored, as they stand."""
        before: Key | None = None
        for entry in found:
            if entry.key:
                before = entry.key
                gone = self._is_gone(entry.key)
            elif names := self.named.get(entry.text):
                # Two tables may print alike; then an entry too many fails, one too few does not.
                gone = all(self._is_gone_with(entry.text, key) for key in names)
            else:
                # Comments and rights come after what they are on.
                gone = before in self.left_out and before not in self.catalog.parts
            if not gone:
                yield entry

    def _is_gone_with(self, text: str, key: Key) -> bool:
        owner = self.catalog.parts[key].relation
        return self._is_gone(key) or (text.startswith(_OWNED_BY) and self._is_table_gone(owner))

    def _is_gone(self, key: Key) -> bool:
        part = self.catalog.parts.get(key)
        if key in self.left_out or part is None:
            return key in self.left_out
        if part.timescale:
            return True
        if part.kind in {"key", "foreign key"} and part.relation in self.converted:
            return True
        if part.kind == "sequence" and self._is_table_gone(part.relation):
            return all(self._is_gone(user) for user in part.links)
        return self._is_table_gone(part.relation)

    def _is_table_gone(self, oid: int) -> bool:
        table = self.catalog.parts.get((RELATIONS, oid))
        return (
            oid in self.absorbed
            or (RELATIONS, oid) in self.left_out
            or (table is not None and table.timescale)
        )


def _early_defaults(
    kept: Collection[Entry], catalog: Catalog, converted: Collection[int]
) -> Mapping[int, list[Entry]]:
    places = {entry.key: (place, entry) for place, entry in enumerate(kept) if entry.key}
    early: dict[int, list[Entry]] = defaultdict(list)
    taken: set[Entry] = set()
    for entry in kept:
        default = catalog.parts.get(entry.key) if entry.key else None
        if default is None or default.kind != "default" or default.relation not in converted:
            continue
        table = places.get((RELATIONS, default.relation))
        if table is None:
            continue
        later = {places[key] for key in default.links if key in places and places[key] > table}
        # A sequence needs nothing but its schema; a function may need the table.
        if all(_is_sequence(other, catalog) for _, other in later):
            for other in [*(other for _, other in sorted(later)), entry]:
                if other not in taken:
                    taken.add(other)
                    early[default.relation].append(other)
    return early


def _is_sequence(entry: Entry, catalog: Catalog) -> bool:
    part = catalog.parts.get(entry.key) if entry.key else None
    return part is not None and part.kind == "sequence"


def _identities(connection: Connection) -> dict[Key, str]:
    found = inventory.rows(connection, "dump_identities")
    return {(catalog, oid): identity for catalog, oid, identity in found}


def _key(pair: list[int]) -> Key:
    catalog, oid = pair
    return catalog, oid


def _text(name: str) -> LiteralString:
    # The files are part of the program, so their text is as literal as this line.
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
