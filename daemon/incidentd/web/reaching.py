"""The API's part about being reachable: contact tests, handoff reports, and paging the next level at once."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd import handoff
from incidentd.access import Right
from incidentd.contacts import Contact
from incidentd.engine import commands, contact
from incidentd.engine import handoff as changes
from incidentd.errors import BadRequest
from incidentd.store.views import shape, speakable
from incidentd.text import iso
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import actor
from incidentd.web.house import HOUSE, Route, external_url
from incidentd.web.html import page

Word = Annotated[str, msgspec.Meta(max_length=200)]


class _Test(msgspec.Struct, forbid_unknown_fields=True):
    person: Word = ""
    by: Word = ""


class _By(msgspec.Struct, forbid_unknown_fields=True):
    by: Word = ""


async def test(request: web.Request) -> web.Response:
    """Send a test message to every channel of a person."""
    house = request.app[HOUSE]
    fields = await read_fields(request, _Test)
    if not fields.person:
        raise BadRequest("`person` is missing: the handle of whoever gets the test")
    who = actor(request, fields.by)
    sent = await house.store.write(
        contact.send_test, house.settings, fields.person, actor=who, key=next(iter(house.link_keys.values()))
    )
    return json_answer({"person": fields.person, "channels": list(sent)}, 202)


async def contacts(request: web.Request) -> web.Response:
    """List every channel of every person, and whether it is known to work."""
    return json_answer({"contacts": [_shape(one) for one in await _listed(request)]})


async def contacts_page(request: web.Request) -> web.Response:
    """Show the same to people."""
    found = [_shape(one) for one in await _listed(request)]
    return page(request, "contacts.html", now=iso(request.app[HOUSE].now()), contacts=found)


async def report(request: web.Request) -> web.Response:
    """Give a preview of the handoff report, as it would be if the pager were handed on now."""
    house = request.app[HOUSE]
    silences = await house.silences()
    known = await house.store.read(changes.known, house.settings, request.match_info["id"], None, silences)
    title, body = handoff.report(known, now=house.now(), url=external_url(house.settings))
    change = known.change
    return json_answer(
        {
            "schedule": change.schedule, "leaving": change.leaving, "coming": change.coming,
            "began": iso(change.began), "preview": known.preview, "next_at": iso(known.next_at),
            "title": title, "body": body, "silences": None if silences is None else len(silences),
        }
    )  # fmt: skip


async def escalate(request: web.Request) -> web.Response:
    """Page the next level of a page now."""
    house = request.app[HOUSE]
    number, fields = speakable(request.match_info["id"], "PAGE"), await read_fields(request, _By)
    done = await house.store.write(commands.escalate_page, house.settings, number, actor=actor(request, fields.by))
    return json_answer(shape(done))


async def _listed(request: web.Request) -> tuple[Contact, ...]:
    house = request.app[HOUSE]
    return await house.store.read(contact.listed, house.settings, key=next(iter(house.link_keys.values())))


def _shape(one: Contact) -> dict[str, Any]:
    return {
        "person": one.person, "channel": one.channel, "kind": one.kind.value, "state": one.state.value,
        "sent_at": iso(one.sent_at), "confirmed_at": iso(one.confirmed_at), "advice": one.advice,
    }  # fmt: skip


ROUTES = (
    Route("POST", "/api/v1/oncall/test", test, Right.RESPOND),
    Route("GET", "/api/v1/oncall/contacts", contacts, Right.READ),
    Route("GET", "/api/v1/oncall/schedules/{id}/report", report, Right.READ),
    Route("POST", "/api/v1/pages/{id}/escalate", escalate, Right.RESPOND),
    Route("GET", "/contacts", contacts_page, Right.READ),
)
