"""Workers run at once, and the failure of one ends them all."""

from __future__ import annotations

import threading

import pytest

from infra.transfer.workers import together


def never(*_: object) -> None:
    raise AssertionError


def test_workers_run_at_once_each_with_a_number_of_its_own() -> None:
    met = threading.Barrier(3, timeout=10)
    seen: list[int] = []

    def work(number: int) -> None:
        met.wait()
        seen.append(number)

    together(work, 3, never)

    assert sorted(seen) == [0, 1, 2]


def test_the_first_failure_stops_the_others_and_is_raised() -> None:
    stopped = threading.Event()
    ended: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        assert stopped.wait(10)
        ended.append(number)

    with pytest.raises(ValueError, match="1"):
        together(work, 3, stopped.set)

    assert sorted(ended) == [0, 2]


def test_no_work_needs_no_worker() -> None:
    together(never, 0, never)
