"""The API of postmortems: what each says and needs, writing one together, and its way to publication."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right, allows
from incidentd.durations import REACH, in_reach
from incidentd.engine import closing, learning, postmortems, reviewing
from incidentd.engine.postmortems import Asked, Plan
from incidentd.errors import BadRequest, NotFound
from incidentd.postmortem import ALL_POINTS, Gate, State
from incidentd.store.views import speakable
from incidentd.text import iso
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Handler, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Piece = Annotated[str, msgspec.Meta(max_length=100_000)]
_ROOT = "/api/v1/incidents/{id}/postmortem"


class _By(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who says so, and which version they saw."""

    by: Word = ""
    expected_version: int | None = None


class _Section(_By, forbid_unknown_fields=True, kw_only=True):
    text: Piece
    reason: Text = ""


class _Comment(_By, forbid_unknown_fields=True, kw_only=True):
    section: Word
    text: Text


class _Answer(_By, forbid_unknown_fields=True, kw_only=True):
    answer: Text = ""


class _Plan(_By, forbid_unknown_fields=True, kw_only=True):
    owner: Word = ""
    facilitator: Word = ""
    reviewers: list[Word] = []
    without: list[Word] = []
    due: Word = ""
    meeting: Word = ""
    meeting_held: bool = False


class _Request(_By, forbid_unknown_fields=True, kw_only=True):
    reason: Text
    because: Word = ""


class _Approval(_By, forbid_unknown_fields=True, kw_only=True):
    checked: list[Word] = []
    note: Text = ""


class _Move(_By, forbid_unknown_fields=True, kw_only=True):
    reason: Text = ""
    excepted: list[Word] = []
    external: Text = ""


async def findings(request: web.Request) -> web.Response:
    """Say what there is to look at in a postmortem, and whether it passes the gate of its review."""
    house = request.app[HOUSE]
    return json_answer(await house.store.read(reviewing.findings, house.settings, _incident(request)))


async def listed(request: web.Request) -> web.Response:
    """List postmortems, the newest first; `state` may be given several times."""
    unknown = [name for name in request.query if name != "state"]
    if unknown:
        raise BadRequest(f"there is no parameter {unknown[0][:40]!r} here; there is state")
    states = tuple(_state(text) for text in request.query.getall("state", []))
    return json_answer({"postmortems": await request.app[HOUSE].store.read(postmortems.listed, states)})


async def standing(request: web.Request) -> web.Response:
    """Say how a postmortem stands, and what is missing for its next state."""
    house = request.app[HOUSE]
    return json_answer(await house.store.read(postmortems.standing, house.settings, _incident(request)))


async def sections(request: web.Request) -> web.Response:
    """Give the pieces of a postmortem as they are now."""
    house, number = request.app[HOUSE], _incident(request)
    found = await house.store.read(postmortems.sections, house.settings, number)
    return json_answer({"incident": f"INC-{number}", "sections": found})


async def history(request: web.Request) -> web.Response:
    """Give every version of a piece that somebody wrote, the first one first."""
    house = request.app[HOUSE]
    name = request.match_info["name"]
    found = await house.store.read(postmortems.history, house.settings, _incident(request), name)
    return json_answer({"versions": found})


async def edition(request: web.Request) -> web.Response:
    """Give a version that was published, as it was published."""
    text = request.match_info["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    found = await request.app[HOUSE].store.read(postmortems.edition, _incident(request), number)
    if found is None:
        raise NotFound(f"INC-{_incident(request)} has no published version {text[:20]!r} of its postmortem")
    return json_answer(found)


async def edit(request: web.Request) -> web.Response:
    """Write a piece of a postmortem."""
    house, fields = request.app[HOUSE], await read_fields(request, _Section)
    done = await house.store.write(
        postmortems.edit, house.settings, _incident(request), request.match_info["name"], text=fields.text,
        actor=actor(request, fields.by), expected_version=fields.expected_version, reason=fields.reason,
    )  # fmt: skip
    return json_answer({"incident": f"INC-{_incident(request)}", **postmortems.written_shape(done)})


async def comment(request: web.Request) -> web.Response:
    """Say something about a piece of a postmortem."""
    house, fields = request.app[HOUSE], await read_fields(request, _Comment)
    made = await house.store.write(
        postmortems.comment, house.settings, _incident(request), section=fields.section, text=fields.text,
        actor=actor(request, fields.by),
    )  # fmt: skip
    return json_answer({"incident": f"INC-{_incident(request)}", **postmortems.comment_shape(made)}, 201)


async def resolve_comment(request: web.Request) -> web.Response:
    """Say what became of a comment."""
    house, fields = request.app[HOUSE], await read_fields(request, _Answer)
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise NotFound(f"comments have numbers; there is none {text[:20]!r}")
    done = await house.store.write(
        postmortems.resolve_comment, house.settings, _incident(request), int(text), answer=fields.answer,
        actor=actor(request, fields.by),
    )  # fmt: skip
    return json_answer({"incident": f"INC-{_incident(request)}", **postmortems.comment_shape(done)})


async def assign(request: web.Request) -> web.Response:
    """Say whose a postmortem is, who reviews it, when it is due, when its meeting is or was."""
    house, fields = request.app[HOUSE], await read_fields(request, _Plan)
    plan = Plan(
        owner=fields.owner, facilitator=fields.facilitator, reviewers=postmortems.names(fields.reviewers),
        without=postmortems.names(fields.without), due_at=instant_of("due", fields.due),
        meeting_at=instant_of("meeting", fields.meeting), meeting_held=fields.meeting_held,
    )  # fmt: skip
    await house.store.write(
        postmortems.assign, house.settings, _incident(request), plan, actor=actor(request, fields.by),
        expected_version=fields.expected_version,
    )  # fmt: skip
    return await standing(request)


async def ask_for(request: web.Request) -> web.Response:
    """Ask for a postmortem, which anybody may; while the incident goes on it is noted for its end."""
    house, fields, number = request.app[HOUSE], await read_fields(request, _Request), _incident(request)
    made = await house.store.write(
        learning.request, house.settings, number, reason=fields.reason, because=fields.because,
        actor=actor(request, fields.by),
    )  # fmt: skip
    if made is None:
        return json_answer({"incident": f"INC-{number}", "state": None, "owner": "", "due_at": None}, 202)
    shown = {"state": made.state.value, "owner": made.owner, "due_at": iso(made.due_at)}
    return json_answer({"incident": f"INC-{number}", **shown}, 201)


async def approve(request: web.Request) -> web.Response:
    """Say that a postmortem may be published, and what of the checklist one looked at; `all` is everything."""
    house, fields = request.app[HOUSE], await read_fields(request, _Approval)
    points = ALL_POINTS if "all" in fields.checked else postmortems.names(fields.checked)
    await house.store.write(
        postmortems.approve, house.settings, _incident(request), points=points, note=fields.note,
        actor=actor(request, fields.by), expected_version=fields.expected_version,
    )  # fmt: skip
    return await standing(request)


def _moving(to: State) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        house, fields = request.app[HOUSE], await read_fields(request, _Move)
        asked = asked_by(request, fields.by, fields.expected_version, reason=fields.reason, external=fields.external,
                         excepted=tuple(gate_of(one) for one in postmortems.names(fields.excepted)))  # fmt: skip
        if to is State.PUBLISHED:
            await house.store.write(closing.publish, house.settings, _incident(request), asked=asked)
        else:
            await house.store.write(postmortems.go, house.settings, _incident(request), to, asked=asked)
        return await standing(request)

    return answer


def asked_by(request: web.Request, by: str, expected_version: int | None, **more: Any) -> Asked:
    """Say who asks for a move; whoever may administer may make exceptions."""
    caller = request[CALLER]
    admin = allows(caller.scopes, Right.ADMIN) and not (caller.local and by)
    return Asked(actor=actor(request, by), admin=admin, expected_version=expected_version, **more)


def gate_of(text: str) -> Gate:
    """Read the name of a gate. Raises BadRequest."""
    if text not in set(Gate):
        raise BadRequest(f"there is no gate {text[:40]!r}; there are {', '.join(Gate)}")
    return Gate(text)


def instant_of(key: str, text: str) -> datetime | None:
    """Read an instant: a day, a day and a time, or RFC 3339; in UTC when no zone is said. Raises BadRequest."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BadRequest(f"`{key}` is a time such as 2026-12-24 14:00 (UTC), not {text[:40]!r}") from None
    if not in_reach(at):
        raise BadRequest(f"`{key}` is a time {REACH}")
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _state(text: str) -> State:
    if text not in set(State):
        raise BadRequest(f"there is no state {text[:40]!r}; there are {', '.join(State)}")
    return State(text)


def _incident(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


ROUTES = (
    Route("GET", "/api/v1/postmortems", listed, Right.READ),
    Route("GET", f"{_ROOT}/findings", findings, Right.READ),
    Route("GET", f"{_ROOT}/state", standing, Right.READ),
    Route("GET", f"{_ROOT}/sections", sections, Right.READ),
    Route("GET", f"{_ROOT}/sections/{{name}}/history", history, Right.READ),
    Route("GET", f"{_ROOT}/versions/{{number}}", edition, Right.READ),
    Route("POST", f"{_ROOT}/sections/{{name}}", edit, Right.RESPOND),
    Route("POST", f"{_ROOT}/comments", comment, Right.RESPOND),
    Route("POST", f"{_ROOT}/comments/{{number}}/resolve", resolve_comment, Right.RESPOND),
    Route("POST", f"{_ROOT}/assign", assign, Right.RESPOND),
    Route("POST", f"{_ROOT}/request", ask_for, Right.RESPOND),
    Route("POST", f"{_ROOT}/submit", _moving(State.IN_REVIEW), Right.RESPOND),
    Route("POST", f"{_ROOT}/approve", approve, Right.RESPOND),
    Route("POST", f"{_ROOT}/return", _moving(State.DRAFT), Right.RESPOND),
    Route("POST", f"{_ROOT}/reviewed", _moving(State.REVIEWED), Right.RESPOND),
    Route("POST", f"{_ROOT}/publish", _moving(State.PUBLISHED), Right.COMMAND),
    Route("POST", f"{_ROOT}/close", _moving(State.CLOSED), Right.COMMAND),
)
