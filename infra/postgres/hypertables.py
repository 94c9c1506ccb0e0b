"""What TimescaleDB keeps in a database, read from its catalog whatever its version."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.inventory import Extension

# From the first of these on a batch of nothing but NULL is dumped as one byte, and only the release
# after the second can read that back.
_NULL_BATCHES = ((2, 19, 0), (2, 20, 0))
# One byte and its header. Any other batch holds far more.
_NULL_BATCH_BYTES = 5
_FINALIZED_FORMAT = (2, 7, 0)


@dataclass(frozen=True)
class Hypertables:
    """TimescaleDB's part of a survey.

    `edition` is "apache" or "timescale"; `compressed` counts compressed chunks by hypertable;
    `elsewhere` are hypertables with chunks on other servers; `null_batches` are chunks that
    TimescaleDB 2.19.0 to 2.20.0 dumps and cannot restore; `orphaned_column_stats` counts rows of
    chunk 0, which 2.16 to 2.20.2 leave behind; `root_rows` counts rows that lie in a hypertable's
    root, where no query sees them.
    """

    version: str
    schema: str
    edition: str | None
    names: tuple[str, ...]
    chunks: int
    elsewhere: tuple[str, ...]
    compressed: Mapping[str, int]
    compressed_rows: int
    continuous_aggregates: tuple[str, ...]
    old_continuous_aggregates: tuple[str, ...]
    jobs: tuple[str, ...]
    job_owners: tuple[str, ...]
    tablespaces: tuple[str, ...]
    null_batches: tuple[str, ...]
    orphaned_column_stats: int
    root_rows: Mapping[str, int]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Hypertables:
        """Read this part of a survey from its JSON."""
        lists = {name: tuple(found) for name, found in value.items() if isinstance(found, list)}
        return cls(**dict(value) | lists)


@dataclass(frozen=True)
class Storage:
    """Which relations hold the rows of hypertables, by their oids.

    `roots` gives each hypertable's name, for one that keeps an aggregate's rows the aggregate's;
    `compressed` gives for each relation with compressed rows its hypertable; `internal` are the
    roots of those relations, which hold nothing themselves.
    """

    roots: Mapping[int, str]
    compressed: Mapping[int, int]
    internal: Sequence[int]


NOTHING = Storage({}, {}, ())


class _Chunk(NamedTuple):
    number: int
    hypertable: int
    oid: int
    name: str
    foreign: bool
    compressed: int | None


def read(connection: Connection, extension: Extension) -> tuple[Hypertables, Storage]:
    """Read what hypertables, chunks, aggregates and jobs there are, and where rows lie."""
    version = version_number(extension.version)
    aggregates = inventory.rows(connection, "survey/continuous_aggregates")
    aggregate_of = {number: name for name, number, _ in aggregates}
    found = inventory.rows(connection, "survey/hypertables")
    names = {number: aggregate_of.get(number, name) for number, _, name, _ in found}
    roots = {oid: names[number] for number, oid, _, _ in found}
    chunks = [_Chunk(*row) for row in inventory.rows(connection, "survey/chunks")]
    own = {chunk.oid: chunk for chunk in chunks if chunk.hypertable in names}
    compressed = {
        relation: own[chunk]
        for relation, chunk in _compressed(connection, chunks).items()
        if chunk in own
    }
    elsewhere = {names[number] for number, _, _, distributed in found if distributed}
    elsewhere |= {names[chunk.hypertable] for chunk in own.values() if chunk.foreign}
    jobs = _jobs(connection, names)
    damaged = _NULL_BATCHES[0] <= version <= _NULL_BATCHES[1]
    hypertables = Hypertables(
        version=extension.version,
        schema=extension.schema,
        edition=_edition(connection),
        names=tuple(name for number, name in names.items() if number not in aggregate_of),
        chunks=sum(chunk.hypertable not in aggregate_of for chunk in own.values()),
        elsewhere=tuple(sorted(elsewhere)),
        compressed=dict(
            sorted(Counter(names[chunk.hypertable] for chunk in compressed.values()).items())
        ),
        compressed_rows=inventory.rows(connection, "survey/compressed_rows")[0][0],
        continuous_aggregates=tuple(name for name, _, _ in aggregates),
        old_continuous_aggregates=tuple(
            name
            for name, _, finalized in aggregates
            if not (version >= _FINALIZED_FORMAT if finalized is None else finalized)
        ),
        jobs=tuple(description for description, _ in jobs),
        job_owners=tuple(sorted({owner for _, owner in jobs if owner})),
        tablespaces=tuple(
            f"{tablespace} of {names[number]}"
            for tablespace, number in inventory.rows(connection, "survey/hypertable_tablespaces")
            if number in names
        ),
        null_batches=_null_batches(connection, compressed) if damaged else (),
        orphaned_column_stats=_orphaned_column_stats(connection),
        root_rows=_root_rows(connection, roots),
    )
    root_of = {number: oid for number, oid, _, _ in found}
    storage = Storage(
        roots,
        {relation: root_of[chunk.hypertable] for relation, chunk in compressed.items()},
        [oid for (oid,) in inventory.rows(connection, "survey/compressed_hypertables")],
    )
    return hypertables, storage


def version_number(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what follows them, as in 2.19.3-dev."""
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("-")[0]))


def _edition(connection: Connection) -> str | None:
    query: LiteralString = "SELECT pg_catalog.current_setting('timescaledb.license', true)"
    edition = inventory.query(connection, query)[0][0]
    return None if edition is None else str(edition)


def _compressed(connection: Connection, chunks: Sequence[_Chunk]) -> dict[int, int]:
    """Return for each relation with compressed rows the chunk whose rows they are."""
    relation_of = {chunk.number: chunk.oid for chunk in chunks}
    found = {
        relation_of[chunk.compressed]: chunk.oid
        for chunk in chunks
        if chunk.compressed in relation_of
    }
    if inventory.exists(connection, "_timescaledb_catalog.compression_settings"):
        rows = inventory.rows(connection, "survey/compressed_chunks")
        found |= {relation: chunk for chunk, relation in rows}
    return found


def _jobs(connection: Connection, names: Mapping[int, str]) -> list[tuple[str, str | None]]:
    """Describe the jobs that somebody added, each with its owner."""
    # The table moved to another schema in TimescaleDB 2.25.
    schema = "_timescaledb_catalog"
    if inventory.exists(connection, "_timescaledb_config.bgw_job"):
        schema = "_timescaledb_config"
    # An owner is a quoted name, or before 2.11 a plain one.
    query = sql.SQL(
        "SELECT j.id, COALESCE(j.job ->> 'proc_name', j.job ->> 'job_type'), "
        "(j.job ->> 'hypertable_id')::pg_catalog.int4, COALESCE(r.rolname, j.job ->> 'owner') "
        "FROM (SELECT b.id, pg_catalog.to_jsonb(b) FROM {} b WHERE b.id >= 1000) j (id, job) "
        "LEFT JOIN pg_catalog.pg_roles r ON j.job ->> 'owner' "
        "IN (r.rolname, pg_catalog.quote_ident(r.rolname)) ORDER BY j.id"
    ).format(sql.Identifier(schema, "bgw_job"))
    return [
        (f"{number} {procedure}" + (f" on {names[table]}" if table in names else ""), owner)
        for number, procedure, table, owner in connection.execute(query).fetchall()
    ]


def _null_batches(connection: Connection, compressed: Mapping[int, _Chunk]) -> tuple[str, ...]:
    """Name the chunks with a batch in which a column holds nothing but NULL."""
    conditions: dict[tuple[int, str, str], list[sql.Composable]] = defaultdict(list)
    for oid, schema, relation, column in inventory.rows(
        connection, "survey/compressed_columns", list(compressed)
    ):
        # The size is known without unpacking the batch, in either edition.
        conditions[oid, schema, relation].append(
            sql.SQL("pg_catalog.pg_column_size({}) <= {}").format(
                sql.Identifier(column), sql.Literal(_NULL_BATCH_BYTES)
            )
        )
    found = []
    for (oid, schema, relation), tests in conditions.items():
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(
            sql.Identifier(schema, relation), sql.SQL(" OR ").join(tests)
        )
        row = connection.execute(query).fetchone()
        if row and row[0]:
            found.append(compressed[oid].name)
    return tuple(found)


def _orphaned_column_stats(connection: Connection) -> int:
    if not inventory.exists(connection, "_timescaledb_catalog.chunk_column_stats"):
        return 0
    query: LiteralString = (
        "SELECT pg_catalog.count(*) FROM _timescaledb_catalog.chunk_column_stats WHERE chunk_id = 0"
    )
    return int(inventory.query(connection, query)[0][0])


def _root_rows(connection: Connection, roots: Mapping[int, str]) -> dict[str, int]:
    counted = {}
    for oid, schema, name in inventory.rows(connection, "survey/filled_roots", list(roots)):
        # As a dump reads it: newer versions answer a query of the root alone with nothing.
        command = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, name))
        with connection.cursor().copy(command) as copy:
            rows = sum(1 for _ in copy)
        if rows:
            counted[roots[oid]] = rows
    return counted
