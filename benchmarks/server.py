"""A database server of the benchmark's own, in a container that is gone afterwards.

It stands in the host's network as an installed one does: a published port would copy every byte
twice more on its way.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from docker.errors import ImageNotFound

from backend.config import Endpoint, Secret
from infra.engine.client import Engine
from infra.errors import EngineError, TargetError
from infra.postgres.connection import connect
from tests.fixtures.checkout import free_port

_LABELS = {"io.slipway.project": "slipway"}
# TimescaleDB's own workers leave room for those of a query.
_COMMAND = ["postgres", "-c", "max_worker_processes=64", "-c", "max_parallel_workers=32"]
_START_SECONDS = 60


@contextmanager
def server(engine: Engine, image: str, command: Sequence[str] = _COMMAND) -> Iterator[Endpoint]:
    """Start a server with the image's own settings and remove it however this ends."""
    password = Secret(secrets.token_urlsafe(12))
    port = free_port()
    try:
        container = engine.client.containers.create(
            image,
            [*command, "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"],
            environment={"POSTGRES_PASSWORD": password.reveal(), "PGPORT": str(port)},
            labels=_LABELS,
            network_mode="host",
            shm_size="256m",
        )
    except ImageNotFound as error:
        raise EngineError(
            f"image {image} is not on this machine", "Run `invoke build-images`."
        ) from error
    try:
        container.start()
        endpoint = Endpoint("local", "admin", "127.0.0.1", port, "postgres", "postgres", password)
        _wait(endpoint)
        yield endpoint
    finally:
        container.remove(force=True, v=True)


def _wait(endpoint: Endpoint) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with connect(endpoint, "target"):
                return
        except TargetError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
