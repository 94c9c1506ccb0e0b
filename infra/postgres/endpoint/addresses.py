"""The addresses of a host, told apart by family, and which of them answer from this machine."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Literal

Family = Literal["IPv4", "IPv6"]

_TIMEOUT = 5.0
_FAMILIES: dict[int, Family] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


@dataclass(frozen=True)
class Address:
    """An address of a host; `error` is the system's word where no connection is to be had."""

    family: Family
    address: str
    error: str | None = None

    @property
    def answers(self) -> bool:
        """Tell whether something accepts connections there."""
        return self.error is None


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, untried; none for a name that nobody knows."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    pairs = {(family, str(place[0])): None for family, _, _, _, place in found}
    return [Address(_FAMILIES[family], place) for family, place in pairs if family in _FAMILIES]


def dial(found: Address, port: int) -> Address:
    """Try a connection, which is closed at once."""
    try:
        socket.create_connection((found.address, port), _TIMEOUT).close()
    except TimeoutError:
        return Address(found.family, found.address, "no answer")
    except OSError as error:
        text = (error.strerror or type(error).__name__).lower()
        return Address(found.family, found.address, text)
    return found
