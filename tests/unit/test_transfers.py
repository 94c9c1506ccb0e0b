"""What `invoke transfer` refuses before it looks at any database."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.engine.tools import ClientTools
from infra.errors import RefusedError, SlipwayError, UsageError
from infra.transfer.journal import Journal
from infra.transfer.stream.options import Options
from infra.transfers import Transfers
from tests.unit.conftest import FakeEngine, MakeSettings, RecordingRunner

TARGETS = {
    f"{name}_DB_{variable}": value
    for name in ("SOURCE", "NEON", "SUPABASE")
    for variable, value in (
        ("HOST", "db.example"),
        ("NAME", "trading"),
        ("USER", "owner"),
        ("PASSWORD", "secret"),
    )
}


class Linux(FakeEngine):
    """An engine that runs on the host itself."""

    def is_desktop(self) -> bool:
        return False


@pytest.fixture
def transfers(make_settings: MakeSettings, tmp_path: Path) -> Transfers:
    engine = Linux()
    tools = ClientTools(RecordingRunner(), engine, "image")
    return Transfers(
        make_settings(**TARGETS), engine, tools, Journal(tmp_path / "journal", lambda _: None)
    )


@pytest.mark.parametrize(
    ("origin", "to", "kind", "message"),
    [
        ("", "local", UsageError, "--from is missing"),
        ("source", "", UsageError, "--to is missing"),
        ("", "", UsageError, "--from is missing"),
        ("local", "local", UsageError, "--from and --to are both 'local'"),
        ("sauce", "local", UsageError, "target 'sauce' does not exist"),
        ("source", "locale", UsageError, "target 'locale' does not exist"),
        ("local", "source", RefusedError, "the source is only read"),
        (
            "local",
            "supabase",
            RefusedError,
            "target 'supabase' takes no transfer yet: databases there cannot be renamed",
        ),
    ],
)
def test_a_transfer_needs_two_targets_of_which_one_can_be_replaced(
    transfers: Transfers, origin: str, to: str, kind: type[SlipwayError], message: str
) -> None:
    with pytest.raises(kind) as planned:
        transfers.plan(origin, to, Options(1))
    with (
        pytest.raises(kind) as begun,
        transfers.transferring(origin, to, Options(1), discard=False),
    ):
        pass

    assert planned.value.message == begun.value.message == message


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_transfer_needs_a_worker(transfers: Transfers, jobs: int) -> None:
    with pytest.raises(UsageError, match="jobs"):
        transfers.plan("source", "local", Options(jobs))


def test_a_target_that_is_not_configured_says_what_is_missing(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    engine = Linux()
    journal = Journal(tmp_path / "journal", lambda _: None)
    tools = ClientTools(RecordingRunner(), engine, "image")
    found = Transfers(make_settings(), engine, tools, journal)

    with pytest.raises(UsageError, match=r"^target neon: fill in NEON_DB_\* in \.env$"):
        found.destination("neon")


def test_a_server_of_our_own_is_loaded_by_its_superuser_and_another_by_its_owner(
    transfers: Transfers,
) -> None:
    local, neon = transfers.destination("local"), transfers.destination("neon")

    assert (local.superuser.user, local.owner.user, local.application) == (
        "postgres",
        "trading_owner",
        "trading_app",
    )
    assert (local.superuser_server.host, local.superuser_server.network) == (
        "db",
        "slipway_default",
    )
    assert (neon.superuser.user, neon.owner.user, neon.application) == ("owner", "owner", "owner")
    assert neon.owner_server.host == "db.example"
