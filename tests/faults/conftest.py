"""One old install with difficult databases and one running stack, shared by all faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import docker
import psycopg
import pytest

from infra.settings import Images
from tests.faults import sources
from tests.fixtures.checkout import Checkout, running
from tests.fixtures.disks import Disk, disk
from tests.fixtures.faults import DIGEST, Digest, live_digest
from tests.fixtures.servers import LITTLE, Server, start_server
from tests.fixtures.transfers import TRANSFER, drop_staging


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/faults/" in item.nodeid:
            item.add_marker(pytest.mark.faults)


@dataclass(frozen=True)
class Shipment:
    """An archive, and what the live database answers once it is restored."""

    name: str
    digest: Digest


@pytest.fixture(scope="session")
def source(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start the old install with all its databases."""
    server = start_server(docker_client, images.database)
    try:
        for script in (sources.HARBOUR, LITTLE, sources.AWKWARD):
            server.load(script)
        sources.load_hostile(server)
        yield server
    finally:
        server.container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def database_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Mount the file system that the stack's database lives on."""
    folder = tmp_path_factory.mktemp("disk")
    with disk(folder / "image", folder / "db", megabytes=1024) as mounted:
        yield mounted


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, images: Images, source: Server, database_disk: Disk
) -> Iterator[Checkout]:
    """Start the stack with `invoke up`; its database lies on a disk that can be filled."""
    settings = {
        **source.settings,
        "SOURCE_DB_NAME": "harbour",
        "DB_VOLUME": str(database_disk.folder),
    }
    with running(tmp_path_factory.mktemp("checkout"), images, **settings) as checkout:
        yield checkout


@pytest.fixture(scope="session")
def shipments(stack: Checkout, source: Server) -> tuple[Shipment, Shipment]:
    """Make two archives of the harbour that differ in one row of each table."""
    made = []
    for _ in range(2):
        ((quotes, bids, entries, fees),) = source.execute(DIGEST, "harbour")
        made.append(Shipment(export(stack, "harbour"), (quotes, bids, entries, fees)))
        source.execute("UPDATE ledger SET fee = fee + 1 WHERE id = 1", "harbour")
        source.execute("UPDATE quote SET bid = bid + 1 WHERE ts = '2024-01-01 00:00Z'", "harbour")
    return made[0], made[1]


@pytest.fixture(scope="session")
def fleet(source: Server) -> Server:
    """Return the old install with a harbour of the transfers' own, which they may change."""
    source.load(sources.HARBOUR.replace("harbour", "fleet"))
    return source


@pytest.fixture
def behind(stack: Checkout, fleet: Server) -> Digest:
    """Make the fleet the source, one row ahead of the live database; return what that answers."""
    stack.set(**{**fleet.settings, "SOURCE_DB_NAME": "fleet"})
    try:
        old = live_digest(stack)
    except psycopg.Error:
        stack.expect(*TRANSFER)
        old = live_digest(stack)
    drop_staging(stack)
    fleet.execute("UPDATE ledger SET fee = fee + 1 WHERE id = 1", "fleet")
    return old


@pytest.fixture
def live(stack: Checkout, shipments: tuple[Shipment, Shipment]) -> Shipment:
    """Return the archive that is live at the moment; restore the first if it is neither."""
    try:
        digest = live_digest(stack)
    except psycopg.Error:
        digest = ()
    for shipment in shipments:
        if shipment.digest == digest:
            return shipment
    stack.expect("restore", shipments[0].name, "--to", "local", "--yes")
    return shipments[0]


@pytest.fixture
def other(live: Shipment, shipments: tuple[Shipment, Shipment]) -> Shipment:
    """Return the archive that is not live at the moment."""
    return shipments[1] if live == shipments[0] else shipments[0]


@pytest.fixture
def at_head(stack: Checkout) -> Checkout:
    """Return the stack with our own schema in the live database, whatever ran before."""
    for database in ("trading", "trading__previous"):
        stack.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")
    stack.expect("migrate")
    return stack


def export(stack: Checkout, database: str) -> str:
    """Export a database of the old install and return the archive's name."""
    stack.set(SOURCE_DB_NAME=database)
    before = set(stack.archives)
    stack.expect("export-local")
    (made,) = set(stack.archives) - before
    return made
