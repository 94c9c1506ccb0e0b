"""`kill -9`, Ctrl-C and a lost worker: the live database is the old or the new one, complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import docker
import pytest

from tests.faults.conftest import Shipment, export
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import (
    Reader,
    complaint,
    databases,
    digest_of,
    ended,
    held,
    killed,
    leftovers,
    live_digest,
    started,
    wait_until,
    worker_of,
)

STATES = (
    "surveyed",
    "planned",
    "confirmed",
    "schema",
    "rows",
    "indexes",
    "verified",
    "swapped",
    "done",
)
BOUNDARIES = [f"{side}-{state}" for state in STATES for side in ("before", "after")]
# The swap lies between `verified` and `swapped`.
RESTORE_POINTS = [*BOUNDARIES[:14], "renaming", "committed", *BOUNDARIES[14:]]
# From the confirmation to the last record there is something to finish or to take back.
BEGUN = RESTORE_POINTS[RESTORE_POINTS.index("after-confirmed") : -1]
NEW_FOR_GOOD = RESTORE_POINTS[RESTORE_POINTS.index("committed") :]
UNDO_POINTS = [
    "before-confirmed",
    "after-confirmed",
    "renaming",
    "committed",
    "before-swapped",
    "after-swapped",
    "before-done",
    "after-done",
]
EXPORT_POINTS = [
    "before-dumped",
    "after-dumped",
    "before-counted",
    "after-counted",
    "before-sealed",
    "after-sealed",
]
# Sealed by its last rename, an archive is complete.
COMPLETE = EXPORT_POINTS[-2:]
SECONDS_TO_LEAVE = 5.0


def restoring(shipment: Shipment) -> tuple[str, ...]:
    return ("restore", shipment.name, "--to", "local", "--yes")


@pytest.fixture
def undoable(stack: Checkout, other: Shipment) -> Checkout:
    """Return the stack with another content kept than the one that is live."""
    if digest_of(stack, "trading__previous") != other.digest:
        stack.expect(*restoring(other))
    return stack


@pytest.mark.parametrize("point", EXPORT_POINTS)
def test_a_killed_export_leaves_no_archive_and_the_next_one_cleans_up(
    stack: Checkout, shipments: tuple[Shipment, Shipment], point: str
) -> None:
    del shipments  # They are exported before anything here is killed.
    stack.set(SOURCE_DB_NAME="little")
    before = stack.archives

    killed(stack, point, "export-local")

    (left,) = set(stack.archives) - set(before)
    assert left.endswith(".partial") == (point not in COMPLETE)
    listed = {archive["name"] for archive in json.loads(stack.expect("archives", "--json"))}
    complete = [left] if point in COMPLETE else []
    assert listed == {*before, *complete}
    made = export(stack, "little")
    assert stack.archives == sorted([*before, *complete, made])


@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_a_restore_killed_anywhere_is_finished_or_taken_back_by_the_next_command(
    stack: Checkout, other: Shipment, shipments: tuple[Shipment, Shipment], point: str
) -> None:
    old = live_digest(stack)
    with Reader(stack) as reader:
        killed(stack, point, *restoring(other))
        reader.wait_for_answer()
        output = stack.expect("status")
        reader.wait_for_answer()

    assert reader.problems == set()
    assert reader.answers <= {old, other.digest}
    assert ("recovered: " in output) >= (point in BEGUN), output
    assert not (point == "after-done" and "recovered: " in output)
    assert leftovers(stack) == []
    now = live_digest(stack)
    assert now == other.digest if point in NEW_FOR_GOOD else now in {old, other.digest}
    # The next point's restore is a second try already; these three are run to their end.
    if point in {"after-rows", "renaming", "committed"}:
        (again,) = [shipment for shipment in shipments if shipment.digest != now]
        stack.expect(*restoring(again))
        assert live_digest(stack) == again.digest
        assert digest_of(stack, "trading__previous") == now


def test_a_restore_killed_in_the_middle_of_a_tool_is_taken_back(
    stack: Checkout, other: Shipment, docker_client: docker.DockerClient
) -> None:
    old = live_digest(stack)
    with started(stack, *restoring(other)) as process, held(stack):
        process.kill()
        process.wait()

    output = stack.expect("status")

    assert "recovered: " in output
    assert leftovers(stack) == []
    assert live_digest(stack) == old
    assert containers(docker_client, process) == []


@pytest.mark.parametrize("point", UNDO_POINTS)
def test_an_undo_killed_anywhere_is_finished_or_taken_back_by_the_next_command(
    undoable: Checkout, point: str
) -> None:
    stack = undoable
    live, kept = live_digest(stack), digest_of(stack, "trading__previous")
    with Reader(stack) as reader:
        killed(stack, point, "undo", "--yes")
        reader.wait_for_answer()
        output = stack.expect("status")
        reader.wait_for_answer()

    assert reader.problems == set()
    assert reader.answers <= {live, kept}
    assert ("recovered: " in output) >= (point in UNDO_POINTS[1:-1]), output
    assert leftovers(stack) == []
    now = live_digest(stack)
    assert now in {live, kept}
    assert {now, digest_of(stack, "trading__previous")} == {live, kept}
    if point in {"renaming", "committed"}:
        stack.expect("undo", "--yes")
        assert {now, live_digest(stack)} == {live, kept}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_a_restore_ends_it_and_all_it_started(
    stack: Checkout,
    other: Shipment,
    docker_client: docker.DockerClient,
    number: signal.Signals,
    times: int,
) -> None:
    old = live_digest(stack)
    with started(stack, *restoring(other)) as process, held(stack):
        sent = time.monotonic()
        for _ in range(times):
            # A service manager signals the program alone, a terminal its whole foreground group.
            if number == signal.SIGTERM:
                process.send_signal(number)
            else:
                os.killpg(process.pid, number)
            time.sleep(0.2)
        done = ended(process)
        wait_until(lambda: containers(docker_client, process) == [], seconds=SECONDS_TO_LEAVE)
        took = time.monotonic() - sent

    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr
    assert took < SECONDS_TO_LEAVE
    assert leftovers(stack) == []
    assert live_digest(stack) == old


def test_a_lost_worker_of_pg_dump_fails_the_export(
    stack: Checkout, docker_client: docker.DockerClient
) -> None:
    stack.set(SOURCE_DB_NAME="harbour")
    before = stack.archives

    with started(stack, "export-local", "--jobs", "2") as process:
        os.kill(worker_of(docker_client, process, "pg_dump"), signal.SIGKILL)
        done = ended(process)

    complaint(done, 7)
    assert stack.archives == before


def test_a_lost_worker_of_pg_restore_fails_the_restore(
    stack: Checkout, other: Shipment, docker_client: docker.DockerClient
) -> None:
    old, before = live_digest(stack), databases(stack)

    with started(stack, *restoring(other), "--jobs", "2") as process:
        os.kill(worker_of(docker_client, process, "pg_restore"), signal.SIGKILL)
        done = ended(process)

    complaint(done, 7)
    assert live_digest(stack) == old
    assert databases(stack) == before


def test_the_second_of_two_restores_names_the_first(stack: Checkout, other: Shipment) -> None:
    with started(stack, *restoring(other)) as first:
        with held(stack):
            refused = stack.invoke(*restoring(other))
        done = ended(first)

    line = complaint(refused, 3)
    assert str(first.pid) in line
    assert os.uname().nodename in line
    assert done.returncode == 0, done.stderr
    assert live_digest(stack) == other.digest
    assert leftovers(stack) == []


def containers(client: docker.DockerClient, process: subprocess.Popen[str]) -> list[str]:
    filters = {"label": f"io.slipway.pid={process.pid}"}
    return [found["Id"] for found in client.api.containers(all=True, filters=filters)]
