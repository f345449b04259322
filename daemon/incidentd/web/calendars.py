"""Shifts as iCalendar feeds, for a person or a schedule; a calendar subscribes by a signed address of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from aiohttp import web

from incidentd import links, oncall
from incidentd.access import Right
from incidentd.engine import rota as publishing
from incidentd.errors import BadRequest, NotFound
from incidentd.links import BadLink
from incidentd.oncall import Roster, Shift
from incidentd.store import rota
from incidentd.text import iso, plain
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import actor
from incidentd.web.house import HOUSE, Route, external_url
from incidentd.web.oncall import known_person, known_schedule

if TYPE_CHECKING:
    import icalendar

BACK, AHEAD = timedelta(weeks=4), timedelta(weeks=26)
VALID = timedelta(days=366)
"""How long the address of a feed works; then a new one is made."""
_ACTION = "calendar"
_REFRESH = timedelta(hours=1)

Word = Annotated[str, msgspec.Meta(max_length=200)]


class _Feed(msgspec.Struct, forbid_unknown_fields=True):
    schedule: Word = ""
    person: Word = ""
    by: Word = ""


async def of_schedule(request: web.Request) -> web.Response:
    """Give the shifts of a schedule as iCalendar."""
    return await _feed(request, schedule=known_schedule(request))


async def of_person(request: web.Request) -> web.Response:
    """Give the shifts of a person as iCalendar."""
    return await _feed(request, person=known_person(request))


async def make(request: web.Request) -> web.Response:
    """Make the address of a feed: whoever has it can read these shifts, and nothing else."""
    house = request.app[HOUSE]
    fields = await read_fields(request, _Feed)
    if bool(fields.schedule) == bool(fields.person):
        raise BadRequest("a feed is of one `schedule` or one `person`")
    if fields.schedule:
        publishing.known(house.settings, fields.schedule)
    elif fields.person not in house.settings.roster.people:
        raise NotFound(f"there is nobody called {fields.person[:60]!r}")
    subject = f"schedule:{fields.schedule}" if fields.schedule else f"person:{fields.person}"
    who = actor(request, fields.by)
    expires = house.now() + VALID
    await house.store.write(publishing.feed_made, subject, actor=who)
    key = next(iter(house.link_keys.values()))
    token = links.make(
        key, action=_ACTION, subject=subject, person=who.name, nonce=secrets.token_urlsafe(16), expires=expires
    )
    url = f"{external_url(house.settings)}/calendar/{token}"
    return json_answer({"feed": subject, "url": url, "expires": iso(expires.replace(microsecond=0))}, 201)


async def by_link(request: web.Request) -> web.Response:
    """Give the feed that the address is signed for."""
    house = request.app[HOUSE]
    try:
        claim = links.read(house.link_keys, request.match_info["token"], house.now())
        if claim.action != _ACTION:
            raise BadLink("this link is not for a calendar")
    except BadLink as error:
        raise NotFound(f"there is no such calendar: {error}") from None
    kind, _, name = claim.subject.partition(":")
    roster = house.settings.roster
    if name not in (roster.schedules if kind == "schedule" else roster.people):
        raise NotFound(f"there is no {kind} {plain(name, 60)} any more")
    return await (_feed(request, schedule=name) if kind == "schedule" else _feed(request, person=name))


async def _feed(request: web.Request, *, schedule: str = "", person: str = "") -> web.Response:
    house = request.app[HOUSE]
    now = house.now()
    roster = await house.store.read(rota.between, house.settings.roster, now - BACK, now + AHEAD)
    body = await asyncio.to_thread(_written, roster, now, schedule=schedule, person=person)
    return web.Response(body=body, content_type="text/calendar", charset="utf-8", headers={"Cache-Control": "private"})


def _written(roster: Roster, now: datetime, *, schedule: str, person: str) -> bytes:
    import icalendar  # noqa: PLC0415 - it takes memory and start time that a daemon without feeds need not spend

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//incidentd//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"On call: {schedule or person}")
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    for name in [schedule] if schedule else roster.schedules:
        for event in _events(roster, name, now, person):
            calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def _events(roster: Roster, name: str, now: datetime, person: str) -> Iterator[icalendar.Event]:
    schedule = roster.schedules[name]
    firm = max((shift.end for shift in schedule.published), default=now)
    start, end = now - BACK, now + AHEAD
    for shift in oncall.joined(oncall.shifts_between(schedule, start, end, roster.people)):
        # what the window cuts off would have another beginning, and so another name, at every look
        is_whole = (shift.start > start and shift.end < end) or shift.start <= now < shift.end
        if is_whole and shift.person and person in ("", shift.person):
            yield _event(roster, name, shift, now, tentative=shift.start >= firm)


def _event(roster: Roster, name: str, shift: Shift, now: datetime, *, tentative: bool) -> icalendar.Event:
    import icalendar  # noqa: PLC0415 - as above

    known = roster.people.get(shift.person)
    event = icalendar.Event()
    event.add("uid", f"{name}-{shift.person}-{shift.start:%Y%m%dT%H%M%SZ}@incidentd")
    event.add("dtstamp", now.replace(microsecond=0))
    event.add("dtstart", shift.start.replace(microsecond=0))
    event.add("dtend", shift.end.replace(microsecond=0))
    event.add("summary", f"On call for {name}: {plain(known.name if known else shift.person, 100)}")
    event.add("description", plain(shift.because))
    event.add("status", "TENTATIVE" if tentative else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event


ROUTES = (
    Route("GET", "/api/v1/oncall/schedules/{schedule}/calendar.ics", of_schedule, Right.READ),
    Route("GET", "/api/v1/oncall/people/{person}/calendar.ics", of_person, Right.READ),
    Route("POST", "/api/v1/oncall/calendars", make, Right.READ),
    Route("GET", "/calendar/{token}", by_link, Right.PUBLIC),
)
