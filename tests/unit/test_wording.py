from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.transfer.wording import age, amount, duration, printable, rate, size

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_500, "1.5 MB"),
        (999_999, "1.0 MB"),
        (2_340_000_000, "2.3 GB"),
        (5_000_000_000_000, "5.0 TB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_a_size_is_written_in_the_largest_unit(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "unit", "text"),
    [
        (1234567, "rows", "1,234,567 rows"),
        (1, "rows", "1 row"),
        (0, "objects", "0 objects"),
        (2_000_000, "bytes", "2.0 MB"),
        (12, "", "12"),
        (1, "", "1"),
    ],
)
def test_an_amount_is_written_with_its_unit(count: int, unit: str, text: str) -> None:
    assert amount(count, unit) == text


@pytest.mark.parametrize(
    ("per_second", "unit", "text"),
    [
        (588_235.3, "rows", "588,235 rows/s"),
        (0.33, "objects", "0.3 objects/s"),
        (1.0, "rows", "1.0 rows/s"),
        (1_500_000.0, "bytes", "1.5 MB/s"),
        (3.2, "bytes", "3 B/s"),
    ],
)
def test_a_rate_is_an_amount_for_each_second(per_second: float, unit: str, text: str) -> None:
    assert rate(per_second, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_a_duration_is_written_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.text())
def test_a_name_moves_no_cursor(name: str) -> None:
    shown = printable(name)

    assert shown.isprintable()
    assert len(shown) == len(name)
    assert printable(shown) == shown


def test_a_name_keeps_what_can_be_read() -> None:
    assert printable("Ünïcode 日本 <b>") == "Ünïcode 日本 <b>"
    assert printable("a\x1b[31m\nb\u202ec") == "a?[31m?b?c"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=400, hours=3), "400 d"),
    ],
)
def test_an_age_is_written_in_the_largest_unit(ago: timedelta, text: str) -> None:
    assert age(NOW - ago, NOW) == text


@settings(max_examples=60)
@given(st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_an_age_is_never_longer_than_the_truth(ago: timedelta) -> None:
    number, unit = age(NOW - ago, NOW).split()

    length = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert int(number) * length <= ago.total_seconds() + 0.5 < (int(number) + 1.5) * length
