from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.transfer import chart
from infra.transfer.chart import Chart, charts
from infra.transfer.progress import Sample, StageTime


def course(*points: tuple[float, int], stage: str = "loading rows") -> list[Sample]:
    return [Sample(seconds, stage, done) for seconds, done in points]


def drawn(samples: list[Sample], unit: str = "rows") -> Chart:
    (only,) = charts([StageTime(samples[0].stage, unit, 0)], samples)
    return only


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.split())]


def value(found: Chart, y: float) -> float:
    """Return the number that a height in the drawing stands for."""
    top = float(found.upwards[-1].label)
    return top * (chart.BOTTOM - y) / (chart.BOTTOM - found.upwards[-1].position)


def test_a_pace_is_drawn_where_its_axis_says() -> None:
    found = drawn(course((0, 0), (10, 1000), (20, 4000)))

    heights = [round(value(found, y)) for _, y in points(found.line)]
    assert heights == [100, 100, 300, 300]
    assert [tick.label for tick in found.upwards] == ["0", "100", "200", "300"]
    assert round(value(found, found.average)) == 200
    assert found.upwards_title == "rows/s"
    assert found.caption == "200 rows/s on average (dashed), 300 rows/s at best"


def test_the_axes_name_units_that_fit() -> None:
    minutes = drawn(course((0, 0), (600, 120_000_000)))
    hours = drawn(course((7200, 0), (43_200, 900 * 10**9)), unit="bytes")

    assert (minutes.upwards_title, minutes.across_title) == (
        "thousand rows/s",
        "minutes of the stage",
    )
    assert [tick.label for tick in minutes.across] == ["0", "2.5", "5", "7.5", "10"]
    assert (hours.upwards_title, hours.across_title) == ("MB/s", "hours of the stage")
    assert [tick.label for tick in hours.across] == ["0", "2.5", "5", "7.5", "10"]


def test_each_stage_that_counts_has_its_own_chart_in_its_own_time() -> None:
    stages = [
        StageTime("checking files", "bytes", 10),
        StageTime("swapping", "", 0),
        StageTime("loading rows", "rows", 10),
    ]
    samples = [
        *course((0, 0), (4, 10**7), stage="checking files"),
        *course((4, 0), (9, 0), stage="swapping"),
        *course((9, 0), (19, 500)),
    ]

    first, second = charts(stages, samples)

    assert (first.stage, second.stage) == ("checking files", "loading rows")
    assert [tick.label for tick in second.across] == ["0", "2.5", "5", "7.5", "10"]
    assert (second.across[0].position, second.across[-1].position) == (chart.LEFT, chart.RIGHT)


def test_a_stage_that_comes_again_is_drawn_again() -> None:
    samples = [*course((0, 0), (5, 100)), *course((5, 0), (10, 700))]

    first, second = charts([StageTime("loading rows", "rows", 0)] * 2, samples)

    assert first.caption.startswith("20 rows/s")
    assert second.caption.startswith("140 rows/s")


@pytest.mark.parametrize(
    "samples", [course((0, 0), (0.9, 1000)), course((0, 0), (60, 0)), course((0, 0))]
)
def test_what_has_no_course_is_not_drawn(samples: list[Sample]) -> None:
    assert charts([StageTime("loading rows", "rows", 0)], samples) == []


def test_without_samples_nothing_is_drawn() -> None:
    assert charts([], []) == []


@settings(max_examples=100)
@given(
    begin=st.floats(0, 10**5),
    steps=st.lists(st.tuples(st.floats(0.01, 1000), st.integers(0, 10**9)), min_size=1),
    unit=st.sampled_from(["bytes", "rows", "objects"]),
)
def test_a_chart_stays_inside_its_frame(
    begin: float, steps: list[tuple[float, int]], unit: str
) -> None:
    samples = course((begin, 0))
    for seconds, amount in steps:
        last = samples[-1]
        samples.append(Sample(last.seconds + seconds, last.stage, last.done + amount))

    for found in charts([StageTime("loading rows", unit, 0)], samples):
        for x, y in points(found.area):
            assert chart.LEFT <= x <= chart.RIGHT
            assert chart.TOP - 0.1 <= y <= chart.BOTTOM + 0.1
        for tick in found.across:
            assert chart.LEFT <= tick.position <= chart.RIGHT + 0.1
        assert 2 <= len(found.upwards) <= 7
        assert 2 <= len(found.across) <= 7
        assert len(found.line.split()) <= 62
        assert chart.TOP <= found.average <= chart.BOTTOM


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.2, 50), st.integers(0, 10**6)), min_size=2, max_size=200))
def test_the_area_is_what_was_done(steps: list[tuple[float, int]]) -> None:
    samples = course((0, 0))
    for seconds, amount in steps:
        last = samples[-1]
        samples.append(Sample(last.seconds + seconds, last.stage, last.done + amount))

    rates = chart._rates(samples)  # noqa: SLF001 - the drawing rounds to tenths of a point

    area = sum(rates) * samples[-1].seconds / len(rates)
    assert area == pytest.approx(samples[-1].done, rel=1e-6, abs=1e-3)
