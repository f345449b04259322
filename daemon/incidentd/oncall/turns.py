"""Whose turn it is in a layer, in wall-clock time: handoffs, and the hours in which the layer is on duty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from incidentd.oncall.schedule import FOREVER, Hours, Layer, Site
from incidentd.oncall.walltime import first_instant, last_instant

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a layer; a negative number is the time before its first handoff, which ends there."""

    number: int
    person: str
    end: datetime


def turn_at(layer: Layer, time_zone: str, at: datetime) -> Turn:
    """Say whose turn it is, whether or not the layer is on duty in this hour."""
    zone = ZoneInfo(layer.time_zone or time_zone)
    turn = max(layer.turn, timedelta(hours=1))
    day = layer.start
    if layer.handoff_weekday is not None:
        day += timedelta(days=(layer.handoff_weekday - day.weekday()) % 7)
    first = datetime.combine(day, layer.handoff_time)

    def handoff(number: int) -> datetime:
        wall = first + number * turn
        return first_instant(wall.date(), wall.time(), zone)

    # a guess by the clock on the wall, set right by a step or two: hours that came twice, and days that a zone skipped
    number = (at.astimezone(zone).replace(tzinfo=None) - first) // turn
    while handoff(number) > at:
        number -= 1
    while handoff(number + 1) <= at:
        number += 1
    if number < 0:
        return Turn(-1, "", handoff(0))
    return Turn(number, layer.people[number % len(layer.people)], handoff(number + 1))


def in_hours(layer: Layer, time_zone: str, at: datetime) -> tuple[bool, datetime]:
    """Say whether a layer is on duty at this hour, and until when that is so."""
    if not layer.hours:
        return True, FOREVER
    zone = layer.time_zone or time_zone
    windows = _windows(layer.hours, zone, at.astimezone(ZoneInfo(zone)).date())
    inside = [end for start, end in windows if start <= at < end]
    if inside:
        return True, max(inside)
    return False, min((start for start, _ in windows if start > at), default=FOREVER)


@lru_cache(maxsize=4096)
def _windows(hours: tuple[Hours, ...], zone_name: str, around: date) -> tuple[tuple[datetime, datetime], ...]:
    """Give the windows of the days around a day: a week ahead, and so many before that none of now is missed."""
    zone, found = ZoneInfo(zone_name), []
    for number in range(-2, 10):
        day = around + timedelta(days=number)
        for one in hours:
            if day.weekday() in one.days:
                last = day if one.end > one.start else day + _DAY
                found.append((first_instant(day, one.start, zone), last_instant(last, one.end, zone)))
    return tuple(found)


def holiday_at(site: Site, at: datetime) -> tuple[str, datetime]:
    """Name the holiday that a site has now, '' for none, and say until when that is so."""
    year = at.astimezone(ZoneInfo(site.time_zone)).year
    spans = [span for one in (year - 1, year, year + 1) for span in _spans(site, one)]
    ends = [(end, name) for start, end, name in spans if start <= at < end]
    if ends:
        end, name = max(ends)
        return name, end
    return "", min((start for start, _, _ in spans if start > at), default=FOREVER)


@lru_cache(maxsize=256)
def _spans(site: Site, year: int) -> tuple[tuple[datetime, datetime, str], ...]:
    return tuple(_spans_of(site, year))


def _spans_of(site: Site, year: int) -> Iterator[tuple[datetime, datetime, str]]:
    zone = ZoneInfo(site.time_zone)
    for holiday in site.holidays:
        if holiday.year not in (0, year):
            continue
        try:
            day = date(year, holiday.month, holiday.day)
        except ValueError:  # the 29th of February
            continue
        last = day if holiday.end > holiday.start else day + _DAY
        yield first_instant(day, holiday.start, zone), last_instant(last, holiday.end, zone), holiday.name
