"""Schedules as values: layers, overrides, holidays, shadows, and the shifts that were published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from incidentd.oncall.people import Person, Target, Team

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what nothing planned will change; far enough, and still an instant that every zone can write."""
HORIZON = timedelta(weeks=4)
"""How far ahead shifts are published when a schedule does not say (process B.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours of some days of the week, by the clock of the layer's zone."""

    days: tuple[int, ...]
    """0 is Monday; the day on which the hours begin."""
    start: time
    end: time
    """Not later than `start`: on the day after, so 00:00 is the midnight that ends the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A rotation: people take turns, handing over at a wall-clock time of its zone, perhaps only for some hours."""

    name: str
    people: tuple[str, ...]
    turn: timedelta
    """Whole hours, counted by the clock on the wall and never in seconds: a day is a day when it has 23 hours, too."""
    handoff_weekday: int | None
    """0 is Monday; None for turns that are no whole number of weeks."""
    handoff_time: time
    start: date
    """The first person's first turn begins at the first handoff on or after this day."""
    time_zone: str = ""
    """'' is the schedule's."""
    hours: tuple[Hours, ...] = ()
    """When this layer is on duty at all; empty is always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody else has the pager for a while; of overlapping ones the one created last wins."""

    person: str
    start: datetime
    end: datetime
    because: str = ""
    id: int = 0
    """Of the store; 0 for one of the file, all of which are older."""
    by: str = ""
    """Who made it; '' for one of the file."""

    @property
    def key(self) -> str:
        """Name it."""
        return f"OVR-{self.id}" if self.id else "an override of the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A day, or some hours of it, on which a site does not work."""

    name: str
    month: int
    day: int
    year: int = 0
    """0: each year; the 29th of February only in the years that have one."""
    start: time = time(0)
    end: time = time(0)
    """00:00 is the midnight that ends the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place whose people have the same holidays."""

    name: str
    time_zone: str
    holidays: tuple[Holiday, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Somebody who learns. In shadow: has copies of the pages, and an answer of theirs does not count.

    In reverse: is paged first, and the one on call with them, `delay` later.
    """

    person: str
    start: datetime
    end: datetime
    of: str = ""
    """Only while this person is on call; '' is whoever is."""
    reverse: bool = False
    delay: timedelta = timedelta(minutes=2)
    """Process B.4: the mentor is level 1b, two minutes later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A shift that people were told of: later edits of the file do not change it."""

    person: str
    start: datetime
    end: datetime
    layer: str
    time_zone: str
    """The zone by whose clock it begins and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Layers by priority, overrides, and who answers when neither names anybody."""

    name: str
    time_zone: str
    layers: tuple[Layer, ...]
    """Of those on duty the first has the pager."""
    overrides: tuple[Override, ...] = ()
    """In the order in which they were made."""
    fallback: Target | None = None
    cover: tuple[str, ...] = ()
    """Who replaces somebody on a holiday, in this order; empty: whoever is next in the layer."""
    sites: Mapping[str, Site] = field(default_factory=dict)
    """The site of each person who has one, by handle."""
    shadows: tuple[Shadow, ...] = ()
    horizon: timedelta = HORIZON
    rollout_immediate: bool = False
    """What the file says counts at once, also for shifts that were published."""
    published: tuple[Published, ...] = ()
    """By their start; put in by the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everything that the resolver needs to find people."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Who has the pager; `person` is '' when neither an override nor a layer names anybody."""

    person: str
    until: datetime
    """When that is decided anew: the next handoff or edge of an override. The same person may well go on."""
    because: str
    layer: str = ""
    """The layer whose turn it is; '' for an override or nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One stretch of time with one person on call ('' for nobody)."""

    person: str
    start: datetime
    end: datetime
    because: str = ""
