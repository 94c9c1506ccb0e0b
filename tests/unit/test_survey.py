"""A survey survives its way through an archive's manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infra.postgres.hypertables import Hypertables, version_number
from infra.postgres.survey import Survey

COUNTS = st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3)
SURVEYS = st.builds(
    Survey,
    timescaledb=st.none() | st.builds(Hypertables, compressed=COUNTS, root_rows=COUNTS),
)


# A smaller example would say no more, and takes minutes to find among fifty fields.
@settings(max_examples=25, phases=[Phase.generate])
@given(SURVEYS)
def test_a_survey_survives_json(survey: Survey) -> None:
    assert Survey.from_json(json.loads(json.dumps(survey.as_json()))) == survey


@pytest.mark.parametrize("value", [{}, {"timescaledb": None}, {"role": {"x": 1}}])
def test_something_else_is_no_survey(value: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Survey.from_json(value)


@settings(max_examples=10, phases=[Phase.generate])
@given(SURVEYS)
def test_a_rebuilt_database_is_never_larger(survey: Survey) -> None:
    assert survey.rebuilt_size <= survey.size


@pytest.mark.parametrize(
    ("text", "number"),
    [("2.19.3", (2, 19, 3)), ("2.20.0-dev", (2, 20, 0)), ("1.7.5", (1, 7, 5)), ("3", (3,))],
)
def test_a_version_is_read_as_numbers(text: str, number: tuple[int, ...]) -> None:
    assert version_number(text) == number


def test_a_later_version_is_the_greater_one() -> None:
    assert version_number("2.9.1") < version_number("2.19.0") < version_number("2.19.3")
