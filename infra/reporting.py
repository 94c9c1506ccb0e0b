"""A report for each transfer, written however the transfer ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.errors import SlipwayError, VerificationError
from infra.transfer import report
from infra.transfer.progress import Progress, Recorder
from infra.transfer.receipt import Receipt
from infra.transfer.report import Report


@dataclass
class Draft:
    """What a transfer adds to its report while it works."""

    recorder: Recorder
    target: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    actual: dict[str, Any] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def arrived(self, receipt: Receipt) -> None:
        """Note each table with its rows and digest."""
        self.actual["rows"] = receipt.rows
        self.tables = [
            {
                "name": str(table),
                "rows": table.rows,
                "digest": str(table.digest),
                "bytes": table.size,
                "parts": len(table.parts),
            }
            for table in receipt.tables
        ]


@contextmanager
def reported(folder: Path, command: str, *, source: str, progress: Progress) -> Iterator[Draft]:
    """Write the report of what is done inside, a failure too; `lines` are what it says in short."""
    started = datetime.now(UTC)
    draft = Draft(Recorder(progress))
    error: SlipwayError | None = None
    outcome = "failed"
    try:
        yield draft
        outcome = "done"
    except SlipwayError as failure:
        error = failure
        raise
    finally:
        written = Report(
            id=f"{command}-{started:%Y%m%dT%H%M%S}.{started.microsecond // 1000:03d}Z",
            command=command,
            outcome=outcome,
            started=started,
            ended=datetime.now(UTC),
            source=source,
            target=draft.target,
            plan=draft.plan,
            actual=draft.actual,
            stages=draft.recorder.stages,
            samples=draft.recorder.samples,
            tables=draft.tables,
            differences=list(error.differences) if isinstance(error, VerificationError) else [],
            error=error.message if error else None,
        )
        draft.lines += _write(written, folder)


def _write(written: Report, folder: Path) -> list[str]:
    """Write the report; a transfer that is through is no failure for want of its report."""
    try:
        report.write(written, folder)
    except OSError as error:
        return [f"no report: {folder} cannot be written: {error.strerror}"]
    return report.summary(written)
