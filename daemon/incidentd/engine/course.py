"""The course of holds and incidents as units of work: what a turn of a hold brings about, and an incident's moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from incidentd import holds, incidents, oncall
from incidentd.engine import paging
from incidentd.holds import Hold, HoldState, Turn
from incidentd.incidents import Incident, Status, Trigger
from incidentd.metrics import Metrics
from incidentd.pages import Occasion
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, reconciling, subjects
from incidentd.text import count, plain
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft

_SELF_RESOLVED_IS_SAID = 2
"""Down to this rank of severity, people hear it when something resolved by itself before anybody answered."""
_NEWS_AFTER = timedelta(milliseconds=100)
_NEWS_WITHIN = timedelta(seconds=3)
"""A hold that is due waits this long at most for what was received and nobody looked at yet: it may be a resolve."""


# -- holds -----------------------------------------------------------------------------------------------------------


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
    if hold.outcome is not holds.Outcome.STOOD_DOWN and _is_serious(settings, hold.severity):
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
        hold = subjects.get_hold(tx, _number(subject))
        unheard = 0 if firing else _unheard(tx, settings, subject, hold.source)
        # only Alertmanager's own word says that an alert is muted
        muted = reconciling.muted(tx, subject) if _can_be_asked(settings, hold.source) else 0
        if unheard:
            chain.append(tx, subject, ALERTMANAGER, [Draft("alert.cut", _cut_text(unheard), {"alerts": unheard})])
        turn = holds.alerts_changed(hold, firing=firing or min(unheard, 1), refired=refired, now=tx.now, muted=muted)
        carry_out(tx, settings, hold, turn, ALERTMANAGER)
    else:
        _incident_changed(tx, settings, _number(subject), firing=firing, refired=refired, joined=joined)


def _can_be_asked(settings: Settings, source: str) -> bool:
    of = settings.sources.get(source)
    return of is not None and of.alertmanager is not None


def _unheard(tx: Tx, settings: Settings, subject: str, source: str) -> int:
    """Count alerts that may fire although no delivery lists them; Alertmanager, where it is asked, lists them all."""
    return 0 if _can_be_asked(settings, source) else reconciling.cut(tx, subject)


def _cut_text(unheard: int) -> str:
    left_out = f"left out {count(unheard, 'alert')}" if unheard > 1 else "left one alert out"
    return f"All alerts that it lists are resolved, but Alertmanager {left_out} (max_alerts): it may still fire."


def time_came_for_hold(
    tx: Tx, settings: Settings, subject: str, *, asked: bool = False, unverified: str = ""
) -> None:  # fmt: skip
    """Look at a hold whose time has come; before it declares, Alertmanager is asked whether it still fires.

    `asked` says that this was done, `unverified` why it gave no answer.
    """
    hold = subjects.get_hold(tx, _number(subject))
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
        if not subjects.firing(tx, subject) and not _unheard(tx, settings, subject, hold.source):
            turn = holds.alerts_changed(hold, firing=0, refired=0, now=tx.now)  # what was cut from its group is over
        elif not asked and _can_be_asked(settings, hold.source):
            jobs.schedule(
                tx, queue=jobs.RECONCILE, kind="verify", subject=subject, ukey=f"verify:{subject}", due_at=tx.now,
            )  # fmt: skip
            return
    carry_out(tx, settings, hold, turn, INCIDENTD)


def _look_again(tx: Tx, hold: Hold, at: datetime) -> None:
    jobs.schedule(tx, queue=jobs.TIMER, kind="hold", subject=hold.key, ukey=hold.key, due_at=at)


# -- incidents -------------------------------------------------------------------------------------------------------


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


def declare(tx: Tx, settings: Settings, new: Incident, *, actor: Actor, hold: Hold | None = None) -> Incident:
    """Declare an incident: name its commander, page, and bring in the teams that the rule names."""
    commander, because = _first_commander(settings, new, tx.now)
    if commander:
        assignment = Assignment(role=Role.INCIDENT_COMMANDER, person=commander, since=tx.now, because=because)
        new = replace(new, roles=(assignment,))
    incident = subjects.insert_incident(tx, new)
    from_hold = f" It was {hold.key} before." if hold else ""
    drafts = [Draft("incident.declared", f"{incident.reason}{from_hold}", {"severity": new.severity, "rule": new.rule})]
    if commander:
        text = f"{commander} is Incident Commander: {because}."
        drafts.append(Draft("role.assigned", text, {"role": Role.INCIDENT_COMMANDER.value, "person": commander}))
    chain.append(tx, incident.key, actor, drafts)
    if hold is not None:
        subjects.copy_members(tx, of=hold.key, to=incident.key)
    _count_declared(tx, incident, has_commander=bool(commander))
    _call(tx, settings, incident, hold)
    return incident


def _first_commander(settings: Settings, new: Incident, now: datetime) -> tuple[str, str]:
    """Say who commands until it is handed over: whoever declared it, else whoever is on call for it."""
    if new.declared_by in settings.roster.people:
        return new.declared_by, "declared it"
    policy = settings.escalations.get(new.page_policy) or settings.escalations.get("default")
    levels = next(iter(policy.chains.values())).levels if policy and policy.chains else ()
    for level in levels:
        if level.page.on_call:
            people = oncall.resolve(level.page, settings.roster, now)
            return (people[0].handle, str(level.page)) if len(people) == 1 else ("", "")
    return "", ""


def _call(tx: Tx, settings: Settings, incident: Incident, hold: Hold | None) -> None:
    """Page for an incident. An unanswered page of its hold goes on as its own; an answered one proves nothing."""
    if hold is not None and paging.move(tx, settings, of=hold.key, to=incident.key):
        text = "The page that nobody answered while it was held goes on."
        chain.append(tx, incident.key, INCIDENTD, [Draft("page.moved", text)])
    else:
        paging.start(
            tx, settings, subject=incident.key, policy=incident.page_policy, urgency=incident.urgency,
            title=incident.title,
        )  # fmt: skip
    for name in incident.teams:
        team = settings.roster.teams.get(name)
        if team is not None and team.channel in settings.channels:
            title = f"[{incident.severity.upper()}] {incident.key} declared: {plain(incident.title, 120)}"
            key = f"{incident.key}/declared/{team.channel}"
            tell(
                tx,
                settings,
                incident,
                channel=team.channel,
                purpose="update",
                title=title,
                body=incident.reason,
                key=key,
            )


def tell(
    tx: Tx, settings: Settings, incident: Incident, *, channel: str, purpose: str, title: str, body: str, key: str
) -> None:
    """Tell a channel something about an incident, with the link to it."""
    text = f"{plain(body)}\n\n{settings.external_url}/incidents/{incident.key}"
    paging.tell(tx, subject=incident.key, channel=channel, purpose=purpose, title=title, body=text, key=key)


def _count_declared(tx: Tx, it: Incident, *, has_commander: bool) -> None:
    waited = max((it.declared_at - it.impact_started_at).total_seconds(), 0)

    def figures(m: Metrics) -> None:
        m.incidents_declared_total.labels(trigger=it.trigger.value, severity=it.severity, service=it.service).inc()
        m.incident_time_to_declare_seconds.labels(trigger=it.trigger.value, severity=it.severity).observe(waited)
        if has_commander:
            m.incident_time_to_commander_seconds.labels(severity=it.severity).observe(0)

    tx.count(figures)


def _incident_changed(tx: Tx, settings: Settings, incident_id: int, *, firing: int, refired: int, joined: int) -> None:
    incident = subjects.get_incident(tx, incident_id)
    if incident.status not in incidents.ACTIVE:
        return
    if firing == 0:
        _look_for_quiet(tx, incident)
        unheard = _unheard(tx, settings, incident.key, incident.source)
        text = _cut_text(unheard) if unheard else "Nothing fires any more."
        chain.append(tx, incident.key, ALERTMANAGER, [Draft("alert.resolved", text, {"firing": 0})])
        return
    jobs.cancel(tx, f"quiet:{incident.key}")
    if incident.status is Status.MITIGATED:
        relapsed(tx, settings, incident, f"Fires again ({count(firing, 'alert')}): the impact is back.", ALERTMANAGER)
    elif joined or refired:
        text = f"{count(joined, 'more alert')} joined, {count(firing, 'alert')} firing now."
        chain.append(tx, incident.key, ALERTMANAGER, [Draft("alert.fired", text, {"firing": firing})])


def relapsed(tx: Tx, settings: Settings, incident: Incident, text: str, actor: Actor) -> None:
    """Take that what was mitigated is back: it is investigated again, and paged for."""
    subjects.save_incident(tx, incidents.move(incident, Status.INVESTIGATING, tx.now))
    facts = {"firing": subjects.firing(tx, incident.key)}
    chain.append(tx, incident.key, actor, [Draft("incident.refired", text, facts)])
    paging.start(
        tx, settings, subject=incident.key, policy=incident.page_policy, urgency=incident.urgency, title=incident.title,
    )  # fmt: skip


def quiet_passed(tx: Tx, settings: Settings, subject: str) -> None:
    """Call an incident mitigated once nothing fired for its quiet time. Resolving it stays with people."""
    incident = subjects.get_incident(tx, _number(subject))
    if incident.status not in incidents.ACTIVE or subjects.firing(tx, subject):
        return
    if _unheard(tx, settings, subject, incident.source):
        _look_for_quiet(tx, incident)
        return
    text = "Mitigated: all its alerts stayed resolved. Somebody has to look and resolve it."
    mitigated(tx, settings, incident, text)


def _look_for_quiet(tx: Tx, incident: Incident) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="quiet", subject=incident.key, ukey=f"quiet:{incident.key}",
        due_at=tx.now + incident.quiet,
    )  # fmt: skip


def mitigated(tx: Tx, settings: Settings, incident: Incident, text: str) -> None:
    """Take that the impact of an incident is over; of one that is mitigated already nothing comes."""
    if incident.status not in incidents.ACTIVE - {Status.MITIGATED}:
        return
    unanswered = incident.status is Status.DECLARED
    subjects.save_incident(tx, incidents.move(incident, Status.MITIGATED, tx.now))
    chain.append(tx, incident.key, INCIDENTD, [Draft("incident.mitigated", text)])
    took = (tx.now - incident.declared_at).total_seconds()
    tx.count(lambda m: m.incident_time_to_mitigate_seconds.labels(severity=incident.severity).observe(took))
    if unanswered:
        told = Occasion.SELF_RESOLVED if _is_serious(settings, incident.severity) else None
        paging.end_all(tx, settings, incident.key, occasion=told)


def engaged(tx: Tx, incident: Incident, *, by: str, actor: Actor) -> Incident:
    """Take that somebody has it: a declared incident is under investigation from here."""
    if incident.status is not Status.DECLARED:
        return incident
    moved = incidents.move(incident, Status.INVESTIGATING, tx.now)
    if not moved.commander:
        assignment = Assignment(role=Role.INCIDENT_COMMANDER, person=by, since=tx.now, because="answered first")
        moved = replace(moved, roles=(*moved.roles, assignment))
        waited = (tx.now - incident.declared_at).total_seconds()
        tx.count(lambda m: m.incident_time_to_commander_seconds.labels(severity=incident.severity).observe(waited))
    subjects.save_incident(tx, moved)
    chain.append(tx, moved.key, actor, [Draft("incident.acknowledged", f"{by} has it; investigating.")])
    return moved


def resolve(tx: Tx, settings: Settings, incident: Incident, *, actor: Actor, note: str) -> Incident:
    """Resolve an incident and have its postmortem drafted."""
    resolved = replace(incidents.resolve(incident, tx.now), resolution=note)
    subjects.save_incident(tx, resolved)
    why = f": {plain(note)}" if note else "."
    chain.append(tx, resolved.key, actor, [Draft("incident.resolved", f"Resolved by {actor.name}{why}")])
    subjects.close_members(tx, resolved.key)
    jobs.cancel(tx, f"quiet:{resolved.key}")
    paging.end_all(tx, settings, resolved.key)
    took = (tx.now - incident.declared_at).total_seconds()

    def figures(m: Metrics) -> None:
        m.incident_time_to_resolve_seconds.labels(severity=incident.severity).observe(took)
        m.incidents_finished_total.labels(resolution="resolved", severity=incident.severity).inc()

    tx.count(figures)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="draft", subject=resolved.key, ukey=f"draft:{resolved.key}", due_at=tx.now,
    )  # fmt: skip
    return resolved


def _is_serious(settings: Settings, severity: str) -> bool:
    known = settings.severities.get(severity)
    return known is not None and known.rank <= _SELF_RESOLVED_IS_SAID


def _number(subject: str) -> int:
    return int(subject.partition("-")[2])
