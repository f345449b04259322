"""Durations: Prometheus' grammar and nothing else."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.durations import about, countdown, format_duration, parse_duration

DURATIONS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_000)).map(
    lambda duration: duration - duration % timedelta(milliseconds=1)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(days=14)),
        ("1y", timedelta(days=365)),
        ("1y2w3d4h5m6s7ms", timedelta(days=382, hours=4, minutes=5, seconds=6, milliseconds=7)),
        ("007m", timedelta(minutes=7)),
        ("100y", timedelta(days=36_500)),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "5", "0.5", "5 m", " 5m", "5m ", "5m\n", "1h 30m", "1h,30m", "1m1h", "1m1m", "1.5h", "-5m", "+5m", "m"],
)
def test_a_number_needs_units_in_order_and_nothing_between(text: str) -> None:
    with pytest.raises(ValueError, match="write it as Prometheus does"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["1H", "1M", "5min", "1us", "five minutes", "PT5M", "\N{ARABIC-INDIC DIGIT FIVE}m", "9" * 5000 + "s"]
)
def test_what_is_no_unit_or_no_digit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as Prometheus does"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["101y", "5300w", "9" * 39 + "s"])
def test_what_is_longer_than_a_hundred_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than 100 years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=14), "14d"),
        (timedelta(days=400, seconds=1), "400d1s"),
        (timedelta(microseconds=400), "0s"),
        (timedelta(minutes=-5), "-5m"),
    ],
)
def test_a_duration_is_written_as_prometheus_writes_it(duration: timedelta, expected: str) -> None:
    assert format_duration(duration) == expected


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(seconds=4, milliseconds=499), "4s"),
        (timedelta(seconds=59, milliseconds=700), "1m"),
        (timedelta(minutes=4, seconds=31), "4m31s"),
        (timedelta(hours=1, minutes=29, seconds=40), "1h30m"),
        (timedelta(days=2, hours=3, minutes=31), "2d4h"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(duration: timedelta, expected: str) -> None:
    assert about(duration) == expected


@given(DURATIONS)
def test_a_duration_written_out_reads_back_the_same(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=50) | st.text(st.sampled_from("0123456789ywdhms.- "), max_size=50))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert timedelta(0) <= parse_duration(text) <= timedelta(days=36_500)


@given(DURATIONS)
def test_what_is_said_is_near_what_is_meant(duration: timedelta) -> None:
    assert abs(parse_duration(about(duration)) - duration) <= max(duration / 24, timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (30, "in 30s"), (0, "now"), (0.4, "now"), (-59, "59s late"), (-60, "1m late"), (299, "in 4m"),
        (3 * 3600 + 30, "in 3h"), (-26 * 3600, "1d2h late"),
    ],
)  # fmt: skip
def test_a_countdown_says_how_long_there_is_still_or_how_late_it_is(left: float, said: str) -> None:
    now = datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert countdown(now + timedelta(seconds=left), now) == said
