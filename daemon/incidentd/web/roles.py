"""The API of roles: who has which, who was asked, who works on an incident; and what people say about it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right, allows
from incidentd.engine import roles
from incidentd.engine.roles import Done, showing
from incidentd.roles import Role, named
from incidentd.store.views import shape, speakable
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Version = Annotated[int, msgspec.Meta(ge=1)]
_ROOT = "/api/v1/incidents/{id}"


class _Do(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who asks, and why."""

    by: Word = ""
    because: Text = ""


class _Changed(_Do, forbid_unknown_fields=True, kw_only=True):
    """Who asks, why, and the version of the incident that they saw."""

    expected_version: Version | None = None


class _Assign(_Changed, forbid_unknown_fields=True, kw_only=True):
    role: Word
    person: Word


class _Answer(_Do, forbid_unknown_fields=True, kw_only=True):
    role: Word = ""


class _StepBack(_Changed, forbid_unknown_fields=True, kw_only=True):
    role: Word


class _Team(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    team: Word
    asked: Text
    by: Word = ""


class _Person(_Changed, forbid_unknown_fields=True, kw_only=True):
    person: Word


async def shown(request: web.Request) -> web.Response:
    """Say who has which role, since when, who was asked, and who works on the incident."""
    return json_answer(await _shown(request))


async def assign(request: web.Request) -> web.Response:
    """Give a role to somebody; anybody but the caller is asked first."""
    house, fields = request.app[HOUSE], await read_fields(request, _Assign)
    done = await house.store.write(
        roles.assign, house.settings, _incident(request), named(fields.role), fields.person,
        actor=actor(request, fields.by), because=fields.because, admin=_admin(request, fields.by),
        expected_version=fields.expected_version,
    )  # fmt: skip
    return await _done(request, done)


async def accept(request: web.Request) -> web.Response:
    """Take the role that one is asked to take, or let go of the one that somebody asks for."""
    house, fields = request.app[HOUSE], await read_fields(request, _Answer)
    await house.store.write(
        roles.accept, house.settings, _incident(request), actor=actor(request, fields.by), role=_role(fields.role)
    )
    return json_answer(await _shown(request))


async def decline(request: web.Request) -> web.Response:
    """Say no to a role, or to letting go of one."""
    house, fields = request.app[HOUSE], await read_fields(request, _Answer)
    await house.store.write(
        roles.decline, house.settings, _incident(request), actor=actor(request, fields.by), role=_role(fields.role),
        reason=fields.because,
    )  # fmt: skip
    return json_answer(await _shown(request))


async def release(request: web.Request) -> web.Response:
    """Give a role back to the commander."""
    house, fields = request.app[HOUSE], await read_fields(request, _StepBack)
    await house.store.write(
        roles.step_back, house.settings, _incident(request), named(fields.role), actor=actor(request, fields.by),
        because=fields.because, admin=_admin(request, fields.by), expected_version=fields.expected_version,
    )  # fmt: skip
    return json_answer(await _shown(request))


async def take_command(request: web.Request) -> web.Response:
    """Ask to command an incident: it changes when its commander lets go, or after two minutes without an answer."""
    house, fields = request.app[HOUSE], await read_fields(request, _Changed)
    done = await house.store.write(
        roles.take_command, house.settings, _incident(request), actor=actor(request, fields.by),
        because=fields.because, expected_version=fields.expected_version,
    )  # fmt: skip
    return await _done(request, done)


async def page_team(request: web.Request) -> web.Response:
    """Call a team, and say what they are asked for."""
    house, fields = request.app[HOUSE], await read_fields(request, _Team)
    page = await house.store.write(
        roles.page_team, house.settings, _incident(request), fields.team, actor=actor(request, fields.by),
        asked=fields.asked,
    )  # fmt: skip
    return json_answer(shape(page), 201)


async def join(request: web.Request) -> web.Response:
    """Say that one works on an incident."""
    house, fields = request.app[HOUSE], await read_fields(request, _Do)
    await house.store.write(
        roles.join, house.settings, _incident(request), actor=actor(request, fields.by), text=fields.because
    )
    return json_answer(await _shown(request), 201)


async def let_go(request: web.Request) -> web.Response:
    """Let somebody go; their roles go back to the commander."""
    house, fields = request.app[HOUSE], await read_fields(request, _Person)
    await house.store.write(
        roles.let_go, house.settings, _incident(request), fields.person, actor=actor(request, fields.by),
        because=fields.because, admin=_admin(request, fields.by), expected_version=fields.expected_version,
    )  # fmt: skip
    return json_answer(await _shown(request))


async def _done(request: web.Request, done: Done) -> web.Response:
    said = {**await _shown(request), "asked": showing.offer_shape(done.offer) if done.offer else None}
    return json_answer(said, 202 if done.offer else 200)


async def _shown(request: web.Request) -> dict[str, Any]:
    return await request.app[HOUSE].store.read(showing.shown, _incident(request))


def _incident(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


def _role(word: str) -> Role | None:
    return named(word) if word else None


def _admin(request: web.Request, by: str) -> bool:
    """Say whether a caller may whatever their standing; a local one that says who acts is that person."""
    caller = request[CALLER]
    return allows(caller.scopes, Right.ADMIN) and not (caller.local and by)


ROUTES = (
    Route("GET", f"{_ROOT}/roles", shown, Right.READ),
    Route("POST", f"{_ROOT}/roles", assign, Right.RESPOND),
    Route("POST", f"{_ROOT}/roles/accept", accept, Right.RESPOND),
    Route("POST", f"{_ROOT}/roles/decline", decline, Right.RESPOND),
    Route("POST", f"{_ROOT}/roles/release", release, Right.RESPOND),
    Route("POST", f"{_ROOT}/take-command", take_command, Right.RESPOND),
    Route("POST", f"{_ROOT}/page-team", page_team, Right.RESPOND),
    Route("POST", f"{_ROOT}/join", join, Right.RESPOND),
    Route("POST", f"{_ROOT}/let-go", let_go, Right.RESPOND),
)
