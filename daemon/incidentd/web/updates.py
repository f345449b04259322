"""The API of updates: what each audience was promised and told, drafts, sending, approving; and the outside status."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated

import msgspec
from aiohttp import hdrs, web

from incidentd.access import Right, allows
from incidentd.durations import parse_duration
from incidentd.engine import updates
from incidentd.engine.updates import Asking
from incidentd.engine.updates.showing import finding_shape, update_shape
from incidentd.errors import BadRequest
from incidentd.store.views import speakable
from incidentd.store.views.shapes import plain
from incidentd.updates import Audience
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class _Do(msgspec.Struct, forbid_unknown_fields=True):
    """Who asks, and how many updates the audience had when they looked."""

    by: Word = ""
    expected_version: int | None = None


class _Send(_Do, forbid_unknown_fields=True, kw_only=True):
    audience: Word
    text: Text = ""
    next: Word = ""


class _Skip(_Do, forbid_unknown_fields=True, kw_only=True):
    audience: Word
    reason: Text
    next: Word = ""


class _Cadence(_Do, forbid_unknown_fields=True, kw_only=True):
    audience: Word
    reason: Text
    every: Word = ""
    long: bool = False


async def shown(request: web.Request) -> web.Response:
    """Say what each audience of an incident was promised and told."""
    house = request.app[HOUSE]
    return json_answer(await house.store.read(updates.shown, house.settings, _incident(request)))


async def prepared(request: web.Request) -> web.Response:
    """Write a draft for an audience, with what to look at in it; `audience` is internal if not given."""
    house = request.app[HOUSE]
    audience = _audience(request.query.get("audience", Audience.INTERNAL))
    return json_answer(await house.store.read(updates.prepared, house.settings, _incident(request), audience))


async def send(request: web.Request) -> web.Response:
    """Tell an audience something, and when it is told next; without a text, the draft."""
    house, fields = request.app[HOUSE], await read_fields(request, _Send)
    made, found = await house.store.write(
        updates.send_update, house.settings, _incident(request), audience=_audience(fields.audience),
        asking=_asking(request, fields), text=fields.text, next_in=_length(fields.next, "next"),
    )  # fmt: skip
    return json_answer({**update_shape(made), "findings": [finding_shape(it) for it in found]}, 201)


async def skip(request: web.Request) -> web.Response:
    """Leave an update out, with a reason; the next one is promised."""
    house, fields = request.app[HOUSE], await read_fields(request, _Skip)
    made = await house.store.write(
        updates.skip_update, house.settings, _incident(request), audience=_audience(fields.audience),
        asking=_asking(request, fields), reason=fields.reason, next_in=_length(fields.next, "next"),
    )  # fmt: skip
    return json_answer(update_shape(made), 201)


async def cadence(request: web.Request) -> web.Response:
    """Change how often an audience of an incident is told, with a reason."""
    house, fields = request.app[HOUSE], await read_fields(request, _Cadence)
    changed = await house.store.write(
        updates.change_cadence, house.settings, _incident(request), audience=_audience(fields.audience),
        asking=_asking(request, fields), reason=fields.reason, every=_length(fields.every, "every"), long=fields.long,
    )  # fmt: skip
    return json_answer({**plain(changed), "incident_id": f"INC-{changed.incident_id}"})


async def approve(request: web.Request) -> web.Response:
    """Let an update go out that waits for the Incident Commander."""
    house, fields = request.app[HOUSE], await read_fields(request, _Do)
    number = speakable(request.match_info["id"], "UPD")
    made = await house.store.write(
        updates.approve_update, house.settings, number, asking=_asking(request, fields)
    )  # fmt: skip
    return json_answer(update_shape(made))


async def outside(request: web.Request) -> web.Response:
    """Say what people outside were told in the last week, for status pages; nothing else. Answers to If-None-Match."""
    house = request.app[HOUSE]
    answer = json_answer(await house.store.read(updates.outside, house.settings))
    body = answer.body
    tag = hashlib.sha256(body if isinstance(body, bytes) else b"").hexdigest()[:32]
    wanted = {it.strip().removeprefix("W/") for it in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")}
    if f'"{tag}"' in wanted or "*" in wanted:
        answer = web.Response(status=304)
    answer.headers[hdrs.ETAG] = f'"{tag}"'
    answer.headers[hdrs.CACHE_CONTROL] = "no-cache"
    return answer


def _incident(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


def _audience(text: str) -> Audience:
    if text not in set(Audience):
        raise BadRequest(f"there is no audience {text[:40]!r}; there are {', '.join(Audience)}")
    return Audience(text)


def _length(text: str, key: str) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise BadRequest(f"`{key}`: {error}") from None


def _asking(request: web.Request, fields: _Do) -> Asking:
    """Say who asks, and whether they may whatever their standing: an admin's token, or nobody in particular."""
    caller = request[CALLER]
    admin = allows(caller.scopes, Right.ADMIN) and not (caller.local and fields.by)
    return Asking(actor=actor(request, fields.by), admin=admin, expected_version=fields.expected_version)


ROUTES = (
    Route("GET", "/api/v1/status-page", outside, Right.READ),
    Route("GET", "/api/v1/incidents/{id}/updates", shown, Right.READ),
    Route("GET", "/api/v1/incidents/{id}/updates/draft", prepared, Right.READ),
    Route("POST", "/api/v1/incidents/{id}/updates", send, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/updates/skip", skip, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/updates/cadence", cadence, Right.RESPOND),
    Route("POST", "/api/v1/updates/{id}/approve", approve, Right.RESPOND),
)
