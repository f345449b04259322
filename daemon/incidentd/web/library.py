"""The library of postmortems: search, tags and published copies, at the API and on pages for all who may read."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from aiohttp import hdrs, web

from incidentd.access import Right, allows
from incidentd.engine import shelving
from incidentd.errors import BadRequest, NotAllowed
from incidentd.library import Asked, Found, Standing, asked, html, snippet, tag_of
from incidentd.store import Tx, library
from incidentd.store import published as copies
from incidentd.store.published import Copy
from incidentd.store.views import speakable
from incidentd.text import iso
from incidentd.web.answers import json_answer, markdown_or_json
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page

_MOST_TAGS = 10
"""Tags that one search asks for."""
_GRAPH = re.compile(r"(?:[^\s()]*/)?incidents/(INC-[0-9]{1,18})/graphs/([0-9]{1,3})")
_STATES = {"published": (Standing.PUBLISHED,), "draft": (Standing.DRAFT,), "all": tuple(Standing)}

Tag = Annotated[str, msgspec.Meta(max_length=300)]


class _Tags(msgspec.Struct, forbid_unknown_fields=True):
    add: Annotated[list[Tag], msgspec.Meta(max_length=50)] = []
    remove: Annotated[list[Tag], msgspec.Meta(max_length=50)] = []
    by: Annotated[str, msgspec.Meta(max_length=200)] = ""


class _Read(msgspec.Struct, forbid_unknown_fields=True):
    by: Annotated[str, msgspec.Meta(max_length=200)] = ""


# -- the API ---------------------------------------------------------------------------------------------------------


async def search(request: web.Request) -> web.Response:
    """Find postmortems by words and tags, the best first; drafts only for those who may write them."""
    what, standings, most = _asked(request)
    return json_answer({"postmortems": await request.app[HOUSE].store.read(_found, what, standings, most)})


def _found(tx: Tx, what: Asked, standings: Sequence[Standing], most: int) -> list[dict[str, Any]]:
    """Find and cut out what is shown, on a thread of the store's: fifty texts would hold the loop up."""
    return [_shape(it, what) for it in library.find(tx, what, standings, most=most)]


def _asked(request: web.Request) -> tuple[Asked, tuple[Standing, ...], int]:
    known = ("q", "tag", "state", "limit")
    for name in request.query:
        if name not in known:
            raise BadRequest(f"there is no parameter {name[:40]!r} here; there are {', '.join(known)}")
        if name != "tag" and len(request.query.getall(name)) > 1:
            raise BadRequest(f"the parameter {name!r} may be given once")
    state = request.query.get("state", "published")
    if state not in _STATES:
        raise BadRequest(f"there is no state {state[:40]!r}; there are {', '.join(_STATES)}")
    if state != "published" and not allows(request[CALLER].scopes, Right.RESPOND):
        raise NotAllowed("drafts are found by responders; leave out `state`", authenticated=True)
    most = request.query.get("limit", str(library.MOST))
    if not (most.isascii() and most.isdigit() and len(most) <= 4 and 1 <= int(most) <= library.MOST):
        raise BadRequest(f"`limit` is a number from 1 to {library.MOST}")
    return asked(request.query.get("q", ""), _tags(request)), _STATES[state], int(most)


def _tags(request: web.Request) -> tuple[str, ...]:
    given = [one for one in request.query.getall("tag", []) if one.strip()]
    if len(given) > _MOST_TAGS:
        raise BadRequest(f"{_MOST_TAGS} tags are the most that one search asks for")
    return tuple(tag_of(one) for one in given)


def _shape(it: Found, what: Asked) -> dict[str, Any]:
    return {
        "incident": f"INC-{it.incident_id}", "state": it.standing.value, "version": it.version, "title": it.title,
        "severity": it.severity, "service": it.service, "tags": it.tags, "at": iso(it.at),
        "snippet": [{"text": text, "found": found} for text, found in snippet(it.body, what).parts],
    }  # fmt: skip


async def tags(request: web.Request) -> web.Response:
    """List all tags with the number of postmortems that have them, or one below them; of drafts for responders only."""
    of = _STATES["all" if allows(request[CALLER].scopes, Right.RESPOND) else "published"]
    found = await request.app[HOUSE].store.read(library.all_tags, of)
    return json_answer({"tags": [{"tag": name, "postmortems": number} for name, number in found.items()]})


async def tag(request: web.Request) -> web.Response:
    """Add tags to a postmortem and take tags away."""
    house, fields = request.app[HOUSE], await read_fields(request, _Tags)
    number, who = speakable(request.match_info["id"], "INC"), actor(request, fields.by)
    after = await house.store.write(
        shelving.tag, house.settings, number, add=fields.add, remove=fields.remove, actor=who
    )  # fmt: skip
    return json_answer({"incident": f"INC-{number}", "tags": after})


async def listed(request: web.Request) -> web.Response:
    """List what is published, the newest incidents first; of each the newest version."""
    found = await request.app[HOUSE].store.read(_newest)
    return json_answer({"postmortems": found})


def _newest(tx: Tx) -> list[dict[str, Any]]:
    rows = copies.listed(tx)
    newest: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row.incident_id in newest:
            newest[row.incident_id]["versions"].insert(0, row.version)
            continue
        newest[row.incident_id] = {
            "incident": f"INC-{row.incident_id}", "version": row.version, "title": row.title, "severity": row.severity,
            "service": row.service, "published_at": iso(row.published_at), "versions": [row.version],
        }  # fmt: skip
    of = library.tags_of(tx, list(newest))
    return [{**it, "tags": of.get(number, ())} for number, it in newest.items()]


async def copy(request: web.Request) -> web.Response:
    """Give a published copy as Markdown, or with its versions and the number of its readers as JSON."""
    known = await request.app[HOUSE].store.read(_known, _number(request), _version(request))
    it: Copy = known.pop("copy")
    value = {
        "incident": it.key, "version": it.version, "title": it.title, "published_at": iso(it.published_at), **known,
    }  # fmt: skip
    return markdown_or_json(request, it.markdown, value)


def _known(tx: Tx, number: int, version: int | None) -> dict[str, Any]:
    it = copies.copy(tx, number, version)
    return {
        "copy": it, "versions": [one.version for one in copies.copies(tx, number)],
        "readers": copies.readers(tx, number).get(it.version, 0),
        "tags": library.tags_of(tx, [number]).get(number, ()),
    }  # fmt: skip


def _number(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


def _version(request: web.Request) -> int | None:
    given = request.query.get("version", "")
    if any(name != "version" for name in request.query) or len(request.query) > 1:
        raise BadRequest("there is one parameter here: version")
    if given and not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise BadRequest("`version` is one number")
    return int(given) if given else None


async def read(request: web.Request) -> web.Response:
    """Count that whoever asks has read the newest copy; once, however often they say so."""
    fields = await read_fields(request, _Read)
    return json_answer(await _count_reader(request, fields.by))


async def _count_reader(request: web.Request, by: str) -> dict[str, Any]:
    number, who = _number(request), actor(request, by)
    return await request.app[HOUSE].store.write(_note_reader, number, who.name)


def _note_reader(tx: Tx, number: int, name: str) -> dict[str, Any]:
    """Note a reader by a digest: how many read it is of use, who did is nobody's business."""
    it = copies.copy(tx, number)
    digest = hashlib.sha256(f"{it.key}/{it.version}/{name}".encode("utf-8", "replace")).hexdigest()
    copies.read_by(tx, number, it.version, digest)
    return {"incident": it.key, "version": it.version, "readers": copies.readers(tx, number)[it.version]}


# -- pages -----------------------------------------------------------------------------------------------------------


async def shelf(request: web.Request) -> web.Response:
    """Show what is published, or what of it was found."""
    for name in request.query:
        if name not in ("q", "tag"):
            raise BadRequest(f"there is no parameter {name[:40]!r} here; there are q and tag")
    what = asked(request.query.get("q", ""), _tags(request))
    store = request.app[HOUSE].store
    found = await store.read(_found, what, [Standing.PUBLISHED], library.MOST)
    every = await store.read(library.all_tags, [Standing.PUBLISHED])
    return page(
        request, "library.html", q=request.query.get("q", "")[:1000], tag=", ".join(what.tags),
        found=found, tags=every, most=library.MOST,
    )  # fmt: skip


async def shown(request: web.Request) -> web.Response:
    """Show a published copy."""
    known = await request.app[HOUSE].store.read(_known, _number(request), _version(request))
    it: Copy = known["copy"]
    body = await asyncio.to_thread(_body, it.key, it.markdown)
    return page(request, "published.html", it=it, body=body, known=known, at=iso(it.published_at))


@lru_cache(64)
def _body(key: str, markdown: str) -> str:
    """Make HTML of a copy, once: it never changes. Its graphs are those of the incident's own page."""

    def own(url: str) -> str:
        found = _GRAPH.fullmatch(url)
        return f"../../incidents/{key}/graphs/{int(found[2])}" if found and found[1] == key else ""

    return html.html(markdown, own)


async def read_it(request: web.Request) -> web.Response:
    """Count a reader who says so on the page, and show the page again."""
    await _count_reader(request, "")
    return web.Response(status=303, headers={hdrs.LOCATION: f"../INC-{_number(request)}"})


ROUTES = (
    Route("GET", "/api/v1/postmortems/search", search, Right.READ),
    Route("GET", "/api/v1/postmortems/tags", tags, Right.READ),
    Route("GET", "/api/v1/postmortems/published", listed, Right.READ),
    Route("GET", "/api/v1/postmortems/published/{id}", copy, Right.READ),
    Route("POST", "/api/v1/postmortems/published/{id}/read", read, Right.READ),
    Route("POST", "/api/v1/incidents/{id}/postmortem/tags", tag, Right.RESPOND),
    Route("GET", "/postmortems/published", shelf, Right.READ),
    Route("GET", "/postmortems/published/{id}", shown, Right.READ),
    Route("POST", "/postmortems/published/{id}/read", read_it, Right.READ),
)
