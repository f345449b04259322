"""The clock of a hold: its opening, when to look at it again, what it means that the time came, and one extension."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.ending import closed, declared_text, end, ignored
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import ASK_BEFORE, REFILL
from incidentd.text import clock, plain
from incidentd.timeline import Draft

_SAME = timedelta(seconds=5)
"""Clocks of replicas are this far apart at most; a clock that says less than that went back."""


def open_hold(hold: Hold, *, carry: timedelta) -> Turn:
    """Start the clock of a new hold; `carry` is the patience that an earlier hold of the same alerts used up."""
    wait = max(hold.policy.no_progress_after - carry, timedelta(0))
    cap = hold.opened_at + hold.policy.hard_cap
    hold = replace(
        hold, deadline_at=min(hold.opened_at + wait, cap), cap_at=cap, firing_then=hold.firing, last_tick=hold.opened_at
    )
    inherited = f" An earlier hold of these alerts used up {about(carry)} of the wait." if carry else ""
    text = f"Holding: declares at {clock(hold.deadline_at)} unless there is progress. {hold.reason}{inherited}"
    return Turn(hold, (Draft("hold.opened", text, {"firing": hold.firing, "deadline": hold.deadline_at.isoformat()}),))


def carry_over(earlier: Hold | None, now: datetime) -> timedelta:
    """Say how much patience a new hold inherits: what the earlier one used up, minus half of the quiet time since."""
    if earlier is None or earlier.ended_at is None:
        return timedelta(0)
    quiet = max(now - (earlier.quiet_since or earlier.ended_at), timedelta(0))
    return max(earlier.spent - REFILL * quiet, timedelta(0))


def ask_at(hold: Hold) -> datetime:
    """Say when people are asked before it declares: when a fifth of the wait is left."""
    return min(hold.deadline_at, hold.cap_at) - ASK_BEFORE * hold.policy.no_progress_after


def declares_at(hold: Hold) -> datetime:
    """Say when it declares if nothing changes: not in the middle of a playbook's step, and never after its cap."""
    return min(max(hold.deadline_at, hold.busy_until or hold.deadline_at), hold.cap_at)


def next_due(hold: Hold) -> datetime:
    """Say when `time_passed` must look at the hold again. A snoozed one waits for news, not for the time."""
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        return hold.quiet_since + hold.policy.quiet
    due = declares_at(hold)
    return min(due, ask_at(hold)) if _is_to_ask(hold) else due


def _is_to_ask(hold: Hold) -> bool:
    if hold.state is not HoldState.HOLDING or hold.wants is not None or ask_at(hold) >= declares_at(hold):
        return False
    return hold.asked_at is None or hold.asked_at < hold.progress_at


def time_passed(hold: Hold, now: datetime, *, unverified: str = "") -> Turn:
    """Look at the clock: close after enough quiet, ask at 80 % of the wait, declare when the wait or the cap is over.

    `unverified` says why Alertmanager could not be asked whether it still fires.
    """
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        return closed(hold, now) if now - hold.quiet_since >= hold.policy.quiet else Turn(hold)
    if hold.state is not HoldState.HOLDING or now < next_due(hold):
        return Turn(hold)
    if now < declares_at(hold):
        return _asked(hold, now)
    more = ""
    if unverified:
        hold, more = replace(hold, unverified=True), f" Not verified: {unverified}."
    if now >= hold.cap_at and hold.progress_at > hold.opened_at:
        head = f"held for {about(now - hold.opened_at)}, the longest that is allowed"
        return end(hold, Outcome.DECLARED_HARD_CAP, declared_text(hold, head) + more, now)
    text = declared_text(hold, f"no progress for {about(now - hold.progress_at)}") + more
    return end(hold, Outcome.DECLARED_NO_PROGRESS, text, now)


def _asked(hold: Hold, now: datetime) -> Turn:
    hold = replace(hold, asked_at=max(now, hold.progress_at))
    return Turn(hold, (Draft("hold.asked", f"{asked_text(hold, now)} Whoever was paged is asked.", {}),))


def asked_text(hold: Hold, now: datetime) -> str:
    """Say how far the wait has come."""
    wait = about(hold.policy.no_progress_after)
    whole = hold.deadline_at - hold.progress_at == hold.policy.no_progress_after
    of = f"{about(now - hold.progress_at)} of {wait}" if whole else f"{about(now - hold.progress_at)}"
    return f"No progress seen for {of}; declares at {clock(declares_at(hold))}."


def step_runs(hold: Hold, *, what: str, until: datetime, now: datetime) -> Turn:
    """Take that a playbook's step runs when the wait is over: it is looked at again after that step's own timeout.

    It is not progress, and never reaches past the cap.
    """
    until = min(until, hold.cap_at)
    if hold.state is not HoldState.HOLDING or until <= now or until <= (hold.busy_until or hold.deadline_at):
        return Turn(hold)
    text = f"The wait is over, and {what} is at work, which is not progress: looked at again at {clock(until)}."
    return ignored(replace(hold, busy_until=until), text, signal="playbook", words=f"{what} at work")


def extend(hold: Hold, *, by: str, approver: str, reason: str, length: timedelta, now: datetime) -> Turn:
    """Give it more time, which people may do once: its cap and its deadline move by so much."""
    hold = replace(
        hold, cap_at=hold.cap_at + length, deadline_at=hold.deadline_at + length, extended_by=by, touched=True
    )
    text = (
        f"Extended by {about(length)}, asked by {by} and approved by {approver}: {plain(reason)} "
        f"Declares at {clock(hold.deadline_at)} unless there is progress, and at {clock(hold.cap_at)} at the latest."
    )
    return Turn(hold, (Draft("hold.extended", text, {"approver": approver, "seconds": length.total_seconds()}),))


def clock_looked_at(hold: Hold, now: datetime) -> Turn:
    """Compare the clock with what it said when the hold was written last: one that went back extends nothing.

    Every instant of the hold goes back with the clock, so that what was left of its wait is what is left.
    """
    back = (hold.last_tick or now) - now
    if hold.state not in OPEN or back <= _SAME:
        return Turn(hold)
    hold = replace(
        hold, deadline_at=hold.deadline_at - back, cap_at=hold.cap_at - back, progress_at=hold.progress_at - back,
        quiet_since=_back(hold.quiet_since, back), snoozed_since=_back(hold.snoozed_since, back),
        burst_since=_back(hold.burst_since, back), busy_until=_back(hold.busy_until, back),
        asked_at=_back(hold.asked_at, back), settles_at=hold.settled_at - back,
        refires=tuple(at - back for at in hold.refires), last_tick=now,
    )  # fmt: skip
    text = f"The clock went back by {about(back)}, which extends nothing: declares at {clock(hold.deadline_at)}."
    return Turn(hold, (Draft("hold.clock", text, {"seconds": back.total_seconds()}),))


def _back(at: datetime | None, by: timedelta) -> datetime | None:
    return None if at is None else at - by
