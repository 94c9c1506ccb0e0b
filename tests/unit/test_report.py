from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.transfer import report as reports
from infra.transfer.progress import Sample, StageTime
from infra.transfer.report import Report
from infra.transfer.wording import printable

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    '\'" onload="alert(1)" x=\'',
    "</title></style></code><script src=//evil.example/x></script>",
    "&lt;b&gt; &amp; &#60;",
    "${1 + 1} <%! import os %> ## % for x in y:",
    "z" * 63,
    "ä" * 31,
    "日本語 нет",
    "a\x1b[31mb\r\nc\u202ed",
]


def finding(decision: str, name: str = "public.ticks") -> dict[str, Any]:
    return {
        "subject": f"{decision} subject",
        "decision": decision,
        "text": f"{decision}: {name}",
        "hint": f"Hint for {name}.",
        "names": (name,),
    }


def a_report(**changes: object) -> Report:
    made = Report(
        id="restore-20261122T120000Z-a1b2c3",
        command="restore",
        outcome="done",
        started=BEGAN,
        ended=BEGAN + timedelta(seconds=36),
        source="archive tradingdb-20261122T110000Z",
        target="database 'trading' of target local",
        plan={
            "findings": [finding("note"), finding("not carried"), finding("carried")],
            "prediction": {
                "archive_bytes": 400_000_000,
                "target_bytes": 1_200_000_000,
                "seconds": 34.0,
                "rows": 1_200,
            },
        },
        actual={"target_bytes": 1_100_000_000, "rows": 1_200},
        stages=[
            StageTime("loading rows", "rows", 1200, 1200, 30.0),
            StageTime("swapping", "", 0, 0, 6.0),
        ],
        samples=[
            Sample(0, "loading rows", 0),
            Sample(30, "loading rows", 1200),
            Sample(30, "swapping", 0),
        ],
        tables=[
            {"name": "public.small", "rows": 200, "digest": "17", "bytes": 100, "parts": None},
            {"name": "public.ticks", "rows": 1000, "digest": "99", "bytes": 9000, "parts": 60},
        ],
        differences=[],
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by their names


def hostile_report(name: str) -> Report:
    return a_report(
        outcome="failed",
        command=name,
        source=name,
        target=name,
        plan={"findings": [finding("not carried", name), finding("adapted", name)]},
        stages=[StageTime(name, "rows", 10, 10, 30.0)],
        samples=[Sample(0, name, 0), Sample(30, name, 10)],
        tables=[{"name": name, "rows": 1, "digest": name, "bytes": 1, "parts": 1}],
        differences=[name],
        error=f"table {name!r} differs",
    )


class Page(HTMLParser):
    """Notes every element with its attributes, the text, and whatever is not closed."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the elements and the names of their attributes."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]


def page(report: Report) -> Page:
    return Page(reports.html(report))


def after(found: Page, title: str) -> list[str]:
    """Return the text that follows a heading."""
    return found.text[found.text.index(title) + 1 :]


# What a report is made of when its names are plain letters.
PLAIN = page(hostile_report("plain")).shape


# The page


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(name: str) -> None:
    found = page(hostile_report(name))

    assert found.shape == PLAIN
    assert {tag for tag, _ in found.shape}.isdisjoint({"script", "img", "link", "iframe", "a"})
    shown = " ".join(printable(name).split())
    lines = [" ".join(text.split()) for text in found.text]
    # Table, digest, difference, two findings' names; each says what the database said.
    assert lines.count(shown) >= 5
    assert any(
        f"throughput of {printable(name)}:" in str(a.get("aria-label")) for _, a in found.elements
    )


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=63))
def test_no_name_changes_the_page(name: str) -> None:
    assert page(hostile_report(name)).shape == PLAIN


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = reports.html(a_report())

    for loading in ("src=", "href=", "url(", "@import", "//", "<script", "<link", "<iframe"):
        assert loading not in text
    assert text.startswith("<!DOCTYPE html>")
    assert '<meta charset="utf-8">' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_verdict_comes_first() -> None:
    assert page(a_report()).text[2:4] == [
        "Done.",
        "1,200 rows in 2 tables arrived, and every digest equals what was sent.",
    ]


def test_a_failure_is_not_called_done() -> None:
    failed = a_report(
        outcome="failed",
        differences=["table public.ticks: digest is 2, expected 1"],
        error="the copy differs\nthe live database was not touched",
    )

    found = page(failed)

    assert found.text[2:6] == [
        "Failed.",
        "restore stopped after 36 s with 1 difference.",
        "the copy differs",
        "the live database was not touched",
    ]
    assert after(found, "Differences")[0] == "table public.ticks: digest is 2, expected 1"
    assert "Done." not in found.text
    assert ("header", {"class": "verdict failed"}) in found.elements


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("export-local", "The archive holds 1,200 rows in 2 tables, with a receipt"),
        ("restore", "1,200 rows in 2 tables arrived, and every digest equals"),
        ("undo", "The database that had been replaced is back in its place"),
    ],
)
def test_each_command_has_its_own_verdict(command: str, sentence: str) -> None:
    assert reports.verdict(a_report(command=command)).startswith(sentence)


def test_plan_and_actual_stand_side_by_side_with_their_ratio() -> None:
    found = after(page(a_report()), "Plan and actual")

    assert found[4:8] == ["archive", "400.0 MB", "unknown", "disk of the target"]
    assert found[8:11] == ["1.2 GB", "1.1 GB", "0.92"]
    assert found[11:15] == ["rows", "1,200", "1,200", "1.00"]
    assert found[15:19] == ["time", "34 s", "36 s", "1.06"]


def test_the_largest_table_comes_first_with_its_digest_and_parts() -> None:
    found = after(page(a_report()), "Tables")

    assert found[4:9] == ["public.ticks", "99", "1,000", "9.0 kB", "60"]
    assert found[9:13] == ["public.small", "17", "200", "100 B"]


def test_what_is_unknown_of_a_table_is_left_empty() -> None:
    table = {"name": "public.x", "rows": 3, "digest": "1", "bytes": None, "parts": None}

    found = after(page(a_report(tables=[table])), "Tables")

    assert found[4:8] == ["public.x", "1", "3", "Report"]


def test_what_was_left_behind_comes_before_what_was_carried() -> None:
    found = page(a_report()).text

    places = [found.index(title) for title in ("Not carried", "To note", "Carried")]
    assert places == sorted(places)
    assert after(page(a_report()), "Not carried")[:4] == [
        "not carried subject",
        "not carried: public.ticks",
        "Hint for public.ticks.",
        "public.ticks",
    ]


def test_every_name_is_listed_however_many_there_are() -> None:
    names = [f"public.chunk_{number}" for number in range(500)]
    plan = {"findings": [finding("not carried") | {"names": names}]}

    found = page(a_report(plan=plan))

    assert set(names) <= set(found.text)
    assert "all 500 by name" in found.text


def test_the_stages_bar_is_as_long_as_the_time() -> None:
    bars = [
        (float(a["x"] or 0), float(a["width"] or 0))
        for tag, a in page(a_report()).elements
        if tag == "rect" and a["class"] in {"c0", "c1"} and "x" in a
    ]

    assert bars == [(0.0, 83.333), (83.333, 16.667)]
    assert after(page(a_report()), "Stages")[4:8] == [
        "loading rows",
        "1,200 rows",
        "30 s",
        "40 rows/s",
    ]


def test_a_chart_names_its_units() -> None:
    found = after(page(a_report()), "Throughput over time")

    assert found[:3] == [
        "loading rows",
        "40 rows/s on average (dashed), 40 rows/s at best",
        "rows/s",
    ]
    assert "seconds of the stage" in found


def test_a_report_of_next_to_nothing_is_a_page_too() -> None:
    bare = a_report(
        command="undo", plan={}, actual={}, stages=[], samples=[], tables=[], differences=[]
    )

    found = page(bare)

    assert "Tables" not in found.text
    assert "Throughput over time" not in found.text
    assert after(found, "Plan and actual")[4:7] == ["time", "unknown", "36 s"]


# The files


def test_a_report_is_two_files_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "reports"

    data, shown = reports.write(a_report(), folder)

    assert sorted(folder.iterdir()) == [shown, data]
    assert data.name == "restore-20261122T120000Z-a1b2c3.json"
    assert shown.read_text(encoding="utf-8") == reports.html(a_report())
    for path in (data, shown):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_report_is_json_for_programs(tmp_path: Path) -> None:
    started = BEGAN.astimezone(timezone(timedelta(hours=2)))

    data, _ = reports.write(a_report(started=started), tmp_path)

    value = json.loads(data.read_text(encoding="utf-8"))
    assert value["format"] == 1
    assert value["started"] == "2026-11-22T12:00:00+00:00"
    assert value["ended"] == "2026-11-22T12:00:36+00:00"
    assert value["stages"][0] == {
        "name": "loading rows",
        "unit": "rows",
        "total": 1200,
        "done": 1200,
        "seconds": 30.0,
    }
    assert value["samples"][1] == {"seconds": 30, "stage": "loading rows", "done": 1200}
    assert value["tables"][1]["digest"] == "99"
    assert value["error"] is None


# The last lines on the terminal


def test_a_transfer_ends_with_plan_against_actual_and_the_place_of_its_report() -> None:
    assert reports.summary(a_report()) == [
        "predicted 1.2 GB, 34 s; actual 1.1 GB, 36 s",
        "report: data/reports/restore-20261122T120000Z-a1b2c3.html",
    ]


def test_an_export_is_measured_by_its_archive() -> None:
    exported = a_report(command="export-local", actual={"archive_bytes": 500_000_000})

    assert reports.summary(exported)[0] == "predicted 400.0 MB, 34 s; actual 500.0 MB, 36 s"


def test_the_actual_time_may_leave_out_what_was_waited_for() -> None:
    assert reports.summary(a_report(actual={"seconds": 20.0}))[0] == "predicted 34 s; actual 20 s"


@pytest.mark.parametrize("changes", [{"outcome": "failed"}, {"plan": {}}])
def test_without_both_sides_only_the_report_is_named(changes: dict[str, object]) -> None:
    assert reports.summary(a_report(**changes)) == [
        "report: data/reports/restore-20261122T120000Z-a1b2c3.html"
    ]
