"""Bad input and faults: one clear line, a hint, the documented exit code, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from tests.e2e.test_move import export
from tests.fixtures.checkout import Checkout, interrupt
from tests.fixtures.servers import Server


@pytest.fixture
def scratch(stack: Checkout, tmp_path: Path) -> Checkout:
    """Copy the checkout's files without its data, for commands that never reach Docker."""
    folder = tmp_path / "scratch"
    shutil.copytree(stack.folder, folder, ignore=shutil.ignore_patterns("data"))
    return Checkout(folder, stack.project)


@pytest.fixture
def settings_of_source(stack: Checkout) -> Iterator[Checkout]:
    before = {name: value for name, value in stack.values.items() if name.startswith("SOURCE_")}
    yield stack
    stack.set(**before)


def complaint(done: CompletedProcess[str], code: int) -> str:
    """Return the one error line of a command that must end with the code."""
    assert done.returncode == code, done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in done.stderr.splitlines() if line.startswith("HINT: ")]
    assert len(errors) == len(hints) == 1, done.stderr
    return errors[0]


def test_a_missing_dotenv_is_named(scratch: Checkout) -> None:
    scratch.env_file.unlink()

    assert complaint(scratch.invoke("status"), 2) == "error: .env is missing"


def test_an_unreadable_dotenv_is_named(scratch: Checkout) -> None:
    # Root may read any file, but nobody can read a folder as one.
    scratch.env_file.unlink()
    scratch.env_file.mkdir()

    assert "error: .env cannot be read" in complaint(scratch.invoke("status"), 2)


def test_every_problem_of_a_dotenv_comes_in_one_error(scratch: Checkout) -> None:
    scratch.set(DB_PASSWORD="change-me", DB_PORT="many", POSTGRES_PASSWORD="")

    line = complaint(scratch.invoke("status"), 2)

    assert "DB_PASSWORD is still the placeholder" in line
    assert "DB_PORT is not a port number: 'many'" in line
    assert "POSTGRES_PASSWORD is missing" in line


def test_a_dotenv_saved_on_windows_works(stack: Checkout) -> None:
    before = stack.env_file.read_bytes()
    stack.env_file.write_bytes(before.replace(b"\n", b"\r\n"))
    try:
        assert "schema: " in stack.expect("status")
        assert stack.invoke("psql", "--command", "SELECT 1").returncode == 0
    finally:
        stack.env_file.write_bytes(before)


def test_an_absent_engine_is_exit_4(scratch: Checkout) -> None:
    scratch.environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"

    assert "docker engine does not answer" in complaint(scratch.invoke("up"), 4)


def test_a_compose_that_is_too_old_is_exit_4(scratch: Checkout, tmp_path: Path) -> None:
    plugins = tmp_path / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    plugin = plugins / "docker-compose"
    plugin.write_text(
        "#!/bin/sh\n"
        'case "$1" in docker-cli-plugin-metadata)\n'
        ' echo \'{"SchemaVersion":"0.1.0","Vendor":"test","Version":"2.23.3"}\' ;;\n'
        "*) echo 2.23.3 ;; esac\n",
        encoding="utf-8",
    )
    plugin.chmod(0o755)
    scratch.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")

    assert "docker compose 2.23.3 is too old" in complaint(scratch.invoke("up"), 4)


def test_three_faults_of_the_source_have_three_messages(
    settings_of_source: Checkout, source: Server
) -> None:
    stack = settings_of_source
    archives = stack.archives

    stack.set(SOURCE_DB_PORT="1")
    down = complaint(stack.invoke("export-local"), 5)
    stack.set(SOURCE_DB_PORT=str(source.port), SOURCE_DB_PASSWORD="wrong")
    refused = complaint(stack.invoke("export-local"), 5)
    stack.set(SOURCE_DB_PASSWORD=source.password, SOURCE_DB_NAME="chinok")
    unknown = stack.invoke("export-local")

    assert "nothing answers at 127.0.0.1:1" in down
    assert "refuses user 'postgres'" in refused
    assert "database 'chinok' does not exist" in complaint(unknown, 5)
    assert "chinook_serial" in unknown.stderr
    assert stack.archives == archives


def test_a_source_that_is_not_configured_is_exit_2(scratch: Checkout) -> None:
    scratch.set(SOURCE_DB_NAME="change-me", SOURCE_DB_PASSWORD="")

    line = complaint(scratch.invoke("export-local"), 2)

    assert "SOURCE_DB_NAME is still the placeholder" in line
    assert "SOURCE_DB_PASSWORD is missing" in line


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "no manifest", "other file"])
def test_a_damaged_archive_is_refused_before_the_target_is_touched(
    fresh_stack: Checkout, damage: str
) -> None:
    name = export(fresh_stack, "chinook_serial")
    folder = fresh_stack.folder / "data" / "archives" / name
    largest = max((folder / "dump").iterdir(), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    if damage == "truncated":
        largest.write_bytes(content[: len(content) * 55 // 100])
    elif damage == "bit flipped":
        middle = len(content) // 2
        largest.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "dump" / "more.dat").write_bytes(b"")
    databases = "SELECT string_agg(datname || oid, ',' ORDER BY oid) FROM pg_database"
    before = fresh_stack.sql(databases)

    line = complaint(fresh_stack.invoke("restore", name, "--to", "local", "--yes"), 3)

    assert name in line
    assert fresh_stack.sql(databases) == before


def test_an_archive_that_does_not_exist_is_refused(stack: Checkout) -> None:
    line = complaint(stack.invoke("restore", "nothing", "--to", "local", "--yes"), 3)

    assert "archive 'nothing' does not exist" in line


def test_a_restore_without_a_terminal_needs_yes(fresh_stack: Checkout) -> None:
    name = export(fresh_stack, "chinook_serial")

    done = fresh_stack.invoke("restore", name, "--to", "local")

    assert "nobody can be asked" in complaint(done, 3)
    assert "From: archive" in done.stdout
    assert "To:   database 'trading'" in done.stdout
    assert "schema: at head" in fresh_stack.expect("status")


@pytest.fixture
def dumping(stack: Checkout, source: Server) -> Iterator[Popen[str]]:
    """Begin an export of two million rows, and return while pg_dump is at it."""
    stack.set(SOURCE_DB_NAME="ticks")
    process = stack.start("export-local", "--jobs", "1")
    _wait_until(lambda: _dumps(source) > 0)
    yield process
    _wait_until(lambda: _dumps(source) == 0)


def test_ctrl_c_during_a_dump_leaves_no_archive_and_no_child(
    stack: Checkout, dumping: Popen[str]
) -> None:
    before = [name for name in stack.archives if not name.endswith(".partial")]

    interrupt(dumping)
    _, stderr = dumping.communicate(timeout=30)

    assert dumping.returncode == 130, stderr
    assert "interrupted" in stderr
    assert stack.archives == before
    mine = f"label=io.slipway.pid={dumping.pid}"
    assert stack.run("docker", "ps", "--all", "--quiet", "--filter", mine).stdout == ""


def test_a_killed_export_is_no_archive_and_the_next_one_cleans_up(
    stack: Checkout, dumping: Popen[str]
) -> None:
    os.killpg(dumping.pid, signal.SIGKILL)
    dumping.communicate(timeout=30)
    (left,) = (name for name in stack.archives if name.endswith(".partial"))
    stack.set(SOURCE_DB_NAME="chinook_serial")
    assert "recovered: the unfinished archive" in stack.expect("export-local")

    assert left not in stack.archives
    mine = f"label=io.slipway.pid={dumping.pid}"
    assert stack.run("docker", "ps", "--all", "--quiet", "--filter", mine).stdout == ""


def _dumps(source: Server) -> int:
    ((count,),) = source.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"
    )
    return int(str(count))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
