"""The stack goes to a hosted database and back, by the commands a user types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from infra.settings import Images
from tests.doubles.neon_like import NeonLike
from tests.e2e.test_bad_input import complaint
from tests.fixtures.checkout import Checkout, free_port
from tests.fixtures.checkout import running as running_stack
from tests.fixtures.switches import (
    FILES,
    active,
    answers,
    at,
    running,
    status,
    symbols,
    there,
    write_one,
    writing,
)

APPLICATION = """
services:
  app:
    image: {image}
    entrypoint: [sleep, infinity]
    init: true
    environment:
      TARGET: ${{DB_TARGET}}
    depends_on:
      redis: {{condition: service_healthy}}
"""


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, images: Images, neon: NeonLike
) -> Iterator[Checkout]:
    """Start a stack that knows the hosted database; it is on its own."""
    with running_stack(tmp_path_factory.mktemp("checkout"), images) as checkout:
        checkout.set(**neon.settings)
        yield checkout


@pytest.fixture
def on_local(stack: Checkout) -> Checkout:
    at(stack, "local")
    return stack


def test_there_and_back_under_a_running_writer(stack: Checkout, tmp_path: Path) -> None:
    with writing(stack, tmp_path / "acknowledged") as writer:
        writer.wait_for("local")
        output = stack.expect(*there("neon"))
        flipped = stack.env_file.stat().st_mtime
        writer.wait_for("neon")

        assert "neon holds no data" in output
        assert stack.values["NEON_DB_PASSWORD"] not in output
        assert active(stack) == "neon"
        assert max(row.moment for row in writer.acknowledged("local")) < flipped
        assert not answers(stack, "local")
        assert running(stack) == {"redis"}
        # The next `up` follows, with nothing but Docker.
        assert stack.compose("up", "--detach").returncode == 0
        assert not answers(stack, "local")
        found = status(stack)
        assert (found["target"], found["previous"]) == ("neon", "local")
        assert found["schema"].startswith("at head")
        stack.expect("migrate")

        output = stack.expect("switch", "local", "--yes")
        assert "write to neon until you restart them" in output
        assert active(stack) == "local"
        restarted = writer.restart()
        writer.wait_for("local")

    rows = writer.acknowledged()
    assert {row.target for row in rows if row.moment > restarted} == {"local"}
    held = {name: symbols(stack, name) for name in ("local", "neon")}
    assert held["local"] & held["neon"] == set()
    for name, found_there in held.items():
        assert {row.symbol for row in rows if row.target == name} <= found_there
    assert running(stack) >= {"db", "redis"}
    assert status(stack)["target"] == "local"


def test_the_rows_go_along_when_they_are_transferred_first(on_local: Checkout) -> None:
    stack = on_local
    first = write_one(stack)
    stack.expect("transfer", "--from", "local", "--to", "neon", "--yes", "neon")
    assert "content: fresh: transferred from local" in stack.expect(*there("neon"))
    second = write_one(stack)

    # The local database is started beside the hosted one, which stays the active one.
    stack.expect("transfer", "--from", "neon", "--to", "local", "--yes")
    assert active(stack) == "neon"
    third = write_one(stack)
    output = stack.expect(*there("local"))

    # The pooler's session may have told of the second row only after the transfer.
    assert re.search(r"stale: transferred from neon .*; [12] row changes? in neon since", output)
    assert {first, second} <= symbols(stack, "local")
    assert third not in symbols(stack, "local")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("switch", "neon"), 3, "switch needs a yes and nobody can be asked"),
        (("switch", "neon", "--yes"), 1, "--yes does not name target 'neon'"),
        (("switch", "neon", "--yes", "local"), 1, "--yes does not name target 'neon'"),
        (("switch", "source", "--yes", "source"), 3, "the source is only read"),
        (("switch", "supabase", "--yes", "supabase"), 2, "target supabase: fill in SUPABASE_DB_*"),
        (("switch", "nowhere", "--yes", "nowhere"), 1, "target 'nowhere' does not exist"),
    ],
)
def test_a_switch_that_is_not_asked_for_in_full_changes_nothing(
    on_local: Checkout, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = on_local.env_file.read_bytes()

    assert message in complaint(on_local.invoke(*arguments), code)

    assert on_local.env_file.read_bytes() == before
    assert answers(on_local, "local")


def test_the_target_that_is_active_already_is_no_switch(on_local: Checkout) -> None:
    assert on_local.expect("switch", "local") == "the stack is on local already\n"


def test_an_environment_that_goes_before_the_file_is_named(on_local: Checkout) -> None:
    exported = replace(on_local, environment={"DB_TARGET": "local"})

    line = complaint(exported.invoke(*there("neon")), 2)

    assert "DB_TARGET is 'local' in the environment, which goes before .env" in line
    assert active(on_local) == "local"


@pytest.mark.parametrize("variable", ["NEON_DB_PORT", "NEON_DB_POOL_PORT"])
def test_a_target_of_which_one_endpoint_does_not_answer_is_not_switched_to(
    on_local: Checkout, neon: NeonLike, variable: str
) -> None:
    port = str(free_port())
    on_local.set(**{variable: port})
    try:
        line = complaint(on_local.invoke(*there("neon")), 6)
        assert f"nothing answers at {neon.host}:{port}" in line
    finally:
        on_local.set(**neon.settings)

    assert active(on_local) == "local"
    assert answers(on_local, "local")


def test_an_application_of_ones_own_goes_along(on_local: Checkout) -> None:
    stack = on_local
    image = stack.values["REDIS_IMAGE"]
    (stack.folder / "app.yml").write_text(APPLICATION.format(image=image), encoding="utf-8")
    stack.set(COMPOSE_FILE="docker-compose.yml:app.yml")
    try:
        assert stack.compose("up", "--detach", "app").returncode == 0
        stack.expect(*there("neon"))
        values = stack.values
        on_neon = stack.compose("exec", "-T", "app", "printenv", "TARGET").stdout.strip()
        stack.expect(*there("local"))
        on_local_again = stack.compose("exec", "-T", "app", "printenv", "TARGET").stdout.strip()

        assert values["COMPOSE_FILE"] == f"{FILES['neon']}:app.yml"
        assert stack.values["COMPOSE_FILE"] == "docker-compose.yml:app.yml"
        assert (on_neon, on_local_again) == ("neon", "local")
    finally:
        stack.compose("rm", "--stop", "--force", "app")
        stack.set(COMPOSE_FILE=FILES["local"])
    assert active(stack) == "local"


@pytest.mark.parametrize(
    ("service", "code", "message"),
    [
        # It is there only when the stack is on a hosted database: at the very end it fails.
        ("image: slipway-test/none:${DB_TARGET}", 4, "docker compose up failed"),
        ("depends_on: [db]\n    image: slipway-test/none", 3, "do not fit together"),
    ],
)
def test_an_application_that_cannot_go_along_takes_the_switch_back(
    on_local: Checkout,
    docker_client: docker.DockerClient,
    service: str,
    code: int,
    message: str,
) -> None:
    stack = on_local
    docker_client.images.get(stack.values["REDIS_IMAGE"]).tag("slipway-test/none", "local")
    text = (
        f"services:\n  app:\n    {service}\n    pull_policy: never\n    entrypoint: [sleep, '9']\n"
    )
    (stack.folder / "app.yml").write_text(text, encoding="utf-8")
    stack.set(COMPOSE_FILE="docker-compose.yml:app.yml")
    try:
        stack.compose("up", "--detach", "app")
        before = stack.env_file.read_bytes()
        failed = stack.invoke(*there("neon"))

        assert message in complaint(failed, code)
        assert ("taken back: the stack is on local as before" in failed.stdout) == (code == 4)
        assert stack.env_file.read_bytes() == before
        assert answers(stack, "local")
        assert "recovered" not in stack.expect("status")
    finally:
        stack.compose("rm", "--stop", "--force", "app")
        stack.set(COMPOSE_FILE=FILES["local"])
        docker_client.images.remove("slipway-test/none:local")
