"""The receiver: Alertmanager's webhook. Checked at the door, stored durably, and only then answered.

Alertmanager tries again after 5xx and broken connections alone. So whatever is our own trouble is 503, and there is no
redirect and no 429 on this path; 4xx is for what would be wrong the next time too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from incidentd.alerts import LARGEST_BODY, check_body
from incidentd.errors import BodyRefused, NotAllowed, StoreUnavailable
from incidentd.settings import DEFAULT_SOURCE
from incidentd.web.answers import PayloadRefused
from incidentd.web.bodies import read_body
from incidentd.web.house import HOUSE, INGEST, House, Route
from incidentd.web.signatures import check_signature

MOST_IN_FLIGHT = 256 * 1024 * 1024
"""Bytes of bodies that are read at once; more of them are asked to come again, before memory runs out."""
_LARGE = 256 * 1024


@dataclass(slots=True)
class InFlight:
    """How many bytes of bodies are being taken in."""

    size: int = 0


_STORED = b'{"status":"stored"}'
IN_FLIGHT: web.AppKey[InFlight] = web.AppKey("in_flight", InFlight)


def source_of(request: web.Request) -> str:
    """Name the source whose alerts a request delivers."""
    return request.match_info.get("source", DEFAULT_SOURCE)


async def receive(request: web.Request) -> web.Response:
    """Take one body."""
    house = request.app[HOUSE]
    metrics = house.metrics
    began = asyncio.get_running_loop().time()
    result = "unavailable"
    try:
        if why := house.not_ready():
            raise StoreUnavailable(f"not ready: {why}")
        if why := house.overloaded():
            raise StoreUnavailable(f"overloaded: {why}")
        body = await _read(request)
        # a large body is checked beside the loop, which must go on answering
        if len(body) > _LARGE:
            await asyncio.to_thread(_check, house, request, body)
        else:
            _check(house, request, body)
        await house.store.append(source_of(request), body)
        result = "accepted"
    except PayloadRefused as error:
        result = "too_large" if error.status == 413 else "refused"
        raise
    except BodyRefused:
        result = "refused"
        raise
    except NotAllowed:
        result = "unauthorized"
        metrics.auth_failures_total.inc()
        raise
    finally:
        metrics.webhook_requests_total.labels(result=result).inc()
    metrics.webhook_duration_seconds.observe(asyncio.get_running_loop().time() - began)
    metrics.webhook_last_received_timestamp_seconds.set(house.now().timestamp())
    return web.Response(body=_STORED, content_type="application/json")


def _check(house: House, request: web.Request, body: bytes) -> None:
    """Check who signed a body before anything in it is looked at, and then whether it is one."""
    check_signature(request, body, house.now())
    check_body(body)


async def _read(request: web.Request) -> bytes:
    in_flight = request.app[IN_FLIGHT]
    size = min(LARGEST_BODY if request.content_length is None else request.content_length, LARGEST_BODY)
    if in_flight.size + size > MOST_IN_FLIGHT:
        raise StoreUnavailable("too many bodies come at once")
    in_flight.size += size
    try:
        return await read_body(request)
    finally:
        in_flight.size -= size


ROUTES = tuple(
    Route(method, path, receive, INGEST)
    for path in (
        "/api/v1/alertmanager",
        "/api/v1/alertmanager/",
        "/api/v1/alertmanager/{source}",
        "/api/v1/alertmanager/{source}/",
    )
    for method in ("POST", "PUT")
)
