"""One running stack and one old install, shared by the tests that type commands."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra.engine import images as built
from infra.process import SubprocessRunner
from infra.settings import Images
from tests.fixtures.checkout import ROOT, Checkout, running
from tests.fixtures.servers import (
    LITTLE,
    Server,
    chinook,
    hosted_settings,
    load_ticks,
    start_hosted,
    start_server,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def source(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start the old install: Chinook, two million ticks, and a database without extensions."""
    server = start_server(docker_client, images.database)
    try:
        server.load(chinook())
        server.load(LITTLE)
        load_ticks(server)
        yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, images: Images, source: Server
) -> Iterator[Checkout]:
    """Start the stack with `invoke up`; its source is the old install."""
    with running(tmp_path_factory.mktemp("checkout"), images, **source.settings) as checkout:
        yield checkout


@pytest.fixture(scope="module")
def hosted(docker_client: docker.DockerClient, stack: Checkout) -> Iterator[Server]:
    """Start a hosted PostgreSQL without TimescaleDB, and make it the stack's target `neon`."""
    server = start_hosted(docker_client)
    try:
        with stack.having(hosted_settings(server)):
            yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def plain(
    tmp_path_factory: pytest.TempPathFactory, images: Images, source: Server
) -> Iterator[Checkout]:
    """Start a stack on PostgreSQL 15 without TimescaleDB, with the same source."""
    built.build_images(SubprocessRunner(), root=ROOT, report=print, only=(built.POSTGRES_15,))
    older = {"DB_IMAGE": built.POSTGRES_15, "PG_MAJOR": "15", **source.settings}
    with running(tmp_path_factory.mktemp("plain"), images, **older) as checkout:
        yield checkout


@pytest.fixture
def fresh_stack(stack: Checkout) -> Checkout:
    """Return the stack with our own schema in the live database, whatever ran before."""
    for database in ("trading", "trading__previous", "trading__staging"):
        stack.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")
    stack.expect("migrate")
    return stack
