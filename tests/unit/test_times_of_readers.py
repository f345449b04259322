"""Times by the clock of whoever reads, beside UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.text import beside_utc, in_zone, instant

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "written"),
    [
        (NOON, "Europe/Madrid", " (13:00 CET)"),
        (NOON.replace(month=7), "Europe/Madrid", " (14:00 CEST)"),
        (NOON, "Asia/Kolkata", " (17:30 IST)"),
        (NOON.replace(hour=23), "Asia/Tokyo", " (Wed 08:00 JST)"),
        (NOON.replace(hour=2), "America/Los_Angeles", " (Mon 18:00 PST)"),
        (NOON, "UTC", ""),
        (NOON, "", ""),
        (None, "Europe/Madrid", ""),
    ],
)
def test_an_instant_by_the_clock_of_a_zone(at: datetime | None, zone: str, written: str) -> None:
    assert in_zone(at, zone) == written


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("Declared 2026-11-25 03:12:00 UTC by ana", "Declared 2026-11-25 03:12:00 UTC (04:12 CET) by ana"),
        ("answer by 23:30:00 UTC.", "answer by 23:30:00 UTC (Wed 00:30 CET)."),
        ("03:26 UTC: it is slow", "03:26 UTC (04:26 CET): it is slow"),
        (
            "| 2026-07-02 03:12:00 | ana | to be answered by 03:17:00 UTC |",
            "| 2026-07-02 03:12:00 (05:12 CEST) | ana | to be answered by 03:17:00 UTC (05:17 CEST) |",
        ),
        ("since 2026-11-25 03:12:00, by ana", "since 2026-11-25 03:12:00, by ana"),
        ("2026-13-45 03:12:00 UTC, 99:99 UTC, 10:11:12:13 UTC", "2026-13-45 03:12:00 UTC, 99:99 UTC, 10:11:12:13 UTC"),
        ("9999-12-31 23:59:59 UTC", "9999-12-31 23:59:59 UTC"),
    ],
)
def test_times_in_words_have_the_readers_beside_them(words: str, written: str) -> None:
    assert beside_utc(words, "Europe/Madrid", NOON) == written
    assert beside_utc(words, "UTC", NOON) == words


@given(st.integers(0, 4 * 10**9), st.text("|ab \n-:0123456789UTC", max_size=40))
def test_nothing_is_lost_of_the_words(seconds: int, around: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    words = f"{around} {instant(at)} {around}"
    written = beside_utc(words, "Asia/Tokyo", NOON)
    assert instant(at) + in_zone(at, "Asia/Tokyo") in written
    kept = iter(written)
    assert all(character in kept for character in words), "in their order"
