"""Connections as containers of the stack would make them: a network of theirs, another machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.config import Secret
from infra.engine.client import Engine
from infra.engine.tools import ClientTools, Server

# Every client-tool image has bash, whose redirections connect. For each address a line: how it
# went, the address, what the system said.
_SCRIPT = r"""
port=$1; shift
for address in "$@"; do
  said=$(LC_ALL=C timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>&1)
  printf '%s\t%s\t%s\n' "$?" "$address" "${said##*: }"
done
"""
_TIMED_OUT = ("124", "143")


@dataclass(frozen=True)
class Dialled:
    """How an address answered containers; `error` is None where something accepts connections."""

    address: str
    error: str | None


def network(engine: Engine, project: str) -> str:
    """Return the stack's network, or Docker's own where the stack has none yet."""
    name = f"{project}_default"
    # The engine looks for names that hold this one.
    found = engine.client.networks.list(names=[name])
    return name if name in {known.name for known in found} else "bridge"


def dial(
    tools: ClientTools, network: str, addresses: Sequence[str], port: int
) -> list[Dialled] | None:
    """Try a connection to each address; None where no container can be run there."""
    nobody = Server(network, "", port, "", "disable", Secret(""))
    with tempfile.TemporaryDirectory() as folder:
        done = tools.run(
            ["bash", "-c", _SCRIPT, "bash", str(port), *addresses],
            mount=Path(folder),
            server=nobody,
        )
    if not done.ok:
        return None
    return [_dialled(*line.split("\t")) for line in done.stdout.splitlines()]


def _dialled(code: str, address: str, said: str) -> Dialled:
    if code == "0":
        return Dialled(address, None)
    return Dialled(address, "no answer" if code in _TIMED_OUT else said.strip().lower())
