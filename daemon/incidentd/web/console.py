"""The console: what is happening now, for a browser. It reads and changes nothing."""

from __future__ import annotations

from importlib import resources

from aiohttp import hdrs, web

from incidentd import document
from incidentd.access import Right
from incidentd.store import facts, views
from incidentd.store.views import Ask, speakable
from incidentd.text import iso
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page

_STYLE = resources.files("incidentd.web").joinpath("static/style.css").read_bytes()


async def now(request: web.Request) -> web.Response:
    """Show what is happening now."""
    house = request.app[HOUSE]
    found = await house.store.read(views.overview)
    return page(request, "now.html", now=iso(house.now()), not_ready=house.not_ready(), seen=found)


async def incident(request: web.Request) -> web.Response:
    """Show an incident's document."""
    house = request.app[HOUSE]
    number = speakable(request.match_info["id"], "INC")
    known = await house.store.read(facts.incident_facts, house.settings, number)
    found = await house.store.read(views.incident, number)
    return page(request, "incident.html", it=found, document=document.render(known))


async def hold(request: web.Request) -> web.Response:
    """Show a hold and its timeline."""
    house = request.app[HOUSE]
    number = speakable(request.match_info["id"], "HOLD")
    found = await house.store.read(views.hold, number)
    story = await house.store.read(views.timeline, f"HOLD-{number}", Ask(limit=1000))
    return page(request, "hold.html", it=found, entries=story.items)


async def style(_: web.Request) -> web.Response:
    """Give the one style sheet."""
    return web.Response(
        body=_STYLE, content_type="text/css", charset="utf-8", headers={hdrs.CACHE_CONTROL: "max-age=3600"}
    )


ROUTES = (
    Route("GET", "/", now, Right.READ),
    Route("GET", "/incidents/{id}", incident, Right.READ),
    Route("GET", "/holds/{id}", hold, Right.READ),
    Route("GET", "/static/style.css", style, Right.PUBLIC),
)
