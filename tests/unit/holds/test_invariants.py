"""The six promises of a hold, over random courses of everything that can happen to one."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd import holds
from incidentd.holds import OPEN, Hold, HoldPolicy, HoldState, OnFlap, Outcome, ProgressQuery, Turn
from tests.unit.holds.course import MINUTE, START, like, new_hold

COURSES = 100_000 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 4_000
HUMAN = frozenset({"note", "extend", "ask"})
"""What people do may move a deadline later; what alerts, acknowledgements and time do never may."""

POLICIES = (
    HoldPolicy(query=ProgressQuery(promql="depth")),
    HoldPolicy(declare_on=frozenset(), query=ProgressQuery(promql="depth")),
    HoldPolicy(no_progress_after=20 * MINUTE, quiet=2 * MINUTE, flaps=5, on_flap=OnFlap.TICKET),
    HoldPolicy(no_progress_after=timedelta(0)),
    HoldPolicy(no_progress_after=60 * MINUTE, flap_shortest=MINUTE, growth=2, human_notes=0),
)
KINDS = (
    "alerts", "alerts", "alerts", "muted", "resolved", "ack", "note", "playbook", "step", "sample", "sample", "join",
    "lowered", "missed", "repeat", "doubt", "truncated", "extend", "clock", "asked", "time", "time", "worse",
)  # fmt: skip
WORSE = {
    rank: like(rule=f"r{rank}", severity=f"sev{rank}", rank=rank, wait=10 * MINUTE * (rank - 1)) for rank in (1, 2, 3)
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens, so many tenths of a minute after the one before."""

    after: int
    kind: str
    number: int

    @classmethod
    def of(cls, code: int) -> Event:
        """Read one from a number, which is many times cheaper to draw than its parts."""
        return cls(code % 150 + 1, KINDS[code // 150 % len(KINDS)], code // (150 * len(KINDS)))


EVENTS = st.lists(st.integers(0, 150 * len(KINDS) * 13 - 1).map(Event.of), max_size=24)


def happens(hold: Hold, event: Event, now: datetime) -> Turn:  # noqa: C901, PLR0912 - one arm for each thing that can
    number = event.number
    some: dict[str, Any] = {"now": now}
    match event.kind:
        case "alerts":
            return holds.alerts_changed(hold, firing=number, refired=number % 3 if number else 0, **some)
        case "muted":
            return holds.alerts_changed(hold, firing=number, refired=0, muted=number, **some)
        case "resolved":
            return holds.alerts_changed(hold, firing=0, refired=0, **some)
        case "truncated":
            return holds.alerts_changed(hold, firing=number, refired=0, truncated=3, **some)
        case "doubt":
            return holds.resolves_doubted(hold, firing=number, **some)
        case "ack":
            return holds.acknowledged(hold, by="ana", **some)
        case "note":
            return holds.note_progress(hold, by="ana", text="looking", **some)
        case "playbook":
            return holds.playbook_finished(
                hold, playbook="p", verified=number % 3 == 0, why="no", blamed=number % 3 == 1, **some
            )  # fmt: skip
        case "step":
            return holds.step_runs(hold, what="a step", until=now + number * MINUTE, **some)
        case "sample":
            return holds.sampled(hold, 0, 2.0**number if number else None, why="no data", **some)
        case "join":
            it = replace(WORSE[number % 3 + 1], services=(f"s{number % 5}",), customer="x" if number == 9 else "")
            return holds.joined(hold, it, now)
        case "worse":
            turn = holds.alerts_changed(hold, firing=hold.firing + number, refired=0, **some)
            return holds.joined_after(turn, WORSE[number % 3 + 1], now)
        case "lowered":
            return holds.source_severity(hold, severity="sev3", rank=number % 4, **some)
        case "missed":
            return holds.ack_missed(hold, within=5 * MINUTE, **some)
        case "repeat":
            return holds.repeated(hold, now)
        case "extend" if hold.state in OPEN and not hold.extended_by:
            length = min((number + 1) * 5 * MINUTE, hold.policy.hard_cap)
            return holds.extend(hold, by="ana", approver="ben", reason="copying", length=length, **some)
        case "clock" if hold.state in OPEN:
            return holds.clock_looked_at(replace(hold, last_tick=now + number * MINUTE), now)
        case "asked":
            return holds.answered(hold, now)
        case _:
            return holds.time_passed(hold, now)


def until(hold: Hold, now: datetime) -> Hold:
    """Let everything fall due that does until now, as the engine does."""
    while hold.state in OPEN and hold.state is not HoldState.SNOOZED and (due := holds.next_due(hold)) <= now:
        hold = holds.time_passed(hold, due).hold
    return hold


def kept(before: Hold, after: Turn, event: Event, now: datetime) -> None:
    """Check what must hold between any two moments."""
    hold = after.hold
    if before.state not in OPEN:  # 4: what is over stays over
        assert hold == before
        return
    assert hold.deadline_at <= hold.cap_at  # 1
    progress = any(draft.kind == "hold.progress" for draft in after.drafts)
    if before.state is hold.state is HoldState.HOLDING and event.kind not in HUMAN and not progress:
        assert hold.deadline_at <= before.deadline_at  # 2: alerts, acks and time never move a deadline later
    if before.state is hold.state is HoldState.HOLDING and event.kind != "extend":
        assert hold.cap_at <= before.cap_at
    if hold.state is HoldState.HOLDING and event.kind != "clock":
        assert now < hold.cap_at  # 3: never held past the cap
    assert hold.rank <= before.rank  # 5: severity never falls
    assert hold.outcome is not Outcome.TICKETED or hold.rank == WORSE[3].rank  # what was raised is never filed
    assert hold.notes_used <= hold.policy.human_notes


@pytest.mark.slow
@settings(max_examples=COURSES)
@given(EVENTS, st.integers(0, 29))
def test_no_course_of_events_breaks_the_six_promises_of_a_hold(events: list[Event], start: int) -> None:
    hold, now = new_hold(start % 6 + 1, POLICIES[start % len(POLICIES)]).hold, START
    for event in events:
        now += event.after * MINUTE / 10
        hold = until(hold, now)
        turn = happens(hold, event, now)
        kept(hold, turn, event, now)
        hold = until(turn.hold, now)
    if hold.state is HoldState.SNOOZED:  # no silence lasts for ever
        hold = holds.alerts_changed(hold, firing=max(hold.firing, 1), refired=0, now=now + MINUTE).hold
    assert until(hold, now + timedelta(days=1)).outcome is not None  # 6: every hold ends
