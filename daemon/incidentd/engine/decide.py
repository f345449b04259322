"""Deciding as a unit of work: alerts of one correlation key become, join or change a hold, an incident or a ticket."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from incidentd.actionitems import ActionItem, ItemSource, ItemState, ItemType
from incidentd.alerts import FIRED_ANEW, AlertStatus, Change
from incidentd.engine import (
    automation,
    communication,
    course,
    graphing,
    leftalone,
    maintenance,
    refusals,
    watchdog,
)
from incidentd.engine.backlog import filing
from incidentd.engine.course.common import rank_of
from incidentd.holds import Hold, HoldState, Joining, watches_for
from incidentd.incidents import Incident, Status, Trigger
from incidentd.playbooks import RunState
from incidentd.rules import Decide, Facts
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, jobs, locks, subjects, things
from incidentd.store.inbox import Changed
from incidentd.text import labels_line, plain
from incidentd.timeline import SYSTEM, Actor, Draft
from incidentd.triage import (
    NOTHING_KNOWN,
    Book,
    Decision,
    Fallback,
    Needs,
    book_of,
    fall_back,
    needs,
    of_watchdog,
    triage,
)

log = logging.getLogger(__name__)

_WORST_FIRST = (Decide.DECLARE, Decide.HOLD, Decide.TICKET, Decide.RECORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Changed alerts of one source that share a decision: of one correlation key, and equally bad."""

    source: str
    decision: Decision
    alerts: tuple[Changed, ...]


def wants(it: Changed, book: Book) -> Needs:
    """Say what has to be found out before an alert is decided; nothing for one that does not fire."""
    return needs(it.labels, book) if it.status is AlertStatus.FIRING else Needs()


def bundles(
    changed: Sequence[Changed], settings: Settings, *, now: datetime, facts: Mapping[str, Facts] | None = None
) -> list[tuple[Bundle, ...]]:
    """Triage the changed alerts, and put together what belongs together. `facts` are what was found out, by source.

    Those of one correlation key are settled together, the worst first: what is less bad joins what that opens, and
    takes no place from it.
    """
    book = book_of(settings, now)
    found: dict[tuple[str, str], dict[tuple[object, ...], tuple[Decision, list[Changed]]]] = {}
    for it in changed:
        known = (facts or {}).get(it.source, NOTHING_KNOWN)
        decision = _triaged(it, book, known)
        source = settings.sources.get(it.source)
        decision = (of_watchdog(source, it.labels, decision) if source else None) or decision
        # a rule that reads the severity from a label decides about each alert anew
        bad = (decision.decide, decision.severity, decision.urgency, decision.fallback)
        of_key = found.setdefault((it.source, decision.correlation_key), {})
        of_key.setdefault(bad, (decision, []))[1].append(it)
    return [
        tuple(
            Bundle(source=source, decision=decision, alerts=tuple(its))
            for decision, its in sorted(of_key.values(), key=lambda one: _badness(settings, one[0]))
        )
        for (source, _), of_key in found.items()
    ]


def _badness(settings: Settings, decision: Decision) -> tuple[int, int]:
    return _WORST_FIRST.index(decision.decide), rank_of(settings, decision.severity)


def _triaged(it: Changed, book: Book, facts: Facts) -> Decision:
    earlier = "" if it.status is AlertStatus.FIRING else it.rule
    try:
        return triage(it.labels, it.annotations, book, facts, earlier=earlier)
    except Exception:  # the boundary of one alert: a rule that fails must neither drop it nor stop the others
        log.exception("the rules could not be applied to an alert; it is held and paged")
        return fall_back(it.labels, it.annotations, book, Fallback.ERROR)


def settle(tx: Tx, settings: Settings, of_key: Sequence[Bundle]) -> str:
    """Carry out what was decided about alerts of one correlation key, and keep with each alert what that was and why.

    Gives the subject that the worst of them came to. Whatever another replica decided first, or whatever changed
    meanwhile, is left alone.
    """
    source = of_key[0].source
    locks.key(tx, source, of_key[0].decision.correlation_key)
    mine = inbox.claim_changes(tx, source, [it for bundle in of_key for it in bundle.alerts])
    mine = _not_to_be_asked_first(tx, settings, source, watchdog.undoubted(tx, settings, source, mine))
    if not mine:
        return ""
    known = subjects.memberships(tx, source, [it.fingerprint for it in mine])
    touched: dict[str, list[Changed]] = {}
    for membership in known:
        touched.setdefault(membership.subject, []).extend(i for i in mine if i.fingerprint == membership.fingerprint)
    for subject, its in touched.items():
        _members_changed(tx, settings, subject, its, joined=0)
    follows = {membership.fingerprint: membership.subject for membership in reversed(known)}
    claimed = {it.fingerprint: it for it in mine}
    came_to = [
        _carry_out(tx, settings, bundle, own, follows)
        for bundle in of_key
        if (own := [claimed[it.fingerprint] for it in bundle.alerts if it.fingerprint in claimed])
    ]
    return next((subject for subject in came_to if subject), "")


def _carry_out(
    tx: Tx, settings: Settings, bundle: Bundle, mine: Sequence[Changed], follows: Mapping[str, str]
) -> str:  # fmt: skip
    """Carry out one decision about those alerts of its that are to be decided here; gives the subject it came to.

    `follows` says to what those belong already that something follows, by fingerprint.
    """
    fresh = [it for it in mine if it.status is AlertStatus.FIRING and it.fingerprint not in follows]
    subject = next((follows[it.fingerprint] for it in mine if it.fingerprint in follows), "")
    if fresh:
        subject = _place(tx, settings, bundle, fresh)
        _count(tx, bundle.decision)
    elif not subject and any(it.fires for it in mine):
        return subject  # muted, and nothing follows it: all is as it was
    elif not subject and bundle.decision.decide is Decide.TICKET:
        subject = _ticket_resolved(tx, settings, bundle)
    _keep(tx, bundle, mine, subject)
    return subject


def _not_to_be_asked_first(
    tx: Tx, settings: Settings, source: str, changed: Sequence[Changed]
) -> list[Changed]:  # fmt: skip
    """Give the changes that can be decided at once, and have Alertmanager asked about the others.

    An alert that fires again right after its resolve may be another peer's body that came late.
    """
    of = settings.sources.get(source)
    if of is None or of.alertmanager is None:
        return list(changed)
    for it in changed:
        if it.change is Change.ECHO:
            key = f"confirm:{source}:{it.fingerprint}"
            payload = {"source": source, "fingerprint": it.fingerprint, "version": it.version}
            jobs.schedule(
                tx, queue=jobs.RECONCILE, kind="confirm", subject=SYSTEM, ukey=key, due_at=tx.now, payload=payload,
            )  # fmt: skip
    return [it for it in changed if it.change is not Change.ECHO]


def _keep(tx: Tx, bundle: Bundle, mine: Sequence[Changed], subject: str) -> None:
    decision = bundle.decision
    inbox.note_decision(
        tx, bundle.source, [it.fingerprint for it in mine], decision=decision.decide.value, rule=decision.rule,
        reason=decision.reason, subject=subject,
    )  # fmt: skip


def _count(tx: Tx, decision: Decision) -> None:
    tx.count(
        lambda m: m.decisions_total.labels(
            decision=decision.decide.value, rule=decision.rule, severity=decision.severity
        ).inc()
    )
    match decision.fallback:
        case None:
            pass
        case Fallback.UNMATCHED:
            tx.count(lambda m: m.alerts_unmatched_total.inc())
        case Fallback.UNREADABLE_SEVERITY | Fallback.ERROR as reason:
            tx.count(lambda m: m.rule_evaluation_errors_total.labels(reason=reason.value).inc())


def _members_changed(
    tx: Tx, settings: Settings, subject: str, its: Sequence[Changed], *, joined: int, like: Joining | None = None
) -> None:  # fmt: skip
    subjects.join(tx, subject, [(it.source, it.fingerprint, it.fires) for it in its])
    refired = sum(it.fires and it.change in FIRED_ANEW for it in its) if not joined else 0
    course.members_changed(tx, settings, subject, refired=refired, joined=joined, like=like)


def _place(tx: Tx, settings: Settings, bundle: Bundle, fresh: Sequence[Changed]) -> str:
    """Find the place of alerts that nothing follows yet: where their key is at home, or a new one."""
    decision = bundle.decision
    if decision.decide is Decide.RECORD:
        if decision.window is not None:
            maintenance.watch(tx, bundle.source, decision.window)
        return ""
    if decision.decide is Decide.TICKET:
        return _ticket(tx, settings, bundle, fresh)
    home: Incident | Hold | None = course.home_of(tx, settings, bundle.source, decision.correlation_key)
    home = home or subjects.open_hold(tx, bundle.source, decision.correlation_key)
    home = home or course.same_thing(tx, settings, bundle.source, decision, fresh[0].labels)
    if home is not None:
        like = course.joining(settings, decision, fresh)
        if isinstance(home, Incident):
            course.raised_by(tx, settings, home, like)
        _members_changed(tx, settings, home.key, fresh, joined=len(fresh), like=like)
        leftalone.say(tx, settings, subject=home.key, name=decision.playbook, alerts=fresh, joined=True)
        return home.key
    if decision.decide is Decide.HOLD:
        return _hold(tx, settings, bundle, fresh)
    new = _new_incident(tx, bundle, fresh)
    incident = course.declare(tx, settings, new, actor=Actor(name=decision.rule, via="rule"))
    subjects.join(tx, incident.key, [(it.source, it.fingerprint, True) for it in fresh], new=True)
    _list_alerts(tx, incident.key, fresh)
    automation.begin(tx, settings, subject=incident.key, name=decision.playbook, alert=fresh[0])
    leftalone.say(tx, settings, subject=incident.key, name=decision.playbook, alerts=fresh[1:], joined=False)
    return incident.key


def _hold(tx: Tx, settings: Settings, bundle: Bundle, fresh: Sequence[Changed]) -> str:
    """Hold alerts. While a playbook tries to heal them people are left asleep, unless money is bleeding."""
    hold = course.open_hold(
        tx, _new_hold(tx, bundle, fresh), [(it.source, it.fingerprint) for it in fresh],
        like=course.joining(settings, bundle.decision, fresh),
        watches=watches_for(bundle.decision.hold, fresh[0].labels, fresh[0].annotations),
    )  # fmt: skip
    communication.begin(tx, settings, hold)
    graphing.look(tx, settings, hold)
    _list_alerts(tx, hold.key, fresh)
    name = bundle.decision.playbook
    run = automation.begin(tx, settings, subject=hold.key, name=name, alert=fresh[0])
    leftalone.say(tx, settings, subject=hold.key, name=name, alerts=fresh[1:], joined=False)
    if run is None or run.state is not RunState.RUNNING or hold.urgency == "business_critical":
        refusals.page(tx, settings, hold)
    elif hold.page_policy:
        text = f"Nobody is paged yet: {run.key} tries first, and {hold.page_policy} is paged if it does not help."
        chain.append(tx, hold.key, Actor(name=hold.rule, via="rule"), [Draft("page.waits", text)])
    return hold.key


def _list_alerts(tx: Tx, subject: str, fresh: Sequence[Changed]) -> None:
    shown = [
        Draft("alert.fired", f"Firing: {labels_line(it.labels)}{_how_known(it)}", {"fingerprint": it.fingerprint})
        for it in fresh[:20]
    ]
    if len(fresh) > len(shown):
        shown.append(Draft("alert.fired", f"And {len(fresh) - len(shown)} more alerts."))
    chain.append(tx, subject, Actor(name="alertmanager", via="alertmanager", key=fresh[0].source), shown)


def _how_known(it: Changed) -> str:
    return " (no delivery said so; asking Alertmanager found it)" if it.change is Change.FOUND else ""


def _new_hold(tx: Tx, bundle: Bundle, fresh: Sequence[Changed]) -> Hold:
    decision, firing = bundle.decision, len(fresh)
    return Hold(
        id=0, source=bundle.source, rule=decision.rule, correlation_key=decision.correlation_key, title=decision.title,
        severity=decision.severity, urgency=decision.urgency, service=decision.service, teams=decision.teams,
        page_policy=decision.page, reason=decision.reason, policy=decision.hold, state=HoldState.HOLDING,
        impact_started_at=min(it.starts_at for it in fresh), opened_at=tx.now, deadline_at=tx.now, cap_at=tx.now,
        firing=firing, peak=firing, best=firing, progress_at=tx.now,
    )  # fmt: skip


def _new_incident(tx: Tx, bundle: Bundle, fresh: Sequence[Changed]) -> Incident:
    decision = bundle.decision
    return Incident(
        id=0, title=decision.title, status=Status.DECLARED, severity=decision.severity,
        declared_severity=decision.severity, peak_severity=decision.severity, urgency=decision.urgency,
        trigger=Trigger.RULE, reason=f"Declared at once. {decision.reason}", rule=decision.rule, source=bundle.source,
        correlation_key=decision.correlation_key, service=decision.service, teams=decision.teams,
        page_policy=decision.page, quiet=decision.hold.quiet,
        impact_started_at=min(it.starts_at for it in fresh), detected_at=min(it.changed_at for it in fresh),
        declared_at=tx.now, declared_by=f"rule {decision.rule}",
    )  # fmt: skip


# -- tickets ---------------------------------------------------------------------------------------------------------


def _ticket(tx: Tx, settings: Settings, bundle: Bundle, fresh: Sequence[Changed]) -> str:
    """File one backlog item per correlation key; when it recurs, say so on the one that is open."""
    decision = bundle.decision
    open_one = things.open_ticket(tx, bundle.source, decision.correlation_key)
    lines = "\n".join(labels_line(it.labels) for it in fresh[:20])
    if open_one is not None:
        text = f"It fires again:\n{lines}"
        filing.comment_on(
            tx, settings, open_one, text, idem=f"{open_one.uuid}/{fresh[0].fingerprint}/{fresh[0].version}"
        )
        return open_one.key
    began = fresh[0].changed_at.isoformat()
    item = things.insert_item(
        tx,
        ActionItem(
            id=0, uuid=str(uuid5(NAMESPACE_URL, f"{bundle.source}/{decision.correlation_key}/{began}")), subject="",
            title=decision.title, description=f"{decision.reason}\n\n{lines}", type=ItemType.REPAIR, priority="P2",
            team=decision.teams[0] if decision.teams else "", state=ItemState.OPEN, severity=decision.severity,
            correlation_key=decision.correlation_key, created_at=tx.now, source=ItemSource.RULE,
            service=decision.service,
        ),
        source=bundle.source,
    )  # fmt: skip
    text = f"{item.key}: a ticket for the backlog. {plain(decision.reason)}"
    chain.append(tx, SYSTEM, Actor(name=decision.rule, via="rule"), [Draft("item.opened", text, {"item": item.key})])
    filing.file(tx, settings, item)
    return item.key


def _ticket_resolved(tx: Tx, settings: Settings, bundle: Bundle) -> str:
    open_one = things.open_ticket(tx, bundle.source, bundle.decision.correlation_key)
    if open_one is None:
        return ""
    last = bundle.alerts[-1]
    idem = f"{open_one.uuid}/{last.fingerprint}/{last.version}"
    filing.comment_on(tx, settings, open_one, f"It stopped: {labels_line(last.labels)}", idem=idem)
    return open_one.key
