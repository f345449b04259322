"""The course of holds as units of work: what a turn of a hold brings about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidentd import holds
from incidentd.engine import paging
from incidentd.engine.course.common import can_be_asked, cut_text, is_serious, number_of, unheard_of
from incidentd.engine.course.incident import declare, incident_changed
from incidentd.holds import Hold, HoldState, Turn
from incidentd.incidents import Incident, Status, Trigger
from incidentd.metrics import Metrics
from incidentd.pages import Occasion
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, reconciling, subjects
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft

_NEWS_AFTER = timedelta(milliseconds=100)
_NEWS_WITHIN = timedelta(seconds=3)
"""A hold that is due waits this long at most for what was received and nobody looked at yet: it may be a resolve."""


def open_hold(tx: Tx, hold: Hold, members: Sequence[tuple[str, str]]) -> Hold:
    """Begin to hold alerts (source, fingerprint)."""
    earlier = subjects.earlier_hold(tx, hold.source, hold.correlation_key)
    turn = holds.open_hold(hold, carry=holds.carry_over(earlier, tx.now))
    hold = subjects.insert_hold(tx, turn.hold)
    subjects.join(tx, hold.key, [(source, fingerprint, True) for source, fingerprint in members])
    chain.append(tx, hold.key, Actor(name=hold.rule, via="rule"), turn.drafts)
    _look_again(tx, hold, holds.next_due(hold))
    tx.count(lambda m: m.holds_opened_total.labels(rule=hold.rule, severity=hold.severity).inc())
    return hold


def carry_out(tx: Tx, settings: Settings, before: Hold, turn: Turn, actor: Actor) -> Incident | None:
    """Store what became of a hold, and do what that means; gives the incident when it was declared."""
    hold = turn.hold
    chain.append(tx, hold.key, actor, turn.drafts)
    _count_drafts(tx, hold, turn.drafts)
    if hold == before:
        return None
    subjects.save_hold(tx, hold)
    if hold.state is HoldState.SNOOZED:
        jobs.cancel(tx, hold.key)  # the clock stands still
        return None
    if hold.state in holds.OPEN:
        _look_again(tx, hold, holds.next_due(hold))
        return None
    return _ended(tx, settings, hold, turn.drafts[-1].text, actor)


def _ended(tx: Tx, settings: Settings, hold: Hold, why: str, actor: Actor) -> Incident | None:
    jobs.cancel(tx, hold.key)
    _count_end(tx, hold)
    if hold.state is HoldState.DECLARED:
        incident = _declare_from(tx, settings, hold, why, actor)
        subjects.close_members(tx, hold.key)
        return incident
    subjects.close_members(tx, hold.key)
    occasion = Occasion.STOOD_DOWN if hold.outcome is holds.Outcome.STOOD_DOWN else None
    if hold.outcome is not holds.Outcome.STOOD_DOWN and is_serious(settings, hold.severity):
        occasion = Occasion.SELF_RESOLVED
    paging.end_all(tx, settings, hold.key, occasion=occasion)
    return None


def _count_drafts(tx: Tx, hold: Hold, drafts: Sequence[Draft]) -> None:
    def figures(m: Metrics) -> None:
        for draft in drafts:
            signal = str(draft.data.get("signal", "comment"))
            match draft.kind:
                case "hold.progress":
                    m.hold_progress_events_total.labels(signal=signal).inc()
                case "hold.ignored":
                    m.hold_ignored_signals_total.labels(signal=signal).inc()
                case "hold.refired":
                    m.hold_refires_total.labels(rule=hold.rule).inc()
                case _:
                    pass

    if drafts:
        tx.count(figures)


def _count_end(tx: Tx, hold: Hold) -> None:
    outcome = hold.outcome.value if hold.outcome else ""
    took = ((hold.ended_at or hold.opened_at) - hold.opened_at).total_seconds()

    def figures(m: Metrics) -> None:
        m.holds_finished_total.labels(outcome=outcome, rule=hold.rule, severity=hold.severity).inc()
        m.hold_duration_seconds.labels(outcome=outcome).observe(took)

    tx.count(figures)


def members_changed(tx: Tx, settings: Settings, subject: str, *, refired: int, joined: int) -> None:
    """Take that alerts of a hold or incident changed: count them anew, and let it act on the count."""
    firing = subjects.firing(tx, subject)
    if subject.startswith("HOLD-"):
        hold = subjects.get_hold(tx, number_of(subject))
        unheard = 0 if firing else unheard_of(tx, settings, subject, hold.source)
        # only Alertmanager's own word says that an alert is muted
        muted = reconciling.muted(tx, subject) if can_be_asked(settings, hold.source) else 0
        if unheard:
            chain.append(tx, subject, ALERTMANAGER, [Draft("alert.cut", cut_text(unheard), {"alerts": unheard})])
        turn = holds.alerts_changed(hold, firing=firing or min(unheard, 1), refired=refired, now=tx.now, muted=muted)
        carry_out(tx, settings, hold, turn, ALERTMANAGER)
    else:
        incident_changed(tx, settings, number_of(subject), firing=firing, refired=refired, joined=joined)


def time_came_for_hold(
    tx: Tx, settings: Settings, subject: str, *, asked: bool = False, unverified: str = ""
) -> None:  # fmt: skip
    """Look at a hold whose time has come; before it declares, Alertmanager is asked whether it still fires.

    `asked` says that this was done, `unverified` why it gave no answer.
    """
    hold = subjects.get_hold(tx, number_of(subject))
    turn = holds.time_passed(hold, tx.now, unverified=unverified)
    if turn.hold == hold and hold.state in holds.OPEN:
        # the clock went back, or the deadline moved in the meantime: look again when it is due
        if hold.state is not HoldState.SNOOZED:
            _look_again(tx, hold, holds.next_due(hold))
        return
    if turn.hold.state is HoldState.DECLARED:
        waited = tx.now - holds.next_due(hold)
        if waited < _NEWS_WITHIN and reconciling.news_waits(tx, hold.source, subject):
            _look_again(tx, hold, tx.now + _NEWS_AFTER)  # what was received before the deadline counts
            return
        if not subjects.firing(tx, subject) and not unheard_of(tx, settings, subject, hold.source):
            turn = holds.alerts_changed(hold, firing=0, refired=0, now=tx.now)  # what was cut from its group is over
        elif not asked and can_be_asked(settings, hold.source):
            jobs.schedule(
                tx, queue=jobs.RECONCILE, kind="verify", subject=subject, ukey=f"verify:{subject}", due_at=tx.now,
            )  # fmt: skip
            return
    carry_out(tx, settings, hold, turn, INCIDENTD)


def _look_again(tx: Tx, hold: Hold, at: datetime) -> None:
    jobs.schedule(tx, queue=jobs.TIMER, kind="hold", subject=hold.key, ukey=hold.key, due_at=at)


def _declare_from(tx: Tx, settings: Settings, hold: Hold, why: str, actor: Actor) -> Incident:
    merged_into = subjects.open_incident(tx, hold.source, hold.correlation_key)
    if merged_into is not None:
        subjects.copy_members(tx, of=hold.key, to=merged_into.key)
        paging.end_all(tx, settings, hold.key)
        return merged_into
    by_hand = hold.outcome is holds.Outcome.DECLARED_MANUAL
    new = Incident(
        id=0, title=hold.title, status=Status.DECLARED, severity=hold.severity, declared_severity=hold.severity,
        peak_severity=hold.severity, urgency=hold.urgency, trigger=Trigger.HOLD, reason=why, rule=hold.rule,
        source=hold.source, correlation_key=hold.correlation_key, hold_id=hold.id, service=hold.service,
        teams=hold.teams, page_policy=hold.page_policy, quiet=hold.policy.quiet,
        impact_started_at=hold.impact_started_at, detected_at=hold.opened_at, declared_at=tx.now,
        declared_by=actor.name if by_hand else f"rule {hold.rule}",
    )  # fmt: skip
    return declare(tx, settings, new, actor=actor if by_hand else INCIDENTD, hold=hold)
