"""The course of incidents as units of work: declared, paged for, mitigated, resolved."""

from __future__ import annotations

from dataclasses import replace

from incidentd import incidents, oncall
from incidentd.engine import paging
from incidentd.engine.course.common import cut_text, is_serious, number_of, unheard_of
from incidentd.holds import Hold
from incidentd.incidents import Incident, Status
from incidentd.metrics import Metrics
from incidentd.pages import Ending, Occasion, PageState
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.text import count, plain
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft


def declare(tx: Tx, settings: Settings, new: Incident, *, actor: Actor, hold: Hold | None = None) -> Incident:
    """Declare an incident: name its commander, page, and bring in the teams that the rule names."""
    commander, because = _first_commander(tx, settings, new)
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


def _first_commander(tx: Tx, settings: Settings, new: Incident) -> tuple[str, str]:
    """Say who commands until it is handed over: whoever declared it, else whoever is on call for it."""
    if new.declared_by in settings.roster.people:
        return new.declared_by, "declared it"
    policy = settings.escalations.get(new.page_policy) or settings.escalations.get("default")
    levels = next(iter(policy.chains.values())).levels if policy and policy.chains else ()
    for level in levels:
        if level.page.on_call:
            people = oncall.resolve(level.page, rota.current(tx, settings.roster), tx.now)
            return (people[0].handle, str(level.page)) if len(people) == 1 else ("", "")
    return "", ""


def _call(tx: Tx, settings: Settings, incident: Incident, hold: Hold | None) -> None:
    """Page for an incident. An unanswered page of its hold goes on as its own; an answered one proves nothing.

    One that is for another urgency, or for other people, is not enough: its severity was raised meanwhile.
    """
    if hold is not None and paging.move(tx, settings, of=hold.key, to=incident.key):
        text = "The page that nobody answered while it was held goes on."
        chain.append(tx, incident.key, INCIDENTD, [Draft("page.moved", text)])
    wanted = (incident.page_policy, incident.urgency)
    # one that was no hold was never paged for
    if hold is None or not any(
        page.state is PageState.OPEN and (page.policy, page.urgency) == wanted
        for page in things.pages_of(tx, incident.key)
    ):
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


def incident_changed(tx: Tx, settings: Settings, incident_id: int, *, firing: int, refired: int, joined: int) -> None:
    """Take how many of the alerts of an incident fire now."""
    incident = subjects.get_incident(tx, incident_id)
    if incident.status not in incidents.ACTIVE:
        return
    if firing == 0:
        _look_for_quiet(tx, incident)
        unheard = unheard_of(tx, settings, incident.key, incident.source)
        text = cut_text(unheard) if unheard else "Nothing fires any more."
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
    incident = subjects.get_incident(tx, number_of(subject))
    if incident.status not in incidents.ACTIVE or subjects.firing(tx, subject):
        return
    if unheard_of(tx, settings, subject, incident.source):
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
        told = Occasion.SELF_RESOLVED if is_serious(settings, incident.severity) else None
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
    paging.end_all(tx, settings, resolved.key, ending=Ending.RESOLVED)
    took = (tx.now - incident.declared_at).total_seconds()

    def figures(m: Metrics) -> None:
        m.incident_time_to_resolve_seconds.labels(severity=incident.severity).observe(took)
        m.incidents_finished_total.labels(resolution="resolved", severity=incident.severity).inc()

    tx.count(figures)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="draft", subject=resolved.key, ukey=f"draft:{resolved.key}", due_at=tx.now,
    )  # fmt: skip
    return resolved
