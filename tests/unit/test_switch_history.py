from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.switch_history import Freshness, freshness, last_switch
from infra.transfer.journal import Entry, Journal

MOMENT = "2026-11-26T04:00:00+00:00"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", lambda _: None)


def entry(journal: Journal, command: str, archive: str, **values: Any) -> Entry:  # noqa: ANN401
    """Record a command that came to its end; later ones are newer."""
    number = len(journal.entries())
    made = replace(
        journal.begin(command, database="trading", archive=archive).entry,
        **{
            "state": "done",
            "outcome": "done",
            "began": f"2026-11-26T03:{number:02}:00+00:00",
            "reached": (("done", MOMENT),),
            **values,
        },
    )
    journal.write(made)
    return made


def transferred(journal: Journal, origin: str, to: str, written: int | None) -> Entry:
    return entry(journal, "transfer", origin, facts={"target": to, "written": written})


def seen(journal: Journal, written: int | None, target: str = "neon") -> Freshness:
    active = "local" if target == "neon" else "neon"
    return freshness(journal, active=active, target=target, written=written)


def test_without_a_transfer_nothing_is_known(journal: Journal) -> None:
    transferred(journal, "neon", "local", 7)
    entry(journal, "transfer", "local", facts={"target": "neon"}, state="rows", outcome="kept")

    assert seen(journal, 7) == Freshness(
        fresh=False,
        text="no transfer into neon is recorded here: what only local holds is not in neon",
    )


def test_nothing_written_since_the_transfer_is_fresh(journal: Journal) -> None:
    transferred(journal, "local", "neon", 7)

    assert seen(journal, 7) == Freshness(
        fresh=True,
        text=f"fresh: transferred from local at {MOMENT}, no change there is known since",
    )


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (8, "1 row change in local since then is not in neon"),
        (2007, "2,000 row changes in local since then are not in neon"),
    ],
)
def test_what_was_written_since_is_counted(journal: Journal, now: int, words: str) -> None:
    transferred(journal, "local", "neon", 7)

    assert seen(journal, now) == Freshness(
        fresh=False, text=f"stale: transferred from local at {MOMENT}; {words}"
    )


@pytest.mark.parametrize(("before", "now"), [(None, 7), (7, None), (7, 6)])
def test_a_count_that_is_missing_or_began_anew_tells_nothing(
    journal: Journal, before: int | None, now: int | None
) -> None:
    transferred(journal, "local", "neon", before)

    assert seen(journal, now) == Freshness(
        fresh=False,
        text=f"perhaps stale: transferred from local at {MOMENT}; "
        "what local got since then cannot be told",
    )


@pytest.mark.parametrize(
    ("command", "origin", "words"),
    [
        ("transfer", "source", "transfer of source"),
        ("restore", "trading-1", "restore of trading-1"),
        ("undo", "", "undo"),
    ],
)
def test_what_was_filled_otherwise_since_is_stale(
    journal: Journal, command: str, origin: str, words: str
) -> None:
    transferred(journal, "neon", "local", 7)
    entry(journal, command, origin)

    assert seen(journal, 7, "local") == Freshness(
        fresh=False,
        text=f"stale: local was last filled by the {words} at {MOMENT}; "
        "what only neon holds is not in it",
    )


def test_the_last_switch_tells_since_when_the_stack_is_there(journal: Journal) -> None:
    entry(journal, "switch", "local", facts={"target": "neon"})
    back = entry(journal, "switch", "neon", facts={"target": "local"}, state="flipped",
                 outcome="finished")  # fmt: skip
    entry(journal, "switch", "local", facts={"target": "neon"}, state="migrated",
          outcome="taken back")  # fmt: skip
    transferred(journal, "local", "neon", 7)

    assert last_switch(journal, "local") == back
    # Somebody wrote `.env` by hand since.
    assert last_switch(journal, "neon") is None


def test_a_stack_that_was_never_switched_has_no_last_switch(journal: Journal) -> None:
    assert last_switch(journal, "local") is None
