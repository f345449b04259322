"""Who has which role, who was asked and who works on an incident, as the API and the document show it."""

from __future__ import annotations

from typing import Any

from incidentd.incidents import Incident
from incidentd.roles import MAIN, Offer, Participant, Role, effective_holder
from incidentd.roles import holder as own_holder
from incidentd.roles import since as held_since
from incidentd.store import Tx, participants, subjects
from incidentd.store import roles as stored
from incidentd.store.views.shapes import plain


def shown(tx: Tx, incident_id: int) -> dict[str, Any]:
    """Read the roles of an incident, what they were before, the questions and the people. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    return {
        "id": incident.key,
        "version": incident.version,
        "roles": [_role_shape(incident, role) for role in Role if role in MAIN or own_holder(role, incident.roles)],
        "offers": [offer_shape(one) for one in stored.offers(tx, incident_id)],
        "history": [{**plain(one), "role": one.role.short} for one in incident.roles],
        "people": [people_shape(one) for one in participants.everybody(tx, incident_id)],
    }


def _role_shape(incident: Incident, role: Role) -> dict[str, Any]:
    own = own_holder(role, incident.roles)
    return {
        "role": role.short, "title": role.title, "holder": effective_holder(role, incident.roles),
        "delegated": bool(own), "since": plain(held_since(role, incident.roles)),
    }  # fmt: skip


def offer_shape(offer: Offer) -> dict[str, Any]:
    """Write a question as the API gives it."""
    return {**plain(offer), "id": offer.key, "incident_id": f"INC-{offer.incident_id}", "role": offer.role.short}


def people_shape(one: Participant) -> dict[str, Any]:
    """Write somebody's part as the API gives it."""
    found: dict[str, Any] = plain(one)
    return {name: value for name, value in found.items() if name not in ("id", "incident_id")}
