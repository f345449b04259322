"""The report on practice: for programs, and as a page. It reads and changes nothing."""

from __future__ import annotations

from aiohttp import web

from incidentd.access import Right
from incidentd.engine import reporting
from incidentd.errors import BadRequest
from incidentd.report import Report, writing
from incidentd.web.answers import markdown_or_json
from incidentd.web.house import HOUSE, Route, external_url
from incidentd.web.html import page


async def found(request: web.Request) -> web.Response:
    """Give the report as Markdown or as JSON."""
    made = await _made(request)
    return markdown_or_json(
        request, writing.to_markdown(made, external_url(request.app[HOUSE].settings)), writing.as_data(made)
    )


async def show(request: web.Request) -> web.Response:
    """Show the report as a page."""
    made = await _made(request)
    return page(
        request, "report.html", found=made, parts=writing.parts(made), headline=writing.headline(made),
        place_of=writing.place_of,
    )  # fmt: skip


async def _made(request: web.Request) -> Report:
    house, query = request.app[HOUSE], request.query
    unknown = [name for name in query if name != "since"]
    if unknown:
        raise BadRequest(f"there is no parameter {unknown[0][:40]!r} here; there is since")
    if len(query.getall("since", [])) > 1:
        raise BadRequest("the parameter 'since' may be given once")
    return await house.store.read(reporting.found, house.settings, reporting.span(query.get("since", "")))


ROUTES = (
    Route("GET", "/api/v1/report", found, Right.READ),
    Route("GET", "/report", show, Right.READ),
)
