"""Passwords of any character work through every command and show up nowhere but in `.env`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound
from psycopg import sql

from tests.e2e.test_move import export
from tests.fixtures.checkout import ALL_CHARACTERS, Checkout
from tests.fixtures.servers import Server

# The part of the password that no quoting changes.
CANARY = "789:;<=>?@ABCDEFGHIJKLM"
PASSWORDS = ("POSTGRES_PASSWORD", "DB_OWNER_PASSWORD", "DB_PASSWORD", "REDIS_PASSWORD")


class Watcher(threading.Thread):
    """Looks at every process and every client-tool container while commands run."""

    def __init__(self, client: docker.DockerClient) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._done = threading.Event()
        self.leaks: set[str] = set()
        self.containers: set[str] = set()

    def run(self) -> None:
        while not self._done.wait(0.05):
            self._processes()
            self._containers()

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _processes(self) -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if CANARY in words:
                self.leaks.add(words.replace("\0", " "))

    def _containers(self) -> None:
        for container in self._client.api.containers(filters={"name": "slipway-tool-"}):
            try:
                facts = self._client.api.inspect_container(container["Id"])
            except NotFound:
                continue
            self.containers.add(facts["Name"])
            if CANARY in str(facts):
                self.leaks.add(facts["Name"])


@pytest.fixture
def all_characters(fresh_stack: Checkout, source: Server) -> Iterator[Checkout]:
    """Give every role of the stack, and the source, a password of all characters."""
    before = {name: fresh_stack.values[name] for name in PASSWORDS}
    _set_password(source, ALL_CHARACTERS)
    fresh_stack.set(**dict.fromkeys(PASSWORDS, ALL_CHARACTERS), SOURCE_DB_PASSWORD=ALL_CHARACTERS)
    yield fresh_stack
    _set_password(source, source.password)
    fresh_stack.set(**before, SOURCE_DB_PASSWORD=source.password)
    # Whatever the test restored stays unknown to Alembic; the roles are reconciled before that.
    fresh_stack.invoke("up")


def _set_password(source: Server, password: str) -> None:
    # Through the socket of the container, where no password is asked for.
    statement = sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password))
    source.load(statement.as_string())


def test_no_password_is_seen_while_commands_run_nor_found_afterwards(
    all_characters: Checkout, docker_client: docker.DockerClient
) -> None:
    stack = all_characters
    watcher = Watcher(docker_client)
    watcher.start()
    output = stack.expect("up") + stack.expect("migrate")
    name = export(stack, "ticks")
    output += stack.expect("restore", name, "--to", "local", "--yes")
    output += stack.expect("targets") + stack.expect("status", "--json")
    watcher.stop()

    assert watcher.containers
    assert watcher.leaks == set()
    assert CANARY not in output
    assert CANARY not in stack.expect("logs", "--tail", "100000")
    assert _files_with_canary(stack.folder) == [stack.env_file]
    history = stack.run("docker", "history", "--no-trunc", "slipway/migrator:0.1.0").stdout
    assert CANARY not in history


def test_a_failing_command_shows_no_password(all_characters: Checkout) -> None:
    stack = all_characters
    stack.set(SOURCE_DB_PASSWORD=CANARY)

    done = stack.invoke("export-local")

    assert done.returncode == 5
    assert "refuses user" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def _files_with_canary(folder: Path) -> list[Path]:
    # The database's own files hold verifiers, and belong to the database's user.
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(folder / "data" / "db"):
            # The tests' own sources, and what Python compiled of them, name the canary.
            if path.is_relative_to(folder / "tests"):
                continue
            if CANARY.encode() in path.read_bytes():
                found.append(path)
    return found
