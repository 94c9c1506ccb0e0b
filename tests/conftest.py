"""What all layers share: the images this checkout uses, and Docker itself."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra import settings
from infra.engine.client import Engine
from infra.process import SubprocessRunner
from infra.settings import Images
from tests.doubles import neon_like, supabase_like
from tests.doubles.neon_like import NeonLike
from tests.doubles.supabase_like import SupabaseLike
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


@pytest.fixture(scope="module")
def neon(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NeonLike]:
    """Run a server with the manners of Neon."""
    with neon_like.running(docker_client, tmp_path_factory.mktemp("neon-like")) as double:
        yield double


@pytest.fixture(scope="module")
def supabase(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SupabaseLike]:
    """Run a server with the manners of Supabase."""
    with supabase_like.running(docker_client, tmp_path_factory.mktemp("supabase-like")) as double:
        yield double
