"""The figures of the transfers as they are printed: both sides of each ratio, failures too."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.contenders import Run
from benchmarks.orchestrator import Measured
from infra.console import Console

Runs = Mapping[str, Sequence[Run]]

SLIPWAY = "slipway"
DUMP = "pg_dump | pg_restore"
STAGED = "staged pg_dump, pg_restore"
PGCOPYDB = "pgcopydb clone"
FLOOR = "floor"
SLIPWAY_PLAIN = "slipway, plain"
DUMP_PLAIN = "pg_dump | pg_restore, plain"

# At most so many times what the other contender takes.
WANTED_OF_DUMP = 0.6
WANTED_OF_FLOOR = 1.15
WANTED_OF_PLAIN_DUMP = 0.7
# At most so much of the time, and of memory.
WANTED_SHARE = 0.05
WANTED_PEAK_MB = 150

_WITHOUT_RESTARTS = "slipway without restarts"
_TRANSPORT = "slipway without verification and restarts"
_MEGABYTE = 1_000_000


def timings(console: Console, runs: Runs) -> None:
    """Print the seconds of each round and their median, and what became of the rows."""
    rounds = range(1, len(runs[SLIPWAY]) + 1)
    rows = []
    for name, found in runs.items():
        failures = sorted({run.failure for run in found if run.failure})
        rows.append([*_timed(name, found, _whole), f"FAILED: {'; '.join(failures)}"])
        if not failures:
            rows[-1][-1] = "complete"
        if name == SLIPWAY:
            rows.append([*_timed(_WITHOUT_RESTARTS, found, _without_restarts), ""])
            rows.append([*_timed(_TRANSPORT, found, _transport), ""])
        if name == SLIPWAY_PLAIN:
            rows.append([*_timed("slipway, plain, without verification", found, _transport), ""])
    console.table(["seconds", *(f"round {n}" for n in rounds), "median", "result"], rows)


def ratios(console: Console, runs: Runs) -> None:
    """Print each ratio with both of its sides."""
    for name, of, measured, other, wanted in (
        (SLIPWAY, SLIPWAY, _whole, DUMP, WANTED_OF_DUMP),
        (_TRANSPORT, SLIPWAY, _transport, FLOOR, WANTED_OF_FLOOR),
        (SLIPWAY_PLAIN, SLIPWAY_PLAIN, _whole, DUMP_PLAIN, WANTED_OF_PLAIN_DUMP),
    ):
        failed = [side for side in (of, other) if any(run.failure for run in runs[side])]
        ours, theirs = _median(runs[of], measured), _median(runs[other], _whole)
        ratio = f" = {ours / theirs:.2f}" if theirs else ""
        note = f"; failed: {', '.join(failed)}" if failed else ""
        console.line(
            f"{name} / {other}: {ours:.2f} s / {theirs:.2f} s{ratio} "
            f"(wanted: at most {wanted}{note})"
        )


def orchestration(console: Console, runs: Runs, startup: Measured) -> None:
    """Print what `invoke` itself takes, its start with it and shown apart."""
    console.line(
        f"start of invoke (`invoke --list`): {startup.seconds:.2f} s, {startup.cpu:.2f} s of "
        f"processor, {startup.peak / _MEGABYTE:.0f} MB"
    )
    for name in (SLIPWAY, SLIPWAY_PLAIN):
        seconds, cpu = _median(runs[name], _whole), _median(runs[name], _cpu)
        after = max(0.0, cpu - startup.cpu)
        peak = max(run.peak for run in runs[name])
        console.line(
            f"{name}: invoke took {cpu:.2f} s of processor / {seconds:.2f} s = "
            f"{_share(cpu, seconds)} (wanted: less than {WANTED_SHARE:.0%}), without its start "
            f"{after:.2f} s = {_share(after, seconds)}; at most {peak / _MEGABYTE:.0f} MB "
            f"(wanted: less than {WANTED_PEAK_MB} MB)"
        )


def stages(console: Console, runs: Runs) -> None:
    """Print the median of each stage of slipway's, and of the floor's parts."""
    for name in (SLIPWAY, FLOOR, SLIPWAY_PLAIN):
        found = runs[name]
        names = dict.fromkeys(stage for run in found for stage in run.parts)
        rows = [
            [stage, *(f"{taken:.2f}" for taken in (*each, statistics.median(each)))]
            for stage in names
            for each in [[run.parts.get(stage, 0.0) for run in found]]
        ]
        rounds = [f"round {number}" for number in range(1, len(found) + 1)]
        console.table([f"seconds of {name}", *rounds, "median"], rows)


def _timed(name: str, runs: Sequence[Run], measured: Callable[[Run], float]) -> list[str]:
    taken: Iterable[float] = (*map(measured, runs), _median(runs, measured))
    return [name, *(f"{seconds:.2f}" for seconds in taken)]


def _median(runs: Sequence[Run], measured: Callable[[Run], float]) -> float:
    return statistics.median(map(measured, runs))


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}"


def _whole(run: Run) -> float:
    return run.seconds


def _without_restarts(run: Run) -> float:
    return run.seconds - run.restarting


def _transport(run: Run) -> float:
    return run.seconds - run.restarting - run.verifying


def _cpu(run: Run) -> float:
    return run.cpu
