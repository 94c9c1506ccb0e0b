"""Continuous aggregates, whose stored rows go into a table that a view of the same name shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from infra.postgres.relations import LogicalTable
from infra.transfer.align import STORED

_LONGEST_NAME = 63


@dataclass(frozen=True)
class Aggregate:
    """A continuous aggregate: its view's oid and the query that its rows are the result of."""

    schema: str
    name: str
    view: int
    definition: str
    taken: bool

    @property
    def table(self) -> sql.Identifier:
        """Return the table that its rows go into."""
        return sql.Identifier(self.schema, self.name + STORED)

    @property
    def problem(self) -> str | None:
        """Say why it cannot become a table and a view; None where it can."""
        if self.taken or len((self.name + STORED).encode()) > _LONGEST_NAME:
            return f"there is no room for a table named {self.name + STORED!r}"
        return None

    @property
    def refresh(self) -> str:
        """Write the statements that bring the table up to date where TimescaleDB's functions are.

        Elsewhere `date_bin` does what `time_bucket` did.
        """
        table, query = self.table.as_string(), " ".join(self.definition.split())
        return "; ".join(["BEGIN", f"TRUNCATE {table}", f"INSERT INTO {table} {query}", "COMMIT"])


def read(connection: Connection) -> dict[tuple[str, str], Aggregate]:
    """Read all continuous aggregates, by schema and name."""
    if not inventory.exists(connection, "timescaledb_information.continuous_aggregates"):
        return {}
    found = [Aggregate(*row) for row in inventory.rows(connection, "stream/aggregates", STORED)]
    return {(aggregate.schema, aggregate.name): aggregate for aggregate in found}


class AsTable:
    """A table with an aggregate's rows, and the view over it."""

    def __init__(self, table: LogicalTable, aggregate: Aggregate) -> None:
        self.table = table
        self.root = aggregate.table

    def convert(self, connection: Connection) -> None:
        """Make both, while nothing depends on the view yet."""
        with connection.transaction():
            columns = ", ".join(
                f"{sql.Identifier(column.name).as_string()} {column.type}"
                for column in self.table.columns
            )
            # Types are written as the source's server writes them.
            connection.execute(f"CREATE TABLE {self.root.as_string()} ({columns})".encode())
            connection.execute(
                sql.SQL("CREATE VIEW {} AS SELECT * FROM {}").format(
                    sql.Identifier(self.table.schema, self.table.name), self.root
                )
            )

    def finish(self, connection: Connection) -> None:
        """Nothing is left to do."""

    def places(self, connection: Connection) -> Mapping[str, sql.Identifier]:
        """No part lies by itself."""
        del connection
        return {}
