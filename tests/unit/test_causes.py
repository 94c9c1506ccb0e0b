"""What vendors' texts are taken for, and how that is said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.causes import Cause, said, variable, word
from backend.config import Endpoint, Secret
from backend.login_causes import (
    ENDED,
    LOGIN_CAUSES,
    LOST,
    NO_ANSWER,
    NOT_ADMITTED,
    REFUSED,
    TLS_CAUSES,
    UNKNOWN_HOST,
)
from backend.reachability import another_try, explain
from backend.statement_causes import READ_ONLY_CAUSES, STATEMENT_CAUSES
from tests.unit.test_errors import HINT_START, MESSAGE_START

NEON = Endpoint(
    "neon", "admin", "ep-x-pooler.neon.tech", 5432, "market", "shop", Secret("hunter2-hunter2")
)
SUPABASE = replace(NEON, target="supabase", host="aws-0-eu.pooler.supabase.com", port=6543)
LOCAL = replace(NEON, target="local", host="127.0.0.1")
SOURCE = replace(NEON, target="source", host="127.0.0.1")

# What servers, and the proxies before them, answer a login with.
LOGINS = {
    "unknown tenant": [
        "FATAL:  Tenant or user not found",
        "FATAL:  (ENOTFOUND) tenant/user postgres.abc not found",
        "FATAL:  (ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname…)",
    ],
    "no database behind the pooler": [
        "FATAL:  (ECIRCUITBREAKER) Failed to retrieve database credentials",
        "FATAL:  (ECIRCUITBREAKER) Unable to establish connection to upstream database",
        "FATAL:  (EAUTHQUERY) auth_query connection failed",
        "FATAL:  (EAUTHQUERY) authentication query failed: connection to database not available",
    ],
    "banned": [
        "FATAL:  Circuit breaker open",
        "FATAL:  (ECIRCUITBREAKER) too many authentication failures, new connections are …",
        "FATAL:  (ECIRCUITBREAKER) Too many authentication errors",
        "FATAL:  (EBANNED) tenant is banned: abuse",
    ],
    "full session pool": [
        "FATAL:  MaxClientsInSessionMode: max clients reached - in Session mode max clients are …",
        "FATAL:  (EMAXCLIENTSESSION) max clients reached in session mode - max clients are …: 15",
    ],
    "no connection left": [
        "FATAL:  sorry, too many clients already",
        'FATAL:  too many connections for role "shop"',
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "FATAL:  no more connections allowed (max_client_conn)",
        "FATAL:  (EMAXCLIENTCONN) max client connections reached, limit: 200",
        "ERROR:  Too many connections to this endpoint. Please try again later.",
        "ERROR:  Failed to acquire permit to connect to the database. Too many database …",
    ],
    "asked for GSSAPI": ["received invalid response to GSSAPI negotiation: S"],
    "no plaintext": [
        'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL off',
        'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption',
        "FATAL:  (ESSLREQUIRED) SSL connection is required for user: postgres",
        "ERROR:  connection is insecure (try using `sslmode=require`)",
    ],
    "no tls": ["server does not support SSL, but SSL was required"],
    "no trust file": [
        'root certificate file "/ca.pem" does not exist\nEither provide the file, …',
        'could not read root certificate file "/ca.pem": no certificate or crl found',
    ],
    "wrong name": [
        'server certificate for "a.example" does not match host name "b.example"',
        'server certificate for "a.example" (and 2 other names) does not match host name "b"',
    ],
    "untrusted certificate": [
        "SSL error: certificate verify failed",
        "self-signed certificate in certificate chain",
    ],
    "endpoint not named": [
        "ERROR:  Endpoint ID is not specified. Either please upgrade the postgres client library …",
    ],
    "no such endpoint": [
        "ERROR:  The requested endpoint could not be found, or you don't have access to it.",
    ],
    "quota": [
        "ERROR:  Your account or project has exceeded the compute time quota. Upgrade your plan …",
        "ERROR:  Your project has exceeded the data transfer quota.",
    ],
    "address not allowed": [
        "ERROR:  This IP address 1.2.3.4 is not allowed to connect to this endpoint.",
        "FATAL:  (EADDRNOTALLOWED) address not in tenant allow_list: {1, 2, 3, 4}",
    ],
    "no rule for this host": [
        'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL encryption',
        'FATAL:  pg_hba.conf rejects connection for host "1.2.3.4", user "u", database "d"',
    ],
    "no IPv6": ["Network is unreachable\n\tIs the server running on that host?"],
    "timed out": ["timeout expired"],
    "startup parameter": [
        "FATAL:  unsupported startup parameter in options: statement_timeout",
        "FATAL:  unsupported startup parameter: search_path",
        "ERROR:  unsupported startup parameter in options: a.b. Please use unpooled connection …",
    ],
    "asleep": [
        "ERROR:  Couldn't connect to compute node",
        "ERROR:  Control plane request failed",
    ],
    "starting": [
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is not accepting connections",
    ],
    "no database": [
        'FATAL:  database "market" does not exist',
        "FATAL:  no such database: market",
    ],
    "refused": [
        'FATAL:  password authentication failed for user "shop"',
        "ERROR:  password authentication failed for user 'shop'",
        "FATAL:  SASL authentication failed",
        'FATAL:  role "shop" does not exist',
        'FATAL:  role "shop" is not permitted to log in',
        'FATAL:  permission denied for database "market"',
        "FATAL:  (EAUTHQUERY) user not found in the database",
    ],
}
# SQLSTATE and text of refused statements; without a code there is no connection any more.
STATEMENTS: dict[str, list[tuple[str | None, str]]] = {
    "read-only": [("25006", "cannot execute INSERT in a read-only transaction")],
    "statement timeout": [("57014", "canceling statement due to statement timeout")],
    "replica role": [("42501", 'permission denied to set parameter "session_replication_role"')],
    "timescaledb catalog": [
        ("42501", 'permission denied to set parameter "timescaledb.restoring"')
    ],
    "superuser setting": [("42501", 'permission denied to set parameter "log_statement"')],
    "default privileges": [("42501", "permission denied to change default privileges")],
    "extension owner": [("42501", "must be owner of extension pg_trgm")],
    "apache edition": [
        ("0A000", 'functionality not supported under the current "apache" license. Learn more at …')
    ],
    "prepared statement lost": [("26000", 'prepared statement "_pg3_0" does not exist')],
    "prepared statement of another": [("42P05", 'prepared statement "_pg3_0" already exists')],
    "settings refused": [
        ("XX000", "(ESETNOTALLOWED) session-level SET statements are not allowed in transaction …")
    ],
    "empty search_path": [("42P01", 'relation "orders" does not exist')],
    "newer client tools": [
        ("42704", 'unrecognized configuration parameter "transaction_timeout"'),
    ],
    "no connection left": [("53300", "sorry, too many clients already")],
    "ended by the server": [
        ("57P01", "terminating connection due to administrator command"),
        (None, "SSL connection has been closed unexpectedly"),
    ],
    "connection lost": [
        (None, "consuming input failed: SSL SYSCALL error: EOF detected"),
        (None, "server closed the connection unexpectedly\n\tThis probably means …"),
        (None, "the connection is lost"),
    ],
}
# Another try may succeed after these, and never after any other.
PASSING = {
    "full session pool",
    "no connection left",
    "asleep",
    "starting",
    "timed out",
    "ended by the server",
    "connection lost",
}


def failed(text: str) -> str:
    """Return a text as libpq gives it, with the address that was tried before it."""
    return f'connection to server at "ep-x" (2001:db8::1), port 5432 failed: {text}'


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in LOGINS.items() for text in texts]
)
def test_a_refused_login_is_told_by_its_text(name: str, text: str) -> None:
    found = explain(NEON, failed(text))

    assert found is not None
    assert (found.cause, found.passing) == (name, name in PASSING)


@pytest.mark.parametrize(
    ("name", "state", "text"),
    [(name, *pair) for name, pairs in STATEMENTS.items() for pair in pairs],
)
def test_a_refused_statement_is_told_by_code_and_text(
    name: str, state: str | None, text: str
) -> None:
    found = explain(NEON, text, state)

    assert found is not None
    assert (found.cause, found.passing) == (name, name in PASSING)
    # psql and pg_restore print no code.
    assert explain(NEON, f"pg_restore: error: could not execute query: ERROR:  {text}") == found


def test_every_cause_with_a_sign_has_a_text_here() -> None:
    logins = {cause.name for cause in LOGIN_CAUSES}

    assert set(LOGINS) | {ENDED.name, LOST.name} == logins
    assert set(STATEMENTS) == {cause.name for cause in STATEMENT_CAUSES}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("42501", 'permission denied for table "orders"'),
        # The code says that it is something else, in whatever words.
        ("P0001", "canceling statement due to statement timeout"),
        # With a schema it is looked up without search_path.
        ("42P01", 'relation "public.orders" does not exist'),
        ("23505", 'duplicate key value violates unique constraint "orders_pkey"'),
        (None, 'pg_restore: error: ERROR:  role "reader" does not exist'),
    ],
)
def test_what_is_not_known_is_not_guessed_at(state: str | None, text: str) -> None:
    assert explain(NEON, text, state) is None


def test_an_old_install_without_a_rule_for_this_host_is_not_told_to_use_tls() -> None:
    text = failed('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", no encryption')
    found = explain(SOURCE, text)

    assert found is not None
    assert found.cause == "no rule for this host"
    assert "SOURCE_DB_SSLMODE in .env, and the server's pg_hba.conf" in found.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (failed("FATAL:  Tenant or user not found"), False),
        (failed("FATAL:  (ECIRCUITBREAKER) too many authentication failures"), False),
        (failed("ERROR:  Couldn't connect to compute node"), True),
        (failed('FATAL:  no pg_hba.conf entry for host "1.2.3.4", no encryption'), False),
        (failed("Connection refused"), None),
        ("pg_dump: error: ERROR:  canceling statement due to statement timeout", False),
        ("pg_dump: error: server closed the connection unexpectedly", True),
        ("pg_dump: error: something new", None),
    ],
)
def test_what_a_tool_prints_tells_whether_another_try_is_worth_it(
    text: str, expected: bool | None
) -> None:
    assert another_try(text) is expected


def test_a_host_is_not_called_ipv6_only_where_an_ipv4_address_was_tried() -> None:
    unreachable = 'connection to server at "x" (2001:db8::1), port 5432 failed: No route to host'
    refused = 'connection to server at "x" (1.2.3.4), port 5432 failed: Connection refused'

    assert explain(SUPABASE, f"{refused}\n{unreachable}") is None
    found = explain(SUPABASE, unreachable)
    assert found is not None
    assert found.cause == "no IPv6"


def test_of_several_lines_the_one_with_the_cause_is_quoted() -> None:
    found = explain(
        NEON,
        "pg_restore: connecting to database\n"
        "pg_restore: error: could not execute query: ERROR:  functionality not supported under the"
        ' current "apache" license.\n'
        "Command was: SELECT 1\n"
        "pg_restore: error: could not execute query: ERROR:  something else\n",
    )

    assert found is not None
    assert found.message == (
        'neon server at ep-x-pooler.neon.tech:5432 has TimescaleDB\'s edition "apache", which'
        ' cannot do this: functionality not supported under the current "apache" license.'
    )


EVERY = [
    *LOGIN_CAUSES,
    *STATEMENT_CAUSES,
    *READ_ONLY_CAUSES,
    *TLS_CAUSES,
    UNKNOWN_HOST,
    NO_ANSWER,
    NOT_ADMITTED,
]
QUOTED = {
    "name": "orders",
    "databases": "postgres",
    "expires": "2026-01-01",
    "issuer": "R11",
    "owner": "database",
    "thawed": "DATABASE market",
}


@pytest.mark.parametrize("endpoint", [NEON, SUPABASE, LOCAL, SOURCE], ids=lambda e: e.target)
@pytest.mark.parametrize("cause", EVERY, ids=lambda cause: cause.name)
def test_every_message_and_hint_keeps_the_form_of_all_others(
    cause: Cause, endpoint: Endpoint
) -> None:
    found = word(cause, endpoint, "FATAL:  what the server says", **QUOTED)

    assert MESSAGE_START.match(found.message)
    assert not found.message.endswith((".", "!"))
    assert HINT_START.match(found.hint)
    assert found.hint.endswith(".")
    assert not re.search(r"[{}]", found.message + found.hint)


@pytest.mark.parametrize("cause", [*LOGIN_CAUSES, *TLS_CAUSES, NO_ANSWER, NOT_ADMITTED])
def test_what_keeps_us_out_names_the_server_or_the_setting(cause: Cause) -> None:
    found = word(cause, SUPABASE, "FATAL:  what the server says", **QUOTED)

    assert "aws-0-eu.pooler.supabase.com:6543" in found.message or cause.name == "no trust file"
    assert cause.passing or re.search(
        r"SUPABASE_DB_[A-Z]+|dashboard|console|clock|project", found.hint
    )


def test_the_variables_are_those_that_the_endpoint_comes_from() -> None:
    app = replace(NEON, role="app")

    assert [variable(app, part) for part in ("HOST", "PORT", "USER", "PASSWORD", "SSLMODE")] == [
        "NEON_DB_POOL_HOST",
        "NEON_DB_POOL_PORT",
        "NEON_DB_POOL_USER",
        "NEON_DB_PASSWORD",
        "NEON_DB_SSLMODE",
    ]
    assert variable(NEON, "HOST") == "NEON_DB_HOST"
    assert variable(replace(app, target="source"), "HOST") == "SOURCE_DB_HOST"
    assert variable(replace(app, target="local"), "PORT") == "DB_PORT"


@pytest.mark.parametrize(
    ("endpoint", "way"),
    [
        (NEON, "set NEON_DB_HOST=ep-x.neon.tech in .env"),
        (SUPABASE, "set SUPABASE_DB_PORT=5432 in .env"),
        (replace(NEON, host="ep-x.neon.tech"), "set NEON_DB_HOST and NEON_DB_PORT in .env to the"),
    ],
)
def test_the_way_around_a_pooler_is_proposed(endpoint: Endpoint, way: str) -> None:
    found = explain(endpoint, 'prepared statement "_pg3_0" does not exist', "26000")

    assert found is not None
    assert way in found.hint


def test_a_password_that_the_server_repeats_is_left_out() -> None:
    found = word(REFUSED, NEON, failed("FATAL:  no user with password hunter2-hunter2"))

    assert found.message.endswith("no user with password ***")
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (failed("FATAL:  refused\nDETAIL:  for a reason"), "refused"),
        (failed("ERROR:  refused"), "refused"),
        (failed("Connection refused\n\tIs the server running?"), "Connection refused"),
        (f"{failed('FATAL:  one')}\n{failed('FATAL:  another')}", "another"),
        ("server closed the connection\n\tThis probably means", "server closed the connection"),
        ("", "nothing"),
    ],
)
def test_the_line_that_matters_is_what_the_server_says_itself(text: str, line: str) -> None:
    assert said(text) == line


def test_a_role_is_named_without_the_project_that_a_pooler_wants_behind_it() -> None:
    text = "canceling statement due to statement timeout"
    found = explain(replace(SUPABASE, user="postgres.abc"), text, "57014")

    assert found is not None
    assert "ALTER ROLE postgres SET statement_timeout" in found.hint
