"""The auditor's judgement: what counts as late, when people are told, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incidentd.metrics.values import PROMISES
from incidentd.promises import LATEST, Promise, Seen, Watch, Word, judge, next_word, trouble_message

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_the_metric_knows_every_promise() -> None:
    assert set(PROMISES) == set(Promise)


@pytest.mark.parametrize("promise", LATEST)
def test_each_promise_may_be_late_by_so_much_and_no_more(promise: Promise) -> None:
    assert judge(Seen(late_by={promise: LATEST[promise]})) == ()
    [broken] = judge(Seen(late_by={promise: LATEST[promise] + timedelta(seconds=1)}))
    assert broken.promise is promise
    assert broken.why


def test_a_store_that_cannot_be_used_is_a_broken_promise() -> None:
    [broken] = judge(Seen(store="disk full"))
    assert (broken.promise, broken.why) == (Promise.STORE, "the store cannot be used: disk full")
    assert "disk full" in trouble_message((broken,), "host-1")[1]


def story(*looks: tuple[float, bool]) -> list[tuple[float, Word]]:
    """Give what is told when, of looks at these minutes that found trouble or not."""
    watch = Watch()
    told: list[tuple[float, Word]] = []
    for minute, broken in looks:
        watch, word = next_word(watch, broken, at(minute))
        if word is not Word.NOTHING:
            told.append((minute, word))
    return told


def test_short_trouble_is_nobodys_business() -> None:
    assert story((0, True), (0.9, True), (1, False), (1.5, True), (2.4, True), (3, False)) == []


def test_trouble_of_a_minute_is_told_once_and_its_end_once() -> None:
    looks = [(minute, True) for minute in range(15)] + [(15, False), (16, False)]
    assert story(*looks) == [(1, Word.TROUBLE), (15, Word.WELL)]


def test_lasting_trouble_is_told_again_after_a_quarter_of_an_hour() -> None:
    assert story(*((minute, True) for minute in range(35))) == [
        (1, Word.TROUBLE), (16, Word.TROUBLE), (31, Word.TROUBLE),
    ]  # fmt: skip


def test_trouble_that_comes_and_goes_is_told_at_most_once_in_a_quarter_of_an_hour() -> None:
    looks = [(0, True), (1, True), (2, False), (3, True), (5, True), (6, False), (7, True), (16.5, True)]
    assert story(*looks) == [(1, Word.TROUBLE), (2, Word.WELL), (16.5, Word.TROUBLE)]
