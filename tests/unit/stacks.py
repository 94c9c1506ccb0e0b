"""A stack whose programs are recorded and whose containers are given."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from infra.engine.client import Service
from infra.engine.compose import Compose
from infra.errors import SlipwayError
from infra.stack import Stack
from infra.transfer.journal import Journal
from tests.fixtures.checkout import free_port
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner

NEON = {
    "DB_TARGET": "neon",
    "COMPOSE_FILE": "docker-compose.yml:docker-compose.cloud.yml",
    "NEON_DB_HOST": "ep-1.neon.tech",
    "NEON_DB_NAME": "trading",
    "NEON_DB_USER": "owner",
    "NEON_DB_PASSWORD": "neon secret",
}


def service(
    name: str, state: str = "running", health: str = "healthy", restarts: int = 0
) -> Service:
    return Service(name, state, health, restarts, f"{name}:1", "")


HEALTHY = [service("db"), service("redis")]


class Recovering(FakeEngine):
    """Knows other services each time it is asked."""

    def __init__(self, *states: list[Service]) -> None:
        super().__init__()
        self.states = list(states)

    def services(self, project: str) -> list[Service]:
        del project
        return self.states.pop(0)


class Case:
    """A stack with a runner that records and an engine that is none."""

    def __init__(self, make_settings: MakeSettings, runner: RecordingRunner) -> None:
        self._make_settings = make_settings
        self.runner = runner

    def stack(
        self, engine: FakeEngine | None = None, values: Mapping[str, str] | None = None
    ) -> Stack:
        ports = {"DB_PORT": str(free_port()), "REDIS_PORT": str(free_port())}
        settings = self._make_settings(**{**ports, **(values or {})})
        self.compose = Compose(settings)
        self.root = settings.root
        return Stack(
            settings,
            self.compose,
            engine or FakeEngine(HEALTHY),
            self.runner,
            Journal(settings.journal, lambda _: None),
        )


def failure(
    work: object, kind: type[SlipwayError], message: str, hint: str | None = None
) -> SlipwayError:
    assert callable(work)
    with pytest.raises(SlipwayError) as caught:
        work()
    assert (type(caught.value), caught.value.message) == (kind, message)
    if hint is not None:
        assert caught.value.hint == hint
    return caught.value
