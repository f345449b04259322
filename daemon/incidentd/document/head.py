"""The head of the document: how an incident stands, since when, who answers for what, and when people hear more."""

from __future__ import annotations

from datetime import datetime

from incidentd.document import human
from incidentd.document.facts import IncidentFacts
from incidentd.document.words import link, person_in, said, sentence
from incidentd.incidents import ACTIVE, Incident, Status, Trigger
from incidentd.roles import MAIN, Role, effective_holder, not_apart
from incidentd.text import instant

_AGAIN = frozenset({"incident.refuted", "incident.refired", "incident.reopened", "incident.unmerged"})
"""Entries from which on an incident is investigated that somebody may have answered long before."""
DRILL = "**This is a drill: nothing is broken, and only people who take part were called.**"


def header(facts: IncidentFacts) -> str:
    """Write the head, the most important first."""
    incident = facts.incident
    severities = f"(declared {said(incident.declared_severity)}, peak {said(incident.peak_severity)})"
    clocks = {
        "Acknowledged": incident.acknowledged_at, "Identified": incident.identified_at,
        "Mitigated": incident.mitigated_at, "Resolved": incident.resolved_at,
    }  # fmt: skip
    lines = [
        f"Severity {said(incident.severity)} {severities} | State {_state(facts)}",
        f"Declared {instant(incident.declared_at)} by {said(incident.declared_by)}: {sentence(incident.reason)}",
        f"Impact started {instant(incident.impact_started_at)} (est.) | Detected {instant(incident.detected_at)}"
        f" by {_detected_by(incident)}" + "".join(f" | {name} {instant(at)}" for name, at in clocks.items()),
        _people(facts),
        _promised(facts),
        f"Service {said(incident.service) or '-'} | Teams {said(', '.join(incident.teams)) or '-'}{_where(facts)}",
        human.addresses(facts),
    ]
    head = f"# {incident.key} {said(incident.title)}\n\n" + "  \n".join(line for line in lines if line)
    return "\n\n".join([head, *_warnings(facts)])


def _state(facts: IncidentFacts) -> str:
    """Name the state and since when; what is learned from it afterwards is no state of the trouble."""
    incident = facts.incident
    again = [entry.at for entry in facts.entries if entry.subject == incident.key and entry.kind in _AGAIN]
    investigated = again[-1] if again else incident.acknowledged_at
    at = {
        Status.DECLARED: incident.declared_at, Status.INVESTIGATING: investigated,
        Status.IDENTIFIED: incident.identified_at, Status.MITIGATED: incident.mitigated_at,
        Status.RESOLVED: incident.resolved_at, Status.POSTMORTEM: incident.resolved_at,
        Status.STOOD_DOWN: incident.ended_at, Status.MERGED: incident.ended_at,
    }.get(incident.status)  # fmt: skip
    since = f" since {instant(at)}" if at else ""
    if incident.status is Status.POSTMORTEM:
        return f"{Status.RESOLVED}{since} (its postmortem is being written)"
    return incident.status.value.replace("_", " ") + since


def _detected_by(incident: Incident) -> str:
    return said(incident.declared_by) if incident.trigger is Trigger.MANUAL else "an alert"


def _people(facts: IncidentFacts) -> str:
    found = [*(_holder(role, facts.incident) for role in Role)]
    if facts.next_commander:
        found.append(f"Next {Role.INCIDENT_COMMANDER.title}, asked and not yet there: {said(facts.next_commander)}")
    return " | ".join(filter(None, found))


def _holder(role: Role, incident: Incident) -> str:
    """Say who has a role, or had it last; '' for one that not every incident has and nobody was given."""
    ever = [one for one in incident.roles if one.role is role]
    own = next((one for one in ever if one.until is None), None)
    if own is not None:
        return f"{role.title} {person_in(own)}"
    if role not in MAIN:
        return ""
    lead = effective_holder(role, incident.roles)
    if lead:
        return f"{role.title} {said(lead)} (not delegated)"
    return f"{role.title} {person_in(ever[-1])}" if ever else f"{role.title} nobody yet"


def _promised(facts: IncidentFacts) -> str:
    """Say when each audience hears more."""
    due: list[tuple[datetime, str]] = sorted((it.due_at, it.audience.value) for it in facts.promises if it.due_at)
    return f"Next update: {', '.join(f'{audience} by {instant(at)}' for at, audience in due)}" if due else ""


def _where(facts: IncidentFacts) -> str:
    url = f"{facts.external_url}/incidents/{facts.incident.key}"
    rooms = f" | Followed in {said(', '.join(facts.rooms))}" if facts.rooms else ""
    return rooms + (f" | {link('Look at it', url)}" if facts.external_url else "")


def _warnings(facts: IncidentFacts) -> list[str]:
    incident, found = facts.incident, []
    here = [one.person for one in facts.people if one.joined_at and not one.released_at]
    alone = not_apart(incident.roles, here, facts.rank) if incident.status in ACTIVE else ""
    if alone:
        found.append(f"**{said(alone)} commands and leads operations although others are here.**")
    if facts.version:
        last = max((entry.at for entry in facts.entries), default=incident.declared_at)
        found.append(f"**This is {facts.version}: as it stood at {instant(last)}.**")
    return [*found, DRILL] if incident.drill else found
