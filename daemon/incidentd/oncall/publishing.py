"""Shifts that are published: whole ones, up to the horizon, and set by the clock anew when the zone's rules change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from incidentd.oncall.finding import planned
from incidentd.oncall.schedule import FOREVER, Published, Schedule
from incidentd.oncall.walltime import instant_of


def to_publish(schedule: Schedule, start: datetime, until: datetime) -> Iterator[Published]:
    """Give the shifts from `start` on, as the layers of the file have them; the last is whole, so it ends later."""
    plain = replace(schedule, overrides=(), published=(), sites={})
    zones = {layer.name: layer.time_zone or schedule.time_zone for layer in schedule.layers}
    at = start
    while at < until:
        duty = planned(plain, at)
        if duty.until == FOREVER and not duty.person:
            return
        if duty.person:
            yield Published(
                person=duty.person, start=at, end=duty.until, layer=duty.layer, time_zone=zones[duty.layer]
            )  # fmt: skip
        at = duty.until


def on_time(shift: Published, start_wall: str, end_wall: str, now: datetime) -> Published:
    """Set a shift by the clock on the wall, by the rules of its zone that are known now; what began stays begun."""
    start = instant_of(start_wall, shift.time_zone) if shift.start > now else shift.start
    end = instant_of(end_wall, shift.time_zone) if shift.end > now else shift.end
    return replace(shift, start=start, end=max(end, start))
