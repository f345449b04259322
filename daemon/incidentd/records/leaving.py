"""What is open of an incident, and what becomes of it where it goes on elsewhere: for incidents that become one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.records.kinds import (
    Belief,
    Change,
    Choice,
    Criterion,
    CriterionState,
    Decision,
    Hypothesis,
    Record,
    Records,
    Section,
    Task,
    TaskState,
)

Open = Hypothesis | Decision | Task | Change | Criterion
"""What can be open; a section has no end."""


def is_open(it: Record) -> bool:
    """Say whether somebody still has to do something about a record."""
    match it:
        case Hypothesis():
            return it.state is Belief.OPEN
        case Decision():
            return it.state is Choice.PROPOSED
        case Task():
            return it.state is TaskState.OPEN
        case Change():
            return it.in_place
        case Criterion():
            return it.state is CriterionState.OPEN
        case Section():
            return False


def open_records(found: Records) -> tuple[Open, ...]:
    """List what is open, kind by kind."""
    every: tuple[Open, ...] = (
        *found.tasks, *found.changes, *found.hypotheses, *found.decisions, *found.criteria,
    )  # fmt: skip
    return tuple(one for one in every if is_open(one))


def words(it: Open) -> str:
    """Give what somebody wrote down."""
    return it.what if isinstance(it, Change) else it.text


def copied(it: Open, *, number: int, version: int, origin: str, by: str, now: datetime) -> Open:
    """Write a record as it stands under another number."""
    return replace(it, number=number, version=version, origin=origin, by=by, at=now)


def same(a: Open, b: Open) -> bool:
    """Say whether two records differ in nothing but where they stand and who wrote that down."""
    return replace(a, number=b.number, version=b.version, origin=b.origin, by=b.by, at=b.at) == b


def left(it: Open, why: str, *, by: str, now: datetime) -> Open:
    """Let a record end where it stands, because it goes on elsewhere."""
    it = replace(it, version=it.version + 1, by=by, at=now)
    match it:
        case Hypothesis():
            return replace(it, state=Belief.REFUTED, evidence=why)
        case Decision():
            return replace(it, state=Choice.WITHDRAWN)
        case Task():
            return replace(it, state=TaskState.DROPPED, ended_at=now, result=why)
        case Change():
            return replace(it, undone_by=by, undone_at=now, outcome=why)
        case Criterion():
            return replace(it, state=CriterionState.WAIVED, settled_by=by, settled_at=now, reason=why)
