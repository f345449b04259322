"""The backlog of action items: its API, its pages, and where Jira tells that something happened to an issue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, cast

import msgspec
from aiohttp import web

from incidentd.access import Right, same_signature
from incidentd.actionitems import ActionItem, ItemSource, ItemState, ItemType
from incidentd.actionitems.moves import Changes
from incidentd.engine.backlog import collecting, commands, syncing
from incidentd.errors import BadRequest, NotAllowed, NotFound
from incidentd.postmortem import written
from incidentd.store import views
from incidentd.store.views import Ask, shape, speakable
from incidentd.text import iso
from incidentd.web.answers import PayloadRefused, json_answer
from incidentd.web.bodies import read_body, read_fields
from incidentd.web.callers import actor
from incidentd.web.house import HOUSE, Handler, Route
from incidentd.web.html import page

SIGNED = "X-Hub-Signature"
"""The header in which Jira says who sent a webhook: `sha256=` and the HMAC of the body."""
_LARGEST_HOOK = 4 * 1024 * 1024
_SHOWN = 500

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class _Fields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be said of an item; what is left out stays as it is."""

    by: Word = ""
    title: Word | None = None
    description: Text | None = None
    end_state: Text | None = None
    evidence: Text | None = None
    type: Word | None = None
    priority: Word | None = None
    owner: Word | None = None
    team: Word | None = None
    service: Word | None = None
    due: date | None = None


class _Proposal(_Fields, forbid_unknown_fields=True, kw_only=True):
    source: Word = ItemSource.PERSON


class _Edit(_Fields, forbid_unknown_fields=True, kw_only=True):
    expected_version: int | None = None


class _Decision(_Edit, forbid_unknown_fields=True, kw_only=True):
    why: Text = ""


class _Act(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    by: Word = ""
    expected_version: int | None = None


class _Reason(_Act, forbid_unknown_fields=True, kw_only=True):
    reason: Text = ""


class _Evidence(_Act, forbid_unknown_fields=True, kw_only=True):
    evidence: Text = ""


class _Collect(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    by: Word = ""
    source: Word = ""


_OF_ITEM = tuple(name for name in _Fields.__struct_fields__ if name != "by")


def _changes(fields: _Fields, but: tuple[str, ...] = ()) -> Changes:
    given = {name: getattr(fields, name) for name in _OF_ITEM if name not in but}
    found = {name: value for name, value in given.items() if value is not None}
    if "type" in found:
        found["type"] = _one_of(ItemType, "type", found["type"])
    return cast("Changes", found)


def _one_of(kind: Callable[[str], Any], what: str, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(kind)  # type: ignore[arg-type]  # a closed set of words
        raise BadRequest(f"there is no {what} {text[:40]!r}; there are {known}") from None


async def propose(request: web.Request) -> web.Response:
    """Put down an idea of what to change after an incident."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    fields = await read_fields(request, _Proposal)
    source = _one_of(ItemSource, "source", fields.source)
    if source is ItemSource.RULE:
        raise BadRequest("only a rule's decision comes from a rule; say person, todo, postmortem or feedback")
    made = await house.store.write(
        commands.propose, house.settings, number, actor=actor(request, fields.by), title=fields.title or "",
        source=source, changes=_changes(fields, but=("title",)),
    )  # fmt: skip
    return json_answer(shape(made), 201)


async def collect(request: web.Request) -> web.Response:
    """Propose what stands in the incident and its postmortem and is no item yet."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    fields = await read_fields(request, _Collect)
    source = _one_of(ItemSource, "source", fields.source) if fields.source else None
    made = await house.store.write(
        collecting.collect, house.settings, number, actor=actor(request, fields.by), source=source
    )
    return json_answer({"action_items": [shape(it) for it in made]}, 201)


async def decide(request: web.Request) -> web.Response:
    """Make a proposal an item of the backlog; the answer says what there is to look at of it, too."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "AI")
    fields = await read_fields(request, _Decision)
    made, found = await house.store.write(
        commands.decide, house.settings, number, actor=actor(request, fields.by), why=fields.why,
        changes=_changes(fields), expected_version=fields.expected_version,
    )  # fmt: skip
    return json_answer({**shape(made), "findings": [written(it) for it in found]})


async def edit(request: web.Request) -> web.Response:
    """Change what an item says."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "AI")
    fields = await read_fields(request, _Edit)
    changes = _changes(fields)
    if not changes:
        raise BadRequest(f"say what is to be changed: {', '.join(_OF_ITEM)}")
    made = await house.store.write(
        commands.edit, house.settings, number, actor=actor(request, fields.by), changes=changes,
        expected_version=fields.expected_version,
    )  # fmt: skip
    return json_answer(shape(made))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verb:
    """One thing that is done with an item as it is."""

    name: str
    command: Callable[..., ActionItem]
    fields: type[_Act] = _Act
    right: Right = Right.RESPOND


_VERBS = (
    _Verb(name="start", command=commands.begin),
    _Verb(name="done", command=commands.done, fields=_Evidence),
    _Verb(name="decline", command=commands.decline, fields=_Reason, right=Right.COMMAND),
    _Verb(name="reopen", command=commands.reopen, right=Right.COMMAND),
    _Verb(name="retry", command=commands.retry, right=Right.COMMAND),
)


def _doing(verb: _Verb) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        house, number = request.app[HOUSE], speakable(request.match_info["id"], "AI")
        fields = await read_fields(request, verb.fields)
        more = {name: getattr(fields, name) for name in fields.__struct_fields__ if name != "by"}
        made = await house.store.write(
            verb.command, house.settings, number, actor=actor(request, fields.by), **more
        )  # fmt: skip
        return json_answer(shape(made))

    return answer


# -- pages -----------------------------------------------------------------------------------------------------------


async def board(request: web.Request) -> web.Response:
    """Show what is promised and not done, what is only proposed, and what ended last."""
    house = request.app[HOUSE]
    found: dict[str, list[dict[str, Any]]] = {}
    for name, state, most in (
        ("open", "active", _SHOWN), ("proposed", ItemState.PROPOSED, _SHOWN), ("over", "over", 20),
    ):  # fmt: skip
        listed = await house.store.read(views.action_items, Ask(state=state, limit=most))
        found[name] = listed.items
    found["open"].sort(key=lambda it: (it["priority"], it["due"] or "9999", it["id"]))
    return page(request, "backlog.html", seen=found, today=str(house.now().date()), now=iso(house.now()))


async def one(request: web.Request) -> web.Response:
    """Show one action item."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "AI")
    found = await house.store.read(views.action_item, number)
    return page(request, "item.html", it=found, today=str(house.now().date()))


# -- Jira's webhooks -------------------------------------------------------------------------------------------------


async def hook(request: web.Request) -> web.Response:
    """Take that something happened to an issue. What it says is not believed: Jira itself is asked how it stands."""
    house = request.app[HOUSE]
    settings = house.settings.jira
    if settings is None or settings.webhook_secret is None:
        raise NotFound("no webhooks of Jira are taken here: set jira.webhook_secret_file, and the same secret in Jira")
    if len(request.headers.getall(SIGNED, [])) != 1:
        raise _unsigned(house)
    body = await read_body(request, _LARGEST_HOOK)
    given = request.headers[SIGNED].strip().removeprefix("sha256=")
    if not same_signature(settings.webhook_secret.reveal(), body, given):
        raise _unsigned(house)
    key, labels = _issue_of(body)
    known = await house.store.write(syncing.noticed, house.settings, key=key, labels=labels)
    return json_answer({"looked_at": known}, 202 if known else 200)


def _unsigned(house: Any) -> NotAllowed:
    house.metrics.auth_failures_total.inc()
    return NotAllowed(f"sign the body with the webhook's secret: {SIGNED}: sha256=HMAC")


def _issue_of(body: bytes) -> tuple[str, tuple[str, ...]]:
    """Read which issue a webhook is about, and its labels. Raises PayloadRefused for what is none of Jira's."""
    try:
        said = msgspec.json.decode(body)
        issue = said["issue"]
        key, labels = issue["key"], issue.get("fields", {}).get("labels", [])
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise PayloadRefused("this is no webhook of Jira about an issue", 400) from None
    if not isinstance(key, str) or not isinstance(labels, list):
        raise PayloadRefused("this is no webhook of Jira about an issue", 400)
    return key[:100], tuple(label[:255] for label in labels[:100] if isinstance(label, str))


_ITEM = "/api/v1/action-items/{id}"
_READ: Mapping[str, Handler] = {"/action-items": board, "/action-items/{id}": one}

ROUTES = (
    *(Route("GET", path, handler, Right.READ) for path, handler in _READ.items()),
    Route("POST", "/api/v1/incidents/{id}/action-items/proposals", propose, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/action-items/collect", collect, Right.RESPOND),
    Route("POST", f"{_ITEM}/decide", decide, Right.COMMAND),
    Route("POST", f"{_ITEM}/edit", edit, Right.RESPOND),
    *(Route("POST", f"{_ITEM}/{verb.name}", _doing(verb), verb.right) for verb in _VERBS),
    Route("POST", "/api/v1/jira/webhook", hook, Right.PUBLIC),
)
