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


# -- the shorter wait ------------------------------------------------------------------------------------------------


def test_a_raised_hold_has_the_wait_of_what_raised_it_also_after_progress_and_notes() -> None:
    course = Course(10).at(5).do(holds.joined, WORSE).at(8).fires(5)
    assert course.deadline == 18
    course.at(15).do(holds.note_progress, by="ana", text="looking")
    assert course.deadline == 25
    course.at(20).fires(0).at(24).fires(5, refired=1)  # 5 minutes were left, and half of the 4 quiet ones

    assert course.deadline == 31


def test_what_would_wait_longer_than_the_hold_lengthens_nothing() -> None:
    course = Course(10).at(5).do(holds.joined, replace(WORSE, wait=50 * MINUTE)).at(8).fires(5)

    assert course.deadline == 38


def test_whoever_was_paged_for_a_raised_hold_is_asked_when_a_fifth_of_its_wait_is_left() -> None:
    course = Course().at(5).do(holds.joined, WORSE).at(15)

    assert [minute for minute, draft in course.said if draft.kind == "hold.asked"] == [13]
    assert course.words("hold.asked") == [
        "No progress seen for 13m; declares at 14:15:00 UTC. Whoever was paged is asked."
    ]


def test_slow_flapping_that_is_raised_each_time_declares_too() -> None:
    course = Course()
    for minute in range(0, 180, 18):  # 8 minutes on, 10 off
        course.at(minute)
        if course.is_declared:
            break
        if minute:
            course.hold = replace(course.hold, policy=POLICY)  # its successor is opened by the rule anew
            course.fires(1)
        course.do(holds.joined, WORSE).at(minute + 8)
        if not course.is_declared:
            course.fires(0)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_NO_PROGRESS, 25)


def test_a_raised_hold_that_made_progress_leaves_its_successor_only_what_it_used_up_since() -> None:
    course = Course(10).at(5).do(holds.joined, WORSE).at(8).fires(5).at(10).fires(0).at(16)

    assert (course.hold.outcome, course.hold.spent) == (Outcome.SELF_RESOLVED, 2 * MINUTE)
