"""The course of incidents as units of work: declared, paged for, mitigated, and back again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd import incidents, oncall
from incidentd.durations import about
from incidentd.engine import chains, communication, graphing, measuring, owning, paging, records, roles, stale, updates
from incidentd.engine.course.busy import definition_of
from incidentd.engine.course.common import cut_text, is_asked, is_serious, measure, number_of, rank_of, unheard_of
from incidentd.holds import Hold, Outcome
from incidentd.incidents import HEALTHY_FOR, SYSTEM, Incident, Standing, Status, Trigger
from incidentd.metrics import Metrics
from incidentd.pages import Occasion, PageState
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.text import count, plain
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft

HEALTHY = "healthy"
"""The kind of deadline after which the system resolves what is not serious."""
CUT = "cut"
"""The kind of deadline at which an incident is looked at of which more may fire than Alertmanager lists."""
_LISTED_AGAIN = timedelta(seconds=30)
_ANSWERED_BY = timedelta(seconds=15)
"""How much longer it is quiet when an answer of Alertmanager is on its way: at a start, and now and then."""


def declare(tx: Tx, settings: Settings, new: Incident, *, actor: Actor, hold: Hold | None = None) -> Incident:
    """Declare an incident: name its commander, page, and bring in the teams that the rule names."""
    commander, because = _first_commander(tx, settings, new)
    if commander:
        assignment = Assignment(role=Role.INCIDENT_COMMANDER, person=commander, since=tx.now, because=because)
        new = replace(new, roles=(assignment,))
    before = subjects.newest_incident(tx, new.source, new.correlation_key) if new.correlation_key else None
    # a clock elsewhere may be ahead of ours; nothing began after it was noticed
    began = min(new.impact_started_at, new.detected_at)
    new = replace(new, recurrence_of=before.id if before else None, impact_started_at=began)
    incident = subjects.insert_incident(tx, new)
    from_hold = f" It was {hold.key} before." if hold else ""
    again = f" The same thing was {before.key} before." if before else ""
    facts = {"severity": new.severity, "rule": new.rule}
    drafts = [Draft("incident.declared", f"{incident.reason}{from_hold}{again}", facts)]
    if commander:
        text = f"{commander} is Incident Commander: {because}."
        drafts.append(Draft("role.assigned", text, {"role": Role.INCIDENT_COMMANDER.value, "person": commander}))
    chain.append(tx, incident.key, actor, drafts)
    if hold is not None:
        subjects.copy_members(tx, of=hold.key, to=incident.key)
        for run in things.runs_of(tx, hold.key):
            records.note_run(tx, incident, run, definition_of(run))
        if unheard_of(tx, settings, incident.key, incident.source) and not subjects.firing(tx, incident.key):
            _look_what_is_listed(tx, incident)
    _count_declared(tx, incident, hold, has_commander=bool(commander))
    _call(tx, settings, incident, hold)
    if commander and commander == incident.declared_by:
        roles.came(tx, incident, commander)
    roles.fill(tx, settings, incident)
    roles.bring(tx, settings, incident)
    roles.look(tx, settings, incident.id, given=commander)
    roles.attend(tx, settings, incident)
    roles.expect(tx, settings, incident)
    communication.begin(tx, settings, incident)
    updates.begin(tx, settings, incident)
    graphing.look(tx, settings, incident)
    stale.watch(tx, settings, incident)
    return incident


def _first_commander(tx: Tx, settings: Settings, new: Incident) -> tuple[str, str]:
    """Say who commands until it is handed over: whoever declared it, else whoever is on call for it."""
    if new.declared_by in settings.roster.people:
        return new.declared_by, "declared it"
    return on_call_for(tx, settings, new)


def on_call_for(tx: Tx, settings: Settings, new: Incident) -> tuple[str, str]:
    """Say who is on call for an incident, and why; '' twice for nobody, or several."""
    for level in chains.chain_of(settings, new.page_policy, new.urgency).levels:
        if level.page.on_call:
            people = oncall.resolve(level.page, rota.current(tx, settings.roster), tx.now)
            return (people[0].handle, str(level.page)) if len(people) == 1 else ("", "")
    return "", ""


def _call(tx: Tx, settings: Settings, incident: Incident, hold: Hold | None) -> None:
    """Page for an incident. An unanswered page of its hold goes on as its own; an answered one proves nothing.

    When its urgency was raised as it was declared, the same page calls again; one for other people is not enough.
    """
    if hold is not None and paging.move(tx, settings, of=hold.key, to=incident.key):
        text = "The page that nobody answered while it was held goes on."
        chain.append(tx, incident.key, INCIDENTD, [Draft("page.moved", text)])
    # one that was no hold was never paged for
    found = things.pages_of(tx, incident.key) if hold is not None else []
    same = [it for it in found if it.state is PageState.OPEN and it.policy == incident.page_policy]
    if same and incident.urgency not in ("ticket", *(it.urgency for it in same)):
        title = f"Raised to {incident.severity}: {incident.title}"
        owning.raise_page(tx, settings, same[-1], urgency=incident.urgency, title=title)
    elif not any(it.urgency == incident.urgency for it in same):
        page(tx, settings, incident)
    _tell_teams(tx, settings, incident)


def _tell_teams(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Tell the rooms of its teams that it was declared, but for those that follow it and so read that anyway."""
    teams = (settings.roster.teams.get(name) for name in (() if incident.drill else incident.teams))
    rooms = (team.channel for team in teams if team is not None and team.channel in settings.channels)
    for room in dict.fromkeys(rooms):
        if communication.will_follow(tx, settings, incident, room):
            continue
        title = f"[{incident.severity.upper()}] {incident.key} declared: {plain(incident.title, 120)}"
        key = f"{incident.key}/declared/{room}"
        tell(tx, settings, incident, channel=room, purpose="update", title=title, body=incident.reason, key=key)


def page(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Page for an incident by its own policy and urgency."""
    paging.start(
        tx, settings, subject=incident.key, policy=incident.page_policy, urgency=incident.urgency,
        title=incident.title, drill=incident.drill,
    )  # fmt: skip


def tell(
    tx: Tx, settings: Settings, incident: Incident, *, channel: str, purpose: str, title: str, body: str, key: str
) -> None:
    """Tell a channel something about an incident, with the link to it."""
    text = f"{plain(body)}\n\n{settings.external_url}/incidents/{incident.key}"
    paging.tell(tx, subject=incident.key, channel=channel, purpose=purpose, title=title, body=text, key=key)


def _count_declared(tx: Tx, it: Incident, hold: Hold | None, *, has_commander: bool) -> None:
    method = "employee" if it.trigger is Trigger.MANUAL else "alert"
    if hold is not None and hold.outcome is Outcome.DECLARED_CUSTOMER_VISIBLE:
        method = "customer"
    waited = max((it.declared_at - it.impact_started_at).total_seconds(), 0)

    def figures(m: Metrics) -> None:
        m.incidents_declared_total.labels(trigger=it.trigger.value, severity=it.severity, service=it.service).inc()
        m.incident_time_to_declare_seconds.labels(trigger=it.trigger.value, severity=it.severity).observe(waited)
        m.incident_detections_total.labels(method=method, severity=it.severity).inc()
        if it.recurrence_of is not None:
            m.repeat_incidents_total.labels(service=it.service).inc()
        if has_commander:
            m.incident_time_to_commander_seconds.labels(severity=it.severity).observe(0)

    measure(tx, it, figures)


def incident_changed(tx: Tx, settings: Settings, incident_id: int, *, firing: int, refired: int, joined: int) -> None:
    """Take how many of the alerts of an incident fire now."""
    incident = subjects.get_incident(tx, incident_id)
    if incident.status not in incidents.ACTIVE:
        return
    if firing == 0:
        if incident.still_firing:
            subjects.save_incident(tx, replace(incident, still_firing=0))
        _nothing_listed_fires(tx, incident, unheard_of(tx, settings, incident.key, incident.source))
        return
    jobs.cancel(tx, f"quiet:{incident.key}")
    jobs.cancel(tx, f"{HEALTHY}:{incident.key}")
    back = joined or refired or firing > incident.still_firing
    if incident.status is Status.MITIGATED and back:
        relapsed(tx, settings, incident, f"Fires again ({count(firing, 'alert')}): the impact is back.", ALERTMANAGER)
    elif joined or refired:
        text = f"{count(joined, 'more alert')} joined, {count(firing, 'alert')} firing now."
        chain.append(tx, incident.key, ALERTMANAGER, [Draft("alert.fired", text, {"firing": firing})])


def relapsed(
    tx: Tx, settings: Settings, incident: Incident, text: str, actor: Actor, *, who: Standing = SYSTEM
) -> None:  # fmt: skip
    """Take that what was mitigated is back: it is investigated again, and paged for."""
    moved = incidents.move(incident, Status.INVESTIGATING, tx.now, who=who)
    subjects.save_incident(tx, moved)
    facts = {"firing": subjects.firing(tx, incident.key)}
    chain.append(tx, incident.key, actor, [Draft("incident.refired", text, facts)])
    measuring.came_back(tx, incident.key)
    updates.changed(tx, settings, incident, moved, actor=actor)
    jobs.cancel(tx, f"{HEALTHY}:{incident.key}")
    page(tx, settings, incident)
    roles.attend(tx, settings, moved)


def _nothing_listed_fires(tx: Tx, incident: Incident, unheard: int) -> None:
    """Begin the quiet time; while more may fire than is listed (`unheard`) it does not, and its pages go on calling."""
    if unheard:
        chain.append(tx, incident.key, ALERTMANAGER, [Draft("alert.cut", cut_text(unheard), {"alerts": unheard})])
        _look_what_is_listed(tx, incident)
        return
    chain.append(tx, incident.key, ALERTMANAGER, [Draft("alert.resolved", "Nothing fires any more.", {"firing": 0})])
    _quiet_in(tx, incident, incident.quiet)


def _quiet_in(tx: Tx, incident: Incident, after: timedelta) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="quiet", subject=incident.key, ukey=f"quiet:{incident.key}", due_at=tx.now + after
    )  # fmt: skip


def _look_what_is_listed(tx: Tx, incident: Incident) -> None:
    # under the key of the quiet time, so that whatever ends the one ends the other
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=CUT, subject=incident.key, ukey=f"quiet:{incident.key}",
        due_at=tx.now + _LISTED_AGAIN,
    )  # fmt: skip


def cut_looked_at(tx: Tx, settings: Settings, subject: str) -> None:
    """Begin the quiet time of an incident once all that may fire is listed, and nothing of that does."""
    incident = subjects.get_incident(tx, number_of(subject))
    if incident.status not in incidents.ACTIVE or subjects.firing(tx, subject):
        return
    if unheard_of(tx, settings, subject, incident.source):
        _look_what_is_listed(tx, incident)
    else:
        _nothing_listed_fires(tx, incident, 0)


def quiet_passed(tx: Tx, settings: Settings, subject: str) -> None:
    """Call an incident mitigated once nothing fired for its quiet time. Resolving it stays with people."""
    incident = subjects.get_incident(tx, number_of(subject))
    if incident.status not in incidents.ACTIVE or subjects.firing(tx, subject):
        return
    unheard = unheard_of(tx, settings, subject, incident.source)
    if unheard:
        if is_asked(tx, incident.source):
            _quiet_in(tx, incident, _ANSWERED_BY)
        else:
            _nothing_listed_fires(tx, incident, unheard)
        return
    alone = incidents.resolves_alone(rank_of(settings, incident.severity))
    follows = f"It is resolved in {about(HEALTHY_FOR)} unless it fires again" if alone else "Somebody has to look and"
    follows += "." if alone else " resolve it."
    mitigated(tx, settings, incident, f"Mitigated: all its alerts stayed resolved. {follows}")
    if alone:
        healthy_by(tx, incident)


def healthy_by(tx: Tx, incident: Incident) -> None:
    """Set the clock at which the system looks whether it may resolve an incident."""
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=HEALTHY, subject=incident.key, ukey=f"{HEALTHY}:{incident.key}",
        due_at=tx.now + HEALTHY_FOR,
    )  # fmt: skip


def mitigated(
    tx: Tx, settings: Settings, incident: Incident, text: str, *, actor: Actor = INCIDENTD, who: Standing = SYSTEM
) -> None:  # fmt: skip
    """Take that the impact of an incident is over; of one that is mitigated already nothing comes."""
    if incident.status not in incidents.ACTIVE - {Status.MITIGATED}:
        return
    unanswered = incident.status is Status.DECLARED
    moved = incidents.move(incident, Status.MITIGATED, tx.now, who=who)
    subjects.save_incident(tx, replace(moved, still_firing=subjects.firing(tx, incident.key)))
    chain.append(tx, incident.key, actor, [Draft("incident.mitigated", text)])
    updates.changed(tx, settings, incident, moved, actor=actor)
    graphing.look(tx, settings, incident)
    took = (tx.now - incident.declared_at).total_seconds()
    how = {"severity": incident.severity}
    measure(tx, incident, lambda m: m.incident_time_to_mitigate_seconds.labels(**how).observe(took))
    if unanswered:
        told = Occasion.SELF_RESOLVED if is_serious(settings, incident.severity) else None
        paging.end_all(tx, settings, incident.key, occasion=told, but_asked=True)


def engaged(tx: Tx, incident: Incident, *, by: str, actor: Actor) -> Incident:
    """Take that somebody has it: a declared incident is under investigation from here."""
    if incident.status is not Status.DECLARED:
        return incident
    moved = incidents.move(incident, Status.INVESTIGATING, tx.now)
    drafts = [Draft("incident.acknowledged", f"{by} has it; investigating.")]
    if not moved.commander:
        moved, said = roles.taken_by(tx, moved, by, because="answered first")
        drafts.append(said)
    subjects.save_incident(tx, moved)
    chain.append(tx, moved.key, actor, drafts)
    roles.came(tx, moved, by)
    roles.watch(tx, moved)
    return moved
