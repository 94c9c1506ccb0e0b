"""Secrets, clocks and languages around a transfer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.faults.conftest import Shipment, export
from tests.faults.sources import QUOTES
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import live_digest

SECRETS = (
    "POSTGRES_PASSWORD",
    "DB_OWNER_PASSWORD",
    "DB_PASSWORD",
    "REDIS_PASSWORD",
    "SOURCE_DB_PASSWORD",
)


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
