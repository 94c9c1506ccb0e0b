from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from backend.config import Endpoint, Secret
from infra import render
from infra.archives import Listed
from infra.console import Console
from infra.engine.client import Service
from infra.engine.tools import Server
from infra.errors import RefusedError, UsageError, VerificationError
from infra.local import Session, Undoable
from infra.postgres.objects import DatabaseObject
from infra.stack import Status
from infra.transfer.archive import Archive
from infra.transfer.compare import Comparison, Difference
from infra.transfer.destination import Destination
from infra.transfer.export import Source
from infra.transfer.findings import Finding
from infra.transfer.plan import Plan
from infra.transfer.prediction import Prediction
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt
from infra.transfers import Session as Transfer
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


UNDOABLE = Undoable("trading__previous", 2_000_000, "2026-11-22T12:00:00+00:00")
KEPT = (
    "undo: database 'trading__previous' (2.0 MB) is kept since 2026-11-22T12:00:00+00:00; "
    "`invoke undo` puts it back"
)


def test_a_status_is_a_table_and_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), STATUS, None)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["service", "state", "ports", "image"],
        ["db", "healthy", "127.0.0.1:1->2/tcp", "db:1"],
        ["target:", "local"],
        ["schema:", "ok"],
    ]


def test_a_status_says_since_when_the_stack_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    moment = "2026-11-26T04:00:00+00:00"

    render.status(Console(), replace(STATUS, target="neon", since=moment, previous="local"), None)

    assert f"target: neon since {moment}, local before\n" in capsys.readouterr().out


def test_a_status_without_services_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), Status("local", [], "unknown"), None)

    first = capsys.readouterr().out.splitlines()[0]
    assert first == "no services are running; start them with `invoke up`"


def test_a_status_says_what_can_be_undone(capsys: pytest.CaptureFixture[str]) -> None:
    render.status(Console(), STATUS, UNDOABLE)
    render.status(Console(), STATUS, replace(UNDOABLE, since=None))

    known, unknown = [line for line in capsys.readouterr().out.splitlines() if "undo" in line]
    assert known == KEPT
    assert unknown == KEPT.replace(f" since {UNDOABLE.since}", "")


@pytest.mark.parametrize(
    ("undoable", "undo"),
    [
        (None, None),
        (
            UNDOABLE,
            {
                "name": "trading__previous",
                "size": 2_000_000,
                "since": "2026-11-22T12:00:00+00:00",
            },
        ),
    ],
)
def test_a_status_is_json_for_programs(
    capsys: pytest.CaptureFixture[str], undoable: Undoable | None, undo: dict[str, object] | None
) -> None:
    render.status(Console(), STATUS, undoable, as_json=True)

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
        "since": None,
        "previous": None,
        "undo": undo,
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
    render.archive(Console(), ARCHIVE, ["took 3 s", "report: data/reports/x.html"])

    assert capsys.readouterr().out == (
        "archive: tradingdb-20261122T120000Z\n"
        "took 3 s\n"
        "report: data/reports/x.html\n"
        "2 tables, 1,234,567 rows, 1.5 MB; "
        "restore it with `invoke restore tradingdb-20261122T120000Z --to local`\n"
    )


def test_archives_are_json_with_the_damaged_ones(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Listed(ARCHIVE, None), Listed(ARCHIVE, NOW), Listed(DAMAGED, None)]
    render.archives(Console(), found, UNDOABLE, as_json=True)

    sound = {
        "name": "tradingdb-20261122T120000Z",
        "created": "2026-11-22T12:00:00+00:00",
        "bytes": 1_500_500,
        "tables": 2,
        "rows": 1234567,
        "source": {"database": "tradingdb", "host": "h", "port": 5432, "user": "u"},
    }
    assert json.loads(capsys.readouterr().out) == [
        sound | {"verified": None},
        sound | {"verified": "2026-11-22T12:00:00+00:00"},
        {"problem": "archive 'x' has no manifest"},
    ]


def test_archives_are_a_table_with_the_damaged_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    verified = datetime.now(UTC) - timedelta(hours=2, minutes=5)
    found = [Listed(ARCHIVE, None), Listed(ARCHIVE, verified), Listed(DAMAGED, None)]
    render.archives(Console(), found, UNDOABLE)

    header, sound, proven, damaged, undo = capsys.readouterr().out.splitlines()
    assert header.split() == ["archive", "age", "size", "rows", "state"]
    assert sound.split()[0] == "tradingdb-20261122T120000Z"
    assert sound.split()[-4:] == ["1.5", "MB", "1,234,567", "sealed"]
    assert proven.split()[-5:] == ["1,234,567", "verified", "2", "h", "ago"]
    assert undo == KEPT
    assert damaged.split() == ["archive", "'x'", "has", "no", "manifest", "damaged"]


def test_without_archives_the_list_names_the_way_to_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render.archives(Console(), [], None)
    render.archives(Console(), [], None, as_json=True)

    assert capsys.readouterr().out.splitlines() == [
        "no archives yet; make one with `invoke export-local`",
        "[]",
    ]


PREDICTION = Prediction(archive_bytes=0, target_bytes=3_000_000, seconds=4.2, rows=1_234_567)
CARRIED = Finding("tables", "carried", "2 tables")
ADAPTED = Finding("owners", "adapted", "every object will belong to trading_owner")
REFUSED = Finding("encoding", "refused", "database 'x' is in LATIN1", "Make it UTF8.")


@dataclass(frozen=True)
class Planned:
    """A restore that was planned, with no database behind it."""

    archive: Archive
    target: Destination
    plan: Plan


SECRET = Secret("secret of the superuser")
SERVER = Server("slipway_default", "db", 5432, "postgres", "prefer", SECRET)


def destination(name: str) -> Destination:
    superuser = Endpoint(name, "admin", "127.0.0.1", 5432, "trading", "postgres", SECRET)
    owner = replace(superuser, user="trading_owner")
    return Destination(superuser, owner, owner.user, "trading_app", SERVER, SERVER)


def confirm(*findings: Finding, yes: bool) -> None:
    planned = Planned(ARCHIVE, destination("local"), Plan(findings, PREDICTION))
    render.confirm_restore(Console(), cast("Session", planned), yes=yes)


def test_a_restore_shows_from_and_to(capsys: pytest.CaptureFixture[str]) -> None:
    confirm(yes=True)

    printed = capsys.readouterr().out
    predicted, source, target = printed.splitlines()
    assert predicted == "predicted: 1,234,567 rows, 3.0 MB on the target's disk, 4.2 s"
    assert source.startswith(
        "From: archive tradingdb-20261122T120000Z (1,234,567 rows of database 'tradingdb', "
    )
    assert target == (
        "To:   database 'trading' of target local, which is kept as 'trading__previous'"
    )
    assert "secret" not in printed


def test_a_restore_shows_what_is_not_carried_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    confirm(ADAPTED, CARRIED, yes=True)

    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "adapted: every object will belong to trading_owner"
    assert second.startswith("predicted: ")


def test_a_restore_without_a_terminal_needs_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        confirm(yes=False)

    assert caught.value.message == "replace the database needs a yes and nobody can be asked"
    assert caught.value.hint == "Run it on a terminal, or add --yes."
    assert "\nFrom: " in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "n", "no", "j", "maybe"])
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)

    with pytest.raises(RefusedError, match=r"^not confirmed, nothing was changed$"):
        confirm(yes=False)


@pytest.mark.parametrize("answer", ["y", "Yes", " YES "])
def test_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)

    confirm(yes=False)


@dataclass(frozen=True)
class Prepared:
    """What becomes of a source that nobody has looked at."""

    plan: Plan


@dataclass(frozen=True)
class Streamed:
    """A transfer that was planned, with no database behind it."""

    source: Source
    target: Destination
    prepared: Prepared


def confirm_transfer(*findings: Finding, to: str, yes: str | bool) -> None:
    endpoint = Endpoint("source", "admin", "old.example", 5433, "tradingdb", "reader", SECRET)
    planned = Streamed(
        Source(endpoint, SERVER), destination(to), Prepared(Plan(findings, PREDICTION))
    )
    render.confirm_transfer(Console(), cast("Transfer", planned), yes=yes)


@pytest.mark.parametrize(("to", "yes"), [("local", True), ("local", "local"), ("neon", "neon")])
def test_a_transfer_shows_from_and_to(
    capsys: pytest.CaptureFixture[str], to: str, *, yes: str | bool
) -> None:
    confirm_transfer(ADAPTED, CARRIED, to=to, yes=yes)

    assert capsys.readouterr().out.splitlines() == [
        "adapted: every object will belong to trading_owner",
        "predicted: 1,234,567 rows, 3.0 MB on the target's disk, 4.2 s",
        "From: reader@old.example:5433/tradingdb",
        f"To:   database 'trading' of target {to}, which is kept as 'trading__previous'",
    ]


@pytest.mark.parametrize("yes", [True, "local", "Neon", "y"])
def test_a_bare_yes_is_no_consent_to_a_target_elsewhere(
    capsys: pytest.CaptureFixture[str], *, yes: str | bool
) -> None:
    with pytest.raises(UsageError) as caught:
        confirm_transfer(to="neon", yes=yes)

    assert caught.value.message == "--yes is not enough for target 'neon'"
    assert caught.value.hint == "Name it: `--yes neon`."
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("to", "answer", "goes_on"),
    [
        ("local", "y", True),
        ("local", "local", False),
        ("neon", "neon", True),
        ("neon", "y", False),
        ("neon", "local", False),
    ],
)
def test_a_target_elsewhere_is_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch, to: str, answer: str, *, goes_on: bool
) -> None:
    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)

    with nullcontext() if goes_on else pytest.raises(RefusedError, match="not confirmed"):
        confirm_transfer(to=to, yes="")


def test_an_undo_shows_which_database_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    render.confirm_undo(Console(), UNDOABLE, yes=True)

    assert capsys.readouterr().out.splitlines() == [
        "From: database 'trading__previous' (2.0 MB, put aside at 2026-11-22T12:00:00+00:00)",
        "To:   database 'trading' of target local, which is kept as 'trading__previous'",
    ]


def test_an_undo_without_a_terminal_needs_a_yes() -> None:
    with pytest.raises(RefusedError, match=r"^put it back needs a yes and nobody can be asked$"):
        render.confirm_undo(Console(), UNDOABLE, yes=False)


def test_a_plan_is_a_table_and_what_it_will_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    render.plan(Console(), Plan((ADAPTED,), replace(PREDICTION, archive_bytes=1_000_000)))

    header, line, predicted = capsys.readouterr().out.splitlines()
    assert header.split() == ["decision", "subject", "what"]
    assert line.split()[:3] == ["adapted", "owners", "every"]
    assert predicted == (
        "predicted: 1,234,567 rows, 1.0 MB of archive, 3.0 MB on the target's disk, 4.2 s"
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_a_plan_that_refuses_is_shown_and_then_an_error(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    made = Plan((REFUSED, CARRIED), PREDICTION)

    with pytest.raises(RefusedError) as caught:
        render.plan(Console(), made, as_json=as_json)

    assert (caught.value.message, caught.value.hint) == (REFUSED.text, REFUSED.hint)
    printed = capsys.readouterr().out
    assert REFUSED.text in printed
    if as_json:
        assert json.loads(printed)["prediction"]["rows"] == 1_234_567


ARRIVED = Receipt(
    170011,
    recoded=False,
    tables=(
        TableReceipt(
            "public",
            "quotes",
            "hypertable",
            1200,
            0,
            tuple(PartReceipt(label, 400, 0) for label in "abc"),
        ),
        TableReceipt("public", "orders", "table", 7, 0),
    ),
    objects=(DatabaseObject("schema", "public", {}),) * 1500,
)


def test_what_was_transferred_is_shown_table_by_table(capsys: pytest.CaptureFixture[str]) -> None:
    before = "the database before is kept"
    render.transferred(Console(), ARRIVED, ["took 3 s"], "source", before)

    *table, line, verdict = capsys.readouterr().out.splitlines()
    assert [words.split()[:2] for words in table] == [
        ["table", "rows"],
        ["public.quotes", "1,200"],
        ["public.orders", "7"],
    ]
    assert line == "took 3 s"
    assert verdict == (
        "verified: 2 tables, 1,207 rows and 1,500 objects equal those of source; "
        "the database before is kept"
    )


def test_what_was_restored_is_shown_table_by_table(capsys: pytest.CaptureFixture[str]) -> None:
    render.restored(Console(), ARRIVED, ["took 3 s"])

    *table, line, verdict = capsys.readouterr().out.splitlines()
    assert [words.split() for words in table] == [
        ["table", "rows", "parts"],
        ["public.quotes", "1,200", "3"],
        ["public.orders", "7"],
    ]
    assert line == "took 3 s"
    assert verdict == (
        "verified: 2 tables, 1,207 rows and 1,500 objects equal the archive's; "
        "`invoke undo` takes it back"
    )


CHANGED = Difference("table", "public.orders", "rows", "7", "8")
NEWER = Difference("extension", "hstore", "version", "1.4", "1.8")


def test_what_is_equal_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    render.comparison(Console(), Comparison((), (NEWER,)), "a", "local")

    assert capsys.readouterr().out.splitlines() == [
        "adapted: extension hstore: version is 1.8, expected 1.4",
        "verified: local equals a",
    ]


@pytest.mark.parametrize(
    ("changes", "count"), [((CHANGED,), "1 thing"), ((CHANGED, NEWER), "2 things")]
)
def test_each_difference_is_a_line_and_all_are_one_error(
    capsys: pytest.CaptureFixture[str], changes: tuple[Difference, ...], count: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        render.comparison(Console(), Comparison(changes, ()), "a", "local")

    assert caught.value.message == f"'local' differs from 'a' in {count}"
    assert caught.value.differences == tuple(map(str, changes))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"difference: {change}" for change in changes]
    assert lines[0] == "difference: table public.orders: rows is 8, expected 7"


@pytest.mark.parametrize("changes", [(), (CHANGED,)])
def test_a_comparison_is_json_for_programs(
    capsys: pytest.CaptureFixture[str], changes: tuple[Difference, ...]
) -> None:
    compared = Comparison(changes, (NEWER,))
    with pytest.raises(VerificationError) if changes else nullcontext():
        render.comparison(Console(), compared, "a", "local", as_json=True)

    printed = json.loads(capsys.readouterr().out)
    assert printed == compared.as_json()
    assert printed["equal"] is not bool(changes)


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
