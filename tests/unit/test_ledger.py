from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from psycopg import sql

from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable
from infra.transfer.stream import ledger
from infra.transfer.stream.units import Unit

TABLE = LogicalTable(1, "s", "t", "table", ("s", "t"), (), ())


class Staging:
    """A connection that notes its statements, and which of them are one transaction."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.said.append("BEGIN")
        yield
        self.said.append("COMMIT")

    def execute(self, statement: str | sql.Composable, values: list[object] | None = None) -> None:
        text = statement.as_string() if isinstance(statement, sql.Composable) else statement
        self.said.append(text if values is None else f"{text} {values}")


@pytest.mark.parametrize(("rows", "digest"), [(3, 2**80), (0, 0)])
def test_a_unit_is_noted_with_rows_and_digest_and_again_when_it_comes_again(
    rows: int, digest: int
) -> None:
    unit = Unit("s\x1fit's\x1f\x1f0", TABLE, "", (), True, rows, digest, 100)

    statement = ledger.note(unit).as_string()
    assert f" VALUES ('s\x1fit''s\x1f\x1f0', {rows}, {digest}) ON CONFLICT (key) " in statement
    assert statement.endswith(" DO UPDATE SET rows = excluded.rows, digest = excluded.digest")


def test_a_table_is_emptied_and_forgotten_in_one_transaction() -> None:
    staging = Staging()

    ledger.forget(cast("Connection", staging), sql.Identifier("s", 'o"dd'), ["a", "b"])

    assert staging.said == [
        "BEGIN",
        'TRUNCATE "s"."o""dd"',
        "DELETE FROM slipway_stream.unit WHERE key = ANY(%s) [['a', 'b']]",
        "COMMIT",
    ]


def test_the_ledger_is_there_as_a_whole_or_not_at_all() -> None:
    staging = Staging()

    ledger.begin(cast("Connection", staging), {"width": "day"})

    first, tables, origin, last = staging.said
    assert (first, last) == ("BEGIN", "COMMIT")
    assert tables.count("CREATE TABLE slipway_stream.") == 2
    assert origin.endswith("""(%s::pg_catalog.jsonb) ['{"width": "day"}']""")
