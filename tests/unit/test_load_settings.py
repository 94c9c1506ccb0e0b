from __future__ import annotations

from typing import Self, cast

import pytest
from psycopg import sql

from infra.postgres import load_settings
from infra.postgres.connection import Connection

# What a server of version 16 says, which cannot summarize its log.
KNOWN = {"wal_level": None, "max_wal_senders": "5", "max_wal_size": "it's", "autovacuum": None}


class Server:
    """A connection that notes its statements and gives one answer."""

    def __init__(self, *answer: object) -> None:
        self.answer = answer
        self.said: list[str] = []

    def execute(self, statement: str | sql.Composable, values: object = None) -> Self:
        del values
        text = statement.as_string() if isinstance(statement, sql.Composable) else statement
        self.said.append(text)
        return self

    def fetchall(self) -> list[tuple[object, ...]]:
        return [self.answer]


def test_those_that_the_server_knows_are_written_down() -> None:
    server = Server()

    load_settings.apply(cast("Connection", server), KNOWN)

    assert server.said == [
        """ALTER SYSTEM SET "wal_level" = 'minimal'""",
        """ALTER SYSTEM SET "max_wal_senders" = '0'""",
        """ALTER SYSTEM SET "max_wal_size" = '4GB'""",
        """ALTER SYSTEM SET "autovacuum" = 'off'""",
    ]


def test_each_becomes_what_it_was_before() -> None:
    server = Server()

    load_settings.restore(cast("Connection", server), KNOWN)

    assert server.said == [
        'ALTER SYSTEM RESET "wal_level"',
        """ALTER SYSTEM SET "max_wal_senders" = '5'""",
        """ALTER SYSTEM SET "max_wal_size" = 'it''s'""",
        'ALTER SYSTEM RESET "autovacuum"',
    ]


@pytest.mark.parametrize(("level", "loading"), [("minimal", True), ("replica", False)])
def test_a_server_that_keeps_no_log_of_new_rows_is_loading(level: str, *, loading: bool) -> None:
    assert load_settings.in_force(cast("Connection", Server(level))) is loading


def test_no_setting_gives_up_what_a_crash_needs() -> None:
    assert not load_settings.SETTINGS.keys() & {"fsync", "full_page_writes", "synchronous_commit"}
    # A server with senders does not start without a log for them.
    assert load_settings.SETTINGS["max_wal_senders"] == "0"
