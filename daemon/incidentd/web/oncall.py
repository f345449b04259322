"""The on-call part of the API: who and when, gaps and fairness, overrides and swaps."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from incidentd import oncall
from incidentd.access import Right, allows
from incidentd.durations import REACH, format_duration, in_reach, parse_duration
from incidentd.engine import overriding
from incidentd.engine import rota as publishing
from incidentd.errors import BadRequest, NotFound
from incidentd.oncall import Roster, Shift
from incidentd.store import rota
from incidentd.store.rota import StoredOverride
from incidentd.store.views import speakable
from incidentd.store.views.shapes import plain
from incidentd.text import iso
from incidentd.timeline import Actor
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

LONGEST_LOOK = timedelta(days=400)
_WEEKS_AHEAD = timedelta(weeks=8)
_WEEKS_BACK = timedelta(weeks=13)
"""Of the report of fairness: a quarter."""
_END_WITHIN = timedelta(weeks=26)
"""How far past the time that is asked about the end of its last shift is looked for."""

Word = Annotated[str, msgspec.Meta(max_length=200)]
Reason = Annotated[str, msgspec.Meta(max_length=overriding.LONGEST_REASON)]


class _Override(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from", "end": "until"}):
    person: Word
    start: Word
    end: Word
    because: Reason = ""
    by: Word = ""


class _Take(msgspec.Struct, forbid_unknown_fields=True):
    length: Word = ""
    person: Word = ""
    because: Reason = ""
    by: Word = ""


class _Swap(msgspec.Struct, forbid_unknown_fields=True, rename={"other": "with", "other_at": "with_at"}):
    person: Word
    other: Word
    at: Word = ""
    other_at: Word = ""
    because: Reason = ""
    by: Word = ""


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason = ""
    by: Word = ""


class _By(msgspec.Struct, forbid_unknown_fields=True):
    by: Word = ""


# -- reading ---------------------------------------------------------------------------------------------------------


async def who(request: web.Request) -> web.Response:
    """Say who is on call now, for each schedule."""
    house = request.app[HOUSE]
    now = house.now()
    roster = await house.store.read(rota.current, house.settings.roster)
    return json_answer({"schedules": [_now(roster, name, now) for name in roster.schedules], "now": iso(now)})


def _now(roster: Roster, name: str, now: datetime) -> dict[str, Any]:
    schedule = roster.schedules[name]
    duty = oncall.on_call(schedule, now, roster.people)
    found = oncall.resolve(oncall.Target(on_call=name), roster, now)
    before = oncall.previous(schedule, now, known=roster.people)
    learning = oncall.shadows(schedule, now, roster.people)
    return {
        "schedule": name, "person": duty.person, "because": duty.because,
        "until": None if duty.until == oncall.FOREVER else iso(duty.until), "previous": before,
        "paged": [{"handle": person.handle, "name": person.name} for person in found],
        "shadows": [{"person": one.person, "reverse": one.reverse} for one in learning],
    }  # fmt: skip


async def shifts(request: web.Request) -> web.Response:
    """List the shifts of a schedule."""
    name = known_schedule(request)
    roster, start, end = await looked(request, ahead=_WEEKS_AHEAD, past=_END_WITHIN)
    return json_answer({"schedule": name, "shifts": await asyncio.to_thread(_shifts, roster, name, start, end)})


def _shifts(roster: Roster, name: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Give the shifts that begin before `end`, each to its own end; `until` is None for one that goes on and on."""
    last = end + _END_WITHIN
    return [
        {
            "person": shift.person, "from": iso(shift.start), "until": iso(shift.end) if shift.end < last else None,
            "because": shift.because,
        }
        for shift in takewhile(lambda one: one.start < end, _of(roster, name, start, last))
    ]  # fmt: skip


async def when(request: web.Request) -> web.Response:
    """List when somebody is on call, in every schedule."""
    person = known_person(request)
    roster, start, end = await looked(request, ahead=_WEEKS_AHEAD, past=_END_WITHIN)
    return json_answer({"person": person, "shifts": await asyncio.to_thread(_when, roster, person, start, end)})


def _when(roster: Roster, person: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    found = [
        {"schedule": name, **shift}
        for name in roster.schedules
        for shift in _shifts(roster, name, start, end)
        if shift["person"] == person
    ]
    return sorted(found, key=lambda one: (one["from"], one["schedule"]))


async def gaps(request: web.Request) -> web.Response:
    """List when nobody is on call but a fallback, in every schedule."""
    roster, start, end = await looked(request, ahead=_WEEKS_AHEAD)
    return json_answer({"schedules": await asyncio.to_thread(_gaps, roster, start, end)})


def _gaps(roster: Roster, start: datetime, end: datetime) -> list[dict[str, Any]]:
    found = []
    for name, schedule in roster.schedules.items():
        its = oncall.gaps(schedule, start, end, roster.people)
        found.append(
            {
                "schedule": name, "fallback": str(schedule.fallback) if schedule.fallback else None,
                "uncovered": _length(sum((gap.end - gap.start for gap in its), timedelta(0))),
                "gaps": [{"from": iso(gap.start), "until": iso(gap.end)} for gap in its],
            }
        )  # fmt: skip
    return found


async def fairness(request: web.Request) -> web.Response:
    """Say what each person carried, by schedule: hours, nights, weekends, and the pages that came to them."""
    roster, start, end = await looked(request, back=_WEEKS_BACK)
    pages = await request.app[HOUSE].store.read(rota.pages_by_person, start, end)
    found = await asyncio.to_thread(_fairness, roster, start, end, pages)
    return json_answer({"from": iso(start), "until": iso(end), "schedules": found})


def _length(time: timedelta) -> str:
    """Write how long people were on call, to the minute."""
    return format_duration(timedelta(minutes=round(time / timedelta(minutes=1))))


def _fairness(roster: Roster, start: datetime, end: datetime, pages: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "schedule": name,
            "people": [
                {
                    "person": load.person, "shifts": load.shifts, "on_call": _length(load.on_call),
                    "nights": _length(load.nights), "weekends": _length(load.weekends),
                    "pages": pages.get(load.person, 0),
                }
                for load in oncall.fairness(_of(roster, name, start, end), roster.people)
            ],
        }
        for name in roster.schedules
    ]  # fmt: skip


def _of(roster: Roster, name: str, start: datetime, end: datetime) -> Iterator[Shift]:
    return oncall.joined(oncall.shifts_between(roster.schedules[name], start, end, roster.people))


async def overrides(request: web.Request) -> web.Response:
    """List the overrides and swaps that are not over, whatever became of them."""
    _only(request)
    house = request.app[HOUSE]
    found = await house.store.read(lambda tx: rota.overrides_ending_after(tx, tx.now))
    return json_answer({"overrides": [_stored(one) for one in found]})


# -- changing --------------------------------------------------------------------------------------------------------


async def override(request: web.Request) -> web.Response:
    """Give somebody the pager for a while."""
    house, name = request.app[HOUSE], known_schedule(request)
    fields = await read_fields(request, _Override)
    zone = house.settings.roster.schedules[name].time_zone
    made = await house.store.write(
        overriding.override, house.settings, schedule=name, person=fields.person,
        start=moment("from", fields.start, zone), end=moment("until", fields.end, zone, last=True),
        because=fields.because, actor=_somebody(request, fields.by),
    )  # fmt: skip
    return _made(made)


async def take(request: web.Request) -> web.Response:
    """Take the pager now."""
    house, name = request.app[HOUSE], known_schedule(request)
    fields = await read_fields(request, _Take)
    try:
        length = parse_duration(fields.length) if fields.length else None
    except ValueError as error:
        raise BadRequest(f"`length`: {error}") from None
    made = await house.store.write(
        overriding.take, house.settings, schedule=name, person=fields.person, length=length,
        because=fields.because, actor=_somebody(request, fields.by),
    )  # fmt: skip
    return _made(made)


async def swap(request: web.Request) -> web.Response:
    """Propose that two people take each other's shift."""
    house, name = request.app[HOUSE], known_schedule(request)
    fields = await read_fields(request, _Swap)
    zone = house.settings.roster.schedules[name].time_zone
    at, other_at = (
        moment(key, text, zone) if text else None for key, text in (("at", fields.at), ("with_at", fields.other_at))
    )
    made = await house.store.write(
        overriding.swap, house.settings, schedule=name, person=fields.person, other=fields.other, at=at,
        other_at=other_at, because=fields.because, actor=_somebody(request, fields.by),
    )  # fmt: skip
    return _made(made)


async def accept(request: web.Request) -> web.Response:
    """Accept a swap: it counts from here."""
    house, name = request.app[HOUSE], f"SWAP-{speakable(request.match_info['id'], 'SWAP')}"
    fields = await read_fields(request, _By)
    made = await house.store.write(overriding.accept, house.settings, name, actor=actor(request, fields.by))
    return _made(made, status=200)


async def withdraw(request: web.Request) -> web.Response:
    """Take an override back; of a swap both halves."""
    return await _withdraw(request, overriding.withdraw, speakable(request.match_info["id"], "OVR"))


async def withdraw_swap(request: web.Request) -> web.Response:
    """Take a swap back: both halves."""
    name = f"SWAP-{speakable(request.match_info['id'], 'SWAP')}"
    return await _withdraw(request, overriding.withdraw_swap, name)


async def _withdraw(request: web.Request, how: Callable[..., overriding.Made], which: int | str) -> web.Response:
    house, fields = request.app[HOUSE], await read_fields(request, _Reason)
    who, caller = _somebody(request, fields.by), request[CALLER]
    # whoever is let in without a token and says who they are is that person, and no admin
    admin = allows(caller.scopes, Right.ADMIN) and who.name == caller.name
    made = await house.store.write(how, house.settings, which, reason=fields.reason, actor=who, admin=admin)
    return _made(made, status=200)


async def publish(request: web.Request) -> web.Response:
    """Let what the file says count at once."""
    house, name = request.app[HOUSE], known_schedule(request)
    fields = await read_fields(request, _By)
    made = await house.store.write(
        publishing.publish_now, house.settings, name, actor=actor(request, fields.by)
    )  # fmt: skip
    return json_answer({"schedule": name, "published": made})


def _somebody(request: web.Request, by: str) -> Actor:
    """Say who acts; whom the body names has to be somebody. Raises BadRequest."""
    people = request.app[HOUSE].settings.roster.people
    who = actor(request, by)
    if by and request[CALLER].local and by not in people:
        near = difflib.get_close_matches(by[:64], list(people), n=1)
        meant = f"did you mean {near[0]}?" if near else "say who acts by a handle such as ana"
        raise BadRequest(f"you act as {by[:60]!r} (`by`, --by), and there is nobody called that; {meant}")
    return who


def moment(key: str, text: str, zone: str, *, last: bool = False) -> datetime:
    """Read an instant: RFC 3339 with an offset, or a wall-clock time of the zone. Raises BadRequest."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        how = f"write 2026-12-24 09:00, by the clock of {zone}, or 2026-12-24T08:00:00Z"
        raise BadRequest(f"`{key}` is no time: {how}") from None
    if not in_reach(at):
        raise BadRequest(f"`{key}` is a time {REACH}")
    if at.tzinfo is None:
        find = oncall.last_instant if last else oncall.first_instant
        return find(at.date(), at.time(), ZoneInfo(zone))
    return at.astimezone(UTC)


def _made(made: overriding.Made, status: int = 201) -> web.Response:
    conflicts = [
        {"override": one.key, "person": one.person, "from": iso(one.start), "until": iso(one.end)}
        for one in made.conflicts
    ]
    first = made.overrides[0]
    return json_answer(
        {
            "id": first.swap or first.key, "schedule": first.schedule, "state": first.state.value,
            "overrides": [_stored(one) for one in made.overrides], "conflicts": conflicts, "notes": list(made.notes),
        },
        status,
    )  # fmt: skip


def _stored(one: StoredOverride) -> dict[str, Any]:
    return {
        "id": one.key, "swap": one.swap or None, "schedule": one.schedule, "person": one.person,
        "from": iso(one.start), "until": iso(one.end), "because": one.because, "state": one.state.value,
        "by": one.made_by, "at": plain(one.made_at),
    }  # fmt: skip


def known_schedule(request: web.Request) -> str:
    """Give the schedule that the path names. Raises NotFound."""
    name: str = request.match_info["schedule"]
    return publishing.known(request.app[HOUSE].settings, name).name


def known_person(request: web.Request) -> str:
    """Give the person whom the path names. Raises NotFound."""
    person: str = request.match_info["person"]
    if person not in request.app[HOUSE].settings.roster.people:
        raise NotFound(f"there is nobody called {person[:60]!r}")
    return person


async def looked(
    request: web.Request, *, ahead: timedelta = timedelta(0), back: timedelta = timedelta(0),
    past: timedelta = timedelta(0),
) -> tuple[Roster, datetime, datetime]:  # fmt: skip
    """Give the roster of the time that a request asks about, and for `past` after it, as the store knows it."""
    house = request.app[HOUSE]
    start, end = _window(request, ahead=ahead, back=back)
    return await house.store.read(rota.between, house.settings.roster, start, end + past), start, end


def _only(request: web.Request, *known: str) -> None:
    for name in request.query:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise BadRequest(f"there is no parameter {name[:40]!r} here; {there}")


def _window(request: web.Request, *, ahead: timedelta, back: timedelta) -> tuple[datetime, datetime]:
    """Read from when until when is asked. Raises BadRequest."""
    _only(request, "from", "until")
    now = request.app[HOUSE].now()
    start = moment("from", request.query["from"], "UTC") if "from" in request.query else now - back
    end = moment("until", request.query["until"], "UTC") if "until" in request.query else max(start, now) + ahead
    if not start < end <= start + LONGEST_LOOK:
        raise BadRequest(f"`until` is after `from`, and at most {LONGEST_LOOK.days} days")
    return start, end


_READING: Iterable[tuple[str, Any]] = (
    ("oncall", who),
    ("oncall/gaps", gaps),
    ("oncall/fairness", fairness),
    ("oncall/overrides", overrides),
    ("oncall/people/{person}", when),
    ("oncall/schedules/{schedule}/shifts", shifts),
)
ROUTES = (
    *(Route("GET", f"/api/v1/{path}", handler, Right.READ) for path, handler in _READING),
    Route("POST", "/api/v1/oncall/schedules/{schedule}/overrides", override, Right.RESPOND),
    Route("POST", "/api/v1/oncall/schedules/{schedule}/take", take, Right.RESPOND),
    Route("POST", "/api/v1/oncall/schedules/{schedule}/swaps", swap, Right.RESPOND),
    Route("POST", "/api/v1/oncall/schedules/{schedule}/publish", publish, Right.COMMAND),
    Route("POST", "/api/v1/oncall/swaps/{id}/accept", accept, Right.RESPOND),
    Route("POST", "/api/v1/oncall/swaps/{id}/withdraw", withdraw_swap, Right.RESPOND),
    Route("POST", "/api/v1/oncall/overrides/{id}/withdraw", withdraw, Right.RESPOND),
)
