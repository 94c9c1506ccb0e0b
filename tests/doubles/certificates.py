"""Certificates of servers, signed at test time by an authority that nothing else trusts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import trustme

# What a client that trusts the authority and names the right host is shown. "none" speaks no TLS.
Kind = Literal["right", "wrong name", "expired", "other authority", "none"]


@dataclass(frozen=True, repr=False)
class Certificate:
    """A server's certificate with the authorities above it, and its private key."""

    leaf: trustme.LeafCert

    @property
    def chain(self) -> bytes:
        """Return the certificate and the authorities above it as PEM."""
        return b"".join(blob.bytes() for blob in self.leaf.cert_chain_pems)

    @property
    def key(self) -> bytes:
        """Return the private key as PEM."""
        return self.leaf.private_key_pem.bytes()

    def context(self) -> ssl.SSLContext:
        """Return what a server in this process shows it with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.leaf.configure_cert(context)
        return context


class Authority:
    """A certificate authority whose own certificate is in `file`, issuing for `hosts`."""

    def __init__(self, file: Path, *hosts: str) -> None:
        self.file = file
        self._hosts = hosts
        self._authority = trustme.CA(organization_name="Slipway test servers")
        self._authority.cert_pem.write_to_path(str(file))

    def issue(self, kind: Kind = "right") -> Certificate | None:
        """Return a certificate of that kind; there is none for a server without TLS."""
        if kind == "none":
            return None
        authority = trustme.CA() if kind == "other authority" else self._authority
        yesterday = datetime.now(UTC) - timedelta(days=1)
        return Certificate(
            authority.issue_cert(
                *(("elsewhere.example",) if kind == "wrong name" else self._hosts),
                not_after=yesterday if kind == "expired" else None,
            )
        )
