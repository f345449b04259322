"""What it means that the severity of an incident changed: it is said, counted, and paged for when it rose."""

from __future__ import annotations

from dataclasses import replace

from incidentd import incidents
from incidentd.engine import owning, roles, stale, updates
from incidentd.engine.course.common import measure, rank_of
from incidentd.engine.course.incident import page
from incidentd.holds import Joining
from incidentd.incidents import ACTIVE, SYSTEM, Incident
from incidentd.pages import PageState
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things
from incidentd.timeline import Actor, Draft


def as_severe(
    tx: Tx, settings: Settings, incident: Incident, *, severity: str, peak: str, of: str, actor: Actor
) -> Incident:  # fmt: skip
    """Make an incident as severe as `of`, which it takes in; `peak` is the worst that this ever was."""
    ranks = {name: known.rank for name, known in settings.severities.items()}
    if ranks.get(severity, 99) >= ranks.get(incident.severity, 99):
        return replace(incident, peak_severity=incidents.worse(incident.peak_severity, peak, ranks))
    reason = f"{of} was {severity}"
    after = incidents.change_severity(incident, severity, ranks, tx.now, who=SYSTEM, reason=reason)
    after = replace(after, peak_severity=incidents.worse(after.peak_severity, peak, ranks))
    return severity_changed(tx, settings, incident, after, actor=actor, why=f": {reason}.")


def raised_by(tx: Tx, settings: Settings, incident: Incident, it: Joining) -> Incident:
    """Make an incident as severe as alerts of its key that join it, when they are worse than all that it was.

    What people lowered stays so while more of the same joins.
    """
    worst = min(rank_of(settings, incident.severity), rank_of(settings, incident.peak_severity))
    if incident.status not in ACTIVE or not 0 < it.rank < worst:
        return incident
    ranks = {name: known.rank for name, known in settings.severities.items()}
    reason = f"alerts joined that are {it.severity}"
    after = incidents.change_severity(incident, it.severity, ranks, tx.now, who=SYSTEM, reason=reason)
    return severity_changed(tx, settings, incident, after, actor=Actor(name=it.rule, via="rule"), why=f": {reason}.")


def severity_changed(
    tx: Tx, settings: Settings, before: Incident, after: Incident, *, actor: Actor, why: str
) -> Incident:  # fmt: skip
    """Carry out that a severity changed: on the timeline, counted, and paged for anew when the urgency rose."""
    up = rank_of(settings, after.severity) < rank_of(settings, before.severity)
    rises = up and _clock(settings, after.severity) < _within(settings, before.urgency)
    if rises:
        after = replace(after, urgency=settings.severities[after.severity].urgency)
    word = "Raised" if up else "Lowered"
    facts = {"was": before.severity, "to": after.severity}
    said = f"{word} from {before.severity} to {after.severity} by {actor.name}{why}"
    subjects.save_incident(tx, after)
    chain.append(tx, after.key, actor, [Draft("incident.severity", said, facts)])
    updates.changed(tx, settings, before, after, actor=actor)
    direction = "up" if up else "down"
    measure(tx, after, lambda m: m.incident_severity_changes_total.labels(direction=direction).inc())
    if rises:
        _page_again(tx, settings, after)
    if up:
        stale.watch(tx, settings, after)
        roles.fill(tx, settings, after)
        roles.attend(tx, settings, after)
        roles.look(tx, settings, after.id)
    return after


def _page_again(tx: Tx, settings: Settings, incident: Incident) -> None:
    found = [it for it in things.pages_of(tx, incident.key) if it.state is not PageState.RESOLVED]
    last = next((it for it in reversed(found) if it.policy == incident.page_policy), None)
    if last is None:
        page(tx, settings, incident)
        return
    title = f"Raised to {incident.severity}: {incident.title}"
    owning.raise_page(tx, settings, last, urgency=incident.urgency, title=title)


def _clock(settings: Settings, severity: str) -> float:
    known = settings.severities.get(severity)
    return _within(settings, known.urgency) if known else 0


def _within(settings: Settings, urgency: str) -> float:
    """Say how soon a page of an urgency is to be answered, in seconds; a ticket calls nobody, which is never."""
    known = settings.urgencies.get(urgency)
    return known.respond_within.total_seconds() if known else float("inf")
