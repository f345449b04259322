"""Reading a request: its body within bounds of size, time and kind, its JSON and its query with every word known."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from incidentd.alerts import LARGEST_BODY, clean
from incidentd.errors import BadRequest, StoreUnavailable
from incidentd.store.views import Ask
from incidentd.store.views.paging import MOST
from incidentd.web.answers import PayloadRefused

BODY_DEADLINE = 30.0
"""Seconds in which a whole body must have come; Alertmanager's own patience ends after ten or more."""
_LARGEST_REQUEST = 1024 * 1024

S = TypeVar("S", bound=msgspec.Struct)


async def read_body(request: web.Request, largest: int = LARGEST_BODY) -> bytes:
    """Read the body of a request.

    Raises PayloadRefused for one that is packed (415), too large (413) or cut off (400), and StoreUnavailable for one
    that comes too slowly: the sender should try again.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise PayloadRefused("send the body as it is, without Content-Encoding", 415)
    if (request.content_length or 0) > largest:
        raise PayloadRefused(f"the body is larger than {largest} bytes", 413)
    try:
        if request.content.is_eof():  # all of it came with the head, and nothing has to be waited for
            body = await request.read()
        else:
            async with asyncio.timeout(BODY_DEADLINE):
                body = await request.read()
    except TimeoutError:
        raise StoreUnavailable(f"the body did not come within {BODY_DEADLINE:.0f} seconds") from None
    except (web.RequestPayloadError, ConnectionError):
        raise PayloadRefused("the body ended early, or its framing is broken", 400) from None
    if len(body) > largest:
        raise PayloadRefused(f"the body is larger than {largest} bytes", 413)
    return body


async def read_fields(request: web.Request, kind: type[S]) -> S:
    """Read a JSON object with these fields and no others; an empty body is an empty object. Raises BadRequest.

    Control characters in its strings become U+FFFD, as they do in alerts.
    """
    body = await read_body(request, _LARGEST_REQUEST)
    try:
        fields = msgspec.json.decode(body or b"{}", type=kind)
        for name in kind.__struct_fields__:
            value = getattr(fields, name)
            if isinstance(value, str):
                setattr(fields, name, clean(value).strip())
        return fields
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        known = ", ".join(kind.__struct_encode_fields__)
        raise BadRequest(f"the body is a JSON object with fields out of {known}: {error}") from None


def read_ask(request: web.Request, *more: str) -> Ask:
    """Read what a list is asked for; `more` names what this list knows besides. Raises BadRequest for anything else."""
    known = ("state", "q", "limit", "cursor")
    for name in request.query:
        if name not in (*known, *more):
            raise BadRequest(f"there is no parameter {name[:40]!r} here; there are {', '.join((*known, *more))}")
        if name not in more and len(request.query.getall(name)) > 1:
            raise BadRequest(f"the parameter {name!r} may be given once")
    given: dict[str, Any] = {name: request.query[name] for name in known if name in request.query}
    if "limit" in given:
        given["limit"] = _limit(given["limit"])
    return Ask(**given)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST):
        raise BadRequest(f"`limit` is a number from 1 to {MOST}")
    return int(text)
