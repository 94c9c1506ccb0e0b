"""What a PostgreSQL server shows of itself when TLS is asked for, before anybody logs in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

Problem = Literal["expired", "not yet valid", "wrong name", "unknown authority", "no tls"]

# Length and code of PostgreSQL's SSLRequest; a server with TLS answers S, one without it N.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
# OpenSSL's X509_V_ERR_ codes; whatever else is wrong with a chain makes its issuer a stranger.
_PROBLEMS: dict[int, Problem] = {
    9: "not yet valid",
    10: "expired",
    62: "wrong name",
    64: "wrong name",
}
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True)
class Certificate:
    """The certificate of a server and the first thing that is wrong with it, if anything.

    `names` are those that it is made out for; a server without TLS has none, nor an `issuer`.
    """

    problem: Problem | None
    issuer: str = ""
    names: tuple[str, ...] = ()
    expires: datetime | None = None


def inspect(host: str, port: int, trust: Path | None, timeout: float) -> Certificate:
    """Look at a server's certificate as `sslmode=verify-full` does, without logging in.

    `trust` is a file of CA certificates, None the machine's own store. Raises OSError where nothing
    answers, where what answers is no PostgreSQL, and where the file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=trust)
    try:
        shown = _handshake(host, port, context, timeout)
    except ssl.SSLCertVerificationError as error:
        problem = _PROBLEMS.get(error.verify_code, "unknown authority")
        return _certificate(problem, _unverified(host, port, timeout))
    if shown is None:
        return Certificate("no tls")
    return _certificate(None, shown[1])


def _handshake(
    host: str, port: int, context: ssl.SSLContext, timeout: float
) -> tuple[bytes, Mapping[str, Any]] | None:
    """Return what the server shows, as it is and as it is read; None where it speaks no TLS."""
    with socket.create_connection((host, port), timeout) as plain:
        plain.sendall(_SSL_REQUEST)
        answer = plain.recv(1)
        if answer == b"N":
            return None
        if answer != b"S":
            raise ConnectionError(f"no PostgreSQL server answers at {host}:{port}")
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return secured.getpeercert(binary_form=True) or b"", secured.getpeercert() or {}


def _unverified(host: str, port: int, timeout: float) -> Mapping[str, Any]:
    """Read a certificate that nothing vouches for: the ssl module reads only what it trusts.

    So the certificate is fetched unread, and then read as one that vouches for itself.
    """
    unread = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unread.check_hostname = False
    unread.verify_mode = ssl.CERT_NONE
    shown = _handshake(host, port, unread, timeout)
    if shown is None:
        return {}
    reading = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    reading.check_hostname = False
    reading.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    reading.load_verify_locations(cadata=shown[0])
    again = _handshake(host, port, reading, timeout)
    return {} if again is None else again[1]


def _certificate(problem: Problem | None, shown: Mapping[str, Any]) -> Certificate:
    # Names are sequences of sequences of pairs, such as ((("commonName", "R11"),),).
    issuer = dict(pair for part in shown.get("issuer", ()) for pair in part)
    subject = dict(pair for part in shown.get("subject", ()) for pair in part)
    names = tuple(str(name) for _, name in shown.get("subjectAltName", ()))
    expires = shown.get("notAfter")
    return Certificate(
        problem,
        str(issuer.get("commonName") or issuer.get("organizationName") or ""),
        names or tuple(str(name) for key, name in subject.items() if key == "commonName"),
        None
        if expires is None
        else datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), tz=UTC),
    )
