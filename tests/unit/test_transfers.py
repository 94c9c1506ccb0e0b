"""What `invoke transfer` refuses before it looks at any database."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.engine.tools import ClientTools
from infra.errors import ConfigurationError, RefusedError, SlipwayError, UsageError
from infra.preparing import Preparation
from infra.settings import Settings
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
    ],
)
def test_a_transfer_needs_two_targets_of_which_one_can_be_replaced(
    transfers: Transfers, origin: str, to: str, kind: type[SlipwayError], message: str
) -> None:
    with pytest.raises(kind) as planned:
        transfers.plan(origin, to, Options(1), discard=False)
    with (
        pytest.raises(kind) as begun,
        transfers.transferring(origin, to, Options(1), discard=False),
    ):
        pass

    assert planned.value.message == begun.value.message == message


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_transfer_needs_a_worker(transfers: Transfers, jobs: int) -> None:
    with pytest.raises(UsageError, match="jobs"):
        transfers.plan("source", "local", Options(jobs), discard=False)


def preparation(settings: Settings) -> Preparation:
    engine = Linux()
    return Preparation(settings, engine, ClientTools(RecordingRunner(), engine, "image"))


def test_a_target_that_is_not_configured_says_what_is_missing(make_settings: MakeSettings) -> None:
    found = preparation(make_settings())

    with pytest.raises(ConfigurationError, match=r"^target neon: fill in NEON_DB_\* in \.env$"):
        found.destination("neon")


def test_a_server_of_our_own_is_loaded_by_its_superuser(make_settings: MakeSettings) -> None:
    local = preparation(make_settings()).destination("local")

    assert (local.superuser.user, local.owner.user, local.role, local.application) == (
        "postgres",
        "trading_owner",
        "trading_owner",
        "trading_app",
    )
    assert (local.superuser_server.host, local.superuser_server.network) == (
        "db",
        "slipway_default",
    )
    assert not local.in_place
