"""Updates for whoever looks: how each audience stands, a draft, and what people outside may know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incidentd.engine.updates.common import facts, plan_of
from incidentd.engine.updates.telling import findings, version_of
from incidentd.settings import Settings
from incidentd.store import Tx, subjects
from incidentd.store import updates as stored
from incidentd.store.views.shapes import plain as jsonable
from incidentd.updates import Audience, Finding, Update, draft, longest, phase_of, with_promise

SHOWN_FOR = timedelta(days=7)
"""How long what people outside were told stays on the status after the last word."""


def update_shape(it: Update) -> dict[str, Any]:
    """Write a text for the API, its ids speakable."""
    written: dict[str, Any] = jsonable(it)
    return {**written, "id": it.key, "incident_id": f"INC-{it.incident_id}"}


def finding_shape(it: Finding) -> dict[str, Any]:
    """Write a finding for the API."""
    written: dict[str, Any] = jsonable(it)
    return written


def shown(tx: Tx, settings: Settings, incident_id: int) -> dict[str, Any]:
    """Say how each audience of an incident stands, and what it was told, the newest first. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    promises = stored.promises(tx, incident.id)
    audiences = [
        {
            "audience": it.audience.value, "due_at": jsonable(it.due_at), "overdue": it.is_overdue(tx.now),
            "sent": it.sent, "version": version_of(tx, it), "last_at": jsonable(it.last_at), "long": it.long,
            "approval": bool((plan := settings.updates.audiences.get(it.audience)) and plan.approval),
        }
        for it in promises.values()
    ]  # fmt: skip
    texts = [update_shape(it) for it in stored.of_incident(tx, incident.id)]
    return {"id": incident.key, "audiences": audiences, "updates": texts}


def prepared(tx: Tx, settings: Settings, incident_id: int, audience: Audience) -> dict[str, Any]:
    """Write a draft from what is known now, with what to look at in it. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    plan = plan_of(settings, audience)
    text = draft(facts(tx, settings, incident), audience, tx.now)
    promise = stored.promises(tx, incident.id).get(audience)
    wait = longest(promise, plan.cadence(incident.severity), declared_at=incident.declared_at, now=tx.now) if (
        promise is not None
    ) else None  # fmt: skip
    return {
        "id": incident.key, "audience": audience.value, "phase": phase_of(incident.status).value, "text": text,
        "next_in": jsonable(wait), "version": version_of(tx, promise) if promise else 0,
        "last_text": promise.last_text if promise else "",
        "findings": [finding_shape(it) for it in findings(tx, settings, incident, audience, text)],
    }  # fmt: skip


def outside(tx: Tx, settings: Settings) -> dict[str, Any]:
    """Say what people outside may know: only what was sent to them, as it was sent, the newest first."""
    found: dict[int, list[Update]] = {}
    if Audience.EXTERNAL in settings.updates.audiences:
        for it in stored.sent_outside(tx, tx.now - SHOWN_FOR):
            found.setdefault(it.incident_id, []).append(it)
    return {
        "incidents": [
            {
                "id": f"INC-{number}", "status": told[0].phase.value, "updated_at": jsonable(told[0].at),
                "next_update_by": jsonable(told[0].next_at),
                "updates": [
                    {
                        "id": it.key, "at": jsonable(it.at), "status": it.phase.value,
                        "text": with_promise(it.text, it.next_at, it.at),
                    }
                    for it in told
                ],
            }
            for number, told in found.items()
        ]
    }  # fmt: skip
