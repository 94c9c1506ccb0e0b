"""Failed connections are told apart by behaviour, on a real server."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg
import pytest

from backend.causes import Explanation
from backend.config import Endpoint, Secret
from backend.reachability import diagnose
from tests.fixtures.servers import Server


@pytest.fixture
def endpoint(server: Server) -> Endpoint:
    password = Secret(server.password)
    return Endpoint("source", "admin", "127.0.0.1", server.port, "postgres", "postgres", password)


def failure(endpoint: Endpoint) -> Explanation:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(**endpoint.conninfo())
    return diagnose(endpoint, caught.value)


def test_each_cause_has_a_name_of_its_own(endpoint: Endpoint) -> None:
    causes = {
        "unknown host": replace(endpoint, host="no-such-host.invalid"),
        "no answer": replace(endpoint, port=1),
        "no database": replace(endpoint, database="nowhere"),
        "refused": replace(endpoint, password=Secret("wrong")),
        "no tls": replace(endpoint, sslmode="require"),
    }

    assert {name: failure(broken).cause for name, broken in causes.items()} == {
        name: name for name in causes
    }


def test_a_missing_database_comes_with_those_that_are_there(endpoint: Endpoint) -> None:
    hint = failure(replace(endpoint, database="nowhere")).hint

    assert re.match(r"Databases there: .*\bpostgres\b.* Set SOURCE_DB_NAME in \.env\.", hint)


def test_an_unknown_role_is_refused_like_a_wrong_password(endpoint: Endpoint) -> None:
    assert failure(replace(endpoint, user="nobody")).cause == "refused"
