"""Charts of a report: how much was done per second while a stage ran, as lines of an SVG."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from infra.transfer.progress import Sample, StageTime
from infra.transfer.wording import rate

WIDTH, HEIGHT = 480, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 468, 30, 168

_SHORTEST_SECONDS = 1.0
_MOST_POINTS = 60
_TICKS = 4
# Beyond so many of one the next larger one reads better.
_TIMES = ((180, "seconds", 1), (10_800, "minutes", 60), (math.inf, "hours", 3600))
_SCALES = ((1e12, "trillion "), (1e9, "billion "), (1e6, "million "), (1e3, "thousand "), (1.0, ""))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes"))


@dataclass(frozen=True)
class Tick:
    """A place on an axis and the number that stands there."""

    position: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Throughput of one stage; places are those of a drawing of WIDTH by HEIGHT."""

    stage: str
    caption: str
    line: str
    area: str
    average: float
    across: tuple[Tick, ...]
    upwards: tuple[Tick, ...]
    across_title: str
    upwards_title: str


def charts(stages: Sequence[StageTime], samples: Sequence[Sample]) -> list[Chart]:
    """Draw each stage that counts something and took long enough to show a course."""
    units = {stage.name: stage.unit for stage in stages}
    return [
        _chart(run, units[run[0].stage])
        for run in _runs(samples)
        if units[run[0].stage] and _seconds(run) >= _SHORTEST_SECONDS and run[-1].done
    ]


def _runs(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Part the samples where a stage begins; what is done only ever grows inside one."""
    runs: list[list[Sample]] = []
    for sample in samples:
        last = runs[-1][-1] if runs else None
        if last is None or sample.stage != last.stage or sample.done < last.done:
            runs.append([])
        runs[-1].append(sample)
    return runs


def _seconds(run: Sequence[Sample]) -> float:
    return run[-1].seconds - run[0].seconds


def _chart(run: Sequence[Sample], unit: str) -> Chart:
    rates = _rates(run)
    average = run[-1].done / _seconds(run)
    scale, scale_name = next(
        (scale, name)
        for scale, name in (_BYTES if unit == "bytes" else _SCALES)
        if max(rates) >= scale or scale == 1
    )
    upwards = _numbers(max(*rates, scale) / scale)
    top = upwards[-1]
    time, time_name = _time(_seconds(run))
    last = _seconds(run) / time
    across = [number for number in _numbers(last) if number <= last]

    def height(per_second: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * per_second / scale / top

    step = (RIGHT - LEFT) / len(rates)
    middles = [(LEFT + step * (index + 0.5), height(rate)) for index, rate in enumerate(rates)]
    points = [(LEFT, middles[0][1]), *middles, (RIGHT, middles[-1][1])]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Chart(
        stage=run[0].stage,
        caption=f"{rate(average, unit)} on average (dashed), {rate(max(rates), unit)} at best",
        line=line,
        area=f"{LEFT},{BOTTOM} {line} {RIGHT},{BOTTOM}",
        average=height(average),
        across=tuple(
            Tick(LEFT + (RIGHT - LEFT) * number / last, f"{number:g}") for number in across
        ),
        upwards=tuple(Tick(height(number * scale), f"{number:g}") for number in upwards),
        across_title=f"{time_name} of the stage",
        upwards_title=f"{scale_name}/s" if unit == "bytes" else f"{scale_name}{unit}/s",
    )


def _rates(run: Sequence[Sample]) -> list[float]:
    """Return what was done per second in equal parts of the stage's time."""
    parts = min(len(run) - 1, _MOST_POINTS)
    length = _seconds(run) / parts
    moments = [sample.seconds for sample in run]

    def done(moment: float) -> float:
        after = min(max(bisect_left(moments, moment), 1), len(run) - 1)
        one, other = run[after - 1], run[after]
        share = (moment - one.seconds) / ((other.seconds - one.seconds) or 1)
        return one.done + (other.done - one.done) * min(max(share, 0), 1)

    levels = [done(run[0].seconds + length * part) for part in range(parts)] + [run[-1].done]
    return [(after - before) / length for before, after in pairwise(levels)]


def _time(seconds: float) -> tuple[int, str]:
    return next((length, name) for limit, name, length in _TIMES if seconds <= limit)


def _numbers(last: float) -> list[float]:
    """Choose a few round numbers from zero to at least the last."""
    rough = last / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [round(step * number, 9) for number in range(math.ceil(last / step) + 1)]
