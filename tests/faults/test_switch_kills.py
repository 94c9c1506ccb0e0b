"""`kill -9`, Ctrl-C and a failure in a switch: the stack works on exactly one target."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import docker
import pytest

from infra.settings import Images
from tests.doubles import neon_like
from tests.fixtures.checkout import Checkout
from tests.fixtures.checkout import running as running_stack
from tests.fixtures.faults import complaint, ended, killed, started, wait_until
from tests.fixtures.switches import (
    FILES,
    active,
    answers,
    at,
    other,
    running,
    symbols,
    there,
    write_one,
)

# Two points between which nothing is done are one. The switch starts the local database after
# `begun`, migrates after `confirmed`, stops the local database after `migrated`, flips after
# `flipping` and restarts after `flipped`.
STAYS = (
    "before-begun",
    "after-begun",
    "before-surveyed",
    "after-confirmed",
    "before-migrated",
    "after-migrated",
    "before-left",
    "flipping",
)
MOVES = ("before-flipped", "after-flipped", "before-restarted", "after-restarted", "after-done")
# Those kills that leave nothing to settle: nothing was begun, or all was done.
NOTHING_LEFT = {"before-begun", "after-done"}
# On the way back only these differ: the local database runs already, or nothing is stopped.
BACK = ("before-surveyed", "before-migrated", "flipping")
# Where a kill leaves the stack on the other target it is not switched back for the next one.
CASES = [
    *(("local", point) for point in STAYS),
    *((origin, point) for point in MOVES for origin in ("local", "neon")),
    *(("neon", point) for point in BACK),
]


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, images: Images, docker_client: docker.DockerClient
) -> Iterator[Checkout]:
    """Start a stack of these tests' own, and a hosted database that it can be switched to."""
    with (
        neon_like.running(docker_client, tmp_path_factory.mktemp("neon")) as double,
        running_stack(tmp_path_factory.mktemp("checkout"), images) as checkout,
    ):
        checkout.set(**double.settings)
        yield checkout


def works(stack: Checkout, target: str) -> None:
    """See that a row that is written where `.env` says arrives there and nowhere else."""
    assert active(stack) == target
    symbol = write_one(stack)
    held = {name for name in FILES if answers(stack, name) and symbol in symbols(stack, name)}
    assert held == {target}


def settled(stack: Checkout, target: str, *, recovers: bool) -> None:
    """Type a command, which settles what a kill left, and see that one target is in use."""
    done = stack.invoke("status", "--json")
    found = json.loads(done.stdout)

    assert ("recovered: " in done.stderr) == recovers, done.stderr
    assert (found["target"], found["schema"][:7]) == (target, "at head")
    assert {service["name"] for service in found["services"]} - {"migrator"} == (
        {"db", "redis"} if target == "local" else {"redis"}
    )
    works(stack, target)


@pytest.mark.parametrize(("origin", "point"), CASES)
def test_a_switch_killed_anywhere_leaves_a_stack_that_works_on_one_target(
    stack: Checkout, origin: str, point: str
) -> None:
    at(stack, origin)
    expected = origin if point in STAYS else other(origin)

    killed(stack, point, *there(other(origin)))

    # With nothing but Docker, as on a server.
    assert stack.compose("up", "--detach").returncode == 0
    wait_until(lambda: answers(stack, expected))
    works(stack, expected)
    # And with the next command, which settles what was left.
    settled(stack, expected, recovers=point not in NOTHING_LEFT)


@pytest.mark.parametrize(
    ("origin", "point"), [("neon", "before-flipped"), ("local", "before-left")]
)
def test_a_killed_switch_is_settled_by_the_next_command_alone(
    stack: Checkout, origin: str, point: str
) -> None:
    at(stack, origin)
    killed(stack, point, *there(other(origin)))

    settled(stack, "local", recovers=True)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("migrating", signal.SIGINT),
        ("stopping", signal.SIGTERM),
        ("restarting", signal.SIGINT),
    ],
)
def test_a_signal_during_a_switch_takes_it_back(
    stack: Checkout, line: str, number: signal.Signals
) -> None:
    at(stack, "local")
    with started(stack, *there("neon")) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith(line):
            pass
        if number == signal.SIGTERM:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        done = ended(process)

    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr
    works(stack, "local")
    assert "recovered: " not in stack.expect("status")
    assert {"db", "redis"} <= running(stack)


def test_the_second_of_two_switches_names_the_first(stack: Checkout) -> None:
    at(stack, "local")
    with started(stack, *there("neon")) as first:
        assert first.stdout is not None
        while not first.stdout.readline().startswith("migrating"):
            pass
        refused = stack.invoke(*there("neon"))
        done = ended(first)

    assert f"another command is at work in this checkout: switch, pid {first.pid}" in complaint(
        refused, 3
    )
    assert done.returncode == 0, done.stderr
    works(stack, "neon")
