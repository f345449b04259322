"""Wall-clock times of a named zone as UTC instants, on the nights too on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def first_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Give the UTC instant of a wall-clock time: of two the first, and of none (a spring night) the first after it."""
    wall = datetime.combine(day, at)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # The clock jumped over it. Halve the stretch between the readings with the offset of after and of before the jump.
    low, high = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high


def last_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Give the UTC instant of a wall-clock time: of two the last, so that what ends then leaves no gap."""
    wall = datetime.combine(day, at)
    instant = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == wall else first_instant(day, at, zone)


def wall_of(at: datetime, zone: str) -> str:
    """Write an instant as its zone's clock shows it, `2026-10-25T02:30:00/2` for the second of two."""
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(tzinfo=None, fold=0).isoformat() + ("/2" if local.fold else "")


def instant_of(wall: str, zone: str) -> datetime:
    """Give the instant of what `wall_of` wrote, by the rules of the zone as they are known now."""
    text, _, second = wall.partition("/")
    local = datetime.fromisoformat(text)
    find = last_instant if second else first_instant
    return find(local.date(), local.time(), ZoneInfo(zone))
