"""The benchmarks of transfers run to their end, with few rows; their figures prove nothing here."""

from __future__ import annotations

import pytest

from benchmarks import chunks, figures, stream
from infra.console import Console
from infra.engine.client import Engine
from infra.process import SubprocessRunner

ROWS = 122_000


def test_transfers_are_measured_beside_other_tools(capsys: pytest.CaptureFixture[str]) -> None:
    runner = SubprocessRunner()

    result = stream.run(Console(), runner, Engine(runner), rows=ROWS, rounds=1)

    printed = capsys.readouterr().out
    failures = {name: run.failure for name, (run,) in result.runs.items() if run.failure}
    # As packaged it does not know hypertables; whatever it leaves out is named.
    assert "exit code 12" in failures.pop(figures.PGCOPYDB)
    assert failures == {}
    assert result.expected.ticks == ROWS
    for name in (figures.SLIPWAY, figures.DUMP, figures.STAGED, figures.FLOOR):
        assert name in printed
    assert f"{figures.SLIPWAY} / {figures.DUMP}: " in printed
    assert "at most 0.6" in printed


def test_the_cost_of_a_chunk_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    runner = SubprocessRunner()

    points = chunks.run(Console(), runner, Engine(runner), counts=(5, 30))

    printed = capsys.readouterr().out
    assert [(point.chunks, point.run.failure) for point in points] == [(5, ""), (30, "")]
    assert "a chunk" in printed
