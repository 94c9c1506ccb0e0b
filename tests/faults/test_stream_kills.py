"""A transfer killed anywhere: the live database stays, and the next one brings what is missing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import docker
import psutil
import psycopg
import pytest

from tests.faults.sources import CHUNKS
from tests.fixtures.checkout import Checkout, interrupt
from tests.fixtures.faults import (
    DIGEST,
    Digest,
    Reader,
    ask,
    complaint,
    edited,
    ended,
    killed,
    leftovers,
    live_digest,
    staging,
    started,
    tools_of,
    wait_until,
)
from tests.fixtures.servers import Server
from tests.fixtures.transfers import TRANSFER, files_of_chunks, held_in_rows, newest, streamed

# One after the other, each by the command that goes on where the one before was killed.
POINTS = (
    "after-surveyed",
    "after-confirmed",
    "before-schema",
    "after-schema",
    "before-rows",
    "after-rows",
    "before-indexes",
    "before-verified",
    "after-verified",
    "renaming",
)
ALL_ROWS_THERE = POINTS[POINTS.index("before-rows") :]
SERVER = """
SELECT name, setting, (SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name
                       AND f.sourcefile LIKE '%auto.conf' ORDER BY seqno DESC LIMIT 1)
FROM pg_settings s
WHERE name IN ('wal_level', 'max_wal_senders', 'summarize_wal', 'max_wal_size', 'autovacuum',
               'fsync', 'full_page_writes') ORDER BY name
"""
LARGE = {"infra/preparing.py": [("_WORTH_A_RESTART = 1 << 30", "_WORTH_A_RESTART = 1")]}
LOADING = "SELECT current_setting('wal_level'), current_setting('fsync')"


@pytest.fixture
def large(stack: Checkout) -> Iterator[list[tuple[object, ...]]]:
    """Let any load be worth a restart, on a server with a setting of its user's own."""
    stack.sql("ALTER SYSTEM SET max_wal_size = '2GB'")
    stack.sql("SELECT pg_reload_conf()")
    wait_until(lambda: ask(stack, "SHOW max_wal_size") == [("2GB",)])
    with edited(stack, LARGE):
        yield ask(stack, SERVER)
    stack.sql("ALTER SYSTEM RESET ALL")
    stack.sql("SELECT pg_reload_conf()")
    if ask(stack, LOADING) != [("replica", "on")]:
        stack.compose("restart", "db")
        stack.compose("up", "--detach", "--wait", "db")


def test_a_transfer_killed_at_every_step_goes_on_where_it_was(
    stack: Checkout, fleet: Server, behind: Digest
) -> None:
    files: dict[str, object] = {}
    with Reader(stack) as reader:
        for point in POINTS:
            killed(stack, point, *TRANSFER)
            assert live_digest(stack) == behind, point
            if point in ALL_ROWS_THERE:
                files = files or files_of_chunks(stack, staging(stack))
                assert files_of_chunks(stack, staging(stack)) == files, point
        killed(stack, "committed", *TRANSFER)
        output = stack.expect("status")
        reader.wait_for_answer()

    arrived = fleet.execute(DIGEST, "fleet")[0]
    assert "had gone live and is finished" in output
    assert reader.problems == set()
    assert reader.answers == {behind, arrived}
    assert live_digest(stack) == arrived
    # The rows were brought once: the first command that had them all, no later one.
    assert len(files) == CHUNKS
    assert files_of_chunks(stack, "trading") == files
    assert leftovers(stack) == []
    stack.expect("verify", "source", "local")


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_transfer_killed_in_the_middle_of_its_rows_brings_the_others_only(
    stack: Checkout,
    fleet: Server,
    behind: Digest,
    docker_client: docker.DockerClient,
    *,
    whole_group: bool,
) -> None:
    with started(stack, *TRANSFER) as process, held_in_rows(stack, "ledger", arrived=CHUNKS):
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        wait_until(lambda: tools_of(docker_client, process) == [])
    files = files_of_chunks(stack, staging(stack))
    assert live_digest(stack) == behind

    output = stack.expect(*TRANSFER)

    assert "recovered: " in output
    assert "goes on with what is missing" in output
    assert live_digest(stack) == fleet.execute(DIGEST, "fleet")[0]
    assert len(files) == CHUNKS
    assert files_of_chunks(stack, "trading") == files
    brought, whole = streamed(stack)
    assert 0 < brought < whole / 4
    assert leftovers(stack) == []
    stack.expect("verify", "source", "local")


def test_a_killed_worker_costs_one_more_try(
    stack: Checkout, fleet: Server, behind: Digest, docker_client: docker.DockerClient
) -> None:
    assert live_digest(stack) == behind
    with started(stack, *TRANSFER) as process:
        with held_in_rows(stack, "ledger", arrived=CHUNKS):
            workers = [pid for pid in tools_of(docker_client, process) if name_of(pid) == "psql"]
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        done = ended(process)

    assert workers
    assert done.returncode == 0, done.stderr
    assert "trying again: psql was killed" in done.stdout
    assert live_digest(stack) == fleet.execute(DIGEST, "fleet")[0]
    assert leftovers(stack) == []


def name_of(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.NoSuchProcess:
        return ""


def test_a_second_transfer_names_the_first_which_ctrl_c_ends_at_once(
    stack: Checkout, fleet: Server, behind: Digest, docker_client: docker.DockerClient
) -> None:
    with started(stack, *TRANSFER) as process, held_in_rows(stack, "ledger", arrived=CHUNKS):
        refused = stack.invoke(*TRANSFER)
        interrupt(process)
        done = ended(process)
        assert tools_of(docker_client, process) == []

    assert f"pid {process.pid} on {os.uname().nodename}" in complaint(refused, 3)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines() == ["warning: interrupted"]
    assert newest(stack, "journal")["outcome"] == "kept"
    assert leftovers(stack) == [staging(stack)]
    assert live_digest(stack) == behind
    assert "recovered" not in stack.expect("status")
    stack.expect(*TRANSFER)
    brought, whole = streamed(stack)
    assert 0 < brought < whole / 4
    assert live_digest(stack) == fleet.execute(DIGEST, "fleet")[0]
    assert leftovers(stack) == []


@pytest.mark.parametrize("server_too", [False, True])
def test_load_settings_are_taken_back_after_a_kill(
    stack: Checkout, large: list[tuple[object, ...]], behind: Digest, *, server_too: bool
) -> None:
    killed(stack, "before-rows", *TRANSFER)
    assert ask(stack, LOADING) == [("minimal", "on")]
    if server_too:
        stack.compose("kill", "--signal", "KILL", "db")
        assert "not settled yet" in stack.invoke("status").stderr
        stack.compose("up", "--detach", "--wait", "db")

    output = stack.expect("status")

    assert "recovered: " in output
    assert ask(stack, SERVER) == large
    assert live_digest(stack) == behind
    stack.expect(*TRANSFER)
    assert ask(stack, SERVER) == large
    stack.expect("verify", "source", "local")


def test_load_settings_are_taken_back_after_ctrl_c_during_the_restart(
    stack: Checkout, large: list[tuple[object, ...]], behind: Digest
) -> None:
    def is_down() -> bool:
        try:
            ask(stack, "SELECT 1")
        except psycopg.OperationalError:
            return True
        return False

    with started(stack, *TRANSFER) as process:
        wait_until(is_down)
        interrupt(process)
        done = ended(process)
    wait_until(lambda: not is_down())
    stack.compose("up", "--detach", "--wait", "db")
    stack.expect("status")

    assert done.returncode == 130, done.stderr
    assert ask(stack, SERVER) == large
    assert live_digest(stack) == behind
    stack.expect(*TRANSFER)
    assert ask(stack, SERVER) == large
