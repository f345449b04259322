"""Handovers for whoever looks."""

from __future__ import annotations

from typing import Any

from incidentd.handover import Handover, as_markdown, as_text
from incidentd.store import Tx, role_handovers, subjects
from incidentd.store.views.shapes import plain as jsonable


def handover_shape(it: Handover) -> dict[str, Any]:
    """Write an offer for the API, its ids speakable."""
    return {
        "id": it.key, "incident": f"INC-{it.incident_id}", "roles": [role.short for role in it.roles],
        "from": it.sender, "to": it.receiver, "state": it.state.value, "offered_by": it.offered_by,
        "offered_at": jsonable(it.offered_at), "answer_by": jsonable(it.answer_by), "ended_at": jsonable(it.ended_at),
        "ended_by": it.ended_by, "reason": it.reason, "observer_until": jsonable(it.observer_until),
        "text": as_text(it.message), "markdown": as_markdown(it.message),
    }  # fmt: skip


def shown(tx: Tx, incident_id: int) -> dict[str, Any]:
    """List the offers of an incident, the newest first. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    offers = reversed(role_handovers.of_incident(tx, incident.id))
    return {"id": incident.key, "handovers": [handover_shape(it) for it in offers]}
