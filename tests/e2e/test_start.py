"""The stack's first and later starts, as a user and as a server make them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from infra.settings import Images
from tests.fixtures.checkout import ALL_CHARACTERS, ROOT, Checkout, free_port, make_checkout


def test_up_ends_with_healthy_services_and_the_schema_at_head(fresh_stack: Checkout) -> None:
    output = fresh_stack.expect("up")

    assert "roles: reconciled" in output
    assert "schema: at head (0001)" in output
    status = json.loads(fresh_stack.expect("status", "--json"))
    assert {service["name"]: service["health"] for service in status["services"]} == {
        "db": "healthy",
        "redis": "healthy",
    }


def test_up_again_changes_nothing(fresh_stack: Checkout) -> None:
    before = fresh_stack.compose("ps", "--quiet").stdout

    fresh_stack.expect("up")

    assert fresh_stack.compose("ps", "--quiet").stdout == before


def test_up_after_the_database_was_killed_finds_the_data(fresh_stack: Checkout) -> None:
    fresh_stack.sql(
        "INSERT INTO instruments (symbol, name, kind, currency, tick_size) "
        "VALUES ('EURUSD', 'Euro', 'forex', 'USD', 0.00001)"
    )
    fresh_stack.compose("kill", "--signal", "KILL", "db")

    fresh_stack.expect("up")

    assert fresh_stack.sql("SELECT symbol FROM instruments") == "EURUSD"


def test_a_password_changed_after_the_volume_was_made_locks_nobody_out(
    fresh_stack: Checkout,
) -> None:
    names = ["POSTGRES_PASSWORD", "DB_OWNER_PASSWORD", "DB_PASSWORD", "REDIS_PASSWORD"]
    before = {name: fresh_stack.values[name] for name in names}
    fresh_stack.set(**{name: f"another {value}" for name, value in before.items()})
    try:
        fresh_stack.expect("up")

        assert "schema: at head" in fresh_stack.expect("status")
    finally:
        fresh_stack.set(**before)
        fresh_stack.expect("up")


def test_a_password_of_every_printable_character_works(fresh_stack: Checkout) -> None:
    names = ["POSTGRES_PASSWORD", "DB_OWNER_PASSWORD", "DB_PASSWORD", "REDIS_PASSWORD"]
    before = {name: fresh_stack.values[name] for name in names}
    fresh_stack.set(**dict.fromkeys(names, ALL_CHARACTERS))
    try:
        fresh_stack.expect("up")
        fresh_stack.expect("migrate")
        environment = fresh_stack.compose("exec", "-T", "redis", "printenv", "REDIS_PASSWORD")

        assert environment.stdout == ALL_CHARACTERS + "\n"
        assert "schema: at head" in fresh_stack.expect("status")
        fresh_stack.expect("schema-check")
    finally:
        fresh_stack.set(**before)
        fresh_stack.expect("up")


def test_down_keeps_the_data(fresh_stack: Checkout) -> None:
    fresh_stack.sql("CREATE SCHEMA kept", role="trading_owner")

    fresh_stack.expect("down")
    assert fresh_stack.compose("ps", "--all", "--quiet").stdout == ""
    fresh_stack.expect("up")

    assert fresh_stack.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'kept'") == "kept"


def test_a_schema_goes_back_and_forth_after_a_yes(fresh_stack: Checkout) -> None:
    refused = fresh_stack.invoke("migrate", "--back-to", "base")
    assert refused.returncode == 3
    assert "nobody can be asked" in refused.stderr

    fresh_stack.expect("migrate", "--back-to", "base", "--yes")
    assert "schema: empty" in fresh_stack.expect("status")
    fresh_stack.expect("migrate")

    assert "schema: at head" in fresh_stack.expect("status")


def test_psql_and_logs_reach_the_database(fresh_stack: Checkout) -> None:
    who = fresh_stack.expect("psql", "--command", "SELECT 'i am ' || current_user")
    logs = fresh_stack.expect("logs", "--service", "db", "--tail", "1000")

    assert "i am trading_owner" in who
    assert "database system is ready to accept connections" in logs


def test_a_taken_port_is_named_with_the_program_that_holds_it(fresh_stack: Checkout) -> None:
    port = free_port()
    program = "import socket,sys,time;s=socket.create_server(('127.0.0.1',int(sys.argv[1])));"
    holder = subprocess.Popen(["python3", "-c", program + "time.sleep(120)", str(port)])
    before = fresh_stack.values["DB_PORT"]
    try:
        _wait_until_taken(port)
        fresh_stack.expect("down")
        fresh_stack.set(DB_PORT=str(port))
        done = fresh_stack.invoke("up")

        assert done.returncode == 4
        assert f"port {port} (DB_PORT) is taken by python" in done.stderr
        assert f"(pid {holder.pid})" in done.stderr
        assert "HINT: " in done.stderr
    finally:
        holder.kill()
        holder.wait()
        fresh_stack.set(DB_PORT=before)
        fresh_stack.expect("up")


def test_a_server_starts_with_docker_and_a_dotenv_alone(
    tmp_path: Path, images: Images, stack: Checkout
) -> None:
    del stack  # It has built the migrator's image.
    server = make_checkout(tmp_path / "server", images)
    try:
        done = server.compose("up", "--detach")

        assert done.returncode == 0, done.stderr
        assert _exit_code_of_migrator(server) == 0
        assert server.sql("SELECT version_num FROM alembic_version") == "0001"
    finally:
        server.remove()


def test_compose_names_the_customers_image_and_folder(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(example, encoding="utf-8")
    for name in ("docker-compose.yml", "docker-compose.cloud.yml"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    checkout = Checkout(tmp_path, "slipway-config")

    config = json.loads(
        checkout.compose("-f", "docker-compose.yml", "config", "--format", "json").stdout
    )
    overlaid = checkout.compose(
        "-f", "docker-compose.yml", "-f", "docker-compose.cloud.yml", "config", "--services"
    )

    database = config["services"]["db"]
    assert database["image"] == "timescale/timescaledb:latest-pg14"
    assert database["volumes"][0]["source"] == str(tmp_path / "data" / "db")
    assert all(port["host_ip"] == "127.0.0.1" for port in database["ports"])
    assert sorted(overlaid.stdout.split()) == ["migrator", "redis"]


@pytest.mark.parametrize(
    "variable", ["POSTGRES_PASSWORD", "DB_PASSWORD", "DB_OWNER_PASSWORD", "REDIS_PASSWORD"]
)
def test_compose_refuses_a_missing_secret_by_name(tmp_path: Path, variable: str) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(
        example.replace(f"\n{variable}=change-me", f"\n{variable}="), encoding="utf-8"
    )
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    (tmp_path / "docker-compose.yml").write_text(compose, encoding="utf-8")

    done = Checkout(tmp_path, "slipway-config").compose("config", "--quiet")

    assert done.returncode != 0
    assert f"set {variable} in .env" in done.stderr


def _wait_until_taken(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(port)


def _exit_code_of_migrator(checkout: Checkout) -> int:
    done = checkout.compose("wait", "migrator")
    if done.returncode == 0 and done.stdout.strip().isdigit():
        return int(done.stdout)
    # A container that has ended already is not waited for.
    shown = checkout.compose("ps", "--all", "--format", "json", "migrator").stdout
    return int(json.loads(shown.splitlines()[0])["ExitCode"])
