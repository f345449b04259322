"""The clock of a hold: its opening, when to look at it again, and what it means that the time came."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.ending import closed, end
from incidentd.holds.hold import Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import REFILL
from incidentd.text import clock
from incidentd.timeline import Draft


def open_hold(hold: Hold, *, carry: timedelta) -> Turn:
    """Start the clock of a new hold; `carry` is the patience that an earlier hold of the same alerts used up."""
    wait = max(hold.policy.no_progress_after - carry, timedelta(0))
    cap = hold.opened_at + hold.policy.hard_cap
    hold = replace(hold, deadline_at=min(hold.opened_at + wait, cap), cap_at=cap)
    inherited = f" An earlier hold of these alerts used up {about(carry)} of the wait." if carry else ""
    text = f"Holding: declares at {clock(hold.deadline_at)} unless there is progress. {hold.reason}{inherited}"
    return Turn(hold, (Draft("hold.opened", text, {"firing": hold.firing, "deadline": hold.deadline_at.isoformat()}),))


def carry_over(earlier: Hold | None, now: datetime) -> timedelta:
    """Say how much patience a new hold inherits: what the earlier one used up, minus half of the quiet time since."""
    if earlier is None or earlier.ended_at is None:
        return timedelta(0)
    quiet = now - (earlier.quiet_since or earlier.ended_at)
    return max(earlier.spent - REFILL * quiet, timedelta(0))


def next_due(hold: Hold) -> datetime:
    """Say when `time_passed` must look at the hold again. A snoozed one waits for news, not for the time."""
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        return hold.quiet_since + hold.policy.quiet
    return min(hold.deadline_at, hold.cap_at)


def time_passed(hold: Hold, now: datetime, *, unverified: str = "") -> Turn:
    """Look at the clock: close after enough quiet, declare when the wait or the cap is over.

    `unverified` says why Alertmanager could not be asked whether it still fires.
    """
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        if now - hold.quiet_since >= hold.policy.quiet:
            return closed(hold, now)
        return Turn(hold)
    if hold.state is not HoldState.HOLDING or now < next_due(hold):
        return Turn(hold)
    seen = f"{hold.best} firing at the best, {hold.firing} firing now."
    if unverified:
        hold = replace(hold, unverified=True)
        seen += f" Not verified: {unverified}."
    if now >= hold.cap_at and hold.progress_at > hold.opened_at:
        text = f"Declared: held for {about(now - hold.opened_at)}, the longest the rule allows; {seen}"
        return end(hold, Outcome.DECLARED_HARD_CAP, text, now)
    text = f"Declared: no progress for {about(now - hold.progress_at)}; {seen}"
    return end(hold, Outcome.DECLARED_NO_PROGRESS, text, now)
