"""The course of holds as units of work: what a turn of a hold brings about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from incidentd import holds
from incidentd.actionitems import ActionItem, ItemSource, ItemState, ItemType
from incidentd.engine import communication, measuring, owning, paging
from incidentd.engine.backlog import filing
from incidentd.engine.course import again, asking, busy, joining, watching
from incidentd.engine.course.common import can_be_asked, cut_text, is_serious, number_of, unheard_of
from incidentd.engine.course.incident import declare, incident_changed
from incidentd.engine.course.taking import take_in
from incidentd.holds import Hold, HoldState, Joining, Turn, Watch
from incidentd.incidents import Incident, Status, Trigger
from incidentd.metrics import Metrics
from incidentd.pages import Ending, Occasion
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, reconciling, subjects, things
from incidentd.text import plain
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft

Watches = tuple[tuple[Watch, ...], tuple[str, ...]]
"""Queries to ask, and in words why others cannot be asked."""
_NEWS_AFTER = timedelta(milliseconds=100)
_NEWS_WITHIN = timedelta(seconds=3)
"""A hold that is due waits this long at most for what was received and nobody looked at yet: it may be a resolve."""


def open_hold(
    tx: Tx, hold: Hold, members: Sequence[tuple[str, str]], *, like: Joining, watches: Watches = ((), ())
) -> Hold:  # fmt: skip
    """Begin to hold alerts (source, fingerprint); `like` is what they bring, `watches` what is asked about them."""
    earlier = subjects.earlier_hold(tx, hold.source, hold.correlation_key)
    hold = replace(
        hold, rank=like.rank, services=like.services, owners=like.owners, customer_visible=bool(like.customer),
        watches=watches[0],
    )  # fmt: skip
    turn = holds.open_hold(hold, carry=holds.carry_over(earlier, tx.now))
    hold = subjects.insert_hold(tx, turn.hold)
    subjects.join(tx, hold.key, [(source, fingerprint, True) for source, fingerprint in members], new=True)
    trouble = [Draft("hold.ignored", text, {"signal": "query"}) for text in watches[1]]
    chain.append(tx, hold.key, Actor(name=hold.rule, via="rule"), [*turn.drafts, *trouble])
    _count_drafts(tx, hold, trouble)
    _look_again(tx, hold, holds.next_due(hold))
    watching.begin(tx, hold)
    tx.count(lambda m: m.holds_opened_total.labels(rule=hold.rule, severity=hold.severity).inc())
    measuring.opened_after(tx, earlier)
    return hold


def carry_out(
    tx: Tx, settings: Settings, before: Hold, turn: Turn, actor: Actor, *, asked: bool = False
) -> Incident | None:  # fmt: skip
    """Store what became of a hold, and do what that means; gives the incident when it was declared.

    What would declare by itself waits until Alertmanager was asked; `asked` says that this was done, or need not be.
    """
    if not asked and turn.hold.state is HoldState.DECLARED and can_be_asked(settings, before.source):
        put_off = holds.asks_first(turn)
        if put_off is not None:
            turn = put_off
            _verify(tx, before)
    chain.append(tx, before.key, actor, turn.drafts)
    _count_drafts(tx, turn.hold, turn.drafts)
    if before.remediated and any(draft.kind == "hold.refired" for draft in turn.drafts):
        measuring.came_back(tx, before.key)
    if turn.hold == before:
        return None
    hold = replace(turn.hold, last_tick=tx.now)
    subjects.save_hold(tx, hold)
    if hold.state not in holds.OPEN:
        return _ended(tx, settings, hold, turn.drafts[-1].text, actor)
    if hold.severity != before.severity:
        communication.begin(tx, settings, hold)
    if hold.state is HoldState.SNOOZED:
        jobs.cancel(tx, hold.key)  # the clock stands still
        return None
    _look_again(tx, hold, holds.next_due(hold))
    _call_people(tx, settings, before, hold, turn)
    return None


def _call_people(tx: Tx, settings: Settings, before: Hold, hold: Hold, turn: Turn) -> None:
    """Ask those who were paged before it declares; page when it is worse, or back, and nobody was."""
    kinds = {draft.kind for draft in turn.drafts}
    if "hold.asked" in kinds:
        asking.ask(tx, settings, subject=hold.key, teams=hold.teams, round_of=holds.declares_at(hold))
    stood_still = before.state in (HoldState.RECOVERING, HoldState.SNOOZED)
    back = hold.state is HoldState.HOLDING and (stood_still or "hold.refuted" in kinds)
    if hold.state is HoldState.HOLDING and owning.is_worse(before, hold):
        owning.worse(tx, settings, before, hold)
    elif back and hold.wants is None and not things.pages_of(tx, hold.key) and not busy.is_at_work(tx, hold.key):
        paging.start(
            tx, settings, subject=hold.key, policy=hold.page_policy, urgency=hold.urgency, title=hold.title
        )  # fmt: skip


def _ended(tx: Tx, settings: Settings, hold: Hold, why: str, actor: Actor) -> Incident | None:
    jobs.cancel(tx, hold.key)
    watching.end(tx, hold)
    _count_end(tx, hold)
    if hold.state is HoldState.DECLARED:
        incident = _declare_from(tx, settings, hold, why, actor)
        subjects.close_members(tx, hold.key)
        return incident
    subjects.close_members(tx, hold.key)
    if hold.outcome is holds.Outcome.TICKETED:
        _ticket(tx, settings, hold, why)
    occasion = Occasion.STOOD_DOWN if hold.outcome is holds.Outcome.STOOD_DOWN else None
    if hold.outcome is not holds.Outcome.STOOD_DOWN and is_serious(settings, hold.severity):
        occasion = Occasion.SELF_RESOLVED
    ending = Ending.STOOD_DOWN if occasion is Occasion.STOOD_DOWN else Ending.RESOLVED_BEFORE_ACK
    paging.end_all(tx, settings, hold.key, ending=ending, occasion=occasion)
    if hold.outcome is not holds.Outcome.MERGED:
        measuring.hold_over(tx, settings, hold)
    return None


def _count_drafts(tx: Tx, hold: Hold, drafts: Sequence[Draft]) -> None:
    def figures(m: Metrics) -> None:
        for draft in drafts:
            signal = str(draft.data.get("signal", "comment"))
            match draft.kind:
                case "hold.progress":
                    m.hold_progress_events_total.labels(signal=signal).inc()
                case "hold.ignored" | "hold.snoozed":
                    m.hold_ignored_signals_total.labels(signal=signal).inc()
                case "hold.refired":
                    m.hold_refires_total.labels(rule=hold.rule).inc()
                    m.hold_ignored_signals_total.labels(signal=signal).inc()
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


def members_changed(
    tx: Tx, settings: Settings, subject: str, *, refired: int, joined: int, like: Joining | None = None
) -> None:  # fmt: skip
    """Take that alerts of a hold or incident changed: count them anew, and let it act on the count.

    `like` is what those bring that joined.
    """
    firing = subjects.firing(tx, subject)
    if not subject.startswith("HOLD-"):
        incident_changed(tx, settings, number_of(subject), firing=firing, refired=refired, joined=joined)
        return
    before = subjects.get_hold(tx, number_of(subject))
    unheard = 0 if firing else unheard_of(tx, settings, subject, before.source)
    if unheard:
        chain.append(tx, subject, ALERTMANAGER, [Draft("alert.cut", cut_text(unheard), {"alerts": unheard})])
    # only Alertmanager's own word says that an alert is muted
    muted = reconciling.muted(tx, subject) if can_be_asked(settings, before.source) else 0
    truncated = 0 if before.truncated else reconciling.cut(tx, subject)
    turn = holds.clock_looked_at(before, tx.now)
    turn = turn.then(
        holds.alerts_changed(
            turn.hold, firing=firing or min(unheard, 1), refired=refired, now=tx.now, muted=muted, truncated=truncated,
        )
    )  # fmt: skip
    if like is not None:
        turn = holds.joined_after(turn, like, tx.now)
    if turn.hold.mixed:
        name, rank = joining.severity_of(tx, settings, turn.hold, like)
        turn = _and(turn, holds.source_severity(turn.hold, severity=name, rank=rank, now=tx.now))
    carry_out(tx, settings, before, turn, ALERTMANAGER)


def _and(turn: Turn, later: Turn) -> Turn:
    """Let a turn follow, unless the hold has ended already."""
    return turn.then(later) if turn.hold.state in holds.OPEN else turn


def time_came_for_hold(
    tx: Tx, settings: Settings, subject: str, *, asked: bool = False, unverified: str = ""
) -> None:  # fmt: skip
    """Look at a hold whose time has come; before it declares, Alertmanager is asked whether it still fires.

    `asked` says that this was done, `unverified` why it gave no answer.
    """
    hold = subjects.get_hold(tx, number_of(subject))
    first = holds.clock_looked_at(hold, tx.now)
    if asked:
        first = _and(first, holds.answered(first.hold, tx.now, unverified=unverified))
    if first.hold != hold:
        carry_out(tx, settings, hold, first, INCIDENTD, asked=True)
        hold = subjects.get_hold(tx, hold.id)
    turn = holds.time_passed(hold, tx.now, unverified=unverified)
    if turn.hold == hold:
        # the clock went back, or the deadline moved in the meantime: look again when it is due
        if hold.state in holds.OPEN - {HoldState.SNOOZED}:
            _look_again(tx, hold, holds.next_due(hold))
        return
    if turn.hold.state is not HoldState.DECLARED:
        carry_out(tx, settings, hold, turn, INCIDENTD)
    elif not _waits_for_more(tx, settings, hold, asked=asked):
        if not subjects.firing(tx, subject) and not unheard_of(tx, settings, subject, hold.source):
            turn = holds.alerts_changed(hold, firing=0, refired=0, now=tx.now)  # what was cut from its group is over
        carry_out(tx, settings, hold, turn, INCIDENTD, asked=True)


def _waits_for_more(tx: Tx, settings: Settings, hold: Hold, *, asked: bool) -> bool:
    """Say whether it does not declare yet although its time is up, and have it looked at again."""
    waited = tx.now - holds.declares_at(hold)
    if waited < _NEWS_WITHIN and reconciling.news_waits(tx, hold.source, hold.key):
        _look_again(tx, hold, tx.now + _NEWS_AFTER)  # what was received before the deadline counts
        return True
    step = busy.step_at_work(tx, hold.key)
    if step is not None:
        turn = holds.step_runs(hold, what=step.what, until=step.until, now=tx.now)
        if turn.hold != hold:
            carry_out(tx, settings, hold, turn, INCIDENTD)
            return True
    if not asked and can_be_asked(settings, hold.source) and subjects.firing(tx, hold.key):
        _verify(tx, hold)
        return True
    return False


def clocks_looked_at(tx: Tx, settings: Settings) -> None:
    """Compare the clock with what every open hold knows of it, at start: one that went back extends nothing."""
    for hold_id in subjects.open_holds(tx):
        hold = subjects.get_hold(tx, hold_id)
        carry_out(tx, settings, hold, holds.clock_looked_at(hold, tx.now), INCIDENTD)


def _verify(tx: Tx, hold: Hold) -> None:
    jobs.schedule(
        tx, queue=jobs.RECONCILE, kind="verify", subject=hold.key, ukey=f"verify:{hold.key}", due_at=tx.now,
    )  # fmt: skip


def _ticket(tx: Tx, settings: Settings, hold: Hold, why: str) -> None:
    """File what flaps for the backlog; when it was filed before and is not done, say there that it goes on."""
    known = things.open_ticket(tx, hold.source, hold.correlation_key)
    if known is not None:
        filing.comment_on(tx, settings, known, f"{hold.key}: {why}", idem=f"{known.uuid}/{hold.key}")
        return
    item = things.insert_item(
        tx,
        ActionItem(
            id=0, uuid=str(uuid5(NAMESPACE_URL, f"{hold.source}/{hold.key}/flapping")), subject="",
            title=plain(f"Flapping: {hold.title}", 200), description=f"{hold.key}: {why}\n\n{hold.reason}",
            type=ItemType.REPAIR, priority="P2", team=hold.teams[0] if hold.teams else "", state=ItemState.OPEN,
            severity=hold.severity, correlation_key=hold.correlation_key, created_at=tx.now, source=ItemSource.RULE,
            service=hold.service,
        ),
        source=hold.source,
    )  # fmt: skip
    draft = Draft("item.opened", f"{item.key}: a ticket for the backlog, since it flaps.", {"item": item.key})
    chain.append(tx, hold.key, INCIDENTD, [draft])
    filing.file(tx, settings, item)


def _look_again(tx: Tx, hold: Hold, at: datetime) -> None:
    jobs.schedule(tx, queue=jobs.TIMER, kind="hold", subject=hold.key, ukey=hold.key, due_at=at)


def _declare_from(tx: Tx, settings: Settings, hold: Hold, why: str, actor: Actor) -> Incident:
    merged_into = again.surviving(tx, hold.source, hold.correlation_key)
    by_hand = hold.outcome is holds.Outcome.DECLARED_MANUAL
    if merged_into is not None:
        return take_in(tx, settings, hold, merged_into, why=why, actor=actor if by_hand else INCIDENTD)
    new = Incident(
        id=0, title=hold.title, status=Status.DECLARED, severity=hold.severity, declared_severity=hold.severity,
        peak_severity=hold.severity, urgency=hold.urgency, trigger=Trigger.HOLD, reason=why, rule=hold.rule,
        source=hold.source, correlation_key=hold.correlation_key, hold_id=hold.id, service=hold.service,
        teams=hold.teams, page_policy=hold.page_policy, quiet=hold.policy.quiet,
        impact_started_at=hold.impact_started_at, detected_at=hold.opened_at, declared_at=tx.now,
        declared_by=actor.name if by_hand else f"rule {hold.rule}",
    )  # fmt: skip
    return declare(tx, settings, new, actor=actor if by_hand else INCIDENTD, hold=hold)
