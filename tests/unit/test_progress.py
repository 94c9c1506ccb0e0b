from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.transfer.progress import Progress, Recorder, Sample, Silent, StageTime


@dataclass
class Clock:
    """A clock that a test turns by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Told:
    """Keeps what it is told."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        self.calls.append(("stage", name, total, unit))

    def advance(self, amount: int) -> None:
        self.calls.append(("advance", amount))

    def working(self, worker: int, on: str) -> None:
        self.calls.append(("working", worker, on))


class Slow(int):
    """A number that takes its time to be added, so that others come in between."""

    def __radd__(self, other: int) -> int:
        time.sleep(0.0001)
        return other + int(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(clock: Clock) -> Recorder:
    return Recorder(Silent(), clock)


def test_everything_is_passed_on_in_its_order(clock: Clock) -> None:
    told = Told()
    recorder: Progress = Recorder(told, clock)

    recorder.stage("loading rows", total=10, unit="rows")
    recorder.working(1, "public.ticks")
    recorder.advance(4)
    recorder.stage("swapping")

    assert told.calls == [
        ("stage", "loading rows", 10, "rows"),
        ("working", 1, "public.ticks"),
        ("advance", 4),
        ("stage", "swapping", 0, ""),
    ]


def test_a_stage_lasts_until_the_next_one_and_the_last_until_now(
    clock: Clock, recorder: Recorder
) -> None:
    clock.now += 1
    recorder.stage("loading rows", total=10, unit="rows")
    clock.now += 5
    recorder.advance(7)
    recorder.stage("swapping")
    clock.now += 2

    assert recorder.stages == [
        StageTime("loading rows", "rows", 10, 7, 5.0),
        StageTime("swapping", "", 0, 0, 2.0),
    ]
    assert recorder.elapsed == 8.0


def test_stages_that_were_read_do_not_change_afterwards(clock: Clock, recorder: Recorder) -> None:
    recorder.stage("loading rows")
    read = recorder.stages

    clock.now += 9
    recorder.advance(1)

    assert (read[0].done, read[0].seconds) == (0, 0.0)
    assert (recorder.stages[0].done, recorder.stages[0].seconds) == (1, 9.0)


def test_samples_hold_both_ends_of_each_stage(clock: Clock, recorder: Recorder) -> None:
    recorder.stage("loading rows")
    clock.now += 2
    recorder.advance(3)
    clock.now += 0.1
    recorder.advance(4)
    recorder.stage("swapping")
    clock.now += 1

    assert [(round(s.seconds, 3), s.stage, s.done) for s in recorder.samples] == [
        (0, "loading rows", 0),
        (2, "loading rows", 3),
        (2.1, "loading rows", 7),
        (2.1, "swapping", 0),
        (3.1, "swapping", 0),
    ]


def test_samples_are_taken_four_times_a_second_at_most(clock: Clock, recorder: Recorder) -> None:
    recorder.stage("loading rows")
    for _ in range(1000):
        clock.now += 0.01
        recorder.advance(1)

    assert 30 <= len(recorder.samples) <= 42


def test_a_day_of_samples_stays_few_and_evenly_spread(clock: Clock, recorder: Recorder) -> None:
    recorder.stage("checking files")
    clock.now += 1
    recorder.stage("loading rows")
    for _ in range(86_400):
        clock.now += 1
        recorder.advance(1)

    samples = recorder.samples
    gaps = [after.seconds - before.seconds for before, after in pairwise(samples)]
    assert 1000 <= len(samples) <= 2001
    assert max(gaps) <= 130
    assert samples[:2] == [Sample(0, "checking files", 0), Sample(1, "checking files", 0)]
    assert samples[2] == Sample(1, "loading rows", 0)
    assert samples[-1] == Sample(86_401, "loading rows", 86_400)


def test_thinning_keeps_the_ends_of_stages_with_the_same_name(
    clock: Clock, recorder: Recorder
) -> None:
    for _ in range(3):
        recorder.stage("counting")
        for _ in range(1501):
            clock.now += 1
            recorder.advance(1)

    samples = recorder.samples
    ends = [
        (sample.seconds, sample.done)
        for sample, after in pairwise(samples)
        if after.done < sample.done
    ]
    assert ends == [(1501, 1501), (3002, 1501)]
    assert samples[-1] == Sample(4503, "counting", 1501)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 1000)), max_size=60))
def test_samples_never_go_back_and_end_at_the_truth(steps: list[tuple[float, int]]) -> None:
    clock = Clock(0.0)
    recorder = Recorder(Silent(), clock)
    recorder.stage("loading rows")
    for seconds, amount in steps:
        clock.now += seconds
        recorder.advance(amount)

    samples = recorder.samples
    assert samples == sorted(samples, key=lambda sample: (sample.seconds, sample.done))
    assert samples[-1].done == sum(amount for _, amount in steps)
    assert samples[-1].seconds == recorder.elapsed


def test_workers_may_advance_at_once() -> None:
    told = Told()
    recorder = Recorder(told)
    recorder.stage("loading rows")

    def work(worker: int) -> None:
        for _ in range(50):
            recorder.advance(Slow(1))
        recorder.working(worker, "")

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert recorder.stages[0].done == 400
    assert len(told.calls) == 409


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent: Progress = Silent()

    silent.stage("loading rows", total=3, unit="rows")
    silent.advance(1)
    silent.working(0, "public.ticks")

    assert capsys.readouterr() == ("", "")
