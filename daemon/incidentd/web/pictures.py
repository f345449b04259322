"""Graphs of holds and incidents: which there are, and each as a picture."""

from __future__ import annotations

from aiohttp import web

from incidentd.access import Right
from incidentd.errors import NotFound
from incidentd.store import graphs, subjects
from incidentd.store.views import speakable
from incidentd.text import iso, plain
from incidentd.web.answers import json_answer
from incidentd.web.house import HOUSE, Route, external_url


async def of_incident(request: web.Request) -> web.Response:
    """List the graphs of an incident, each with the address of its picture."""
    number = speakable(request.match_info["id"], "INC")
    await request.app[HOUSE].store.read(subjects.get_incident, number)
    return await _listed(request, f"incidents/INC-{number}")


async def of_hold(request: web.Request) -> web.Response:
    """List the graphs of a hold, each with the address of its picture."""
    number = speakable(request.match_info["id"], "HOLD")
    await request.app[HOUSE].store.read(subjects.get_hold, number)
    return await _listed(request, f"holds/HOLD-{number}")


async def _listed(request: web.Request, place: str) -> web.Response:
    house = request.app[HOUSE]
    found = await house.store.read(graphs.of, place.rpartition("/")[2])
    base = external_url(house.settings)
    return json_answer(
        {
            "graphs": [
                {
                    "number": it.number, "title": it.title, "drawn_at": iso(it.at),
                    "url": f"{base}/{place}/graphs/{it.number}",
                }
                for it in found
            ]
        }
    )  # fmt: skip


async def picture(request: web.Request) -> web.Response:
    """Give a graph of an incident as SVG."""
    return await _picture(request, f"INC-{speakable(request.match_info['id'], 'INC')}")


async def picture_of_hold(request: web.Request) -> web.Response:
    """Give a graph of a hold as SVG."""
    return await _picture(request, f"HOLD-{speakable(request.match_info['id'], 'HOLD')}")


async def _picture(request: web.Request, subject: str) -> web.Response:
    """Answer with a picture; it has neither scripts nor styles, so the careful headers of every answer fit it."""
    asked = request.match_info["number"]
    if not asked.isascii() or not asked.isdigit() or len(asked) > 3:
        raise NotFound(f"there is no graph {plain(asked, 20)!r}; they have numbers")
    found = await request.app[HOUSE].store.read(graphs.picture, subject, int(asked))
    return web.Response(text=found, content_type="image/svg+xml", charset="utf-8")


ROUTES = (
    Route("GET", "/api/v1/incidents/{id}/graphs", of_incident, Right.READ),
    Route("GET", "/api/v1/holds/{id}/graphs", of_hold, Right.READ),
    Route("GET", "/incidents/{id}/graphs/{number}", picture, Right.READ),
    Route("GET", "/holds/{id}/graphs/{number}", picture_of_hold, Right.READ),
)
