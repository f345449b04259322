"""Pages: templates with every value escaped, and the headers that keep a browser from doing more than show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined

from incidentd.durations import about, countdown
from incidentd.text import count, instant, near, plain
from incidentd.web.house import HOUSE

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_templates = Environment(
    loader=PackageLoader("incidentd.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "counted": count, "when": lambda at: instant(at and datetime.fromisoformat(at)), "at": near, "left": countdown,
    "lasting": about, "line": plain, "lines": lambda text: "\n".join(plain(it, 10_000) for it in text.splitlines()),
}  # fmt: skip


def page(request: web.Request, template: str, /, *, status: int = 200, **values: Any) -> web.Response:
    """Render a page. Its addresses are relative, so that it works under whatever prefix a proxy puts before it."""
    up = "../" * (request.path.count("/") - 1)
    text = _templates.get_template(template).render(up=up, **values)
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
