"""What the number of firing alerts means for a hold: progress, growth, flapping, recovery, sleep, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.ending import end, ignored, is_growing
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import REFILL, DeclareOn, OnFlap
from incidentd.holds.signals import progress
from incidentd.text import clock, count
from incidentd.timeline import Draft

_SAME_MOMENT = timedelta(seconds=1)
"""A resolve and a fire this close together are one body in which a label changed, and no flap."""


def alerts_changed(
    hold: Hold, *, firing: int, refired: int, now: datetime, muted: int = 0, truncated: int = 0
) -> Turn:  # fmt: skip
    """Take the number of its alerts that fire now; `refired` of them had resolved (or flapped unseen) before.

    `muted` of them are silenced or inhibited. Muted is not resolved: when all are, the clock stands still. `truncated`
    alerts were left out of a delivery.
    """
    if hold.state not in OPEN:
        return Turn(hold)
    turn = _cut(hold) if truncated and not hold.truncated else Turn(hold)
    asleep = hold.state is HoldState.SNOOZED
    if asleep and muted < max(firing, 1):
        turn = turn.then(_woken(replace(turn.hold, slept=not firing), now))
    turn = turn.then(_counted(turn.hold, firing=firing, refired=refired, now=now))
    if turn.hold.state is HoldState.HOLDING and muted >= firing:
        turn = turn.then(_snoozed(turn.hold, now))
    return turn


def resolves_doubted(hold: Hold, *, firing: int, now: datetime) -> Turn:
    """Take that resolves which it believed prove nothing: `firing` alerts count as firing again, and none flapped."""
    if hold.state is not HoldState.RECOVERING:
        return Turn(replace(hold, firing=firing) if hold.state in OPEN else hold)
    hold = _went_on(replace(hold, firing=firing), now)
    text = f"Recovered on resolves that prove nothing; the wait goes on and declares at {clock(hold.deadline_at)}."
    return Turn(hold, (Draft("hold.doubted", text, {"firing": firing}),))


def _cut(hold: Hold) -> Turn:
    text = (
        "Alertmanager left alerts out of a delivery (max_alerts), so how many fire is known only from below: fewer of "
        "them are not progress in this hold."
    )
    return ignored(replace(hold, truncated=True), text, signal="truncated")


def _snoozed(hold: Hold, now: datetime) -> Turn:
    hold = replace(hold, state=HoldState.SNOOZED, snoozed_since=now)
    text = "All that fires is silenced or inhibited in Alertmanager: the clock stands still until it no longer is."
    return ignored(hold, text, signal="silence", kind="hold.snoozed")


def _woken(hold: Hold, now: datetime) -> Turn:
    slept = now - (hold.snoozed_since or now)
    hold = replace(
        hold, state=HoldState.HOLDING, snoozed_since=None, deadline_at=hold.deadline_at + slept,
        cap_at=hold.cap_at + slept, progress_at=hold.progress_at + slept,
    )  # fmt: skip
    text = f"Not silenced any more after {about(slept)}; the wait goes on and declares at {clock(hold.deadline_at)}."
    return Turn(hold, (Draft("hold.woken", text, {"firing": hold.firing}),))


def _counted(hold: Hold, *, firing: int, refired: int, now: datetime) -> Turn:
    before, hold = hold, replace(hold, firing=firing)
    if firing == 0:
        return _recovering(hold, now) if before.state is HoldState.HOLDING else Turn(hold)
    turn = Turn(hold)
    if before.state is HoldState.RECOVERING:
        quiet = now - (hold.quiet_since or now)
        came_back = 0 if not refired and quiet < _SAME_MOMENT else max(refired, 1)
        turn = _back(hold, quiet, now)
        turn = turn.then(_refired(turn.hold, came_back, (hold.quiet_since or now) - _burst(hold), now))
    elif refired:
        turn = ignored(
            hold, f"{count(refired, 'alert')} resolved and fired again unseen: not progress.", signal="refire",
            words=f"a return at {clock(now)}", kind="hold.refired",
        )  # fmt: skip
        turn = turn.then(_refired(replace(turn.hold, burst_since=now), refired, now - _burst(hold), now))
    if turn.hold.state not in OPEN:
        return turn
    return turn.then(_count_changed(turn.hold, before.firing, now))


def _recovering(hold: Hold, now: datetime) -> Turn:
    hold = replace(hold, state=HoldState.RECOVERING, quiet_since=now, busy_until=None)
    closes = clock(now + hold.policy.quiet)
    return Turn(hold, (Draft("hold.recovering", f"Nothing fires any more; closes at {closes} if it stays quiet."),))


def _burst(hold: Hold) -> datetime:
    return hold.burst_since or hold.opened_at


def _went_on(hold: Hold, now: datetime) -> Hold:
    """Let the clock of a recovering hold go on where it stood, with part of the quiet time given back."""
    since = hold.quiet_since or now
    quiet = now - since
    left = hold.deadline_at - since
    left = min(left + REFILL * quiet, max(left, hold.policy.no_progress_after))  # more than that was given by people
    cap = hold.cap_at + quiet
    return replace(
        hold, state=HoldState.HOLDING, quiet_since=None, cap_at=cap, deadline_at=min(now + left, cap),
        progress_at=hold.progress_at + quiet, burst_since=now, slept=False,
    )  # fmt: skip


def _back(hold: Hold, quiet: timedelta, now: datetime) -> Turn:
    hold = _went_on(hold, now)
    text = f"Fires again after {about(quiet)} of quiet; the wait goes on and declares at {clock(hold.deadline_at)}."
    return ignored(hold, text, signal="refire", words=f"a return at {clock(now)}", kind="hold.refired")


def _refired(hold: Hold, times: int, burst: timedelta, now: datetime) -> Turn:
    """Count returns; the burst before one must have been long enough for it to be a flap."""
    policy = hold.policy
    counted = (now,) * times if burst >= policy.flap_shortest else ()
    recent = tuple(at for at in hold.refires if now - at < policy.flap_window) + counted
    hold = replace(hold, refires=recent)
    if not counted or len(recent) < policy.flaps:
        return Turn(hold)
    what = f"flapping; it fired again {len(recent)} times in {about(policy.flap_window)}."
    if policy.on_flap is OnFlap.TICKET:
        return end(hold, Outcome.TICKETED, f"Closed with a ticket: {what}", now)
    if DeclareOn.FLAPPING in policy.declare_on:
        return end(hold, Outcome.DECLARED_FLAPPING, f"Declared: {what}", now)
    return Turn(hold)


def _count_changed(hold: Hold, before: int, now: datetime) -> Turn:
    firing = hold.firing
    if now < hold.settled_at:
        peak = max(hold.peak, firing)
        return Turn(replace(hold, peak=peak, best=peak, firing_then=peak))
    if is_growing(hold) and DeclareOn.GROWING in hold.policy.declare_on:
        text = f"Declared: growing; {count(firing, 'alert')} firing now, {hold.peak} when it settled."
        return end(hold, Outcome.DECLARED_GROWING, text, now)
    if firing < hold.best and firing <= hold.best * (1 - hold.policy.alerts_down) and not hold.truncated:
        what = f"{count(firing, 'alert')} firing, {hold.best} at the best before"
        return progress(hold, what, now, signal="alerts_down", best=firing)
    if firing == before:
        return Turn(hold)
    text = f"{count(firing, 'alert')} firing now, {hold.best} at the best before: not progress."
    more = firing - before
    if more > 0:
        return ignored(hold, text, signal="new_member", words=f"{count(more, 'more alert')} at {clock(now)}")
    return ignored(hold, text, signal="alerts_down", words=f"{count(-more, 'alert')} fewer at {clock(now)}")
