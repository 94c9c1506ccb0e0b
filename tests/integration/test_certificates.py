"""What a server shows when TLS is asked for, and what is said where that is not to be trusted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend import tls
from infra.errors import TargetLostError
from tests.doubles.certificates import Authority, Kind
from tests.doubles.front import Front
from tests.fixtures.logins import refusal, shown, trusting


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as started:
        yield started


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("front") / "ca.pem", "127.0.0.1")


CERTIFICATES: dict[Kind, tuple[str, str]] = {
    "expired": ("has expired on ", "Wait until the server has a new one"),
    "wrong name": (
        "is made out for 'elsewhere.example'",
        "Set SUPABASE_DB_HOST in .env to the name that the vendor gives",
    ),
    "other authority": (
        "is signed by 'trustme",
        "Set SUPABASE_DB_SSLROOTCERT in .env to the file with the vendor's CA",
    ),
    "none": ("speaks no TLS, which SUPABASE_DB_SSLMODE asks for", "SUPABASE_DB_HOST"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_what_is_wrong_with_a_certificate_is_named(
    front: Front, authority: Authority, kind: Kind
) -> None:
    front.certificate = shown(authority, kind)
    message, hint = CERTIFICATES[kind]

    error = refusal(trusting(front, authority))

    assert f"server at 127.0.0.1:{front.port}" in error.message
    assert message in error.message
    assert hint in error.hint
    assert not isinstance(error, TargetLostError)
    assert front.logins == 0


def test_a_file_of_certificates_that_is_gone_is_named(front: Front, authority: Authority) -> None:
    front.certificate = shown(authority)

    error = refusal(replace(trusting(front, authority), sslrootcert="/nowhere/ca.pem"))

    assert error.message == "file of trusted certificates '/nowhere/ca.pem' cannot be read"
    assert "Set SUPABASE_DB_SSLROOTCERT in .env" in error.hint


def test_the_certificate_itself_is_told(front: Front, authority: Authority) -> None:
    kinds: tuple[Kind, ...] = ("right", "expired", "wrong name", "other authority", "none")
    found = {}
    for kind in kinds:
        front.certificate = shown(authority, kind)
        found[kind] = tls.inspect("127.0.0.1", front.port, authority.file, 5)

    assert {kind: certificate.problem for kind, certificate in found.items()} == {
        "right": None,
        "expired": "expired",
        "wrong name": "wrong name",
        "other authority": "unknown authority",
        "none": "no tls",
    }
    assert (found["right"].issuer, found["right"].names) == (
        "Slipway test servers",
        ("127.0.0.1",),
    )
    assert found["wrong name"].names == ("elsewhere.example",)
    expired, right = found["expired"].expires, found["right"].expires
    assert expired is not None
    assert right is not None
    assert expired.timestamp() < time.time() < right.timestamp()
    with pytest.raises(FileNotFoundError):
        tls.inspect("127.0.0.1", front.port, Path("/nowhere/ca.pem"), 5)


def test_what_is_no_postgresql_has_no_certificate(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        # It takes the connection and never says a word.
        with pytest.raises(TimeoutError):
            tls.inspect("127.0.0.1", port, authority.file, 0.1)
