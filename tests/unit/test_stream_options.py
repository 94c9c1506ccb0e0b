from __future__ import annotations

from typing import get_args

import pytest

from infra.errors import UsageError
from infra.transfer.stream.options import Options, Width, fitted, width


@pytest.mark.parametrize("word", get_args(Width))
def test_a_width_is_read(word: str) -> None:
    assert width(word) == word


@pytest.mark.parametrize("word", ["", "Day", "days", "year", "1 day", " day"])
def test_another_word_is_refused_with_those_that_are_known(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        width(word)

    assert caught.value.message == f"--partition-by is {word!r}"
    assert caught.value.hint == "Choose one of: chunk, day, week, month."


def test_a_stream_keeps_tables_as_they_are_by_default() -> None:
    assert Options(4) == Options(4, "chunk", hypertables=False)


@pytest.mark.parametrize(
    ("source", "target", "jobs"),
    [
        (100, 100, 8),
        (11, 20, 8),
        # Beside the workers the source holds three sessions more, the target four.
        (10, 100, 7),
        (100, 19, 7),
        # Each worker may need two at the target, while indexes are made.
        (100, 10, 3),
        (4, 100, 1),
        (0, 0, 1),
    ],
)
def test_jobs_fit_the_room_at_both_servers(source: int, target: int, jobs: int) -> None:
    assert fitted(Options(8), source=source, target=target) == Options(jobs)


def test_room_makes_no_more_jobs_than_were_asked_for() -> None:
    asked = Options(2, "week", hypertables=True)

    assert fitted(asked, source=1000, target=1000) == asked
    assert fitted(asked, source=4, target=1000) == Options(1, "week", hypertables=True)
