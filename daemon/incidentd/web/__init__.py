"""The front door: receiver, API, console, action links and probes, and who may use which of them.

Every route stands in a table with the right that it asks for; one without is refused when the application is made, and
whatever has no route has no answer but 404.
"""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from incidentd.access import Right
from incidentd.alerts import LARGEST_BODY
from incidentd.errors import NotAllowed, NotFound
from incidentd.web import (
    actionlinks,
    api,
    around,
    backlog,
    boards,
    calendars,
    changes,
    communication,
    console,
    documents,
    handovers,
    library,
    lifecycle,
    oncall,
    pictures,
    playbooks,
    postmortempages,
    postmortems,
    probes,
    reaching,
    receiver,
    records,
    reports,
    roles,
    tokens,
    updates,
)
from incidentd.web.answers import answer_errors
from incidentd.web.callers import CALLER, GATE, Gate, refuse_open_listening, refuse_other_sites
from incidentd.web.house import HOUSE, INGEST, Handler, House, Route
from incidentd.web.html import guard_headers
from incidentd.web.receiver import IN_FLIGHT, InFlight
from incidentd.web.serving import SILENT, change_context, serve

__all__ = ["ROUTES", "House", "Route", "change_context", "make_app", "refuse_open_listening", "serve"]

ROUTES: tuple[Route, ...] = (
    *receiver.ROUTES, *api.ROUTES, *around.ROUTES, *documents.ROUTES, *communication.ROUTES, *changes.ROUTES,
    *lifecycle.ROUTES, *records.ROUTES, *roles.ROUTES, *updates.ROUTES, *oncall.ROUTES,
    *calendars.ROUTES, *reaching.ROUTES, *tokens.ROUTES, *pictures.ROUTES, *playbooks.ROUTES, *probes.ROUTES,
    *actionlinks.ROUTES, *console.ROUTES, *boards.ROUTES, *backlog.ROUTES, *postmortems.ROUTES, *library.ROUTES,
    *postmortempages.ROUTES, *handovers.ROUTES, *reports.ROUTES,
)  # fmt: skip

_Rights = dict[web.AbstractRoute, Right | Literal["ingest"]]
_RIGHTS: web.AppKey[_Rights] = web.AppKey("rights", dict)


def make_app(house: House, routes: tuple[Route, ...] = ROUTES) -> web.Application:
    """Make the application of a house. Raises ValueError when a route's right is missing or unknown."""
    app = web.Application(middlewares=[answer_errors, _let_in], client_max_size=LARGEST_BODY)
    rights: _Rights = {}
    for route in routes:
        if not (isinstance(route.right, Right) or route.right == INGEST):
            raise ValueError(f"{route.method} {route.path} says nothing of who may use it")
        for method in (route.method, "HEAD") if route.method == "GET" else (route.method,):
            rights[app.router.add_route(method, route.path, route.handler)] = route.right
    app[_RIGHTS] = rights
    app[HOUSE] = house
    app[GATE] = Gate(house)
    app[IN_FLIGHT] = InFlight()
    app[SILENT] = {}
    app[probes.SCRAPES] = probes.Scrapes()
    app.on_response_prepare.append(guard_headers)
    return app


@web.middleware
async def _let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask of the caller the right that the route's table entry names; without an entry, nobody passes."""
    app = request.app
    app[SILENT].pop(request.protocol, None)
    if request.match_info.http_exception is not None:
        return await handler(request)
    right = app[_RIGHTS].get(request.match_info.route)
    try:
        if right is None:
            raise NotAllowed("nobody may use this route", authenticated=True)
        refuse_other_sites(request, app[HOUSE].settings, link=request.match_info.handler is actionlinks.act)
        if right == INGEST:
            request[CALLER] = await app[GATE].deliverer(request, receiver.source_of(request))
        elif right is not Right.PUBLIC:
            request[CALLER] = await app[GATE].caller(request, right)
    except (NotAllowed, NotFound) as error:
        refused = isinstance(error, NotAllowed)
        if refused:
            app[HOUSE].metrics.auth_failures_total.inc()
        if right == INGEST:
            result = "unauthorized" if refused else "unknown_source"
            app[HOUSE].metrics.webhook_requests_total.labels(result=result).inc()
        raise
    return await handler(request)
