"""The API's changing half: what people do about pages, holds, incidents and runs. Each is one unit of the engine's."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right, allows
from incidentd.actionitems import ItemType
from incidentd.durations import parse_duration
from incidentd.engine import commands, judging
from incidentd.errors import BadRequest
from incidentd.store.views import shape, speakable
from incidentd.web.answers import json_answer
from incidentd.web.api import with_url
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class _By(msgspec.Struct, forbid_unknown_fields=True):
    """Who says so; believed from a local caller while no token exists."""

    by: Word = ""


class _Help(msgspec.Struct, forbid_unknown_fields=True):
    text: Text = ""
    by: Word = ""


class _Feedback(msgspec.Struct, forbid_unknown_fields=True):
    verdict: Word
    by: Word = ""


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    answer: Word = ""
    by: Word = ""


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    text: Text
    by: Word = ""


class _HoldNote(msgspec.Struct, forbid_unknown_fields=True):
    text: Text
    customer: bool = False
    by: Word = ""


class _Extend(msgspec.Struct, forbid_unknown_fields=True):
    length: Word
    approver: Word
    reason: Text
    by: Word = ""


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: Text = ""
    by: Word = ""


class _Declare(msgspec.Struct, forbid_unknown_fields=True):
    title: Word
    severity: Word
    reason: Text = ""
    service: Word = ""
    teams: Annotated[list[Word], msgspec.Meta(max_length=50)] = []
    page: Word = "default"
    drill: bool = False
    by: Word = ""


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    title: Word
    description: Text = ""
    type: Word = "repair"
    priority: Word = "P2"
    owner: Word = ""
    team: Word = ""
    due: date | None = None
    by: Word = ""


async def ack(request: web.Request) -> web.Response:
    """Acknowledge a page: somebody has it."""
    number, fields = speakable(request.match_info["id"], "PAGE"), await read_fields(request, _By)
    who = actor(request, fields.by)
    return await _changed(request, commands.ack_page, number, by=who.name, actor=who)


async def take(request: web.Request) -> web.Response:
    """Take a page: whoever had it, or nobody, somebody else has it from here."""
    number, fields = speakable(request.match_info["id"], "PAGE"), await read_fields(request, _By)
    who = actor(request, fields.by)
    return await _changed(request, commands.take_page, number, by=who.name, actor=who)


async def helping(request: web.Request) -> web.Response:
    """Say that somebody helps with a page; it goes on until somebody has it."""
    number, fields = speakable(request.match_info["id"], "PAGE"), await read_fields(request, _Help)
    who = actor(request, fields.by)
    return await _changed(request, commands.help_with_page, number, by=who.name, actor=who, text=fields.text)


async def feedback(request: web.Request) -> web.Response:
    """Say of a page afterwards how it was."""
    house = request.app[HOUSE]
    number, fields = speakable(request.match_info["id"], "PAGE"), await read_fields(request, _Feedback)
    who, verdict = actor(request, fields.by), judging.verdict_named(fields.verdict)
    judged = await house.store.write(judging.judge_page, number, verdict, by=who.name, actor=who)
    return json_answer(with_url(request, shape(judged)))


async def declare(request: web.Request) -> web.Response:
    """Declare an incident by hand."""
    fields = await read_fields(request, _Declare)
    who = actor(request, fields.by)
    made = await request.app[HOUSE].store.write(
        commands.declare_incident, request.app[HOUSE].settings, actor=who, title=fields.title,
        severity=fields.severity, reason=fields.reason, service=fields.service,
        teams=tuple(fields.teams), page=fields.page, drill=fields.drill,
    )  # fmt: skip
    return json_answer(with_url(request, shape(made)), 201)


async def note_on_incident(request: web.Request) -> web.Response:
    """Write a note on the timeline of an incident; the answer says where it stands when that is part of another one."""
    number, fields = speakable(request.match_info["id"], "INC"), await read_fields(request, _Note)
    return await _noted(request, f"INC-{number}", fields.text, fields.by)


async def note_on_hold(request: web.Request) -> web.Response:
    """Write a note on a hold: it counts as progress, a few times in a row; a customer's word declares."""
    number, fields = speakable(request.match_info["id"], "HOLD"), await read_fields(request, _HoldNote)
    return await _noted(request, f"HOLD-{number}", fields.text, fields.by, customer=fields.customer)


async def _noted(request: web.Request, subject: str, text: str, by: str, **how: bool) -> web.Response:
    house = request.app[HOUSE]
    who = actor(request, by)
    stands = await house.store.write(commands.add_note, house.settings, subject, actor=who, text=text, **how)
    part = {} if stands == subject else {"from": subject}
    return json_answer({"subject": stands, **part, "text": text, "by": who.name}, 201)


async def extend(request: web.Request) -> web.Response:
    """Give a hold more time, once; it takes a reason and somebody who approves it."""
    number, fields = speakable(request.match_info["id"], "HOLD"), await read_fields(request, _Extend)
    who = actor(request, fields.by)
    try:
        length = parse_duration(fields.length)
    except ValueError as error:
        raise BadRequest(f"`length`: {error}") from None
    return await _changed(
        request, commands.extend_hold, number, actor=who, length=length, approver=fields.approver, reason=fields.reason
    )


async def declare_hold(request: web.Request) -> web.Response:
    """Declare a hold now."""
    number, fields = speakable(request.match_info["id"], "HOLD"), await read_fields(request, _Reason)
    who = actor(request, fields.by)
    return await _changed(request, commands.declare_hold, number, actor=who, reason=fields.reason)


async def stand_down(request: web.Request) -> web.Response:
    """End a hold without an incident; it takes a reason."""
    number, fields = speakable(request.match_info["id"], "HOLD"), await read_fields(request, _Reason)
    who = actor(request, fields.by)
    return await _changed(request, commands.stand_down_hold, number, actor=who, reason=fields.reason)


async def add_item(request: web.Request) -> web.Response:
    """Add an action item to an incident; it is filed in Jira when there is one."""
    house = request.app[HOUSE]
    number, fields = speakable(request.match_info["id"], "INC"), await read_fields(request, _Item)
    if fields.type not in set(ItemType):
        raise BadRequest(f"there is no type {fields.type[:40]!r}; there are {', '.join(ItemType)}")
    made = await house.store.write(
        commands.add_action_item, house.settings, number, actor=actor(request, fields.by),
        title=fields.title, description=fields.description,
        type=ItemType(fields.type), priority=fields.priority, owner=fields.owner, team=fields.team, due=fields.due,
    )  # fmt: skip
    return json_answer(shape(made), 201)


async def approve(request: web.Request) -> web.Response:
    """Approve a playbook run that was proposed, or answer one that asks."""
    number, fields = speakable(request.match_info["id"], "RUN"), await read_fields(request, _Answer)
    who = actor(request, fields.by)
    admin = allows(request[CALLER].scopes, Right.ADMIN) and not (request[CALLER].local and fields.by)
    return await _changed(request, commands.approve_run, number, actor=who, answer=fields.answer, admin=admin)


async def _changed(request: web.Request, command: Any, number: int, **how: Any) -> web.Response:
    house = request.app[HOUSE]
    noun = await house.store.write(command, house.settings, number, **how)
    return json_answer(with_url(request, shape(noun)))


ROUTES = (
    Route("POST", "/api/v1/pages/{id}/ack", ack, Right.RESPOND),
    Route("POST", "/api/v1/pages/{id}/take", take, Right.RESPOND),
    Route("POST", "/api/v1/pages/{id}/helping", helping, Right.RESPOND),
    Route("POST", "/api/v1/pages/{id}/feedback", feedback, Right.RESPOND),
    Route("POST", "/api/v1/incidents", declare, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/note", note_on_incident, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/action-items", add_item, Right.COMMAND),
    Route("POST", "/api/v1/holds/{id}/note", note_on_hold, Right.RESPOND),
    Route("POST", "/api/v1/holds/{id}/declare", declare_hold, Right.RESPOND),
    Route("POST", "/api/v1/holds/{id}/extend", extend, Right.COMMAND),
    Route("POST", "/api/v1/holds/{id}/stand-down", stand_down, Right.COMMAND),
    Route("POST", "/api/v1/runs/{id}/approve", approve, Right.OPERATE),
)
