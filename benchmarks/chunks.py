"""What a transfer costs for each chunk, from a few chunks to thousands of them.

The rows are few, so that what is measured is what each chunk costs. Linux only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks import command, contenders, market, orchestrator
from benchmarks.contenders import Run
from benchmarks.scene import MARKET, Scene, scene
from infra.console import Console
from infra.engine.client import Engine
from infra.process import Runner

CHUNKS = (60, 300, 1000, 3000)
ROWS_PER_CHUNK = 100

# An index of all chunks takes a lock on each, and one on what it makes there.
_LOCKS = "max_locks_per_transaction=1024"
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Point:
    """One transfer of so many chunks, and an `invoke` that does nothing, on the same machine."""

    chunks: int
    run: Run
    startup: orchestrator.Measured


def run(
    console: Console, runner: Runner, engine: Engine, *, counts: Sequence[int] = CHUNKS
) -> list[Point]:
    """Measure on servers of its own, print the curve and return it."""
    with scene(console, runner, engine, source=("postgres", "-c", _LOCKS)) as servers:
        with servers.session(servers.local) as session:
            session.execute("ALTER SYSTEM SET max_locks_per_transaction = 1024")
        servers.restart_local()
        points = []
        for count in counts:
            with console.step(f"{count:,} chunks"):
                points.append(_point(servers, count))
    _show(console, points)
    return points


def _point(servers: Scene, count: int) -> Point:
    made = servers.database(servers.source, MARKET, timescaledb=True)
    with servers.session(made) as session:
        market.fill(
            session, ticks=count * ROWS_PER_CHUNK, orders=100, chunks=count, hypertable=True
        )
    with servers.session(replace(servers.source, database=MARKET)) as session:
        expected = market.content(session)
    startup = orchestrator.measure(servers.checkout, "--list")
    return Point(count, contenders.slipway(servers, "local", expected), startup)


def _show(console: Console, points: Sequence[Point]) -> None:
    rows = [
        [
            f"{point.chunks:,}",
            f"{point.run.seconds:.1f} s",
            f"{point.run.seconds / point.chunks * 1000:.0f} ms",
            f"{point.run.cpu:.2f} s",
            f"{(point.run.cpu - point.startup.cpu) / point.chunks * 1000:.1f} ms",
            f"{point.run.peak / _MEGABYTE:.0f} MB",
            f"FAILED: {point.run.failure}" if point.run.failure else "complete",
        ]
        for point in points
    ]
    header = ["chunks", "in all", "a chunk", "invoke", "a chunk", "memory", "result"]
    console.table(header, rows)
    console.line(
        "invoke: processor time of the orchestrator; a chunk's share is without the start of "
        f"invoke, {points[-1].startup.cpu:.2f} s"
    )


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(count) for count in text.split(","))


def main() -> int:
    """Measure from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.chunks", description=__doc__)
    parser.add_argument("--chunks", type=_counts, default=CHUNKS, help="numbers with commas")
    counts = parser.parse_args().chunks
    return command.run(lambda console, runner: run(console, runner, Engine(runner), counts=counts))


if __name__ == "__main__":
    sys.exit(main())
