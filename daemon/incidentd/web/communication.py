"""The API of the channels in which an incident is followed: list them, add one, remove one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from incidentd.access import Right
from incidentd.engine import communication
from incidentd.store.views import speakable
from incidentd.store.views.shapes import plain
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import actor
from incidentd.web.house import HOUSE, Route

Word = Annotated[str, msgspec.Meta(max_length=200)]


class _Channel(msgspec.Struct, forbid_unknown_fields=True):
    channel: Word
    by: Word = ""


async def listed(request: web.Request) -> web.Response:
    """List the channels of an incident, those that were removed too."""
    house, number = request.app[HOUSE], speakable(request.match_info["id"], "INC")
    found = await house.store.read(communication.listed, house.settings, number)
    return json_answer({"id": f"INC-{number}", "channels": [plain(it) for it in found]})


async def add(request: web.Request) -> web.Response:
    """Have an incident followed in a channel."""
    house, fields = request.app[HOUSE], await read_fields(request, _Channel)
    number, who = speakable(request.match_info["id"], "INC"), actor(request, fields.by)
    done = await house.store.write(communication.add_channel, house.settings, number, fields.channel, actor=who)
    return json_answer(plain(done), 201)


async def remove(request: web.Request) -> web.Response:
    """Have an incident followed in a channel no more."""
    house, fields = request.app[HOUSE], await read_fields(request, _Channel)
    number, who = speakable(request.match_info["id"], "INC"), actor(request, fields.by)
    done = await house.store.write(communication.remove_channel, house.settings, number, fields.channel, actor=who)
    return json_answer(plain(done))


ROUTES = (
    Route("GET", "/api/v1/incidents/{id}/channels", listed, Right.READ),
    Route("POST", "/api/v1/incidents/{id}/channels", add, Right.RESPOND),
    Route("POST", "/api/v1/incidents/{id}/channels/remove", remove, Right.RESPOND),
)
