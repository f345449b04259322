"""The console: what is happening now, for a browser. It reads and changes nothing."""

from __future__ import annotations

from importlib import resources

from aiohttp import hdrs, web

from incidentd import document
from incidentd.access import Right
from incidentd.settings import Settings
from incidentd.store import Tx, around, facts, graphs, subjects, views
from incidentd.store.views import Ask, speakable
from incidentd.text import iso
from incidentd.web.around import silenced
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
    drawn = await house.store.read(graphs.of, f"INC-{number}")
    silences = await silenced(house, f"INC-{number}")
    return page(
        request, "incident.html", it=found, document=document.render(known), graphs=drawn, known=known,
        silences=silences, now=house.now(),
    )  # fmt: skip


async def hold(request: web.Request) -> web.Response:
    """Show a hold and its timeline."""
    house = request.app[HOUSE]
    number = speakable(request.match_info["id"], "HOLD")
    found = await house.store.read(views.hold, number)
    story = await house.store.read(views.timeline, f"HOLD-{number}", Ask(limit=1000))
    pointers, before = await house.store.read(_around, house.settings, number)
    silences = await silenced(house, f"HOLD-{number}")
    drawn = await house.store.read(graphs.of, f"HOLD-{number}")
    return page(
        request, "hold.html", it=found, entries=story.items, pointers=pointers, silences=silences, graphs=drawn,
        before=before, now=house.now(),
    )  # fmt: skip


def _around(
    tx: Tx, settings: Settings, number: int
) -> tuple[tuple[document.Pointer, ...], document.Alike | None]:  # fmt: skip
    it = subjects.get_hold(tx, number)
    return facts.pointers_of(tx, settings, it), around.before(tx, it)


async def called(request: web.Request) -> web.Response:
    """Show a page and its timeline; of a summary page also what guards refused, and what it calls for."""
    house = request.app[HOUSE]
    number = speakable(request.match_info["id"], "PAGE")
    found = await house.store.read(views.page, number)
    story = await house.store.read(views.timeline, found["subject"], Ask(limit=1000))
    return page(request, "page.html", it=found, entries=story.items)


async def style(_: web.Request) -> web.Response:
    """Give the one style sheet."""
    return web.Response(
        body=_STYLE, content_type="text/css", charset="utf-8", headers={hdrs.CACHE_CONTROL: "max-age=3600"}
    )


ROUTES = (
    Route("GET", "/", now, Right.READ),
    Route("GET", "/incidents/{id}", incident, Right.READ),
    Route("GET", "/holds/{id}", hold, Right.READ),
    Route("GET", "/pages/{id}", called, Right.READ),
    Route("GET", "/static/style.css", style, Right.PUBLIC),
)
