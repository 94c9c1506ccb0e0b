"""Refused and failed logins, produced for real, and what is said of each.

The front answers with the vendors' texts, so libpq and psycopg put around them what they always do.
One text of the field cannot be had from libpq: OpenSSL's "self-signed certificate in certificate
chain", for which it says "certificate verify failed".
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from backend import reachability
from backend.config import Endpoint, Secret
from backend.errors import MigrationError
from backend.reachability import diagnose, log_in
from infra.errors import TargetLostError
from infra.postgres.connection import connect
from migrations import session
from tests.doubles.certificates import Authority
from tests.doubles.front import (
    Front,
    Refusal,
    encrypted_only,
    named_endpoint,
    nobody,
    tenant,
)
from tests.fixtures.logins import PASSWORD, endpoint, refusal, shown, trusting
from tests.fixtures.servers import Server


@pytest.fixture
def front() -> Iterator[Front]:
    with Front(password=PASSWORD) as started:
        yield started


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("front") / "ca.pem", "127.0.0.1")


@dataclass(frozen=True)
class Answer:
    """What a vendor answers a login with, and what we say then."""

    text: str
    message: str
    hint: str
    target: str = "supabase"
    severity: str = "FATAL"
    lost: bool = False


ANSWERS = [
    Answer(
        "Tenant or user not found",
        "supabase pooler at {where} knows no project for user 'shop'",
        "Compare SUPABASE_DB_USER",
    ),
    Answer(
        "(ENOTFOUND) tenant/user postgres.abc not found",
        "supabase pooler at {where} knows no project for user 'shop'",
        "SUPABASE_DB_HOST (its aws-0, aws-1 differ",
    ),
    Answer(
        "Circuit breaker open",
        "supabase server at {where} takes no more logins after too many wrong passwords",
        "correct SUPABASE_DB_PASSWORD in .env, and try nothing for ten minutes",
    ),
    Answer(
        "(ECIRCUITBREAKER) Failed to retrieve database credentials",
        "supabase pooler at {where} does not reach the database behind it",
        "whether the project is paused",
    ),
    Answer(
        "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to "
        "pool_size",
        "supabase session pool at {where} is full",
        "Use fewer workers (--jobs)",
        lost=True,
    ),
    Answer(
        'no pg_hba.conf entry for host "1.2.3.4", user "shop", database "market", SSL off',
        "supabase server at {where} lets nobody in without TLS",
        "Set SUPABASE_DB_SSLMODE=verify-full in .env.",
    ),
    Answer(
        "Couldn't connect to compute node",
        "neon database at {where} sleeps and did not wake up in time",
        "Try again in some seconds",
        target="neon",
        severity="ERROR",
        lost=True,
    ),
    Answer(
        "unsupported startup parameter in options: search_path. Please use unpooled connection …",
        "pooler at {where} takes no startup parameter search_path",
        "set NEON_DB_HOST and NEON_DB_PORT in .env to the server itself",
        target="neon",
        severity="ERROR",
    ),
    Answer(
        "remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "neon database at {where} has no connection left",
        "Close other clients",
        target="neon",
        lost=True,
    ),
    Answer(
        "Your account or project has exceeded the compute time quota. Upgrade your plan …",
        "neon project at {where} has used up its plan",
        "Raise the plan's limits",
        target="neon",
        severity="ERROR",
    ),
    Answer(
        "The requested endpoint could not be found, or you don't have access to it.",
        "neon proxy at {where} knows no such endpoint",
        "Compare NEON_DB_HOST in .env with the console",
        target="neon",
        severity="ERROR",
    ),
    Answer(
        "the database system is starting up",
        "neon database at {where} is not up yet",
        "Wait until it has started",
        target="neon",
        lost=True,
    ),
    Answer(
        "some new text of the vendor",
        "supabase database at {where} lets nobody in this way: some new text of the vendor",
        "Compare SUPABASE_DB_HOST, SUPABASE_DB_PORT and SUPABASE_DB_USER in .env",
        lost=True,
    ),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.text[:40])
def test_each_answer_of_a_vendor_is_put_into_our_words(
    front: Front, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(reachability, "_PAUSES", (0.0,))
    front.rule = nobody(Refusal(answer.text, severity=answer.severity))
    way = endpoint(front, answer.target)

    error = refusal(way)

    assert answer.message.format(where=f"127.0.0.1:{front.port}") in error.message
    assert answer.hint in error.hint
    assert isinstance(error, TargetLostError) == answer.lost


def test_a_user_without_a_project_is_refused_by_the_pooler(front: Front) -> None:
    front.rule = tenant("abc")

    assert "knows no project for user 'shop'" in refusal(endpoint(front)).message
    # With the project's name it comes as far as the password.
    way = replace(endpoint(front), user="shop.abc", password=Secret("wrong"))
    assert "refuses user 'shop.abc'" in refusal(way).message


def test_a_server_without_plaintext_asks_for_tls(front: Front, authority: Authority) -> None:
    text = 'no pg_hba.conf entry for host "1.2.3.4", user "shop", database "market", SSL off'
    front.rule = encrypted_only(Refusal(text, "28000"))
    front.certificate = shown(authority)

    assert "without TLS" in refusal(endpoint(front, sslmode="disable")).message
    assert "without TLS" not in refusal(trusting(front, authority)).message


def test_an_endpoint_that_is_not_named_is_asked_for(front: Front, authority: Authority) -> None:
    front.rule = named_endpoint
    front.certificate = shown(authority)
    way = replace(endpoint(front, "neon", "require"), host="127.0.0.1")

    error = refusal(way)

    assert error.message.startswith(f"neon proxy at 127.0.0.1:{front.port} cannot tell which")
    assert "Set NEON_DB_HOST in .env to the endpoint's name" in error.hint
    # libpq tells the name where it has one.
    assert "cannot tell" not in refusal(replace(way, host="localhost")).message


def test_a_question_for_gssapi_that_is_not_understood_is_named(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq asks for GSSAPI encryption only with a Kerberos ticket at hand, so it gets one."""
    ticket = tmp_path / "ticket"
    ticket.write_bytes(ticket_cache(int(time.time())))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{ticket}")
    front.gss_answer = b"S"

    with pytest.raises(psycopg.OperationalError, match="received invalid response to GSS") as error:
        log_in(endpoint(front, "source"), gssencmode="prefer")

    found = diagnose(endpoint(front, "source"), error.value)
    assert found.message.endswith("does not understand the question for GSSAPI encryption")
    assert "Set SOURCE_DB_SSLMODE=require in .env" in found.hint


def ticket_cache(now: int) -> bytes:
    """Write a credential cache of MIT Kerberos, version 4, with a ticket that opens nothing."""

    def data(value: bytes) -> bytes:
        return struct.pack("!I", len(value)) + value

    def principal(*parts: bytes) -> bytes:
        return struct.pack("!II", 1, len(parts)) + b"".join(map(data, (b"TEST", *parts)))

    client = principal(b"somebody")
    key = struct.pack("!H", 18) + data(bytes(32))
    times = struct.pack("!IIII", now, now, now + 3600, 0)
    nothing = struct.pack("!BIII", 0, 0, 0, 0)
    server = principal(b"krbtgt", b"TEST")
    return b"\x05\x04\x00\x00" + client + client + server + key + times + nothing + data(b"") * 2


@pytest.mark.parametrize("target", ["supabase", "neon"])
def test_a_wrong_password_is_sent_once(front: Front, authority: Authority, target: str) -> None:
    front.certificate = shown(authority)
    way = replace(endpoint(front, target, "require"), password=Secret("wrong-and-secret"))

    error = refusal(way)

    assert f"{target} database at 127.0.0.1:{front.port} refuses user 'shop'" in error.message
    assert f"{target.upper()}_DB_PASSWORD" in error.hint
    assert "wrong-and-secret" not in f"{error.message} {error.hint}"
    assert not isinstance(error, TargetLostError)
    assert (front.logins, front.wrong_passwords) == (1, 1)


def test_a_wrong_password_is_not_sent_to_the_host_s_other_addresses(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def both(host: str, *others: int, **more: int) -> list[object]:
        if host != "two.example":
            return list(resolve(host, *others, **more))
        return [
            found
            for address in ("127.0.0.1", "127.0.0.2")
            for found in resolve(address, *others, **more)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with Front(host="0.0.0.0", password=PASSWORD) as front:  # noqa: S104 - two of its addresses
        front.certificate = shown(authority)
        way = replace(endpoint(front, "neon", "require"), host="two.example")

        assert "refuses user" in refusal(replace(way, password=Secret("wrong"))).message
        assert front.logins == 1


def test_the_migrator_sends_a_wrong_password_once_and_says_the_same(
    front: Front, authority: Authority
) -> None:
    front.certificate = shown(authority)
    way = replace(endpoint(front, "neon", "require"), password=Secret("wrong"))

    with pytest.raises(MigrationError) as caught:
        session.run(way, lambda _: None)

    assert caught.value.message == refusal(way).message
    assert "NEON_DB_PASSWORD" in caught.value.hint
    assert front.logins == 2  # One by each of the two.


def test_a_ban_is_told_from_a_wrong_password(front: Front) -> None:
    front.ban_after, front.ban = 2, "circuit breaker"
    wrong = replace(endpoint(front), password=Secret("wrong"))

    said = [refusal(wrong).message for _ in range(3)]

    assert ["refuses user" in message for message in said] == [True, True, False]
    assert "takes no more logins after too many wrong passwords" in said[2]
    # The right password does not help now, and each attempt prolongs the ban.
    assert "takes no more logins" in refusal(endpoint(front)).message
    assert (front.logins, front.wrong_passwords) == (4, 4)


def test_a_ban_that_closes_the_port_is_thought_of(front: Front) -> None:
    front.ban_after = 1
    assert "refuses user" in refusal(replace(endpoint(front), password=Secret("wrong"))).message

    error = refusal(endpoint(front))

    assert error.message == f"supabase database: nothing answers at 127.0.0.1:{front.port}"
    assert "this address may be banned" in error.hint
    assert front.logins == 1


def test_a_missing_database_is_told_from_a_wrong_password(front: Front) -> None:
    front.rule = nobody(Refusal('database "market" does not exist', "3D000"))

    error = refusal(endpoint(front))

    assert error.message == f"database 'market' does not exist at 127.0.0.1:{front.port}"
    assert "SUPABASE_DB_NAME" in error.hint
    assert front.logins == 1


def test_a_host_with_ipv6_only_is_named() -> None:
    # No way leads to such an address unless the network card is named with it.
    way = Endpoint("supabase", "admin", "fe80::1", 5432, "market", "shop", Secret(PASSWORD))

    error = refusal(way)

    assert error.message.startswith("supabase server at fe80::1:5432 has IPv6 addresses only")
    assert "Use Supabase's session pooler" in error.hint
    assert "IPv4 add-on" in error.hint


def test_a_database_that_wakes_up_is_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(reachability._PAUSES) >= 10  # noqa: SLF001 - what the vendor asks for
    monkeypatch.setattr(reachability, "_PAUSES", (0.01, 0.01, 0.01))
    with Front(("127.0.0.1", server.port)) as front:
        front.failures_on_wake, front.seconds_to_wake = 3, 0.2
        front.sleep()
        way = replace(endpoint(front, "neon"), database="postgres", user="postgres")
        way = replace(way, password=Secret(server.password))

        with connect(way, "target") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

        assert front.logins == 4
        front.failures_on_wake = 4
        front.sleep()
        assert "did not wake up in time" in refusal(way).message


@pytest.mark.parametrize("cut", ["told", "untold", "idle"])
def test_a_connection_that_sleep_has_cut_is_worth_another_try(
    server: Server, authority: Authority, cut: str
) -> None:
    with Front(("127.0.0.1", server.port), certificate=shown(authority)) as front:
        front.told = cut != "untold"
        way = replace(
            trusting(front, authority),
            target="neon",
            database="postgres",
            user="postgres",
            password=Secret(server.password),
        )

        with pytest.raises(TargetLostError) as caught:
            use_after(front, way, cut)

        assert front.cuts == 1
        assert f"127.0.0.1:{front.port}" in caught.value.message
        ended = "ended the connection: terminating connection due to administrator command"
        assert (ended in caught.value.message) == front.told
        assert "epeat the command" in caught.value.hint


def use_after(front: Front, way: Endpoint, cut: str) -> None:
    with connect(way, "target") as connection:
        if cut == "idle":
            front.idle = 0.1
            while not front.cuts:
                time.sleep(0.02)
        else:
            front.sleep()
        connection.execute("SELECT 1")
