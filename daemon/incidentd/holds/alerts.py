"""What the number of firing alerts means for a hold: progress, growth, flapping, recovery, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.durations import about
from incidentd.holds.ending import end
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import FLAP_WINDOW, FLAPS, GROWTH, REFILL, SETTLE, DeclareOn
from incidentd.holds.signals import progress
from incidentd.text import clock, count
from incidentd.timeline import Draft


def alerts_changed(hold: Hold, *, firing: int, refired: int, now: datetime, muted: int = 0) -> Turn:
    """Take the number of its alerts that fire now; `refired` of them had resolved (or flapped unseen) before.

    `muted` of them are silenced or inhibited. Muted is not resolved: when all are, the clock stands still.
    """
    if hold.state not in OPEN:
        return Turn(hold)
    woken = _woken(hold, now) if hold.state is HoldState.SNOOZED and muted < max(firing, 1) else Turn(hold)
    turn = _counted(woken.hold, firing=firing, refired=refired, now=now)
    if turn.hold.state is HoldState.HOLDING and muted >= firing:
        turn = _with(turn, _snoozed(turn.hold, now))
    return _with(woken, turn)


def resolves_doubted(hold: Hold, *, firing: int, now: datetime) -> Turn:
    """Take that resolves which it believed prove nothing: `firing` alerts count as firing again, and none flapped."""
    if hold.state is not HoldState.RECOVERING:
        return Turn(replace(hold, firing=firing) if hold.state in OPEN else hold)
    hold = _went_on(replace(hold, firing=firing), now)
    text = f"Recovered on resolves that prove nothing; the wait goes on and declares at {clock(hold.deadline_at)}."
    return Turn(hold, (Draft("hold.doubted", text, {"firing": firing}),))


def _with(earlier: Turn, later: Turn) -> Turn:
    return Turn(later.hold, earlier.drafts + later.drafts)


def _snoozed(hold: Hold, now: datetime) -> Turn:
    hold = replace(hold, state=HoldState.SNOOZED, snoozed_since=now)
    text = "All that fires is silenced or inhibited in Alertmanager: the clock stands still until it no longer is."
    return Turn(hold, (Draft("hold.snoozed", text, {"firing": hold.firing}),))


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
    drafts: tuple[Draft, ...] = ()
    if refired or before.state is HoldState.RECOVERING:
        turn = _refired(hold, refired or 1, now)
        if turn.hold.state not in OPEN:
            return turn
        hold, drafts = turn.hold, turn.drafts
    turn = _count_changed(hold, before.firing, now)
    return Turn(turn.hold, drafts + turn.drafts)


def _recovering(hold: Hold, now: datetime) -> Turn:
    hold = replace(hold, state=HoldState.RECOVERING, quiet_since=now)
    closes = clock(now + hold.policy.quiet)
    return Turn(hold, (Draft("hold.recovering", f"Nothing fires any more; closes at {closes} if it stays quiet."),))


def _went_on(hold: Hold, now: datetime) -> Hold:
    """Let the clock of a recovering hold go on where it stood, with part of the quiet time given back."""
    since = hold.quiet_since or now
    quiet = now - since
    left = min(hold.deadline_at - since + REFILL * quiet, hold.policy.no_progress_after)
    cap = hold.cap_at + quiet
    return replace(
        hold, state=HoldState.HOLDING, quiet_since=None, cap_at=cap, deadline_at=min(now + left, cap),
        progress_at=hold.progress_at + quiet,
    )  # fmt: skip


def _refired(hold: Hold, times: int, now: datetime) -> Turn:
    recent = tuple(at for at in hold.refires if now - at < FLAP_WINDOW) + (now,) * times
    hold = replace(hold, refires=recent)
    drafts: tuple[Draft, ...] = ()
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        quiet = now - hold.quiet_since
        hold = _went_on(hold, now)
        text = f"Fires again after {about(quiet)} of quiet; the wait goes on and declares at {clock(hold.deadline_at)}."
        drafts = (Draft("hold.refired", text, {"firing": hold.firing}),)
    if len(recent) >= FLAPS and DeclareOn.FLAPPING in hold.policy.declare_on:
        text = f"Declared: flapping; it fired again {len(recent)} times in {about(FLAP_WINDOW)}."
        return end(hold, Outcome.DECLARED_FLAPPING, text, now)
    return Turn(hold, drafts)


def _count_changed(hold: Hold, before: int, now: datetime) -> Turn:
    firing = hold.firing
    if now - hold.opened_at < SETTLE:
        peak = max(hold.peak, firing)
        return Turn(replace(hold, peak=peak, best=peak))
    if firing >= max(GROWTH * hold.peak, GROWTH) and DeclareOn.GROWING in hold.policy.declare_on:
        text = f"Declared: growing; {count(firing, 'alert')} firing now, {hold.peak} when it settled."
        return end(hold, Outcome.DECLARED_GROWING, text, now)
    if firing < hold.best and firing <= hold.best * (1 - hold.policy.alerts_down):
        return progress(hold, f"{count(firing, 'alert')} firing, {hold.best} at the best before", now, best=firing)
    if firing != before:
        text = f"{count(firing, 'alert')} firing now, {hold.best} at the best before: not progress."
        return Turn(hold, (Draft("hold.ignored", text, {"firing": firing, "signal": "count"}),))
    return Turn(hold)
