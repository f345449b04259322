"""What a postmortem needs before other people read it, with whom it is about."""

from __future__ import annotations

from typing import Any

from incidentd import postmortem
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things, views

_PEOPLE = ("api", "link", "cli")
"""The means by which people act."""


def findings(tx: Tx, settings: Settings, incident_id: int) -> dict[str, Any]:
    """Check the postmortem of an incident. Raises NotFound, with what is missing: the incident or its postmortem."""
    text = views.postmortem(tx, incident_id)
    found = postmortem.check(text["markdown"], people_of(tx, settings, subjects.get_incident(tx, incident_id)))
    return {
        "incident": text["incident"], "state": text["state"], "passes": postmortem.passes(found),
        "counts": postmortem.counts(found), "findings": [postmortem.written(it) for it in found],
    }  # fmt: skip


def people_of(tx: Tx, settings: Settings, incident: Incident) -> set[str]:
    """Gather the handles and names of everybody who had a part in an incident, and in the hold that it was before."""
    keys = [f"HOLD-{incident.hold_id}", incident.key] if incident.hold_id is not None else [incident.key]
    handles = {incident.declared_by} | {one.person for one in incident.roles}
    for key in keys:
        for page in things.pages_of(tx, key):
            handles |= {*page.paged, page.acked_by}
        handles |= {entry.actor.name for entry in chain.entries(tx, key) if entry.actor.via in _PEOPLE}
    known = settings.roster.people
    return {name for handle in handles for name in (handle, known[handle].name if handle in known else "") if name}
