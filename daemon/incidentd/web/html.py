"""Pages: templates with every value escaped, and the headers that keep a browser from doing more than show them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined

from incidentd.durations import about, countdown
from incidentd.text import beside_utc, count, in_zone, instant, near, plain
from incidentd.web.callers import CALLER
from incidentd.web.house import HOUSE

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@cache
def _templates(zone: str) -> Environment:
    """Make the templates for readers whose clock is that of this zone; the files say which zones there are."""
    made = Environment(
        loader=PackageLoader("incidentd.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "counted": count, "left": countdown, "lasting": about, "line": plain,
        "when": lambda at: instant(at := at and datetime.fromisoformat(at)) + in_zone(at, zone),
        "at": lambda at, now: near(at, now) + in_zone(at, zone),
        "beside_utc": lambda text, day: beside_utc(text, zone, day if isinstance(day, datetime) else _read(day)),
        "lines": lambda text: "\n".join(plain(it, 10_000) for it in text.splitlines()),
    }  # fmt: skip
    return made


def _read(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def zone_of(request: web.Request) -> str:
    """Name the time zone of whoever reads, as the people of the files have it; '' when that is UTC or not known."""
    caller = request.get(CALLER)
    person = request.app[HOUSE].settings.roster.people.get(caller.name) if caller else None
    return person.time_zone if person and person.time_zone != "UTC" else ""


def page(request: web.Request, template: str, /, *, status: int = 200, **values: Any) -> web.Response:
    """Render a page. Its addresses are relative, so that it works under whatever prefix a proxy puts before it."""
    up = "../" * (request.path.count("/") - 1)
    zone = zone_of(request)
    text = _templates(zone).get_template(template).render(up=up, zone=zone, **values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


async def guard_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers of a careful server on every answer."""
    headers = response.headers
    headers.update(request.app[HOUSE].settings.web.headers)
    headers[hdrs.SERVER] = "incidentd"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Content-Security-Policy"] = CSP
    if hdrs.CACHE_CONTROL not in headers:
        headers[hdrs.CACHE_CONTROL] = "no-store"
