"""Holds as pure turns: a table of single events, and invariants over random courses of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd import holds
from incidentd.holds import OPEN, DeclareOn, Hold, HoldPolicy, HoldState, Outcome, Turn

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = HoldPolicy()


def opened(firing: int = 3, policy: HoldPolicy = POLICY, carry: timedelta = timedelta(0)) -> Hold:
    hold = Hold(
        id=7, source="prod", rule="queue-lag", correlation_key="k", title="QueueLag", severity="sev3",
        urgency="urgent", impact_started_at=NOW, policy=policy, state=HoldState.HOLDING, opened_at=NOW,
        deadline_at=NOW, cap_at=NOW, firing=firing, peak=firing, best=firing, progress_at=NOW, reason="A rule says so.",
    )  # fmt: skip
    return holds.open_hold(hold, carry=carry).hold


def alerts(hold: Hold, minute: float, firing: int, refired: int = 0) -> Turn:
    return holds.alerts_changed(hold, firing=firing, refired=refired, now=NOW + minute * MINUTE)


def test_the_deadline_is_said_as_an_absolute_time_at_the_opening() -> None:
    turn = holds.open_hold(opened(), carry=timedelta(0))

    assert turn.drafts[0].text.startswith("Holding: declares at 14:30:00 UTC unless there is progress.")


def test_in_the_first_minute_more_alerts_only_teach_the_peak() -> None:
    hold = alerts(opened(1), 0.5, 9).hold

    assert (hold.peak, hold.best, hold.state) == (9, 9, HoldState.HOLDING)


def test_the_same_improvement_never_counts_twice() -> None:
    hold = alerts(opened(10), 5, 8).hold
    assert hold.deadline_at == NOW + 35 * MINUTE
    hold = alerts(alerts(hold, 10, 10).hold, 15, 8).hold

    assert hold.deadline_at == NOW + 35 * MINUTE


def test_a_small_improvement_is_no_progress() -> None:
    hold = alerts(opened(10), 5, 9).hold

    assert hold.deadline_at == NOW + 30 * MINUTE


def test_three_times_the_settled_peak_is_growing() -> None:
    hold = alerts(opened(3), 5, 9).hold

    assert (hold.state, hold.outcome) == (HoldState.DECLARED, Outcome.DECLARED_GROWING)


def test_growing_is_left_alone_when_the_rule_leaves_it_out() -> None:
    hold = alerts(opened(3, HoldPolicy(declare_on=frozenset({DeclareOn.FLAPPING}))), 5, 9).hold

    assert hold.state is HoldState.HOLDING


def test_the_clock_stands_still_while_nothing_fires() -> None:
    hold = alerts(opened(1), 10, 0).hold
    assert (hold.state, holds.next_due(hold)) == (HoldState.RECOVERING, NOW + 15 * MINUTE)
    hold = alerts(hold, 14, 1, refired=1).hold

    # 20 minutes were left, and half of the 4 quiet ones come back
    assert (hold.state, hold.deadline_at) == (HoldState.HOLDING, NOW + 36 * MINUTE)


def test_a_verified_playbook_is_progress_and_a_failed_one_declares() -> None:
    later = NOW + 10 * MINUTE
    good = holds.playbook_finished(opened(), playbook="drain", verified=True, why="", now=later).hold
    bad = holds.playbook_finished(opened(), playbook="drain", verified=False, why="exit 1", now=later).hold

    assert good.deadline_at == NOW + 40 * MINUTE
    assert bad.outcome is Outcome.DECLARED_PLAYBOOK_FAILED


def test_what_an_earlier_hold_used_up_is_inherited_less_half_of_the_quiet_time() -> None:
    hold = alerts(opened(1), 25, 0).hold
    hold = holds.time_passed(hold, NOW + 30 * MINUTE).hold
    assert (hold.outcome, hold.spent) == (Outcome.SELF_RESOLVED, 25 * MINUTE)

    assert holds.carry_over(hold, NOW + 35 * MINUTE) == 20 * MINUTE


@pytest.mark.parametrize("state", [HoldState.DECLARED, HoldState.CLOSED])
def test_what_is_over_stays_over(state: HoldState) -> None:
    over = replace(opened(), state=state)
    later = NOW + 90 * MINUTE

    assert alerts(over, 90, 5).hold == over
    assert holds.time_passed(over, later).hold == over
    assert holds.note_progress(over, by="ana", text="late", now=later).hold == over
    assert holds.ack_missed(over, within=5 * MINUTE, now=later).hold == over


EVENTS = st.lists(
    st.tuples(
        st.floats(min_value=0.1, max_value=15, allow_nan=False),
        st.one_of(
            st.tuples(st.just("alerts"), st.integers(0, 12), st.integers(0, 2)),
            st.tuples(st.just("note"), st.just(0), st.just(0)),
            st.tuples(st.just("playbook"), st.integers(0, 1), st.just(0)),
            st.tuples(st.just("time"), st.just(0), st.just(0)),
        ),
    ),
    max_size=40,
)


def happens(hold: Hold, event: tuple[str, int, int], now: datetime) -> Turn:
    match event:
        case ("alerts", firing, refired):
            return holds.alerts_changed(hold, firing=firing, refired=min(refired, firing), now=now)
        case ("note", _, _):
            return holds.note_progress(hold, by="ana", text="looking", now=now)
        case ("playbook", verified, _):
            return holds.playbook_finished(hold, playbook="p", verified=bool(verified), why="no", now=now)
        case _:
            return holds.time_passed(hold, now)


@given(EVENTS, st.integers(1, 6))
def test_no_course_of_events_breaks_the_promises_of_a_hold(
    events: list[tuple[float, tuple[str, int, int]]], firing: int
) -> None:
    hold, now = opened(firing), NOW
    for wait, event in events:
        now += wait * MINUTE
        while hold.state in OPEN and holds.next_due(hold) <= now:  # the engine looks when it is due
            due = holds.next_due(hold)
            hold = holds.time_passed(hold, due).hold
        before = hold
        turn = happens(hold, event, now)
        hold = turn.hold

        assert hold.deadline_at <= hold.cap_at
        if before.state not in OPEN:
            assert hold == before
            continue
        signals = {draft.kind for draft in turn.drafts}
        if before.state is hold.state is HoldState.HOLDING and "hold.progress" not in signals:
            assert hold.deadline_at <= before.deadline_at
        assert hold.notes_used <= hold.policy.human_notes
        if hold.state is HoldState.HOLDING:
            assert now < hold.cap_at
    for _ in range(100):  # left alone, every hold ends
        if hold.state in OPEN:
            hold = holds.time_passed(hold, holds.next_due(hold)).hold
    assert hold.outcome is not None
