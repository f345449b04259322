"""The board of each role as a page, for a telephone at 03:00: what is due next first. It reads and changes nothing."""

from __future__ import annotations

from aiohttp import web

from incidentd.access import Right
from incidentd.board import Surface
from incidentd.engine import surfaces
from incidentd.errors import NotFound
from incidentd.roles import effective_holder
from incidentd.store.views import speakable
from incidentd.web.around import silenced
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page


async def show(request: web.Request) -> web.Response:
    """Show what one role of an incident has to see."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    whose = _surface(request.match_info["role"])
    found = await house.store.read(surfaces.seen, house.settings, number, whose)
    it = found.incident
    silences = await silenced(house, it.key) if whose is Surface.OL else []
    roles = [(one, effective_holder(one.role, it.roles)) for one in Surface]
    return page(
        request, f"board_{whose}.html", seen=found, it=it, board=found.board, whose=whose, roles=roles, now=found.at,
        silences=silences,
    )  # fmt: skip


def _surface(text: str) -> Surface:
    if text.lower() not in set(Surface):
        raise NotFound(f"there is no board {text[:40]!r}; there are {', '.join(Surface)}")
    return Surface(text.lower())


ROUTES = (Route("GET", "/incidents/{id}/board/{role}", show, Right.READ),)
