"""Scripts of client tools in throw-away containers, and the image of a tool that is not ours."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from docker.errors import ImageNotFound

from backend.config import Endpoint
from infra.engine import images
from infra.engine.client import TOOL_LABEL, Engine
from infra.engine.tools import SOCKETS
from infra.process import Runner
from tests.fixtures.checkout import ROOT

# libpq takes no password file that others can read.
_BEGINNING = """
set -euo pipefail
umask 077
printf '%s\\n' "$PASSWORDS" >/tmp/pgpass
export PGPASSFILE=/tmp/pgpass
psql() { command psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 "$@"; }
export -f psql
"""
_PGCOPYDB = f"""
FROM {images.BASE}
LABEL {images.LABEL}
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends pgcopydb \\
 && rm -rf /var/lib/apt/lists/*
"""


@dataclass(frozen=True)
class Ended:
    """A script that has ended, its container's start included in the seconds."""

    code: int
    output: str
    seconds: float

    @property
    def failure(self) -> str:
        """Return the exit code and the first line that tells of an error; empty after success."""
        if self.code == 0:
            return ""
        lines = self.output.splitlines() or [""]
        marks = ("error", "fatal")
        told = [line for line in lines if any(mark in line.lower() for mark in marks)]
        return f"exit code {self.code}: {' '.join((told or lines[-1:])[0].split())}"


def run(
    engine: Engine,
    script: str,
    *,
    source: Endpoint,
    target: Endpoint,
    image: str = images.TOOLS,
    environment: Mapping[str, str] | None = None,
    sockets: str | None = None,
) -> Ended:
    """Run a script of bash on the host's network; $SOURCE and $TARGET lead to both databases.

    `sockets` is the volume with the target's unix socket, which is used where there is one.
    """
    started = time.monotonic()
    container = engine.client.containers.create(
        image,
        entrypoint=["bash", "-c", _BEGINNING + script],
        environment={
            "PASSWORDS": "\n".join(map(_passfile_line, (source, target))),
            "SOURCE": _uri(source),
            "TARGET": _uri(target) if sockets is None else _by_socket(target),
            **(environment or {}),
        },
        init=True,
        labels={"io.slipway.project": "slipway", TOOL_LABEL: str(os.getpid())},
        network_mode="host",
        volumes=[] if sockets is None else [f"{sockets}:{SOCKETS}"],
    )
    try:
        container.start()
        code = int(container.wait()["StatusCode"])
        seconds = time.monotonic() - started
        return Ended(code, container.logs().decode(errors="replace"), seconds)
    finally:
        container.remove(force=True, v=True)


@contextmanager
def pgcopydb_image(runner: Runner, engine: Engine) -> Iterator[tuple[str, str]]:
    """Build an image of Debian's package; yield its tag, or why there is none."""
    tag = f"slipway/bench-pgcopydb:{secrets.token_hex(4)}"
    try:
        built = runner.run(["docker", "build", "--tag", tag, "-"], stdin=_PGCOPYDB)
        lines = built.stderr.strip().splitlines() or [""]
        yield tag, "" if built.ok else f"could not be installed: {lines[-1]}"
    finally:
        if is_there(engine, tag):
            engine.client.images.remove(tag, force=True)


def build_missing(runner: Runner, engine: Engine, tags: Sequence[str]) -> list[str]:
    """Build those images that are not on this machine, and return what was reported of it."""
    missing = [tag for tag in tags if not is_there(engine, tag)]
    lines: list[str] = []
    if missing:
        images.build_images(runner, root=ROOT, report=lines.append, only=missing)
    return lines


def is_there(engine: Engine, tag: str) -> bool:
    """Tell whether an image is on this machine."""
    try:
        engine.client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _uri(endpoint: Endpoint) -> str:
    return (
        f"postgresql://{endpoint.user}@{endpoint.host}:{endpoint.port}/{endpoint.database}"
        "?sslmode=disable"
    )


def _by_socket(endpoint: Endpoint) -> str:
    return f"postgresql://{endpoint.user}@/{endpoint.database}?host={SOCKETS}"


def _passfile_line(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}:*:{endpoint.user}:{endpoint.password.reveal()}"
