"""Probes, reload and metrics, with the paths that Prometheus has for them."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import hdrs, web

from incidentd.access import Right
from incidentd.errors import ConfigError, StoreUnavailable
from incidentd.store.views import state_counts
from incidentd.web.answers import json_answer
from incidentd.web.house import HOUSE, House, Route

log = logging.getLogger(__name__)

STATE_DEADLINE = 2.0
"""Seconds that a scrape waits for the store to count; then the figures are those of the scrape before."""


async def healthy(_: web.Request) -> web.Response:
    """Say that the loop runs: whoever can answer is alive."""
    return web.Response(text="incidentd is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """Say whether alerts should be sent here."""
    house = request.app[HOUSE]
    if why := house.not_ready() or house.unwell():
        return web.Response(text=f"incidentd is not ready: {why}\n", status=503)
    return web.Response(text="incidentd is ready.\n")


async def reload(request: web.Request) -> web.Response:
    """Read the operator's files anew, all or nothing."""
    try:
        await request.app[HOUSE].reload()
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems]
        return json_answer({"error": "the old configuration stays; the files hold mistakes", "problems": problems}, 500)
    return json_answer({"status": "reloaded"})


class Scrapes:
    """Lets scrapes that come at once share what is counted and written after they came: many cost little more than one.

    Writing all metrics takes the loop longer than a webhook does, which would wait for each scrape in front of it.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._begun = 0
        self._written: dict[bool, tuple[bytes, str]] = {}
        """What was written last, by whether it is OpenMetrics."""

    async def give(self, house: House, accept: str) -> tuple[bytes, str]:
        """Give the figures as they are now: the body and its content type."""
        came_after = self._begun
        async with self._one_at_a_time:
            if self._begun == came_after:
                self._begun += 1
                self._written.clear()
                await _count(house)
            kind = house.metrics.is_openmetrics(accept)
            if kind not in self._written:
                self._written[kind] = house.metrics.render(accept)
            return self._written[kind]


SCRAPES: web.AppKey[Scrapes] = web.AppKey("scrapes", Scrapes)


async def _count(house: House) -> None:
    try:
        async with asyncio.timeout(STATE_DEADLINE):
            house.metrics.set_state(await house.store.read(state_counts))
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("a scrape shows older figures of what lasts: %s", str(error) or "the store was too slow")


async def metrics(request: web.Request) -> web.Response:
    """Give the figures, whatever the store does."""
    app = request.app
    body, content_type = await app[SCRAPES].give(app[HOUSE], request.headers.get(hdrs.ACCEPT, ""))
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})


ROUTES = (
    Route("GET", "/-/healthy", healthy, Right.PUBLIC),
    Route("GET", "/-/ready", ready, Right.PUBLIC),
    Route("POST", "/-/reload", reload, Right.ADMIN),
    Route("PUT", "/-/reload", reload, Right.ADMIN),
    Route("GET", "/metrics", metrics, Right.PUBLIC),
)
