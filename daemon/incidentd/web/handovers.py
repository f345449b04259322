"""The API of handovers: the draft, what only people know of it, the offer, and what becomes of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd.access import Right, allows
from incidentd.engine import handover
from incidentd.engine.updates import Asking
from incidentd.errors import BadRequest, Conflict
from incidentd.handover import Handover, HumanLine, State
from incidentd.roles import Role, named
from incidentd.store.views import speakable
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class _By(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who says so."""

    by: Word = ""


class _Offer(_By, forbid_unknown_fields=True, kw_only=True):
    role: Word = ""
    to: Word = ""
    now: Text = ""
    trend: Word = ""
    hypotheses: Text = ""
    decisions: Text = ""
    risks: Text = ""
    escalate_if: Text = ""


class _All(_By, forbid_unknown_fields=True, kw_only=True):
    to: Word


class _Reason(_By, forbid_unknown_fields=True, kw_only=True):
    reason: Text = ""


async def shown(request: web.Request) -> web.Response:
    """List the offers of an incident's roles, the newest first."""
    return json_answer(await request.app[HOUSE].store.read(handover.shown, _incident(request)))


async def draft(request: web.Request) -> web.Response:
    """Write the message as things stand, with what is missing in it and who could be asked."""
    roles = _roles(request.query.get("role", ""))
    return json_answer(await _prepared(request, roles, request.query.get("to", "")[:100]))


async def offer(request: web.Request) -> web.Response:
    """Keep what only people know, and offer roles to somebody; without a receiver only the draft is given.

    The words are kept whatever the gate says, so that nobody types them twice.
    """
    house, fields = request.app[HOUSE], await read_fields(request, _Offer)
    number, roles = _incident(request), _roles(fields.role)
    asking = _asking(request, fields.by)
    words = {line: text for line in HumanLine if (text := getattr(fields, line.value))}
    if words:
        await house.store.write(handover.say, house.settings, number, words, actor=asking.actor)
    if not fields.to:
        return json_answer(await _prepared(request, roles, ""))
    made = await house.store.write(
        handover.offer, house.settings, number, roles=roles, receiver=fields.to, asking=asking
    )
    return json_answer(handover.handover_shape(made), 201)


async def offer_all(request: web.Request) -> web.Response:
    """Offer all the roles that the caller has to somebody: one offer an incident; what is refused says why."""
    house, fields = request.app[HOUSE], await read_fields(request, _All)
    asking = _asking(request, fields.by)
    offered: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    found = await house.store.read(handover.open_roles, asking.actor.name)
    for number, roles in found.items():
        try:
            made = await house.store.write(
                handover.offer, house.settings, number, roles=roles, receiver=fields.to, asking=asking
            )
        except (BadRequest, Conflict) as error:
            refused.append({"incident": f"INC-{number}", "roles": [it.short for it in roles], "error": str(error)})
        else:
            offered.append(handover.handover_shape(made))
    if not found:
        raise Conflict(f"{asking.actor.name or 'whoever asks'} has no role in an incident that goes on")
    return json_answer({"offered": offered, "refused": refused}, 201 if offered else 200)


async def accept(request: web.Request) -> web.Response:
    """Take roles over that were offered to the caller."""
    house, fields = request.app[HOUSE], await read_fields(request, _By)
    done = await house.store.write(
        handover.accept, house.settings, _number(request), actor=actor(request, fields.by)
    )  # fmt: skip
    return _answered(done)


async def decline(request: web.Request) -> web.Response:
    """Say no to roles that were offered to the caller."""
    house, fields = request.app[HOUSE], await read_fields(request, _Reason)
    done = await house.store.write(
        handover.decline, house.settings, _number(request), actor=actor(request, fields.by), reason=fields.reason
    )
    return _answered(done)


async def withdraw(request: web.Request) -> web.Response:
    """Take an offer back."""
    house, fields = request.app[HOUSE], await read_fields(request, _Reason)
    done = await house.store.write(
        handover.withdraw, house.settings, _number(request), asking=_asking(request, fields.by), reason=fields.reason
    )
    return _answered(done)


def _answered(done: Handover) -> web.Response:
    if done.state is State.VOID:  # that it is void is kept, and said to everybody, so it was no error before
        raise Conflict(f"{done.key} leaves nothing to take over: {done.reason}")
    return json_answer(handover.handover_shape(done))


async def _prepared(request: web.Request, roles: tuple[Role, ...], to: str) -> dict[str, Any]:
    house = request.app[HOUSE]
    found: dict[str, Any] = await house.store.read(handover.prepared, house.settings, _incident(request), roles, to)
    return found


def _incident(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


def _number(request: web.Request) -> int:
    return speakable(request.match_info["id"], "HO")


def _roles(text: str) -> tuple[Role, ...]:
    """Read `ic,cl`. Raises BadRequest for a role that there is not."""
    return tuple(named(word) for word in text.split(",") if word.strip())


def _asking(request: web.Request, by: str) -> Asking:
    """Say who asks; whoever may administer may whatever their standing."""
    caller = request[CALLER]
    admin = allows(caller.scopes, Right.ADMIN) and not (caller.local and by)
    return Asking(actor=actor(request, by), admin=admin)


ROUTES = (
    Route("GET", "/api/v1/incidents/{id}/handovers", shown, Right.READ),
    Route("GET", "/api/v1/incidents/{id}/handovers/draft", draft, Right.READ),
    Route("POST", "/api/v1/incidents/{id}/handovers", offer, Right.RESPOND),
    Route("POST", "/api/v1/handovers", offer_all, Right.RESPOND),
    Route("POST", "/api/v1/handovers/{id}/accept", accept, Right.RESPOND),
    Route("POST", "/api/v1/handovers/{id}/decline", decline, Right.RESPOND),
    Route("POST", "/api/v1/handovers/{id}/withdraw", withdraw, Right.RESPOND),
)
