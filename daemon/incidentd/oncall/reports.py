"""What a schedule asks of people, and where it asks nobody: fairness and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.oncall.finding import Known, joined, shifts_between
from incidentd.oncall.people import Person
from incidentd.oncall.schedule import Override, Schedule, Shift

_PIECE = timedelta(minutes=15)
"""No zone has an offset that is finer, so an hour of somebody's night begins on one of these."""
_NIGHT_FROM, _NIGHT_UNTIL = 22, 8
"""The hours in which people sleep (process G, `period`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one person carried: times add up to what they had the pager, nights and weekends by their own clock."""

    person: str
    shifts: int = 0
    on_call: timedelta = timedelta(0)
    nights: timedelta = timedelta(0)
    """Between 22:00 and 08:00."""
    weekends: timedelta = timedelta(0)


def gaps(schedule: Schedule, start: datetime, end: datetime, known: Known = None) -> tuple[Shift, ...]:
    """Find when neither an override nor a layer names anybody; only the fallback stands there, if there is one."""
    return tuple(shift for shift in joined(shifts_between(schedule, start, end, known)) if not shift.person)


def uncovered(schedule: Schedule, start: datetime, end: datetime, known: Known = None) -> timedelta:
    """Add up the gaps."""
    return sum((gap.end - gap.start for gap in gaps(schedule, start, end, known)), timedelta(0))


def fairness(shifts: Iterable[Shift], people: Mapping[str, Person]) -> tuple[Load, ...]:
    """Add up what each person carried, whoever has most first; nobody's time is left out."""
    found: dict[str, Load] = {}
    for shift in shifts:
        if shift.person:
            known = people.get(shift.person)
            zone = ZoneInfo(known.time_zone if known else "UTC")
            found[shift.person] = _more(found.get(shift.person, Load(person=shift.person)), shift, zone)
    return tuple(sorted(found.values(), key=lambda load: (-load.on_call, load.person)))


def _more(load: Load, shift: Shift, zone: ZoneInfo) -> Load:
    nights = weekends = timedelta(0)
    at = shift.start
    while at < shift.end:
        # up to the next quarter of an hour, so that pieces fall on the edges of hours
        until = min(at + _PIECE - (at - datetime.min.replace(tzinfo=at.tzinfo)) % _PIECE, shift.end)
        local = at.astimezone(zone)
        if local.hour >= _NIGHT_FROM or local.hour < _NIGHT_UNTIL:
            nights += until - at
        if local.weekday() >= 5:
            weekends += until - at
        at = until
    return Load(
        person=load.person, shifts=load.shifts + 1, on_call=load.on_call + (shift.end - shift.start),
        nights=load.nights + nights, weekends=load.weekends + weekends,
    )  # fmt: skip


def overlapping(schedule: Schedule, start: datetime, end: datetime) -> tuple[Override, ...]:
    """Find the overrides that share some time with this one; the one made last wins it."""
    return tuple(one for one in schedule.overrides if one.start < end and start < one.end)


def with_pager(schedule: Schedule, person: str, start: datetime, end: datetime) -> Shift | None:
    """Find the first stretch in which a person has the pager between two instants, cut at both."""
    shifts = (shift for shift in shifts_between(schedule, start, end) if shift.person == person)
    return next(joined(shifts), None)


def partners(paged: Iterable[tuple[str, Sequence[str]]], schedule: str) -> list[tuple[str, str]]:
    """List the other schedules that a policy pages besides this one, each with the policy's name.

    `paged` is the schedules that each chain of a policy pages.
    """
    found: dict[str, str] = {}
    for policy, names in paged:
        if schedule in names:
            for name in names:
                found.setdefault(name, policy)
    return [(policy, name) for name, policy in found.items() if name != schedule]
