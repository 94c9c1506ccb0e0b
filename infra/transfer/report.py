"""The report of a transfer: plan against actual, as JSON and as one page to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from mako.template import Template  # type: ignore[import-untyped]  # it ships no types

from backend import durable
from infra.transfer import chart, wording
from infra.transfer.progress import Sample, StageTime

FORMAT = 1

_MODE = 0o700
_TEMPLATE = Path(__file__).with_name("report.html.mako")
# What a reader looks for first comes first.
_DECISIONS = ("refused", "not carried", "adapted", "remedied", "note", "carried")
_QUANTITIES: dict[str, tuple[str, Callable[[float], str]]] = {
    "archive_bytes": ("archive", wording.size),
    "target_bytes": ("disk of the target", wording.size),
    "rows": ("rows", "{:,}".format),
    "seconds": ("time", wording.duration),
}
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Report:
    """What a transfer was to do, what it did and how long that took; holds no credentials."""

    id: str
    command: str
    outcome: str
    started: datetime
    ended: datetime
    source: str
    target: str
    plan: dict[str, Any]
    actual: dict[str, Any]
    stages: list[StageTime]
    samples: list[Sample]
    tables: list[dict[str, Any]]
    differences: list[str]
    error: str | None = None

    @property
    def seconds(self) -> float:
        """Return how long the transfer took."""
        return (self.ended - self.started).total_seconds()

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        moments = {
            name: getattr(self, name).astimezone(UTC).isoformat() for name in ("started", "ended")
        }
        return {"format": FORMAT, **asdict(self), **moments}


@dataclass(frozen=True)
class Comparison:
    """One quantity of the plan beside what it came to."""

    name: str
    predicted: str
    actual: str
    ratio: str


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write the report as JSON and as a page, readable by their owner only; return both files."""
    folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
    data, page = folder / f"{report.id}.json", folder / f"{report.id}.html"
    durable.write(data, json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n")
    durable.write(page, html(report))
    return data, page


def html(report: Report) -> str:
    """Draw the page: everything it shows is escaped, and nothing is loaded from elsewhere."""
    return str(
        _template().render(
            report=report,
            verdict=verdict(report),
            comparisons=comparisons(report),
            charts=chart.charts(report.stages, report.samples),
            tables=sorted(report.tables, key=_largest_first),
            findings=_by_decision(report.plan.get("findings", ())),
            shares=_shares(report.stages),
            moment=_moment,
            drawing=chart,
            wording=wording,
        )
    )


def summary(report: Report) -> list[str]:
    """Return the lines that end a transfer: what it took, and where its report lies."""
    lines = [f"report: data/reports/{report.id}.html"]
    if report.outcome != "done":
        return lines
    size = "archive_bytes" if report.command == "export-local" else "target_bytes"
    found = [_compare(report, name) for name in (size, "seconds")]
    both = [compared for compared in found if compared and compared.ratio]
    if both:
        predicted = ", ".join(compared.predicted for compared in both)
        actual = ", ".join(compared.actual for compared in both)
        lines.insert(0, f"predicted {predicted}; actual {actual}")
    return lines


def verdict(report: Report) -> str:
    """Say in one sentence how the transfer ended."""
    rows = wording.amount(sum(table["rows"] for table in report.tables), "rows")
    what = f"{rows} in {wording.amount(len(report.tables), 'tables')}"
    if report.outcome != "done":
        differences = wording.amount(len(report.differences), "differences")
        found = f" with {differences}" if report.differences else ""
        return f"{report.command} stopped after {wording.duration(report.seconds)}{found}"
    match report.command:
        case "export-local":
            return f"The archive holds {what}, with a receipt that proves them"
        case "undo":
            return "The database that had been replaced is back in its place"
        case _:
            return f"{what} arrived, and every digest equals what was sent"


def comparisons(report: Report) -> list[Comparison]:
    """Put what was predicted beside what it came to, as far as both are known."""
    found = [_compare(report, name) for name in _QUANTITIES]
    return [compared for compared in found if compared is not None]


@cache
def _template() -> Template:
    return Template(  # noqa: S702 - the default filters escape
        filename=str(_TEMPLATE),
        default_filters=["str", "printable", "h"],
        imports=["from infra.transfer.wording import printable"],
        strict_undefined=True,
    )


def _compare(report: Report, name: str) -> Comparison | None:
    title, written = _QUANTITIES[name]
    predicted = report.plan.get("prediction", {}).get(name)
    actual = report.actual.get(name, report.seconds if name == "seconds" else None)
    if predicted is None and actual is None:
        return None
    return Comparison(
        title,
        _UNKNOWN if predicted is None else written(predicted),
        _UNKNOWN if actual is None else written(actual),
        f"{actual / predicted:.2f}" if predicted and actual is not None else "",
    )


def _by_decision(findings: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups = [
        (decision, [found for found in findings if found["decision"] == decision])
        for decision in _DECISIONS
    ]
    return [(decision, found) for decision, found in groups if found]


def _shares(stages: Sequence[StageTime]) -> list[tuple[StageTime, float, float]]:
    """Give each stage its beginning and length in percent of all stages' time."""
    whole = sum(stage.seconds for stage in stages) or 1
    lengths = [100 * stage.seconds / whole for stage in stages]
    begins = accumulate(lengths, initial=0.0)
    return list(zip(stages, begins, lengths, strict=False))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _largest_first(table: dict[str, Any]) -> tuple[int, int, str]:
    return -(table["bytes"] or 0), -table["rows"], table["name"]
