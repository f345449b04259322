"""Answers: JSON, Markdown, pages; and the one place where an error becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import hdrs, web

from incidentd.errors import (
    BadRequest,
    BodyRefused,
    Conflict,
    IncidentdError,
    NotAllowed,
    NotFound,
    StoreUnavailable,
)
from incidentd.web.house import Handler
from incidentd.web.html import page

log = logging.getLogger(__name__)

RETRY_AFTER = "5"
_STATUS: dict[type[IncidentdError], int] = {
    BadRequest: 400, BodyRefused: 400, NotFound: 404, Conflict: 409,
}  # fmt: skip
_TITLES = {
    400: "This cannot be understood", 401: "Who are you?", 403: "You may not do this", 404: "There is nothing here",
    405: "This cannot be done here", 409: "Not now", 410: "This is over", 500: "Something broke", 503: "Not now",
}  # fmt: skip

_encode = msgspec.json.Encoder().encode


class PayloadRefused(BadRequest):
    """The body is of a kind, or a size, that is not taken; `status` says which."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=_encode(value), status=status, content_type="application/json")


def markdown_or_json(request: web.Request, markdown: str, value: dict[str, Any]) -> web.Response:
    """Answer with Markdown, or with all that is known when the caller asks for JSON."""
    if "application/json" in request.headers.get(hdrs.ACCEPT, ""):
        return json_answer({**value, "markdown": markdown})
    return web.Response(text=markdown, content_type="text/markdown", charset="utf-8")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a short answer that says what is wrong and what to do."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return told(request, error.status, allow, _words(request, error))
    except IncidentdError as error:
        return told(request, *_status_of(error), str(error))
    except ConnectionError:
        raise
    except Exception:
        # the path may hold a link's secret, so the route's pattern stands for it
        resource = request.match_info.route.resource
        log.exception("%s %s failed", request.method, resource.canonical if resource else "(no route)")
        return told(request, 500, {}, "something broke here; the daemon's log says what")


def _status_of(error: IncidentdError) -> tuple[int, dict[str, str]]:
    match error:
        case NotAllowed() if error.authenticated:
            return 403, {}
        case NotAllowed():
            return 401, {"WWW-Authenticate": 'Bearer realm="incidentd"'}
        case PayloadRefused():
            return error.status, {}
        case StoreUnavailable():
            return 503, {"Retry-After": RETRY_AFTER}
        case _:
            return _STATUS.get(type(error), 500), {}


def told(request: web.Request, status: int, headers: Mapping[str, str], message: str) -> web.Response:
    """Answer with a sentence: as JSON under /api and /-/, as a page for a browser, else as text."""
    if request.path.startswith(("/api/", "/-/")):
        answer = json_answer({"error": message}, status)
    elif "text/html" in request.headers.get(hdrs.ACCEPT, ""):
        answer = page(request, "message.html", status=status, title=_TITLES.get(status, "Sorry"), message=message)
    else:
        answer = web.Response(text=message + "\n", status=status)
    answer.headers.update(headers)
    return answer


def _words(request: web.Request, error: web.HTTPException) -> str:
    match error.status:
        case 404:
            return "there is nothing at this path"
        case 405:
            return f"{request.method[:20]} is not done here; see the Allow header"
        case 413:
            return "the body is too large"
        case _:
            return error.reason.lower()
