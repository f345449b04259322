"""The document of an incident at the API: as it is, as it stood, and which versions there are."""

from __future__ import annotations

from aiohttp import web

from incidentd import document
from incidentd.access import Right
from incidentd.errors import BadRequest
from incidentd.store import facts, subjects, views
from incidentd.store.views import speakable
from incidentd.web.answers import json_answer, markdown_or_json
from incidentd.web.bodies import read_ask
from incidentd.web.house import HOUSE, Route


async def incident_document(request: web.Request) -> web.Response:
    """Give the incident document as Markdown; `version` asks for it as it stood."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    asked = _version(request)
    if asked is None:
        known = await house.store.read(facts.incident_facts, house.settings, number)
    else:
        known = await house.store.read(facts.facts_at, house.settings, number, asked)
    own = [entry.seq for entry in known.entries if entry.subject == known.incident.key]
    value = {"incident": known.incident.key, "version": max(own, default=0)}
    return markdown_or_json(request, document.render(known), value)


def _version(request: web.Request) -> int | None:
    unknown = [name for name in request.query if name != "version"]
    if unknown:
        raise BadRequest(f"there is no parameter {unknown[0][:40]!r} here; there is version")
    given = request.query.getall("version", [])
    if not given:
        return None
    if len(given) > 1 or not (given[0].isascii() and given[0].isdigit() and len(given[0]) <= 9):
        raise BadRequest("`version` is one number, as the list of versions has it")
    return int(given[0])


async def versions(request: web.Request) -> web.Response:
    """List the versions of the document, oldest first: each entry of the timeline makes one."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    ask = read_ask(request)
    if ask.state:
        raise BadRequest("a version has no state")
    await house.store.read(subjects.get_incident, number)
    found = await house.store.read(views.timeline, f"INC-{number}", ask)
    listed = [
        {"version": it["seq"], "at": it["at"], "by": it["actor"], "via": it["via"], "said": it["text"]}
        for it in found.items
    ]
    return json_answer({"versions": listed, "next": found.next})


ROUTES = (
    Route("GET", "/api/v1/incidents/{id}/document", incident_document, Right.READ),
    Route("GET", "/api/v1/incidents/{id}/document/versions", versions, Right.READ),
)
