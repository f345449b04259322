"""What an alert that joins brings is never lost, whatever else the same moment means for the hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd import holds
from incidentd.holds import DeclareOn, HoldState, Joining, OnFlap, Outcome
from tests.unit.holds.course import MINUTE, POLICY, START, Course, like

WORSE = like(rule="critical", severity="sev2", rank=2, urgency="business_critical", page="night", wait=10 * MINUTE)
AT_ONCE = like(rule="bleeding", severity="sev1", rank=1, urgency="business_critical", wait=timedelta(0))
FILED = replace(POLICY, on_flap=OnFlap.TICKET)


def joins(course: Course, it: Joining, firing: int) -> Course:
    turn = holds.alerts_changed(course.hold, firing=firing, refired=0, now=course.now)
    return course.do(lambda _, now: holds.joined_after(turn, it, now))


def after_two_returns(policy: holds.HoldPolicy) -> Course:
    """Give a hold at 14:11 that came back twice, and fires no more at the moment."""
    course = Course(policy=policy)
    for minute in (2, 6):
        course.at(minute).fires(0).at(minute + 2).fires(1, refired=1)
    return course.at(10).fires(0).at(11)


def test_what_declares_at_once_is_not_filed_with_what_flaps() -> None:
    course = joins(after_two_returns(FILED), AT_ONCE, 1)

    assert (course.hold.outcome, course.hold.severity) == (Outcome.DECLARED_SEVERITY_RAISED, "sev1")
    assert course.words("hold.closed") == []


def test_what_is_worse_and_only_held_keeps_open_what_would_be_filed_and_that_is_filed_no_more() -> None:
    course = joins(after_two_returns(FILED), WORSE, 1)
    assert (course.hold.state, course.hold.severity, course.deadline) == (HoldState.HOLDING, "sev2", 21)

    course.at(13).fires(2, refired=1)
    assert course.hold.outcome is Outcome.DECLARED_FLAPPING


def test_what_is_no_worse_is_filed_with_what_flaps() -> None:
    assert joins(after_two_returns(FILED), like(), 1).hold.outcome is Outcome.TICKETED


def test_what_flaps_is_declared_as_the_worst_that_joined() -> None:
    hold = joins(after_two_returns(POLICY), WORSE, 1).hold

    assert (hold.outcome, hold.severity, hold.urgency) == (Outcome.DECLARED_FLAPPING, "sev2", "business_critical")


def test_what_grows_is_declared_as_the_worst_that_joined() -> None:
    course = joins(Course().at(5), WORSE, 4)

    hold = course.hold
    assert (hold.outcome, hold.severity, hold.rank) == (Outcome.DECLARED_GROWING, "sev2", 2)
    assert (hold.urgency, hold.page_policy, hold.mixed) == ("business_critical", "night", True)
    assert course.words("hold.raised") != []
    assert course.said[-1][1].text.startswith("Declared: growing; 4 alerts firing now, 1 when it settled.")


def test_what_grows_and_allows_no_waiting_is_declared_without_asking_first() -> None:
    course = joins(Course().at(5), AT_ONCE, 4)

    assert (course.hold.outcome, course.hold.severity) == (Outcome.DECLARED_SEVERITY_RAISED, "sev1")
    assert len(course.words("hold.declared")) == 1


def test_a_growth_that_is_asked_about_first_leaves_the_hold_raised() -> None:
    now = START + 5 * MINUTE
    turn = holds.joined_after(holds.alerts_changed(Course().hold, firing=4, refired=0, now=now), WORSE, now)
    put_off = holds.asks_first(turn)

    assert put_off is not None
    assert (put_off.hold.wants, put_off.hold.severity, put_off.hold.deadline_at) == (
        Outcome.DECLARED_GROWING, "sev2", now + 10 * MINUTE
    )  # fmt: skip


def test_where_a_raised_severity_declares_nothing_what_flaps_is_not_filed_with_it_either() -> None:
    policy = replace(FILED, declare_on=frozenset({DeclareOn.SPREAD}))
    hold = joins(after_two_returns(policy), AT_ONCE, 1).hold

    assert (hold.state, hold.severity) == (HoldState.HOLDING, "sev1")
