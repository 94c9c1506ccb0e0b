"""Secrets, clocks and languages around a transfer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.faults.conftest import Shipment, export
from tests.faults.sources import QUOTES
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import killed, live_digest

SECRETS = (
    "POSTGRES_PASSWORD",
    "DB_OWNER_PASSWORD",
    "DB_PASSWORD",
    "REDIS_PASSWORD",
    "SOURCE_DB_PASSWORD",
)


def test_what_a_transfer_writes_holds_no_password_and_is_for_its_owner(
    stack: Checkout, other: Shipment
) -> None:
    commands = [
        ("export-local", "--plan", "--json"),
        ("export-local",),
        ("restore", other.name, "--to", "local", "--plan", "--json"),
        ("restore", other.name, "--to", "local", "--yes"),
        ("verify", other.name, "local", "--json"),
        # The old install has other rows by now: differences are printed.
        ("verify", "source", "local"),
        ("undo", "--yes"),
    ]
    stack.set(SOURCE_DB_NAME="harbour")
    done = [stack.invoke(*command) for command in commands]
    killed(stack, "after-confirmed", "undo", "--yes")
    done.append(stack.invoke("status"))
    written = {
        path: path.read_bytes().decode(errors="replace")
        for name in ("journal", "reports", "archives")
        for path in (stack.folder / "data" / name).rglob("*")
        if path.is_file()
    }

    assert [run.returncode for run in done] == [0, 0, 0, 0, 0, 8, 0, 0]
    assert {path.parent.name for path in written} >= {"journal", "reports"}
    # What pg_dump writes has its own modes; nobody else gets into the archive's folder.
    sealed = set((stack.folder / "data" / "archives").iterdir())
    private = [path for path in written if sealed.isdisjoint(path.parents)]
    assert private
    assert not [path for path in (*sealed, *private) if path.stat().st_mode & 0o077]
    texts = [*written.values(), *(run.stdout + run.stderr for run in done)]
    for name in SECRETS:
        assert not [text for text in texts if stack.values[name] in text], name


def test_time_zone_and_language_change_no_name_and_no_row(
    stack: Checkout, shipments: tuple[Shipment, Shipment]
) -> None:
    del shipments
    # Where an i is no I, and today may be tomorrow.
    abroad = replace(
        stack, environment={"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    )
    before = datetime.now(UTC)

    name = export(abroad, "harbour")

    match = re.fullmatch(r"harbour-(\d{8}T\d{6}Z)", name)
    assert match
    made = datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta(seconds=-1) <= made - before <= timedelta(seconds=60)
    abroad.expect("restore", name, "--to", "local", "--yes")
    stack.expect("verify", name, "local")
    abroad.expect("verify", "source", "local")
    assert live_digest(stack)[0] == QUOTES
