"""A hold: alerts that are watched for progress, and declared an incident when there is none in time.

Pure: each function takes a hold, what happened and `now`, and gives a `Turn`: the hold as it is now, and the sentences
for its timeline. Progress is an objective improvement on the best seen so far (a strict ratchet: the same improvement
never counts twice), or a human note, of which a few are believed in a row. An acknowledgement, a repeat, more alerts
and silence are not progress.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.durations import about
from incidentd.text import clock, count, plain
from incidentd.timeline import Draft

SETTLE = timedelta(seconds=60)
"""How long after opening more alerts only teach the hold its peak."""
REFILL = 0.5
"""Seconds of patience that come back for each quiet second: a leaky bucket, so that slow flapping still declares."""
FLAPS = 3
FLAP_WINDOW = timedelta(minutes=30)
GROWTH = 3
"""Firing alerts at this many times the settled peak are a rapidly growing issue."""


class DeclareOn(StrEnum):
    """What declares a hold before its time is up."""

    SEVERITY_RAISED = "severity_raised"
    SPREAD = "spread"
    GROWING = "growing"
    FLAPPING = "flapping"
    PLAYBOOK_FAILED = "playbook_failed"
    CUSTOMER_VISIBLE = "customer_visible"
    ACK_MISSED = "ack_missed"


IN_FORCE = frozenset({DeclareOn.GROWING, DeclareOn.FLAPPING, DeclareOn.PLAYBOOK_FAILED, DeclareOn.ACK_MISSED})
"""The signals that this version watches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPolicy:
    """The parameters of a hold; a running one keeps those it was opened with."""

    no_progress_after: timedelta = timedelta(minutes=30)
    hard_cap: timedelta = timedelta(minutes=60)
    """Declared then whatever the progress (an hour's concentrated analysis: SRE book, chapter 14)."""
    quiet: timedelta = timedelta(minutes=5)
    """How long all its alerts must stay resolved before the hold closes."""
    alerts_down: float = 0.2
    """Fewer firing alerts than the best so far by this share are progress."""
    human_notes: int = 2
    """Notes that count as progress in a row, without an objective improvement between them."""
    declare_on: frozenset[DeclareOn] = IN_FORCE


class HoldState(StrEnum):
    """How a hold stands."""

    HOLDING = "holding"
    RECOVERING = "recovering"
    """Nothing fires; the clock stands still until it was quiet for long enough or something fires again."""
    SNOOZED = "snoozed"
    """All that fires is silenced or inhibited in Alertmanager; the clock stands still until it no longer is."""
    DECLARED = "declared"
    CLOSED = "closed"


OPEN = frozenset({HoldState.HOLDING, HoldState.RECOVERING, HoldState.SNOOZED})


class Outcome(StrEnum):
    """Why a hold ended; also a metric label."""

    DECLARED_NO_PROGRESS = "declared_no_progress"
    DECLARED_HARD_CAP = "declared_hard_cap"
    DECLARED_FLAPPING = "declared_flapping"
    DECLARED_GROWING = "declared_growing"
    DECLARED_PLAYBOOK_FAILED = "declared_playbook_failed"
    DECLARED_ACK_MISSED = "declared_ack_missed"
    DECLARED_MANUAL = "declared_manual"
    SELF_RESOLVED = "self_resolved"
    AUTO_REMEDIATED = "auto_remediated"
    HUMAN_RESOLVED = "human_resolved"
    STOOD_DOWN = "stood_down"
    MERGED = "merged"
    """The same alerts became part of an incident that was declared meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it stands."""

    id: int
    source: str
    rule: str
    correlation_key: str
    title: str
    severity: str
    urgency: str
    service: str = ""
    teams: tuple[str, ...] = ()
    page_policy: str = ""
    reason: str = ""
    """Why it is held: the rule's decision, in one sentence."""
    impact_started_at: datetime
    """When the first of its alerts began to fire."""
    policy: HoldPolicy
    state: HoldState
    opened_at: datetime
    deadline_at: datetime
    cap_at: datetime
    firing: int
    peak: int
    best: int
    """The fewest alerts seen firing since the peak settled."""
    progress_at: datetime
    """When the current wait began: the opening, or the last progress."""
    notes_used: int = 0
    quiet_since: datetime | None = None
    snoozed_since: datetime | None = None
    refires: tuple[datetime, ...] = ()
    remediated: bool = False
    """A playbook was verified while it was held."""
    touched: bool = False
    """A person noted something or acknowledged."""
    unverified: bool = False
    """It was declared without Alertmanager's word that it still fires."""
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    spent: timedelta = timedelta(0)
    """The patience used up when it ended, which a successor inherits."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"HOLD-{self.id}"


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a hold, and what its timeline says about it."""

    hold: Hold
    drafts: tuple[Draft, ...] = ()


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
        return _end(hold, Outcome.DECLARED_FLAPPING, text, now)
    return Turn(hold, drafts)


def _count_changed(hold: Hold, before: int, now: datetime) -> Turn:
    firing = hold.firing
    if now - hold.opened_at < SETTLE:
        peak = max(hold.peak, firing)
        return Turn(replace(hold, peak=peak, best=peak))
    if firing >= max(GROWTH * hold.peak, GROWTH) and DeclareOn.GROWING in hold.policy.declare_on:
        text = f"Declared: growing; {count(firing, 'alert')} firing now, {hold.peak} when it settled."
        return _end(hold, Outcome.DECLARED_GROWING, text, now)
    if firing < hold.best and firing <= hold.best * (1 - hold.policy.alerts_down):
        return _progress(hold, f"{count(firing, 'alert')} firing, {hold.best} at the best before", now, best=firing)
    if firing != before:
        text = f"{count(firing, 'alert')} firing now, {hold.best} at the best before: not progress."
        return Turn(hold, (Draft("hold.ignored", text, {"firing": firing, "signal": "count"}),))
    return Turn(hold)


def _progress(hold: Hold, what: str, now: datetime, *, best: int | None = None) -> Turn:
    hold = replace(
        hold, best=hold.best if best is None else best, notes_used=0, progress_at=now,
        deadline_at=min(now + hold.policy.no_progress_after, hold.cap_at),
    )  # fmt: skip
    text = f"Progress: {what}. Declares at {clock(hold.deadline_at)} unless there is more."
    return Turn(hold, (Draft("hold.progress", text, {"firing": hold.firing}),))


def note_progress(hold: Hold, *, by: str, text: str, now: datetime) -> Turn:
    """Take a person's note. The first few in a row restart the wait; more of them wait for something measurable."""
    if hold.state not in OPEN:
        return Turn(hold, (Draft("note", f"{by}: {text}"),))
    hold = replace(hold, touched=True)
    said = Draft("note", f"{by}: {text}")
    if hold.state is not HoldState.HOLDING:
        return Turn(hold, (said,))
    if hold.notes_used >= hold.policy.human_notes:
        used = count(hold.notes_used, "note")
        why = f"The note does not restart the wait: {used} in a row did, and nothing measurable followed."
        return Turn(hold, (said, Draft("hold.ignored", why, {"signal": "human_note"})))
    hold = replace(
        hold, notes_used=hold.notes_used + 1, progress_at=now,
        deadline_at=max(hold.deadline_at, min(now + hold.policy.no_progress_after, hold.cap_at)),
    )  # fmt: skip
    why = f"The note by {by} counts as progress; declares at {clock(hold.deadline_at)} unless there is more."
    return Turn(hold, (said, Draft("hold.progress", why, {"signal": "human_note"})))


def playbook_finished(hold: Hold, *, playbook: str, verified: bool, why: str, now: datetime) -> Turn:
    """Take the end of a playbook: a verified one is progress, a failed one was the reason to hold and declares."""
    if hold.state not in OPEN:
        return Turn(hold)
    if verified:
        hold = replace(hold, remediated=True)
        if hold.state is not HoldState.HOLDING:
            return Turn(hold)
        return _progress(hold, f"playbook {playbook} was verified", now)
    if DeclareOn.PLAYBOOK_FAILED not in hold.policy.declare_on:
        return Turn(hold, (Draft("hold.ignored", f"Playbook {playbook} did not help, which the rule leaves out."),))
    return _end(hold, Outcome.DECLARED_PLAYBOOK_FAILED, f"Declared: playbook {playbook} did not help: {why}", now)


def ack_missed(hold: Hold, *, within: timedelta, now: datetime) -> Turn:
    """Take a page that nobody answered within its response time."""
    if hold.state is not HoldState.HOLDING or DeclareOn.ACK_MISSED not in hold.policy.declare_on:
        return Turn(hold)
    text = f"Declared: nobody answered the page within {about(within)}."
    return _end(hold, Outcome.DECLARED_ACK_MISSED, text, now)


def time_passed(hold: Hold, now: datetime, *, unverified: str = "") -> Turn:
    """Look at the clock: close after enough quiet, declare when the wait or the cap is over.

    `unverified` says why Alertmanager could not be asked whether it still fires.
    """
    if hold.state is HoldState.RECOVERING and hold.quiet_since is not None:
        if now - hold.quiet_since >= hold.policy.quiet:
            return _closed(hold, now)
        return Turn(hold)
    if hold.state is not HoldState.HOLDING or now < next_due(hold):
        return Turn(hold)
    seen = f"{hold.best} firing at the best, {hold.firing} firing now."
    if unverified:
        hold = replace(hold, unverified=True)
        seen += f" Not verified: {unverified}."
    if now >= hold.cap_at and hold.progress_at > hold.opened_at:
        text = f"Declared: held for {about(now - hold.opened_at)}, the longest the rule allows; {seen}"
        return _end(hold, Outcome.DECLARED_HARD_CAP, text, now)
    text = f"Declared: no progress for {about(now - hold.progress_at)}; {seen}"
    return _end(hold, Outcome.DECLARED_NO_PROGRESS, text, now)


def declare_by_hand(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """Declare it now, because somebody says so."""
    why = f": {plain(reason)}" if reason else ""
    return _end(hold, Outcome.DECLARED_MANUAL, f"Declared by {by}{why}", now)


def stand_down(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """End it without an incident, because somebody says so and says why."""
    return _end(hold, Outcome.STOOD_DOWN, f"Stood down by {by}: {plain(reason)}", now)


def merged(hold: Hold, *, into: str, now: datetime) -> Turn:
    """End it because its alerts belong to an incident that was declared meanwhile."""
    return _end(hold, Outcome.MERGED, f"Part of {into} now.", now)


def _closed(hold: Hold, now: datetime) -> Turn:
    quiet = about(now - hold.quiet_since) if hold.quiet_since else "0s"
    if hold.remediated:
        return _end(hold, Outcome.AUTO_REMEDIATED, f"Closed: a playbook healed it, and it was quiet for {quiet}.", now)
    if hold.touched:
        return _end(
            hold, Outcome.HUMAN_RESOLVED, f"Closed: resolved while people worked on it, quiet for {quiet}.", now
        )
    return _end(hold, Outcome.SELF_RESOLVED, f"Closed: resolved by itself, quiet for {quiet}.", now)


def _end(hold: Hold, outcome: Outcome, text: str, now: datetime) -> Turn:
    state = HoldState.DECLARED if outcome.value.startswith("declared") else HoldState.CLOSED
    still = hold.quiet_since or hold.snoozed_since or now
    spent = max(hold.policy.no_progress_after - (hold.deadline_at - still), timedelta(0))
    hold = replace(hold, state=state, outcome=outcome, ended_at=now, spent=min(spent, hold.policy.no_progress_after))
    return Turn(hold, (Draft(f"hold.{state.value}", text, _facts(hold, outcome)),))


def _facts(hold: Hold, outcome: Outcome) -> dict[str, object]:
    facts: dict[str, object] = {"outcome": outcome.value, "firing": hold.firing}
    return facts | ({"unverified": True} if hold.unverified else {})
