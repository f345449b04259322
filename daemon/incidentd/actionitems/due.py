"""When an item is due, when its owner is reminded, and when its effect is looked at."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from incidentd.actionitems.item import ActionItem
from incidentd.durations import FIRST_DAY, LAST_DAY

SOAK = 2
"""Working days between an idea and the decision on it: Etsy's debriefing guide, and Howie's."""
LEAD_AFTER = timedelta(days=7)
"""So long after its day the lead of the team hears of a P0 or P1 that is not done."""
EFFECT_AFTER = timedelta(days=30)
"""So long after it is done somebody looks whether the trouble came back."""
_BEFORE = 2
_MORNING = time(9, tzinfo=UTC)
_SATURDAY = 5
_DUE_DAYS = {"P0": 7, "P2": 60, "P3": 90}
# 15 days after a sev1, 30 after anything else: PagerDuty's postmortem guide
_DUE_DAYS_P1 = {"sev1": 15}


class Stage(StrEnum):
    """Which reminder of a due date it is."""

    BEFORE = "before"
    OVERDUE = "overdue"
    LEAD = "lead"
    """The lead of the team hears of it too."""


def default_due(priority: str, severity: str, today: date) -> date:
    """Say when an item is due that nobody gave a date: P0 7 days, P1 15 (sev1) or 30, P2 and unknown 60, P3 90.

    A day that falls on a weekend is the Monday after it.
    """
    days = _DUE_DAYS_P1.get(severity, 30) if priority == "P1" else _DUE_DAYS.get(priority, 60)
    due = today + timedelta(days=days)
    while due.weekday() >= _SATURDAY:
        due += timedelta(days=1)
    return due


def working_days(start: datetime, days: int) -> datetime:
    """Give the instant so many working days later; what begins on a weekend counts from Monday's beginning."""
    at = start.astimezone(UTC)
    while at.weekday() >= _SATURDAY:
        at = datetime.combine(at.date() + timedelta(days=1), time(tzinfo=UTC))
    while days:
        at += timedelta(days=1)
        days -= at.weekday() < _SATURDAY
    return at


def soaked_at(item: ActionItem) -> datetime:
    """Say from when on a proposal may be decided without a word why."""
    return working_days(item.created_at, SOAK)


def next_reminder(item: ActionItem) -> tuple[Stage, datetime] | None:
    """Say which reminder of an open item comes next, and when; None when all went out or it has no day."""
    if item.due is None or not item.is_open:
        return None
    stages = [Stage.BEFORE, Stage.OVERDUE]
    if item.priority in ("P0", "P1"):
        stages.append(Stage.LEAD)
    told = [stage for stage in stages if stage in item.reminded]
    following = stages[stages.index(told[-1]) + 1 :] if told else stages
    return (following[0], _at(following[0], item.due)) if following else None


def effect_due(item: ActionItem) -> datetime | None:
    """Say when the effect of a done item is looked at; None while it is not done."""
    return None if item.done_at is None else item.done_at + EFFECT_AFTER


def _at(stage: Stage, due: date) -> datetime:
    due = min(max(due, FIRST_DAY), LAST_DAY)  # Jira takes days at the very ends of the calendar
    match stage:
        case Stage.BEFORE:
            return datetime.combine(_working_days_before(due), _MORNING)
        case Stage.OVERDUE:
            return datetime.combine(due + timedelta(days=1), _MORNING)
        case Stage.LEAD:
            return datetime.combine(due + LEAD_AFTER, _MORNING)


def _working_days_before(due: date) -> date:
    day = due
    for _ in range(_BEFORE):
        day -= timedelta(days=1)
        while day.weekday() >= _SATURDAY:
            day -= timedelta(days=1)
    return day
