"""The traces on which a fixed delay, or one that anything resets, declares late or never."""

from __future__ import annotations

import pytest

from incidentd.holds import HoldState, Outcome
from tests.unit.holds.course import Course


def flapping(on: float, off: float) -> Course:
    course = Course()
    at = 0.0
    while not course.is_declared:
        course.at(at + on)
        if course.hold.state is HoldState.HOLDING:
            course.fires(0)
        at += on + off
        if not course.at(at).is_declared:
            course.fires(1, refired=1)
    return course


def test_what_fires_steadily_is_declared_after_its_wait_however_often_it_is_repeated() -> None:
    course = Course()
    for minute in range(5, 30, 5):
        course.at(minute).fires(1)
    course.at(30)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_NO_PROGRESS, 30)
    assert course.words("hold.declared") == [
        "Declared: no progress for 30m; 1 firing at 14:00:00 UTC, 1 firing now. "
        "Rule queue-lag (rules/platform.yaml:12)."
    ]


@pytest.mark.parametrize(
    ("on", "off", "outcome", "minute"),
    [
        (4, 3, Outcome.DECLARED_FLAPPING, 21),
        (10, 4, Outcome.DECLARED_FLAPPING, 42),
        (25, 10, Outcome.DECLARED_NO_PROGRESS, 45),
    ],
)
def test_what_comes_and_goes_is_declared(on: float, off: float, outcome: Outcome, minute: float) -> None:
    course = flapping(on, off)

    assert (course.hold.outcome, course.ended) == (outcome, minute)


def test_one_more_alert_every_ten_minutes_is_declared_as_growing() -> None:
    course = Course().at(10).fires(2).at(20).fires(3)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_GROWING, 20)


def test_ten_alerts_that_heal_one_by_one_are_left_alone() -> None:
    course = Course(10)
    for minute, firing in enumerate(range(9, -1, -1), start=1):
        course.at(minute * 5).fires(firing)
    course.at(60)

    assert (course.hold.outcome, course.ended) == (Outcome.SELF_RESOLVED, 55)


def test_a_single_blip_is_left_alone() -> None:
    course = Course().at(4).fires(0).at(30)

    assert (course.hold.outcome, course.ended) == (Outcome.SELF_RESOLVED, 9)
