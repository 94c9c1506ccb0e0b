"""What all layers share: the images this checkout uses, and Docker itself."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra import settings
from infra.engine.client import Engine
from infra.process import SubprocessRunner
from infra.settings import Images
from tests.fixtures.checkout import ROOT


@pytest.fixture(scope="session")
def images() -> Images:
    """Name the images of this checkout's `.env`, as bootstrap chose them."""
    return settings.load(ROOT).images


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """Reach the engine that the docker command uses."""
    client = Engine(SubprocessRunner()).client
    yield client
    client.close()
