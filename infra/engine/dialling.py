"""Connections as containers of the stack would make them: a network of theirs, another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docker.errors import DockerException, ImageNotFound

from infra.engine.client import Engine
from infra.errors import EngineError

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
# Longer than all addresses of a host take, five seconds each.
_SECONDS = 60


@dataclass(frozen=True)
class Dialled:
    """How an address answered containers; `error` is None where something accepts connections."""

    address: str
    error: str | None


def network(engine: Engine, project: str) -> str:
    """Return the stack's network, or Docker's own where the stack has none yet."""
    name = f"{project}_default"
    found = engine.client.networks.list(names=[f"^{name}$"])
    return name if found else "bridge"


def dial(
    engine: Engine, image: str, network: str, addresses: Sequence[str], port: int
) -> list[Dialled] | None:
    """Try a connection to each address; None where the image is not on this machine."""
    try:
        container = engine.client.containers.create(
            image,
            ["-c", _SCRIPT, "bash", str(port), *addresses],
            entrypoint=["bash"],
            network=network,
            labels={"io.slipway.project": "slipway"},
        )
    except ImageNotFound:
        return None
    except DockerException as error:
        raise EngineError(
            f"no container can be made in network {network!r}: {error}", "Run `invoke up`."
        ) from error
    try:
        container.start()
        container.wait(timeout=_SECONDS)
        lines = bytes(container.logs(stdout=True, stderr=False)).decode(errors="replace")
    finally:
        container.remove(force=True)
    return [_dialled(*line.split("\t")) for line in lines.splitlines()]


def _dialled(code: str, address: str, said: str) -> Dialled:
    if code == "0":
        return Dialled(address, None)
    return Dialled(address, "no answer" if code in _TIMED_OUT else said.strip().lower())
