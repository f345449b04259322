"""The API's moves of an incident: each takes `expected_version`, and is one unit of the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right, allows
from incidentd.engine import lifecycle, merging
from incidentd.store.views import shape, speakable
from incidentd.web.answers import json_answer
from incidentd.web.api import with_url
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.changes import Text, Word
from incidentd.web.house import HOUSE, Handler, Route

Version = Annotated[int, msgspec.Meta(ge=1)]


class _Move(msgspec.Struct, forbid_unknown_fields=True):
    """What every move takes: who says so, and the version of the incident that they saw."""

    by: Word = ""
    expected_version: Version | None = None


class _Investigate(_Move, forbid_unknown_fields=True):
    text: Text = ""


class _Identify(_Move, forbid_unknown_fields=True):
    cause: Text = ""


class _Noted(_Move, forbid_unknown_fields=True):
    note: Text = ""


class _Resolve(_Move, forbid_unknown_fields=True):
    note: Text = ""
    waive: Text = ""


class _Close(_Move, forbid_unknown_fields=True):
    waive: Text = ""


class _StandDown(_Move, forbid_unknown_fields=True):
    code: Word = ""
    text: Text = ""


class _Reopen(_Move, forbid_unknown_fields=True):
    reason: Text = ""


class _Severity(_Move, forbid_unknown_fields=True, kw_only=True):
    severity: Word
    reason: Text = ""


class _Times(_Move, forbid_unknown_fields=True, kw_only=True):
    times: dict[Word, Annotated[datetime, msgspec.Meta(tz=True)]]


class _Merge(_Move, forbid_unknown_fields=True):
    into: Word = ""
    with_: Word = msgspec.field(name="with", default="")
    reason: Text = ""


def _handler(command: Any, kind: type[_Move], say: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        number, fields = speakable(request.match_info["id"], "INC"), await read_fields(request, kind)
        given = {name: getattr(fields, name) for name in kind.__struct_fields__}
        by = given.pop("by")
        return await _moved(request, command, number, by, given)

    answer.__doc__ = say
    return answer


async def merge(request: web.Request) -> web.Response:
    """Merge an incident `into` another, or `with` another: then the more severe survives, or else the older."""
    number, fields = speakable(request.match_info["id"], "INC"), await read_fields(request, _Merge)
    given: dict[str, Any] = {"reason": fields.reason, "expected_version": fields.expected_version}
    given["into"] = speakable(fields.into, "INC") if fields.into else None
    given["with_"] = speakable(fields.with_, "INC") if fields.with_ else None
    return await _moved(request, merging.merge, number, fields.by, given)


async def _moved(
    request: web.Request, command: Any, number: int, by: str, given: Mapping[str, Any]
) -> web.Response:  # fmt: skip
    house = request.app[HOUSE]
    who, admin = actor(request, by), allows(request[CALLER].scopes, Right.ADMIN)
    moved = await house.store.write(command, house.settings, number, actor=who, admin=admin, **given)
    return json_answer(with_url(request, shape(moved)))


_MOVES: tuple[tuple[str, Any, type[_Move], Right, str], ...] = (
    ("investigate", lifecycle.investigate, _Investigate, Right.RESPOND, "Take it, or investigate it again."),
    ("identify", lifecycle.identify, _Identify, Right.RESPOND, "Name what contributes to it."),
    ("mitigate", lifecycle.mitigate, _Noted, Right.RESPOND, "Say that the impact stopped."),
    ("resolve", lifecycle.resolve, _Resolve, Right.COMMAND, "Resolve an incident."),
    ("stand-down", lifecycle.stand_down, _StandDown, Right.COMMAND, "Call off what was no incident."),
    ("close", lifecycle.close, _Close, Right.COMMAND, "Close it for good."),
    ("reopen", lifecycle.reopen, _Reopen, Right.RESPOND, "Take it up again within a day."),
    ("severity", lifecycle.set_severity, _Severity, Right.RESPOND, "Raise or lower its severity."),
    ("times", lifecycle.correct_times, _Times, Right.COMMAND, "Correct recorded instants."),
    ("unmerge", merging.unmerge, _Reopen, Right.COMMAND, "Take it out of its survivor again."),
)

ROUTES = (
    *(
        Route("POST", f"/api/v1/incidents/{{id}}/{word}", _handler(command, kind, say), right)
        for word, command, kind, right, say in _MOVES
    ),
    Route("POST", "/api/v1/incidents/{id}/merge", merge, Right.COMMAND),
)
