"""What stands around an incident: where to look at it, past ones that are like it, silences of its alerts."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from incidentd.access import Right
from incidentd.document import Alike
from incidentd.handoff import Silence
from incidentd.store import Tx, facts
from incidentd.store.views import speakable
from incidentd.store.views.shapes import plain
from incidentd.text import iso
from incidentd.web.answers import json_answer
from incidentd.web.house import HOUSE, House, Route, external_url


async def around(request: web.Request) -> web.Response:
    """Give links with the right time, similar past incidents, and who silenced its alerts until when."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    known = await house.store.read(facts.incident_facts, house.settings, number)
    silences = await silenced(house, known.incident.key)
    base = external_url(house.settings)
    return json_answer(
        {
            "incident": known.incident.key,
            "time": {"from": iso(known.span.start), "to": iso(known.span.end)},
            "links": plain(known.pointers),
            "similar": [_alike(one, base) for one in known.alike],
            "silences": None if silences is None else [_silence(it) for it in silences],
        }
    )


async def silenced(house: House, subject: str) -> list[Silence] | None:
    """List the silences of the alerts of a hold or incident; None when nobody says."""
    labels = await house.store.read(_labels, subject)
    found = await house.silences()
    return None if found is None else [it for it in found if _concerns(it, labels)]


def _labels(tx: Tx, subject: str) -> list[dict[str, str]]:
    return [dict(row.labels) for row in facts.alerts_of(tx, subject)]


def _concerns(silence: Silence, alerts: list[dict[str, str]]) -> bool:
    return any(silence.mutes(labels) for labels in alerts)


def _silence(it: Silence) -> dict[str, Any]:
    return {"id": it.id, "matchers": it.matchers, "ends_at": iso(it.ends_at), "by": it.by, "comment": it.comment}


def _alike(one: Alike, base: str) -> dict[str, Any]:
    it = one.incident
    return {
        "id": it.key, "title": it.title, "severity": it.severity, "declared_at": iso(it.declared_at),
        "mitigated_at": iso(it.mitigated_at), "resolved_at": iso(it.resolved_at), "alike_in": list(one.why),
        "cause": it.cause, "fixed_by": one.fixed_by, "playbooks": list(one.helped),
        "action_items": [
            {"id": item.key, "title": item.title, "state": item.state.value, "jira_url": item.jira_url}
            for item in one.items
        ],
        "url": f"{base}/incidents/{it.key}",
    }  # fmt: skip


ROUTES = (Route("GET", "/api/v1/incidents/{id}/context", around, Right.READ),)
