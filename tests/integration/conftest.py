"""One database server for the tests that need no stack."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra.settings import Images
from tests.fixtures.servers import Server, start_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/integration/" in item.nodeid:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def server(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start a server of the image that the stack uses."""
    started = start_server(docker_client, images.database)
    yield started
    started.container.remove(force=True, v=True)
