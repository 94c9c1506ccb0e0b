"""A database server of the benchmark's own, in a container that is gone afterwards."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from docker.errors import ImageNotFound
from docker.models.containers import Container

from backend.config import Endpoint, Secret
from infra.engine.client import Engine
from infra.errors import EngineError, TargetError
from infra.postgres.connection import connect

_LABELS = {"io.slipway.project": "slipway"}
# TimescaleDB's own workers leave room for those of a query.
_COMMAND = ["postgres", "-c", "max_worker_processes=64", "-c", "max_parallel_workers=32"]
_START_SECONDS = 60


@contextmanager
def server(engine: Engine, image: str, command: Sequence[str] = _COMMAND) -> Iterator[Endpoint]:
    """Start a server with the image's own settings and remove it however this ends."""
    password = Secret(secrets.token_urlsafe(12))
    # No host port is named, so Docker chooses a free one; the stubs know only full pairs.
    ports: Any = {"5432/tcp": ("127.0.0.1", None)}
    try:
        container = engine.client.containers.create(
            image,
            list(command),
            environment={"POSTGRES_PASSWORD": password.reveal()},
            labels=_LABELS,
            ports=ports,
            shm_size="256m",
        )
    except ImageNotFound as error:
        raise EngineError(
            f"image {image} is not on this machine", "Run `invoke build-images`."
        ) from error
    try:
        container.start()
        endpoint = _endpoint(container, password)
        _wait(endpoint)
        yield endpoint
    finally:
        container.remove(force=True, v=True)


def _endpoint(container: Container, password: Secret) -> Endpoint:
    container.reload()
    port = int(container.attrs["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"])
    return Endpoint("local", "admin", "127.0.0.1", port, "postgres", "postgres", password)


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
