"""How incidents end, as units of work: resolved, stood down; and who hears the all-clear."""

from __future__ import annotations

from dataclasses import replace

from incidentd import incidents
from incidentd.durations import about
from incidentd.engine import graphing, learning, measuring, paging, roles, stale, updates
from incidentd.engine.course.common import measure, number_of, rank_of, unheard_of
from incidentd.engine.course.incident import HEALTHY, healthy_by
from incidentd.incidents import HEALTHY_FOR, SYSTEM, Incident, Known, Standing, Status
from incidentd.metrics import Metrics
from incidentd.pages import Ending
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, subjects
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Actor, Draft


def resolve(
    tx: Tx, settings: Settings, incident: Incident, *, actor: Actor, note: str, who: Standing = SYSTEM,
    known: Known | None = None,
) -> Incident:  # fmt: skip
    """Resolve an incident and have its postmortem drafted. Raises what `incidents.move` raises."""
    known = known or Known(rank=rank_of(settings, incident.severity))
    moved = incidents.move(incident, Status.RESOLVED, tx.now, who=who, known=known)
    resolved = replace(moved, resolution=note)
    subjects.save_incident(tx, resolved)
    why = f": {plain(note)}" if note else "."
    drafts = [Draft("incident.resolved", f"Resolved by {actor.name}{why}", {"resolution": note})]
    if known.waived and known.open_criteria:
        waived = plain("; ".join(known.open_criteria), 500)
        drafts.append(Draft("incident.waived", f"Exit criteria waived ({waived}): {plain(known.waived)}"))
    chain.append(tx, resolved.key, actor, drafts)
    updates.changed(tx, settings, incident, resolved, actor=actor)
    _over(tx, settings, incident, resolved, ending=Ending.RESOLVED)
    return resolved


def stand_down(
    tx: Tx, settings: Settings, incident: Incident, *, actor: Actor, text: str, who: Standing, known: Known
) -> Incident:  # fmt: skip
    """End what was no incident, and give the all-clear to everybody who was told of it."""
    stood_down = incidents.move(incident, Status.STOOD_DOWN, tx.now, who=who, known=known)
    subjects.save_incident(tx, stood_down)
    code = str(known.code).replace("_", " ")
    why = f"{code}: {plain(text)}" if text else f"{code}."
    facts = {"code": str(known.code)}
    chain.append(tx, incident.key, actor, [Draft("incident.stood_down", f"Stood down by {actor.name}; {why}", facts)])
    updates.changed(tx, settings, incident, stood_down, actor=actor)
    _over(tx, settings, incident, stood_down, ending=Ending.STOOD_DOWN)
    _all_clear(tx, settings, stood_down, why)
    return stood_down


def _all_clear(tx: Tx, settings: Settings, incident: Incident, why: str) -> None:
    """Tell exactly the channels that were told before that it is called off."""
    keys = [incident.key, *([f"HOLD-{incident.hold_id}"] if incident.hold_id is not None else [])]
    channels = jobs.told(tx, keys)
    title = f"All clear: {incident.key} {plain(incident.title, 120)}"
    body = f"{clock(tx.now)}: the response to {plain(incident.title, 200)} is called off because {why}"
    for channel in channels:
        key = f"{incident.key}/all-clear/{incident.reopened}/{channel}"
        text = f"{body}\n\n{settings.external_url}/incidents/{incident.key}"
        paging.tell(tx, subject=incident.key, channel=channel, purpose="resolved", title=title, body=text, key=key)
    if channels:
        text = f"The all-clear goes to {len(channels)} of those who were told: {plain(', '.join(channels), 500)}."
        chain.append(tx, incident.key, INCIDENTD, [Draft("message.all_clear", text)])


def _over(tx: Tx, settings: Settings, before: Incident, after: Incident, *, ending: Ending) -> None:
    """Follow its alerts no longer, call nobody more, count it, and have what is learned from it drafted."""
    follow_no_more(tx, settings, after, ending=ending)
    finished(tx, before, after.status)
    measuring.incident_over(tx, settings, after)
    graphing.look(tx, settings, after)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="draft", subject=after.key, ukey=f"draft:{after.key}", due_at=tx.now,
    )  # fmt: skip


def follow_no_more(tx: Tx, settings: Settings, incident: Incident, *, ending: Ending) -> None:
    """Let an incident that is over follow no alert, watch no clock and call nobody."""
    subjects.close_members(tx, incident.key)
    for kind in ("quiet", HEALTHY, stale.KIND):
        jobs.cancel(tx, f"{kind}:{incident.key}")
    paging.end_all(tx, settings, incident.key, ending=ending)
    roles.over(tx, incident)


def finished(tx: Tx, incident: Incident, became: Status) -> None:
    """Count that an incident ended."""
    took = (tx.now - incident.declared_at).total_seconds()
    unseen = (incident.detected_at - incident.impact_started_at).total_seconds()

    def figures(m: Metrics) -> None:
        if became is Status.RESOLVED:
            if not incident.reopened:  # it was seen once
                m.incident_time_to_detect_seconds.labels(severity=incident.severity).observe(max(unseen, 0))
            m.incident_time_to_resolve_seconds.labels(severity=incident.severity).observe(took)
            if incident.mitigated_at is None:
                m.incident_time_to_mitigate_seconds.labels(severity=incident.severity).observe(took)
        m.incidents_finished_total.labels(resolution=became.value, severity=incident.severity).inc()

    measure(tx, incident, figures)


def stayed_healthy(tx: Tx, settings: Settings, subject: str) -> None:
    """Resolve an incident that is not serious once nothing fired for half an hour after it was mitigated."""
    incident = subjects.get_incident(tx, number_of(subject))
    if incident.status is not Status.MITIGATED or subjects.firing(tx, subject):
        return
    known = learning.known_of(tx, settings, incident)
    if not incidents.resolves_alone(known.rank):
        return
    if known.open_criteria or unheard_of(tx, settings, subject, incident.source):
        healthy_by(tx, incident)  # people tick what is open, and Alertmanager is heard again: looked at later
        return
    note = f"nothing fired for {about(HEALTHY_FOR)} after it was mitigated"
    resolve(tx, settings, incident, actor=INCIDENTD, note=note, known=known)
