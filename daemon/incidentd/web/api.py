"""The API's reading half: lists, one of each, timelines and documents. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from incidentd import __version__
from incidentd.access import Right
from incidentd.errors import BadRequest
from incidentd.matchers import BadMatcher, Matcher, parse_matcher
from incidentd.store import Tx, switching, views
from incidentd.store.views import Ask, Listed, speakable
from incidentd.store.views.shapes import plain
from incidentd.text import iso
from incidentd.web.answers import json_answer, markdown_or_json
from incidentd.web.bodies import read_ask
from incidentd.web.house import HOUSE, Handler, Route, external_url

_SHOWN = {"INC": "incidents", "HOLD": "holds"}


def with_url(request: web.Request, item: dict[str, Any]) -> dict[str, Any]:
    """Add where a person looks at a hold or an incident."""
    key = str(item["id"])
    folder = _SHOWN.get(key.partition("-")[0])
    return {**item, "url": f"{external_url(request.app[HOUSE].settings)}/{folder}/{key}"} if folder else item


def _list_of(name: str, query: Callable[[Tx, Ask], Listed]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        found = await request.app[HOUSE].store.read(query, read_ask(request))
        items = found.items if name == "quarantine" else [with_url(request, item) for item in found.items]
        return json_answer({name: items, "next": found.next})

    return answer


def _one_of(prefix: str, query: Callable[[Tx, int], dict[str, Any]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        found = await request.app[HOUSE].store.read(query, speakable(request.match_info["id"], prefix))
        return json_answer(with_url(request, found))

    return answer


async def alerts(request: web.Request) -> web.Response:
    """List alerts; `filter` is an Alertmanager matcher and may be given several times: all must match."""
    ask = read_ask(request, "filter")
    matchers = [_matcher(text) for text in request.query.getall("filter", [])]
    found = await request.app[HOUSE].store.read(views.alerts, ask, matchers)
    return json_answer({"alerts": found.items, "next": found.next})


def timeline_of(prefix: str, subject: Callable[[Tx, int], dict[str, Any]]) -> Handler:
    """Give the timeline of a hold or an incident, oldest first."""

    async def answer(request: web.Request) -> web.Response:
        number, ask = speakable(request.match_info["id"], prefix), read_ask(request)
        if ask.state:
            raise BadRequest("a timeline has no state")
        read = request.app[HOUSE].store.read
        await read(subject, number)
        found = await read(views.timeline, f"{prefix}-{number}", ask)
        return json_answer({"timeline": found.items, "next": found.next})

    return answer


async def postmortem(request: web.Request) -> web.Response:
    """Give the postmortem as Markdown."""
    found = await request.app[HOUSE].store.read(views.postmortem, speakable(request.match_info["id"], "INC"))
    return markdown_or_json(request, found["markdown"], found)


async def status(request: web.Request) -> web.Response:
    """Say what runs here, and from which files."""
    house = request.app[HOUSE]
    settings = house.settings
    switched = await house.store.read(switching.switches)
    return json_answer(
        {
            "version": __version__, "not_ready": house.not_ready(), "now": iso(house.now()),
            "external_url": external_url(settings), "files": [str(path) for path in settings.files],
            "sources": [
                {
                    "name": source.name, "token": bool(source.tokens), "watchdog": source.watchdog is not None,
                    "alertmanager": list(source.alertmanager.urls) if source.alertmanager else [],
                }
                for source in settings.sources.values()
            ],
            "rules": len(settings.rules), "playbooks": sorted(settings.playbooks),
            "schedules": sorted(settings.roster.schedules), "automation": settings.automation.mode.value,
            "jira": settings.jira is not None,
            "switched_off": plain(sorted(switched.values(), key=lambda it: it.playbook)),
        }
    )  # fmt: skip


def _matcher(text: str) -> Matcher:
    try:
        return parse_matcher(text)
    except BadMatcher as error:
        raise BadRequest(f"filter: {error}") from None


def _readings() -> list[tuple[str, Handler]]:
    lists: tuple[tuple[str, str, Any, str, Any], ...] = (
        ("holds", "holds", views.holds, "HOLD", views.hold),
        ("incidents", "incidents", views.incidents, "INC", views.incident),
        ("pages", "pages", views.pages, "PAGE", views.page),
        ("runs", "runs", views.runs, "RUN", views.run),
        ("action-items", "action_items", views.action_items, "AI", views.action_item),
    )
    found: list[tuple[str, Handler]] = []
    for path, name, several, prefix, one in lists:
        found += [(path, _list_of(name, several)), (f"{path}/{{id}}", _one_of(prefix, one))]
    return found


ROUTES = tuple(
    Route("GET", f"/api/v1/{path}", handler, Right.READ)
    for path, handler in (
        ("alerts", alerts),
        *_readings(),
        ("holds/{id}/timeline", timeline_of("HOLD", views.hold)),
        ("incidents/{id}/timeline", timeline_of("INC", views.incident)),
        ("incidents/{id}/postmortem", postmortem),
        ("quarantine", _list_of("quarantine", views.quarantine)),
        ("status", status),
    )
)
