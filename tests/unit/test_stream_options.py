from __future__ import annotations

from typing import get_args

import pytest

from infra.errors import UsageError
from infra.transfer.stream.options import Options, Width, width


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
