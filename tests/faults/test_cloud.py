"""Transfers to hosted servers that are killed, cut, put to sleep, or do not verify."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.doubles import supabase_like
from tests.doubles.neon_like import NeonLike
from tests.doubles.supabase_like import SupabaseLike
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import (
    DIGEST,
    complaint,
    edited,
    ended,
    killed,
    started,
    wait_until,
)
from tests.fixtures.servers import Server
from tests.fixtures.transfers import newest

TO_SUPABASE = ("transfer", "--from", "source", "--to", "supabase", "--yes", "supabase")
TO_NEON = ("transfer", "--from", "source", "--to", "neon", "--yes", "neon", "--jobs", "1")
# One after the other, each by the command that goes on where the one before was killed.
POINTS = ("after-confirmed", "after-schema", "after-rows", "before-verified")
READABLE = """
SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
AND has_table_privilege('anon', c.oid, 'SELECT') AND c.relkind IN ('r', 'p')
"""
# The first table that is counted at the target has a row too many.
WRONG = """    def compare(self, expected, arrived):
        from dataclasses import replace
        first, *rest = arrived.tables
        more = replace(first, rows=first.rows + 1)
        return super().compare(expected, replace(arrived, tables=(more, *rest)))

    def discard(self"""
MISCOUNTED = {"infra/transfer/in_place.py": [("    def discard(self", WRONG)]}


@pytest.fixture
def fleet_is_the_source(stack: Checkout, fleet: Server) -> Iterator[Server]:
    with stack.having({**fleet.settings, "SOURCE_DB_NAME": "fleet"}):
        yield fleet


@pytest.fixture(scope="module")
def neon(stack: Checkout, neon: NeonLike) -> Iterator[NeonLike]:
    with stack.having(neon.settings):
        yield neon


@pytest.fixture(scope="module")
def supabase(stack: Checkout, supabase: SupabaseLike) -> Iterator[SupabaseLike]:
    with stack.having(supabase.settings):
        yield supabase


@pytest.fixture
def empty(supabase: SupabaseLike) -> SupabaseLike:
    """Return the server with nothing of its owner's in it."""
    with supabase.direct.connect() as connection:
        connection.execute(
            "DROP SCHEMA IF EXISTS slipway_stream, slipway_partitions CASCADE; "
            "DROP TABLE IF EXISTS public.quote, public.ledger CASCADE; "
            "DROP SEQUENCE IF EXISTS public.voyage CASCADE"
        )
    return supabase


def asked(double: SupabaseLike | NeonLike, query: str) -> list[tuple[object, ...]]:
    with double.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_load_in_place_that_is_killed_goes_on_and_shows_nothing_meanwhile(
    stack: Checkout, fleet_is_the_source: Server, empty: SupabaseLike
) -> None:
    for point in POINTS:
        killed(stack, point, *TO_SUPABASE)
        assert asked(empty, READABLE) == [(0,)], point
    killed(stack, "renaming", *TO_SUPABASE)
    output = stack.expect("status")

    assert "was verified and is finished" in output
    assert asked(empty, DIGEST) == fleet_is_the_source.execute(DIGEST, "fleet")
    assert asked(empty, "SELECT FROM pg_namespace WHERE nspname = 'slipway_stream'") == []
    stack.expect("verify", "source", "supabase")


def test_what_does_not_verify_is_removed_and_what_was_there_is_in_an_archive(
    stack: Checkout, fleet_is_the_source: Server, empty: SupabaseLike
) -> None:
    del fleet_is_the_source
    with empty.direct.connect() as connection:
        connection.execute("CREATE TABLE public.ledger AS SELECT 7 AS note")
    before = set(stack.archives)

    with edited(stack, MISCOUNTED):
        done = stack.invoke(*TO_SUPABASE, "--discard-previous")

    assert "what arrived differs from" in complaint(done, 8)
    (kept,) = set(stack.archives) - before
    assert f"archive {kept} has what was there" in done.stderr
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert asked(empty, tables) == []
    stack.expect(*TO_SUPABASE)


def test_a_transfer_killed_while_it_archives_leaves_what_is_there(
    stack: Checkout, fleet_is_the_source: Server, empty: SupabaseLike
) -> None:
    del fleet_is_the_source
    with empty.direct.connect() as connection:
        connection.execute("CREATE TABLE public.ledger AS SELECT 7 AS note")

    killed(stack, "after-dumped", *TO_SUPABASE, "--discard-previous")
    output = stack.expect("status")

    assert asked(empty, "SELECT note FROM public.ledger") == [(7,)]
    assert "left nothing behind" in output
    stack.expect(*TO_SUPABASE, "--discard-previous")


def test_a_target_that_falls_asleep_is_woken_and_the_transfer_goes_on(
    stack: Checkout, fleet_is_the_source: Server, neon: NeonLike
) -> None:
    with started(stack, *TO_NEON) as process:
        wait_until(lambda: newest(stack, "journal").get("state") == "schema")
        neon.sleep(refusals=2)
        done = ended(process)

    assert done.returncode == 0, done.stderr
    assert "trying again" in done.stdout + done.stderr
    assert asked(neon, DIGEST) == fleet_is_the_source.execute(DIGEST, "fleet")
    stack.expect("verify", "source", "neon")


def test_a_refused_password_ends_the_transfer_without_another_try(
    stack: Checkout, fleet_is_the_source: Server, empty: SupabaseLike
) -> None:
    del fleet_is_the_source, empty
    with stack.having({"SUPABASE_DB_PASSWORD": "wrong"}):
        done = stack.invoke(*TO_SUPABASE)

    complaint(done, 6)
    assert "SUPABASE_DB_PASSWORD" in done.stderr
    assert "trying again" not in done.stdout + done.stderr


@pytest.mark.parametrize(("origin", "to"), [("source", "neon"), ("neon", "local")])
def test_a_pooler_that_shares_sessions_is_refused_at_either_end(
    stack: Checkout, fleet_is_the_source: Server, neon: NeonLike, origin: str, to: str
) -> None:
    del fleet_is_the_source
    with stack.having({"NEON_DB_PORT": str(neon.pool_port)}):
        done = stack.invoke("transfer", "--from", origin, "--to", to, "--yes", to)

    assert "pooler" in complaint(done, 2)
    assert "NEON_DB_HOST" in done.stderr


def test_the_session_poolers_places_are_not_exhausted(
    stack: Checkout, fleet_is_the_source: Server, empty: SupabaseLike
) -> None:
    del fleet_is_the_source
    most = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal most
        with empty.connect() as connection:
            while not stop.is_set():
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres'"
                ).fetchone()
                most = max(most, int(str(row[0])) if row else 0)
                time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output = stack.expect(*TO_SUPABASE, "--jobs", "16")
    finally:
        stop.set()
        watcher.join()

    assert "--jobs becomes 5" in output
    # With all places taken the pooler would let a client wait.
    assert 0 < most < supabase_like.SESSION_PLACES
