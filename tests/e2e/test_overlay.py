"""A server that has Docker, the two Compose files and a `.env`; its database is hosted."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.settings import Images
from tests.doubles.certificates import Authority
from tests.doubles.neon_like import NeonLike
from tests.doubles.supabase_like import SupabaseLike
from tests.fixtures.checkout import ROOT, Checkout, make_checkout

FILES = ("docker-compose.yml", "docker-compose.cloud.yml")
OVERLAY = ("-f", "docker-compose.yml", "-f", "docker-compose.cloud.yml")
HEAD = "0001"

# What stands in the runbook for an application: it asks who it is, as `.env` says.
QUESTION = (
    "import psycopg; from backend import config; "
    "there = psycopg.connect(**config.load().app.conninfo(), prepare_threshold=None); "
    "print(there.execute('SELECT current_user').fetchone()[0])"
)

MakeServer = Callable[..., Checkout]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Iterator[Checkout]:
    """Build the migrator's image, as is done before it goes to a server."""
    made = make_checkout(tmp_path_factory.mktemp("checkout"), images)
    built = made.compose("build", "--quiet", "migrator")
    assert built.returncode == 0, built.stderr
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def make_server(checkout: Checkout, tmp_path: Path) -> Iterator[MakeServer]:
    """Make the folder on the server: two Compose files, a `.env`, and no checkout."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = Checkout(folder, checkout.project)

    def make(**values: str) -> Checkout:
        for name in FILES:
            shutil.copy2(ROOT / name, folder / name)
        shutil.copy2(checkout.env_file, server.env_file)
        # Of a checkout, and none of a server.
        server.set(BUILD_CA_FILE="", **values)
        return server

    yield make
    server.compose(*OVERLAY, "down", "--volumes", "--remove-orphans", "--timeout", "5")
    server.run(
        "docker", "run", "--rm", "--volume", f"{folder}:/server", "--entrypoint", "rm",
        checkout.values["TOOLS_IMAGE"], "-rf", "/server/data",
    )  # fmt: skip


@dataclass
class Service:
    """A container of the project as `docker compose ps` shows it."""

    name: str
    state: str
    health: str
    exit_code: int


def services(server: Checkout) -> dict[str, Service]:
    done = server.compose(*OVERLAY, "ps", "--all", "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        one["Service"]: Service(one["Service"], one["State"], one["Health"], one["ExitCode"])
        for one in found
    }


def settled(server: Checkout) -> dict[str, Service]:
    """Wait until the migrator has ended and Redis is healthy."""
    deadline = time.monotonic() + 120
    while True:
        found = services(server)
        if found["migrator"].state == "exited" and found["redis"].health == "healthy":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def migrate(server: Checkout, *options: str) -> tuple[int, str]:
    """Run the migrator alone, and return its exit code and what it complains of."""
    done = server.compose(*OVERLAY, "run", "--rm", "--no-deps", "-T", *options, "migrator")
    complaint = [line for line in done.stderr.splitlines() if line.startswith(("error:", "HINT:"))]
    return done.returncode, "\n".join(complaint) or done.stderr


def revision(double: NeonLike | SupabaseLike) -> object:
    with double.connect() as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def forget(double: NeonLike | SupabaseLike) -> None:
    """Leave nothing of the schema behind."""
    with double.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute(f"CREATE SCHEMA public AUTHORIZATION {double.owner}".encode())


def bring_up(server: Checkout, *files: str) -> None:
    done = server.compose(*files, "up", "--detach")
    assert done.returncode == 0, done.stderr
    found = settled(server)
    assert set(found) == {"migrator", "redis"}
    logs = server.compose(*OVERLAY, "logs", "--no-log-prefix", "migrator").stdout
    assert found["migrator"].exit_code == 0, logs
    assert logs.endswith(f"schema: {HEAD} (head)\n")


def test_neon_through_its_direct_host(neon: NeonLike, make_server: MakeServer) -> None:
    forget(neon)
    files = ":".join(FILES)
    server = make_server(DB_TARGET="neon", COMPOSE_FILE=files, **neon.settings)

    bring_up(server)

    assert revision(neon) == HEAD
    assert sorted(path.name for path in server.folder.iterdir()) == [".env", "data", *sorted(FILES)]


@pytest.mark.parametrize("entrance", ["session pooler", "direct"])
def test_supabase_through_what_gives_whole_sessions(
    supabase: SupabaseLike, make_server: MakeServer, entrance: str
) -> None:
    forget(supabase)
    server = make_server(DB_TARGET="supabase", **supabase.settings)
    shutil.copy2(supabase.ca, server.folder / "prod-ca-2021.crt")
    server.set(SUPABASE_DB_SSLROOTCERT="prod-ca-2021.crt")
    if entrance == "direct":
        server.set(
            SUPABASE_DB_PORT=str(supabase.direct_port),
            SUPABASE_DB_USER=supabase.owner,
        )

    bring_up(server, *OVERLAY)

    assert revision(supabase) == HEAD


def test_an_application_of_the_runbooks_waits_for_the_migrator(
    neon: NeonLike, make_server: MakeServer
) -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    service = text.partition("```yaml\n")[2].partition("```")[0]
    image = f"image: slipway/migrator:0.1.0\n    entrypoint: [python, -c, {json.dumps(QUESTION)}]"
    server = make_server(
        DB_TARGET="neon", COMPOSE_FILE=":".join((*FILES, "app.yml")), **neon.settings
    )
    (server.folder / "app.yml").write_text(
        service.replace("image: your-application", image), encoding="utf-8"
    )

    started = server.compose("up", "--detach")
    answered = server.compose("run", "--rm", "-T", "app").stdout
    server.set(NEON_DB_NAME="")
    refused = server.compose("up", "--detach")

    assert started.returncode == 0, started.stderr
    assert answered == f"{neon.owner}\n"
    assert refused.returncode != 0
    assert 'service "migrator" didn\'t complete successfully: exit 2' in refused.stderr


def test_a_pooler_of_transactions_is_no_way_in_for_migrations(
    neon: NeonLike, make_server: MakeServer
) -> None:
    server = make_server(DB_TARGET="neon", **{**neon.settings, "NEON_DB_PORT": str(neon.pool_port)})

    code, complaint = migrate(server)

    assert code == 2
    assert "NEON_DB_HOST" in complaint
    assert "transaction" in complaint


def test_a_server_that_the_file_does_not_vouch_for_is_refused(
    neon: NeonLike, make_server: MakeServer
) -> None:
    server = make_server(DB_TARGET="neon", **neon.settings)
    Authority(server.folder / "other.pem")
    server.set(NEON_DB_SSLROOTCERT="./other.pem")

    code, complaint = migrate(server)

    assert code == 9
    assert "certificate" in complaint
    assert "NEON_DB_SSLROOTCERT" in complaint


def test_neon_is_checked_against_what_the_image_trusts(
    neon: NeonLike, make_server: MakeServer
) -> None:
    server = make_server(DB_TARGET="neon", **{**neon.settings, "NEON_DB_SSLROOTCERT": ""})

    code, complaint = migrate(server)
    trusting, _ = migrate(server, "--volume", f"{neon.ca}:/etc/ssl/certs/ca-certificates.crt:ro")

    assert (code, trusting) == (9, 0)
    assert "certificate" in complaint


def test_a_certificate_that_only_its_owner_may_read_is_named(
    neon: NeonLike, make_server: MakeServer
) -> None:
    server = make_server(DB_TARGET="neon", **neon.settings)
    private = server.folder / "private.pem"
    shutil.copy2(neon.ca, private)
    private.chmod(0o600)
    server.set(NEON_DB_SSLROOTCERT="private.pem")

    code, complaint = migrate(server)

    assert code == 2
    assert "NEON_DB_SSLROOTCERT names a file that may not be read" in complaint


@pytest.mark.parametrize("written", ["none.pem", "./none.pem", "system"])
def test_a_certificate_that_is_not_there_is_named(
    neon: NeonLike, make_server: MakeServer, written: str
) -> None:
    server = make_server(DB_TARGET="neon", **{**neon.settings, "NEON_DB_SSLROOTCERT": written})

    code, complaint = migrate(server)

    assert code != 0
    # Some versions of Compose make a folder of it all the same, which the migrator takes for none.
    assert (
        f"bind source path does not exist: {server.folder / written}" in complaint
        or "NEON_DB_SSLROOTCERT names no file" in complaint
    )


def test_all_that_the_active_target_lacks_is_named(make_server: MakeServer) -> None:
    server = make_server(
        DB_TARGET="supabase",
        SUPABASE_DB_HOST="db.example",
        SUPABASE_DB_USER="",
        SUPABASE_DB_PORT="many",
        SUPABASE_DB_PASSWORD="change-me",
        SUPABASE_DB_SSLROOTCERT="",
    )

    code, complaint = migrate(server)

    assert code == 2
    for problem in (
        "SUPABASE_DB_USER is missing",
        "SUPABASE_DB_PORT is not a port number: 'many'",
        "SUPABASE_DB_PASSWORD is still the placeholder",
        "SUPABASE_DB_SSLROOTCERT is missing: Supabase signs with a CA of its own",
    ):
        assert problem in complaint


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"DB_TARGET": ""}, "set DB_TARGET in .env"),
        (
            {"SUPABASE_DB_HOST": "", "NEON_DB_HOST": ""},
            "set SUPABASE_DB_HOST or NEON_DB_HOST in .env",
        ),
        ({"REDIS_PASSWORD": ""}, "set REDIS_PASSWORD in .env"),
    ],
)
def test_compose_names_what_no_target_can_do_without(
    make_server: MakeServer, values: dict[str, str], complaint: str
) -> None:
    server = make_server(**values)

    done = server.compose(*OVERLAY, "up", "--detach")

    assert done.returncode != 0
    assert complaint in done.stderr


def test_the_overlay_and_the_target_go_together(make_server: MakeServer) -> None:
    server = make_server(DB_TARGET="local")
    with_overlay = migrate(server)
    server.set(DB_TARGET="neon")
    alone = server.compose("-f", "docker-compose.yml", "run", "--rm", "--no-deps", "-T", "migrator")

    assert with_overlay[0] == alone.returncode == 2
    assert "DB_TARGET is local, but this stack has no local database" in with_overlay[1]
    assert "DB_TARGET is neon, but this stack has a local database" in alone.stderr
    assert "docker-compose.cloud.yml" in alone.stderr
