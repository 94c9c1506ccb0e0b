"""What `invoke transfer` takes, beside the usual ways and beside the least there is to do.

All contenders read one source and write the same servers, in turns, so that a machine that slows
down slows down each of them. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import psutil

from benchmarks import command, containers, contenders, figures, market, orchestrator
from benchmarks.contenders import Contender, Run
from benchmarks.floor import floor
from benchmarks.market import CHUNKS, Content
from benchmarks.orchestrator import Measured
from benchmarks.scene import MARKET, TWIN, Scene, scene
from infra.console import Console
from infra.engine.client import Engine
from infra.process import Runner

ROWS = 20_000_000
ROUNDS = 3


@dataclass(frozen=True)
class Result:
    """The runs of each contender, and what they were measured on.

    `startup` is an `invoke` that does nothing; `loads` are the machine's load averages of a minute,
    before the first round and after each; `size` is the bytes of the source's database.
    """

    runs: Mapping[str, list[Run]]
    startup: Measured
    expected: Content
    loads: list[float]
    size: int
    settings: list[str]


def run(
    console: Console, runner: Runner, engine: Engine, *, rows: int = ROWS, rounds: int = ROUNDS
) -> Result:
    """Measure on servers of its own, print the figures and return them."""
    with (
        scene(console, runner, engine) as servers,
        containers.pgcopydb_image(runner, engine) as (image, problem),
    ):
        with console.step(f"making {rows:,} ticks in {CHUNKS} chunks, and a twin in plain tables"):
            expected, size = _make(servers, rows)
        settings = servers.settings()
        runs: dict[str, list[Run]] = {}
        loads = [psutil.getloadavg()[0]]
        for number in range(1, rounds + 1):
            for name, contender in _contenders(servers, expected, image, problem).items():
                with console.step(f"round {number}: {name}"):
                    runs.setdefault(name, []).append(contender())
            loads.append(psutil.getloadavg()[0])
        startup = orchestrator.measure(servers.checkout, "--list")
    result = Result(runs, startup, expected, loads, size, settings)
    _show(console, result)
    return result


def main() -> int:
    """Measure from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.stream", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the hypertable")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    arguments = parser.parse_args()
    return command.run(
        lambda console, runner: run(
            console, runner, Engine(runner), rows=arguments.rows, rounds=arguments.rounds
        )
    )


def _make(servers: Scene, rows: int) -> tuple[Content, int]:
    orders = max(1, int(rows * market.ORDERS))
    for name, hypertable in ((MARKET, True), (TWIN, False)):
        made = servers.database(servers.source, name, timescaledb=hypertable)
        with servers.session(made) as session:
            market.fill(session, ticks=rows, orders=orders, chunks=CHUNKS, hypertable=hypertable)
    with servers.session(replace(servers.source, database=MARKET)) as session:
        return market.content(session), market.size(session)


def _contenders(
    servers: Scene, expected: Content, image: str, problem: str
) -> dict[str, Contender]:
    return {
        figures.SLIPWAY: partial(contenders.slipway, servers, "local", expected),
        figures.DUMP: partial(contenders.dump_restore, servers, expected),
        figures.STAGED: partial(contenders.staged, servers, expected),
        figures.PGCOPYDB: partial(contenders.pgcopydb, servers, expected, image, problem),
        figures.FLOOR: partial(floor, servers, expected),
        figures.SLIPWAY_PLAIN: partial(contenders.slipway, servers, "neon", expected),
        figures.DUMP_PLAIN: partial(contenders.plain_dump_restore, servers, expected),
    }


def _show(console: Console, result: Result) -> None:
    runs = result.runs
    figures.timings(console, runs)
    figures.ratios(console, runs)
    figures.orchestration(console, runs, result.startup)
    figures.stages(console, runs)
    loads = ", ".join(f"{load:.2f}" for load in result.loads)
    console.line(
        f"{result.expected.ticks:,} ticks in {CHUNKS} chunks, {result.expected.orders:,} orders, "
        f"{result.size:,} bytes; {os.cpu_count()} cores; load before and after each round: {loads}"
    )
    for line in result.settings:
        console.line(line)


if __name__ == "__main__":
    sys.exit(main())
