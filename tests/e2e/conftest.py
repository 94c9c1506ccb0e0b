"""One running stack and one old install, shared by the tests that type commands."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra.settings import Images
from tests.fixtures.checkout import Checkout, make_checkout
from tests.fixtures.servers import Server, chinook, load_ticks, start_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def source(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start the old install, with Chinook and two million ticks in it."""
    server = start_server(docker_client, images.database)
    try:
        server.load(chinook())
        load_ticks(server)
        yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, images: Images, source: Server
) -> Iterator[Checkout]:
    """Start the stack with `invoke up`; its source is the old install."""
    checkout = make_checkout(
        tmp_path_factory.mktemp("checkout"),
        images,
        SOURCE_DB_PORT=str(source.port),
        SOURCE_DB_NAME="chinook_serial",
        SOURCE_DB_PASSWORD=source.password,
    )
    try:
        checkout.expect("up")
        yield checkout
    finally:
        checkout.remove()


@pytest.fixture
def fresh_stack(stack: Checkout) -> Checkout:
    """Return the stack with our own schema in the live database, whatever ran before."""
    for database in ("trading", "trading__previous"):
        stack.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")
    stack.expect("migrate")
    return stack
