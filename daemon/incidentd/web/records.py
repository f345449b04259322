"""The API of what people put down during an incident: one table of what can be done, each one unit of the engine's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right
from incidentd.board import Surface, board
from incidentd.durations import parse_duration
from incidentd.engine import records, surfaces
from incidentd.errors import BadRequest, NotFound
from incidentd.records import Belief, Confidence, CriterionState, Kind, Record, SectionName, blocks
from incidentd.store import Tx, around, subjects
from incidentd.store import records as kept
from incidentd.store.views import shape, speakable
from incidentd.store.views.shapes import plain
from incidentd.text import iso
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import actor
from incidentd.web.house import HOUSE, Handler, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
_LISTS = ("sections", "hypotheses", "decisions", "tasks", "changes", "criteria")
_ROOT = "/api/v1/incidents/{id}"


class _Change(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every change may say: who makes it, and which version they saw."""

    by: Word = ""
    expected_version: int | None = None


class _New(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    by: Word = ""


class _Section(_Change, forbid_unknown_fields=True, kw_only=True):
    text: Text


class _NewHypothesis(_New, forbid_unknown_fields=True, kw_only=True):
    text: Text
    owner: Word = ""
    confidence: Confidence = Confidence.LOW
    evidence: Text = ""


class _Judged(_Change, forbid_unknown_fields=True, kw_only=True):
    state: Belief | None = None
    confidence: Confidence | None = None
    owner: Word | None = None
    evidence: Text | None = None


class _NewDecision(_New, forbid_unknown_fields=True, kw_only=True):
    text: Text
    options: Text = ""
    wait: Word = ""


class _Objection(_Change, forbid_unknown_fields=True, kw_only=True):
    text: Text


class _NewTask(_New, forbid_unknown_fields=True, kw_only=True):
    text: Text
    owner: Word = ""
    box: Word = ""


class _Assigned(_Change, forbid_unknown_fields=True, kw_only=True):
    owner: Word
    box: Word = ""


class _Result(_Change, forbid_unknown_fields=True, kw_only=True):
    result: Text = ""


class _NewChange(_New, forbid_unknown_fields=True, kw_only=True):
    what: Text
    undo: Text = ""
    made_by: Word = ""


class _Undo(_Change, forbid_unknown_fields=True, kw_only=True):
    undo: Text


class _Reason(_Change, forbid_unknown_fields=True, kw_only=True):
    reason: Text = ""


class _NewCriterion(_New, forbid_unknown_fields=True, kw_only=True):
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """One thing that can be done: where, with which fields, by which unit, to a record of which kind."""

    path: str
    fields: type[_Change] | type[_New]
    command: Callable[..., Record]
    kind: Kind | None = None
    """Of the record that is changed; None makes a new one."""
    right: Right = Right.RESPOND
    more: tuple[tuple[str, Any], ...] = ()
    """What the path says and the body need not."""


def _settle(state: CriterionState) -> tuple[tuple[str, Any], ...]:
    return (("state", state),)


_ACTS = (
    _Act(path="hypotheses", fields=_NewHypothesis, command=records.add_hypothesis),
    _Act(path="hypotheses/{record}", fields=_Judged, command=records.judge_hypothesis, kind=Kind.HYPOTHESIS),
    _Act(path="decisions", fields=_NewDecision, command=records.propose),
    _Act(path="decisions/{record}/object", fields=_Objection, command=records.object_to, kind=Kind.DECISION),
    _Act(
        path="decisions/{record}/decide", fields=_Change, command=records.decide, kind=Kind.DECISION,
        right=Right.COMMAND,
    ),
    _Act(path="decisions/{record}/withdraw", fields=_Change, command=records.withdraw, kind=Kind.DECISION),
    _Act(path="tasks", fields=_NewTask, command=records.add_task),
    _Act(path="tasks/{record}/ack", fields=_Change, command=records.acknowledge_task, kind=Kind.TASK),
    _Act(path="tasks/{record}/assign", fields=_Assigned, command=records.reassign_task, kind=Kind.TASK),
    _Act(path="tasks/{record}/done", fields=_Result, command=records.end_task, kind=Kind.TASK),
    _Act(
        path="tasks/{record}/drop", fields=_Result, command=records.end_task, kind=Kind.TASK, more=(("dropped", True),)
    ),
    _Act(path="changes", fields=_NewChange, command=records.add_change),
    _Act(path="changes/{record}/explain", fields=_Undo, command=records.explain_change, kind=Kind.CHANGE),
    _Act(path="changes/{record}/undone", fields=_Change, command=records.undo_change, kind=Kind.CHANGE),
    _Act(
        path="changes/{record}/accept", fields=_Reason, command=records.accept_change, kind=Kind.CHANGE,
        right=Right.COMMAND,
    ),
    _Act(path="exit-criteria", fields=_NewCriterion, command=records.add_criterion),
    _Act(
        path="exit-criteria/{record}/met", fields=_Reason, command=records.settle_criterion, kind=Kind.CRITERION,
        more=_settle(CriterionState.MET),
    ),
    _Act(
        path="exit-criteria/{record}/waive", fields=_Reason, command=records.settle_criterion, kind=Kind.CRITERION,
        right=Right.COMMAND, more=_settle(CriterionState.WAIVED),
    ),
    _Act(
        path="exit-criteria/{record}/reopen", fields=_Reason, command=records.settle_criterion, kind=Kind.CRITERION,
        more=_settle(CriterionState.OPEN),
    ),
)  # fmt: skip


def _doing(act: _Act) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
        fields = await read_fields(request, act.fields)
        which = () if act.kind is None else (records.number_of(act.kind, request.match_info["record"]),)
        changed = await house.store.write(
            act.command, house.settings, number, *which, actor=actor(request, fields.by), **_given(fields),
            **dict(act.more),
        )  # fmt: skip
        return json_answer(_shape(number, changed), 200 if act.kind else 201)

    return answer


def _given(fields: msgspec.Struct) -> dict[str, Any]:
    given = {name: getattr(fields, name) for name in fields.__struct_fields__ if name != "by"}
    for name, kind in (("state", Belief), ("confidence", Confidence)):  # cleaned, as every text of a body is
        if given.get(name) is not None:
            given[name] = kind(given[name])
    if "made_by" in given:
        given["by"] = given.pop("made_by")
    for name in ("box", "wait"):
        if name in given:
            given[name] = _duration(name, given[name])
    return given


def _duration(name: str, text: str) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise BadRequest(f"`{name}`: {error}") from None


async def write_section(request: web.Request) -> web.Response:
    """Write a part of the document in one's own words."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    fields, name = await read_fields(request, _Section), _section(request.match_info["name"])
    changed = await house.store.write(
        records.write_section, house.settings, number, name, text=fields.text, actor=actor(request, fields.by),
        expected_version=fields.expected_version,
    )  # fmt: skip
    return json_answer(_shape(number, changed))


async def listed(request: web.Request) -> web.Response:
    """Give everything that people put down, as it stands, and what of it keeps the incident from its next states."""
    number = speakable(request.match_info["id"], "INC")
    return json_answer(await request.app[HOUSE].store.read(_all, number))


def _all(tx: Tx, number: int) -> dict[str, Any]:
    subjects.get_incident(tx, number)
    found = kept.records_of(tx, number)
    return {
        "incident": f"INC-{number}",
        **{name: [_shape(number, one) for one in getattr(found, name)] for name in _LISTS},
        "blocks": {state: list(why) for state, why in blocks(found).items()},
    }


async def working_surface(request: web.Request) -> web.Response:
    """Give what a role has to see; `role` is ic, ol or cl."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    asked = [value.lower() for name, value in request.query.items() if name == "role"]
    if len(asked) != 1 or len(request.query) != 1 or asked[0] not in set(Surface):
        raise BadRequest(f"write whose board it is: ?role= with one of {', '.join(Surface)}")
    known = await house.store.read(surfaces.known, house.settings, number)
    last = await house.store.read(around.before, known.incident)
    found = board(known, Surface(asked[0]), house.now())
    shown = {
        **plain(replace(found, unanswered=(), runs=())),
        **{name: [_shape(number, one) for one in getattr(found, name)] for name in _LISTS},
        "unanswered": [shape(page) for page in found.unanswered],
        "runs": [shape(run) for run in found.runs],
        "before": last.line if last else "",
    }
    return json_answer({"incident": f"INC-{number}", **shown})


async def history(request: web.Request) -> web.Response:
    """Give every version of one record, the first one first."""
    number = speakable(request.match_info["id"], "INC")
    kind, which = _named(request.match_info["record"])
    found = await request.app[HOUSE].store.read(kept.history, number, kind, which)
    if not found:
        raise NotFound(f"INC-{number} has no {request.match_info['record'][:40]!r}")
    versions = [
        {"version": it.version, "at": iso(it.at), "by": it.by, "said": it.said, "record": _shape(number, it.record)}
        for it in found
    ]
    return json_answer({"versions": versions})


def _named(text: str) -> tuple[Kind, int]:
    for kind in Kind:
        if kind.letter and text[:1].upper() == kind.letter and text[1:].isdigit():
            return kind, records.number_of(kind, text)
    return Kind.SECTION, _section(text).number


def _section(text: str) -> SectionName:
    try:
        return SectionName(text.lower().replace("-", "_"))
    except ValueError:
        raise NotFound(f"there is no {text[:40]!r} in the document; there are {', '.join(SectionName)}") from None


def _shape(number: int, it: Record) -> dict[str, Any]:
    written: dict[str, Any] = plain(it)
    return {"id": it.key, "incident": f"INC-{number}", **written}


ROUTES = (
    Route("GET", f"{_ROOT}/board", working_surface, Right.READ),
    Route("GET", f"{_ROOT}/records", listed, Right.READ),
    Route("GET", f"{_ROOT}/records/{{record}}/history", history, Right.READ),
    Route("POST", f"{_ROOT}/sections/{{name}}", write_section, Right.RESPOND),
    *(Route("POST", f"{_ROOT}/{act.path}", _doing(act), act.right) for act in _ACTS),
)
