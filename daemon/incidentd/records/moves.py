"""What may become of a record: each move gives the next version, or refuses and says why.

A refusal is Conflict when the record is not in a state that allows it, and BadRequest when something is missing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.errors import BadRequest, Conflict
from incidentd.records.kinds import (
    Belief,
    Change,
    Choice,
    Confidence,
    Criterion,
    CriterionState,
    Decision,
    Hypothesis,
    Objection,
    Section,
    Task,
    TaskState,
)

SHORTEST_BOX, LONGEST_BOX = timedelta(minutes=1), timedelta(hours=24)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=4)


# -- sections and hypotheses -----------------------------------------------------------------------------------------


def rewritten(section: Section, text: str, *, by: str, now: datetime) -> Section:
    """Write a section anew."""
    return replace(section, text=text, version=section.version + 1, by=by, at=now)


def judged(
    it: Hypothesis,
    *,
    by: str,
    now: datetime,
    state: Belief | None = None,
    confidence: Confidence | None = None,
    owner: str | None = None,
    evidence: str | None = None,
) -> Hypothesis:
    """Say anew how a hypothesis stands; None leaves what is there. Raises Conflict when nothing would change."""
    changed = replace(
        it, state=state or it.state, confidence=confidence or it.confidence,
        owner=it.owner if owner is None else owner, evidence=it.evidence if evidence is None else evidence,
    )  # fmt: skip
    if changed == it:
        raise Conflict(f"{it.key} stands like that already: {it.state}, confidence {it.confidence}")
    return replace(changed, version=it.version + 1, by=by, at=now)


# -- decisions -------------------------------------------------------------------------------------------------------


def wait_until(wait: timedelta, now: datetime) -> datetime:
    """Say when silence counts as consent. Raises BadRequest for a wait that is too short or too long."""
    if not SHORTEST_WAIT <= wait <= LONGEST_WAIT:
        raise BadRequest(f"a proposal waits {about(SHORTEST_WAIT)} to {about(LONGEST_WAIT)} for objections")
    return now + wait


def objected(it: Decision, text: str, *, by: str, now: datetime) -> Decision:
    """Object to a proposal. Raises Conflict when it is none any more."""
    _proposed(it)
    against = (*it.objections, Objection(by=by, text=text, at=now))
    return replace(it, objections=against, version=it.version + 1, by=by, at=now)


def decided(it: Decision, *, by: str, now: datetime) -> Decision:
    """Decide what was proposed, whatever was said against it."""
    _proposed(it)
    return replace(it, state=Choice.DECIDED, decided_by=by, version=it.version + 1, by=by, at=now)


def by_silence(it: Decision, *, by: str, now: datetime) -> Decision | None:
    """Decide what nobody objected to; None when somebody did, or when it is no proposal any more."""
    if it.state is not Choice.PROPOSED or it.objections:
        return None
    return replace(it, state=Choice.DECIDED, version=it.version + 1, by=by, at=now)


def withdrawn(it: Decision, *, by: str, now: datetime) -> Decision:
    """Take a proposal back."""
    _proposed(it)
    return replace(it, state=Choice.WITHDRAWN, version=it.version + 1, by=by, at=now)


def _proposed(it: Decision) -> None:
    if it.state is not Choice.PROPOSED:
        raise Conflict(f"{it.key} is {it.state}; only what is proposed can be objected to, decided or withdrawn")


# -- tasks -----------------------------------------------------------------------------------------------------------


def boxed(box: timedelta | None) -> timedelta:
    """Check the time box of a task. Raises BadRequest without one, or for one that is too short or too long."""
    if box is None:
        raise BadRequest("a task has a time box: say how many minutes its owner has, such as 10m")
    if not SHORTEST_BOX <= box <= LONGEST_BOX:
        raise BadRequest(f"a time box is {about(SHORTEST_BOX)} to {about(LONGEST_BOX)} long")
    return box


def acknowledged(it: Task, *, by: str, now: datetime) -> Task:
    """Say that its owner has it. Raises Conflict for anybody else, and when it is over or was said before."""
    _open(it)
    if by != it.owner:
        raise Conflict(f"{it.key} is {it.owner}'s; whoever else does it takes it over: assign it to {by}")
    if it.acked_at is not None:
        raise Conflict(f"{it.owner} has {it.key} already")
    return replace(it, acked_at=now, version=it.version + 1, by=by, at=now)


def reassigned(it: Task, owner: str, box: timedelta | None, *, by: str, now: datetime) -> Task:
    """Give a task to somebody else, or to the same person for longer; its time begins anew."""
    _open(it)
    box = boxed(box or it.box)
    return replace(
        it, owner=owner, box=box, given_by=by, given_at=now, due_at=now + box, reminded_at=None,
        acked_at=now if owner == by else None, version=it.version + 1, by=by, at=now,
    )  # fmt: skip


def ended(it: Task, state: TaskState, result: str, *, by: str, now: datetime) -> Task:
    """End a task, with what came of it. Raises BadRequest when one is dropped without a reason."""
    _open(it)
    if state is TaskState.DROPPED and not result:
        raise BadRequest(f"say why {it.key} is dropped")
    return replace(it, state=state, ended_at=now, result=result, version=it.version + 1, by=by, at=now)


def reminded(it: Task, *, by: str, now: datetime) -> Task | None:
    """Note that the time of a task is over; None when there is nothing to be reminded of."""
    if it.state is not TaskState.OPEN or it.reminded_at is not None or it.due_at > now:
        return None
    return replace(it, reminded_at=now, version=it.version + 1, by=by, at=now)


def _open(it: Task) -> None:
    if it.state is not TaskState.OPEN:
        raise Conflict(f"{it.key} is {it.state}{f': {it.result}' if it.result else ''}")


# -- changes to production, exit criteria ----------------------------------------------------------------------------


def undone(it: Change, outcome: str, *, by: str, now: datetime) -> Change:
    """Say that a change is undone or stays for good. Raises Conflict when that was said before."""
    if not it.in_place:
        raise Conflict(f"{it.key} was dealt with by {it.undone_by}: {it.outcome}")
    return replace(it, undone_by=by, undone_at=now, outcome=outcome or "undone", version=it.version + 1, by=by, at=now)


def explained(it: Change, undo: str, *, by: str, now: datetime) -> Change:
    """Say how a change is undone."""
    if not it.in_place:
        raise Conflict(f"{it.key} was dealt with by {it.undone_by}: {it.outcome}")
    return replace(it, undo=undo, version=it.version + 1, by=by, at=now)


def settled(it: Criterion, state: CriterionState, reason: str, *, by: str, now: datetime) -> Criterion:
    """Say that an exit criterion is met, waived with a reason, or open again."""
    if it.state is state:
        raise Conflict(f"{it.key} is {state} already" + (f", said {it.settled_by}" if it.settled_by else ""))
    if state is CriterionState.WAIVED and not reason:
        raise BadRequest(f"say why {it.key} is waived")
    who, when = ("", None) if state is CriterionState.OPEN else (by, now)
    return replace(
        it, state=state, reason=reason, settled_by=who, settled_at=when, version=it.version + 1, by=by, at=now
    )
