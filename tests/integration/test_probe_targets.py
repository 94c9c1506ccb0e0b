"""The whole answers of a probe of servers with the manners of Neon and of Supabase."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from infra import probing, settings
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import ConfigurationError, TargetError
from infra.probing import Probed
from infra.process import SubprocessRunner
from tests.doubles.neon_like import NeonLike
from tests.doubles.server import Connection
from tests.doubles.supabase_like import SupabaseLike
from tests.fixtures.checkout import ROOT

VERSION = "17."
ALL_ON_TABLES = "DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE"


def probe(name: str, values: dict[str, str]) -> Probed:
    runner = SubprocessRunner()
    engine = Engine(runner)
    # No stack of that name runs.
    project = {"COMPOSE_PROJECT_NAME": f"slipway-test-{secrets.token_hex(4)}"}
    configured = settings.load(ROOT, {**os.environ, **project, **values})
    return probing.probe(
        configured, engine, ClientTools(runner, engine, configured.images.tools), name
    )


def answers(found: Probed, role: str) -> dict[str, Any]:
    """Return what is known of an endpoint, but for what differs from one server to the next."""
    known: dict[str, Any] = json.loads(json.dumps(found.as_json()))["endpoints"][role]
    assert known["server"].pop("version").startswith(VERSION)
    assert known["server"].pop("size") > 1_000_000
    assert 0 < known["server"].pop("used_connections") < 15
    extensions = {extension["name"]: extension for extension in known.pop("extensions")}
    known["vector"] = extensions["vector"]
    known["timescaledb"] = extensions.get("timescaledb")
    known["notes"] = [note for note in known["notes"] if not note.startswith("the database has")]
    return known


def reached(host: str, ca: Path) -> dict[str, Any]:
    return {
        "addresses": [{"family": "IPv4", "address": host, "error": None}],
        "containers": {"network": "bridge", "addresses": [{"address": host, "error": None}]},
        "admitted": True,
        "tls": {
            "sslmode": "verify-full",
            "trust": str(ca),
            "offered": True,
            "problem": None,
            "issuer": "Slipway test servers",
            "names": [host, "localhost"],
            "expires": "3000-01-01T00:00:00+00:00",
        },
    }


NEON_SERVER = {
    "replica": False,
    "read_only": False,
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "5min",
    "transaction_timeout": "0",
    "max_connections": 104,
    "role_limit": None,
    "timescaledb_edition": None,
}
NEON_ROLE = {
    "name": "neondb_owner",
    "superuser": False,
    "creates_databases": True,
    "creates_roles": True,
    "bypasses_row_security": True,
    "replicates": True,
    "owns_database": True,
    "creates_schemas": True,
    "creates_in_public": True,
    "signals_backends": True,
    "sets_session_replication_role": False,
    "renames_databases": True,
}
SHARED_SESSIONS = [
    "each transaction gets another session: use SET LOCAL, and no LISTEN",
    "what one client SETs is found by the next one",
]
NO_OPTIONS = "settings given at login (options) are refused or ignored"


def test_a_neon_like_server_is_known_as_it_is(neon: NeonLike) -> None:
    found = probe("neon", neon.settings)

    admin, app = answers(found, "admin"), answers(found, "app")
    assert 80 < admin["server"].pop("room") <= 97
    assert 80 < app["server"].pop("room") <= 97
    same = {
        **reached(neon.host, neon.ca),
        "server": NEON_SERVER,
        "role": NEON_ROLE,
        "vector": {"name": "vector", "default": "0.8.0", "installed": None},
        "timescaledb": {"name": "timescaledb", "default": "2.19.3", "installed": None},
        "default_grants": [],
        "readable_by_anon": [],
    }
    assert admin == same | {
        "address": f"neondb_owner@{neon.host}:{neon.port}/neondb",
        "pooling": "direct",
        "startup_options": True,
        "set_leaks": False,
        "prepared_statements": True,
        "notes": [],
    }
    assert app == same | {
        "address": f"neondb_owner@{neon.host}:{neon.pool_port}/neondb",
        "pooling": "transaction",
        "startup_options": False,
        "set_leaks": True,
        "prepared_statements": True,
        "notes": [*SHARED_SESSIONS, NO_OPTIONS],
    }
    assert found.problems == ()
    found.require()


SUPABASE_SERVER = {
    "replica": False,
    "read_only": False,
    "statement_timeout": "2min",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "max_connections": 60,
    "role_limit": None,
    "timescaledb_edition": None,
}
SUPABASE_ROLE = NEON_ROLE | {
    "name": "postgres",
    "sets_session_replication_role": True,
    "renames_databases": False,
}
SUPABASE_NOTES = [
    "a statement ends after 2min where its session sets no limit",
    "no TimescaleDB is offered: hypertables become partitioned tables",
    "tables made in public are open to anon and authenticated, the roles of the Data API",
    "anybody can read over the Data API: public.exposed",
]


def test_a_supabase_like_server_is_known_as_it_is(supabase: SupabaseLike) -> None:
    with supabase.connect() as connection:
        make_tables(connection)

    found = probe("supabase", supabase.settings)

    admin, app = answers(found, "admin"), answers(found, "app")
    for known in (admin, app):
        assert 30 < known["server"].pop("room") <= 57
        assert {"storage.buckets", "public.exposed"} <= set(known.pop("readable_by_anon"))
        grants = known.pop("default_grants")
        assert {
            "grantee": "anon",
            "schema": "public",
            "owner": "postgres",
            "objects": "tables",
            "privileges": ALL_ON_TABLES,
        } in grants
        assert {grant["grantee"] for grant in grants} == {"anon", "authenticated"}
    same = {
        **reached(supabase.host, supabase.ca),
        "server": SUPABASE_SERVER,
        "role": SUPABASE_ROLE,
        "timescaledb": None,
        "vector": {"name": "vector", "default": "0.8.0", "installed": None},
        "startup_options": False,
    }
    assert admin == same | {
        "address": f"{supabase.pool_user}@{supabase.host}:{supabase.port}/postgres",
        "pooling": "session",
        "set_leaks": False,
        "prepared_statements": True,
        "notes": [NO_OPTIONS, *SUPABASE_NOTES],
    }
    assert app == same | {
        "address": f"{supabase.pool_user}@{supabase.host}:{supabase.pool_port}/postgres",
        "pooling": "transaction",
        "set_leaks": True,
        "prepared_statements": False,
        "notes": [
            *SHARED_SESSIONS,
            "statements that a driver prepares are lost: prepare_threshold=None, as backend has",
            NO_OPTIONS,
            *SUPABASE_NOTES,
        ],
    }
    assert found.problems == ()


def make_tables(connection: Connection) -> None:
    """Make a table that anybody can read, and one whose rows are hidden."""
    connection.execute("SET ROLE postgres")
    connection.execute("CREATE TABLE public.exposed ()")
    connection.execute("CREATE TABLE public.hidden ()")
    connection.execute("ALTER TABLE public.hidden ENABLE ROW LEVEL SECURITY")


def test_a_pooled_admin_endpoint_is_refused_with_the_direct_one_proposed(
    supabase: SupabaseLike,
) -> None:
    values = supabase.settings | {"SUPABASE_DB_PORT": str(supabase.pool_port)}

    found = probe("supabase", values)

    with pytest.raises(ConfigurationError, match="SUPABASE_DB_HOST leads to a pooler") as caught:
        found.require()
    assert "set SUPABASE_DB_PORT=5432 in .env" in caught.value.hint


def test_an_address_that_only_this_machine_has_is_no_place_for_the_stack(
    neon: NeonLike,
) -> None:
    found = probe("neon", neon.settings | {"NEON_DB_HOST": "127.0.0.1"})

    # The certificate is made out for localhost, not for its address.
    with pytest.raises(TargetError, match="made out for"):
        found.require()

    found = probe("neon", neon.settings | {"NEON_DB_HOST": "localhost"})

    found.require()
    (problem,) = found.problems
    assert problem.containers
    assert "nothing answers containers" in problem.error.message
    with pytest.raises(TargetError):
        found.require_all()


def test_a_database_that_slept_is_probed_awake(neon: NeonLike) -> None:
    neon.sleep(refusals=1)

    found = probe("neon", neon.settings)

    assert found.problems == ()


def test_a_target_without_settings_is_the_users_error() -> None:
    with pytest.raises(ConfigurationError, match="target neon"):
        probe("neon", {"NEON_DB_HOST": ""})
