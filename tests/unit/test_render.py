from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.config import Endpoint, Secret
from infra import render
from infra.console import Console
from infra.engine.client import Service
from infra.engine.tools import Server
from infra.errors import RefusedError
from infra.stack import Status
from infra.transfer.archive import Archive
from infra.transfer.receipt import Receipt, TableReceipt
from infra.transfer.restore import LocalTarget
from tests.unit.conftest import MakeSettings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

ARCHIVE = Archive(
    Path("/checkout/data/archives/tradingdb-20261122T120000Z"),
    {
        "created": NOW.isoformat(),
        "source": {"database": "tradingdb", "host": "h", "port": 5432, "user": "u"},
        "tables": 2,
        "rows": 1234567,
        "files": {"dump/toc.dat": {"bytes": 1_500_000}, "receipt.json": {"bytes": 500}},
    },
)
DAMAGED = RefusedError("archive 'x' has no manifest", "Make a new one.")

STATUS = Status(
    "local", [Service("db", "running", "healthy", 0, "db:1", "127.0.0.1:1->2/tcp")], "ok"
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_500, "1.5 MB"),
        (999_999, "1.0 MB"),
        (2_340_000_000, "2.3 GB"),
        (5_000_000_000_000, "5.0 TB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_a_size_is_written_in_the_largest_unit(count: int, text: str) -> None:
    assert render.size(count) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=400, hours=3), "400 d"),
    ],
)
def test_an_age_is_written_in_the_largest_unit(ago: timedelta, text: str) -> None:
    assert render.age(NOW - ago, NOW) == text


@settings(max_examples=60)
@given(st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_an_age_is_never_longer_than_the_truth(ago: timedelta) -> None:
    number, unit = render.age(NOW - ago, NOW).split()

    length = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert int(number) * length <= ago.total_seconds() + 0.5 < (int(number) + 1.5) * length


def test_a_status_is_a_table_and_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), STATUS)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["service", "state", "ports", "image"],
        ["db", "healthy", "127.0.0.1:1->2/tcp", "db:1"],
        ["target:", "local"],
        ["schema:", "ok"],
    ]


def test_a_status_without_services_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), Status("local", [], "unknown"))

    first = capsys.readouterr().out.splitlines()[0]
    assert first == "no services are running; start them with `invoke up`"


def test_a_status_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), STATUS, as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "target": "local",
        "services": [
            {
                "name": "db",
                "state": "running",
                "health": "healthy",
                "restarts": 0,
                "image": "db:1",
                "ports": "127.0.0.1:1->2/tcp",
            }
        ],
        "schema": "ok",
    }


def test_targets_are_json_without_passwords(
    make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    render.targets(Console(), make_settings().targets(), as_json=True)

    printed = capsys.readouterr().out
    source, local, supabase, neon = json.loads(printed)
    assert "secret of" not in printed
    assert local == {
        "name": "local",
        "active": True,
        "admin": "trading_owner@127.0.0.1:5432/trading",
        "app": "trading_app@127.0.0.1:5432/trading",
        "problem": None,
    }
    for target in (source, supabase, neon):
        assert (target["active"], target["admin"], target["app"]) == (False, None, None)
    assert source["problem"].startswith("settings cannot be used: ")
    assert supabase["problem"] == "fill in SUPABASE_DB_* in .env"


def test_targets_are_a_table_that_marks_the_active_one(
    make_settings: MakeSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    render.targets(Console(), make_settings().targets())

    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["local", "*", "trading_owner@127.0.0.1:5432/trading"]
    assert lines[4].split()[:4] == ["neon", "not", "configured", "fill"]
    assert "settings cannot be used" not in "".join(lines)


def test_an_archive_that_was_made_names_the_next_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render.archive(Console(), ARCHIVE)

    assert capsys.readouterr().out == (
        "archive: tradingdb-20261122T120000Z\n"
        "2 tables, 1,234,567 rows, 1.5 MB; "
        "restore it with `invoke restore tradingdb-20261122T120000Z --to local`\n"
    )


def test_archives_are_json_with_the_damaged_ones(capsys: pytest.CaptureFixture[str]) -> None:
    render.archives(Console(), [ARCHIVE, DAMAGED], as_json=True)

    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "tradingdb-20261122T120000Z",
            "created": "2026-11-22T12:00:00+00:00",
            "bytes": 1_500_500,
            "tables": 2,
            "rows": 1234567,
            "source": {"database": "tradingdb", "host": "h", "port": 5432, "user": "u"},
        },
        {"problem": "archive 'x' has no manifest"},
    ]


def test_archives_are_a_table_with_the_damaged_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    render.archives(Console(), [ARCHIVE, DAMAGED])

    header, sound, damaged = capsys.readouterr().out.splitlines()
    assert header.split() == ["archive", "age", "size", "rows", "state"]
    assert sound.split()[0] == "tradingdb-20261122T120000Z"
    assert sound.split()[-4:] == ["1.5", "MB", "1,234,567", "sealed"]
    assert damaged.split() == ["archive", "'x'", "has", "no", "manifest", "damaged"]


def test_without_archives_the_list_names_the_way_to_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render.archives(Console(), [])
    render.archives(Console(), [], as_json=True)

    assert capsys.readouterr().out.splitlines() == [
        "no archives yet; make one with `invoke export-local`",
        "[]",
    ]


def local_target() -> LocalTarget:
    secret = Secret("secret of the superuser")
    superuser = Endpoint("local", "admin", "127.0.0.1", 5432, "trading", "postgres", secret)
    server = Server("slipway_default", "db", 5432, "postgres", "prefer", secret)
    return LocalTarget(superuser, server, "trading_owner", "trading_app")


def test_a_restore_shows_from_and_to(capsys: pytest.CaptureFixture[str]) -> None:
    render.confirm_restore(Console(), ARCHIVE, local_target(), yes=True)

    printed = capsys.readouterr().out
    source, target = printed.splitlines()
    assert source.startswith(
        "From: archive tradingdb-20261122T120000Z (1,234,567 rows of database 'tradingdb', "
    )
    assert target == (
        "To:   database 'trading' of target local, which is kept as 'trading__previous'"
    )
    assert "secret" not in printed


def test_a_restore_without_a_terminal_needs_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        render.confirm_restore(Console(), ARCHIVE, local_target(), yes=False)

    assert caught.value.message == "replace the database needs a yes and nobody can be asked"
    assert caught.value.hint == "Run it on a terminal, or add --yes."
    assert capsys.readouterr().out.startswith("From: ")


@pytest.mark.parametrize("answer", ["", "n", "no", "j", "maybe"])
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)

    with pytest.raises(RefusedError, match=r"^not confirmed, nothing was changed$"):
        render.confirm_restore(Console(), ARCHIVE, local_target(), yes=False)


@pytest.mark.parametrize("answer", ["y", "Yes", " YES "])
def test_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)

    render.confirm_restore(Console(), ARCHIVE, local_target(), yes=False)


def test_what_was_restored_is_shown_table_by_table(capsys: pytest.CaptureFixture[str]) -> None:
    arrived = Receipt(
        (TableReceipt("public", "quotes", 1200, 3), TableReceipt("public", "orders", 7))
    )

    render.restored(Console(), arrived, local_target())

    *table, verdict = capsys.readouterr().out.splitlines()
    assert [line.split() for line in table] == [
        ["table", "rows", "chunks"],
        ["public.quotes", "1,200", "3"],
        ["public.orders", "7"],
    ]
    assert verdict == (
        "verified: 2 tables, 1,207 rows equal the archive's; database 'trading' is live"
    )


ODD = "odd[/b][red]name :key:"


def test_odd_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()

    console.line(ODD)
    console.warn(ODD)
    console.error(RefusedError(ODD, ODD))

    printed = capsys.readouterr()
    assert printed.out == f"{ODD}\n"
    assert printed.err == f"warning: {ODD}\nerror: {ODD}\nHINT: {ODD}\n"


@pytest.mark.parametrize("name", ["odd[/b]name", "odd[red]name", "odd:key:name"])
def test_odd_names_stand_in_tables_as_they_are(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    Console().table(["name"], [[name]])

    assert capsys.readouterr().out.split() == ["name", name]


@pytest.mark.parametrize("name", ["odd[/b]name", "odd[red]name"])
def test_odd_names_do_not_break_the_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    with Console().step("exporting") as step:
        step.update(f"counting {name}")

    assert f"counting {name}" in capsys.readouterr().out


def test_away_from_a_terminal_a_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().step("exporting") as step:
        step.update("counting quotes")

    assert capsys.readouterr().out == "exporting\n"


def test_a_long_name_in_a_table_is_folded_and_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    Console().table(["archive", "age"], [["x" * 90, "1 d"]])

    assert capsys.readouterr().out.count("x") == 90
