"""Who is on call: people, teams, rotations in wall-clock time. Pure; every function is told the instant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from incidentd.redaction import Secret


class ChannelKind(StrEnum):
    """What sort of place a channel leads to; escalation policies name channels by kind."""

    PUSH = "push"
    SMS = "sms"
    CALL = "call"
    MAIL = "mail"
    CHAT = "chat"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One place where notifications go: a person's mail, a team's chat room. One Apprise URL, and that is a secret."""

    name: str
    """Our own name for it, the only one that is ever shown: `ops-chat`, or `ana/mail` for a person's."""
    kind: ChannelKind
    url: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be paged."""

    handle: str
    name: str
    time_zone: str = "UTC"
    role: str = "responder"
    jira: str = ""
    channels: tuple[Channel, ...] = ()
    """In the order of the file; names are `HANDLE/KIND`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People who own something together."""

    name: str
    people: tuple[str, ...]
    lead: str = ""
    escalation: str = ""
    channel: str = ""
    jira_project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A rotation: people take turns, handing over at a wall-clock time of the schedule's zone."""

    name: str
    people: tuple[str, ...]
    turn: timedelta
    """A whole number of days (weeks are seven of them); handoffs are counted in calendar days, never in seconds."""
    handoff_weekday: int | None
    """0 is Monday; None for turns that are no whole number of weeks."""
    handoff_time: time
    start: date
    """The first person's first turn begins at the first handoff on or after this day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody else has the pager for a while; of overlapping ones the last in the file wins."""

    person: str
    start: datetime
    end: datetime
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Layers, overrides, and who answers when neither names anybody."""

    name: str
    time_zone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    fallback: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a level pages: exactly one of a schedule, a team (`*` is everybody), a person, or a channel."""

    on_call: str = ""
    previous: bool = False
    """With `on_call`: not the one on call now but the one of the turn before."""
    team: str = ""
    person: str = ""
    channel: str = ""

    def __str__(self) -> str:
        if self.on_call:
            return f"on call for {self.on_call}" + (" in the turn before" if self.previous else "")
        return f"team {self.team}" if self.team else f"{self.person or self.channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everything that the resolver needs to find people."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)


LOG_CHANNEL = "log"
"""The built-in channel that is always there: it writes the message to the log."""
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what nothing planned will change; far enough, and still an instant that every zone can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Who has the pager; `person` is '' when neither an override nor a layer names anybody."""

    person: str
    until: datetime
    """When that is decided anew: the next handoff or edge of an override. The same person may well go on."""
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One stretch of time with one person on call ('' for nobody)."""

    person: str
    start: datetime
    end: datetime


def on_call(schedule: Schedule, at: datetime) -> OnCall:
    """Say who has the pager: an override's person, else the turn of the first layer that has begun and has people."""
    at = at.astimezone(UTC)
    winner, edge = _override_at(schedule, at)
    if winner is not None:
        why = f"override ({winner.because})" if winner.because else "override"
        return OnCall(person=winner.person, until=edge, because=why)
    for layer in schedule.layers:
        if not layer.people:
            continue
        turn = _turn_at(layer, schedule.time_zone, at)
        if turn.number < 0:
            edge = min(edge, turn.end)
            continue
        return OnCall(person=turn.person, until=min(edge, turn.end), because=f"layer {layer.name}")
    return OnCall(person="", until=edge, because="no override and no layer names anybody")


def previous(schedule: Schedule, at: datetime, passing: Collection[str] = ()) -> str:
    """Name the person of the turn before, going further back past whoever has the pager now; '' if there is no other.

    Whoever is covered by an override now is passed over too: that person asked not to be called. So is `passing`.
    """
    at = at.astimezone(UTC)
    for layer in schedule.layers:
        if not layer.people:
            continue
        turn = _turn_at(layer, schedule.time_zone, at)
        if turn.number < 0:
            continue
        busy = {turn.person, on_call(schedule, at).person, *passing}
        count = len(layer.people)
        earlier = (layer.people[(turn.number - back) % count] for back in range(1, count))
        return next((person for person in earlier if person not in busy), "")
    return ""


def shifts_between(schedule: Schedule, start: datetime, end: datetime) -> Iterator[Shift]:
    """Cut the time from `start` to `end` into shifts, without a gap or an overlap; nobody's time has person ''."""
    at, end = start.astimezone(UTC), end.astimezone(UTC)
    while at < end:
        duty = on_call(schedule, at)
        until = min(duty.until, end)
        yield Shift(person=duty.person, start=at, end=until)
        at = until


def resolve(target: Target, roster: Roster, at: datetime) -> tuple[Person, ...]:
    """Find the people behind a target: never nobody, unless the roster is empty or the target is a channel.

    What names nobody who is known (a schedule without a person now, a team without people, somebody who left) falls
    back to the schedule's fallback, and in the end to everybody. `Target(team="*")` is everybody.
    """
    if target.channel:
        return ()
    return _found(target, roster, at, frozenset()) or tuple(roster.people.values())


def fallback_people(target: Target, roster: Roster, at: datetime) -> tuple[Person, ...]:
    """Find the people of the fallback of the target's schedule; none if it has none."""
    schedule = roster.schedules.get(target.on_call)
    if schedule is None or schedule.fallback is None:
        return ()
    return _found(schedule.fallback, roster, at, frozenset({schedule.name}))


def _found(target: Target, roster: Roster, at: datetime, passed: frozenset[str]) -> tuple[Person, ...]:
    """Find known people, following fallbacks from schedule to schedule; `passed` stops two that name each other."""
    if target.person:
        return _known((target.person,), roster)
    if target.team:
        team = roster.teams.get(target.team)
        return _known(tuple(dict.fromkeys([*team.people, team.lead])), roster) if team else ()
    schedule = roster.schedules.get(target.on_call)
    if schedule is None or schedule.name in passed:
        return ()
    if target.previous:
        found = _known((previous(schedule, at),), roster)
    else:
        planned = replace(schedule, overrides=())
        found = _known((on_call(schedule, at).person,), roster) or _known((on_call(planned, at).person,), roster)
    if found or schedule.fallback is None:
        return found
    return _found(schedule.fallback, roster, at, passed | {schedule.name})


def _known(handles: tuple[str, ...], roster: Roster) -> tuple[Person, ...]:
    return tuple(roster.people[handle] for handle in handles if handle in roster.people)


def _override_at(schedule: Schedule, at: datetime) -> tuple[Override | None, datetime]:
    """Find the override in force, and the next edge of any override after `at`."""
    winner, edge = None, FOREVER
    for override in schedule.overrides:
        if override.start <= at < override.end:
            winner = override
        edge = min([edge, *(edge_at for edge_at in (override.start, override.end) if edge_at > at)])
    return winner, edge.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of a layer; a negative number is the time before its first handoff, which ends there."""

    number: int
    person: str
    end: datetime


def _turn_at(layer: Layer, time_zone: str, at: datetime) -> _Turn:
    zone = ZoneInfo(time_zone)
    days = max(layer.turn.days, 1)
    first = layer.start
    if layer.handoff_weekday is not None:
        first += timedelta(days=(layer.handoff_weekday - first.weekday()) % 7)

    def handoff(number: int) -> datetime:
        return first_instant(first + timedelta(days=number * days), layer.handoff_time, zone)

    # a guess by calendar days, set right by at most a step or two: the time of day, and days that a zone skipped
    number = (at.astimezone(zone).date() - first).days // days
    while handoff(number) > at:
        number -= 1
    while handoff(number + 1) <= at:
        number += 1
    if number < 0:
        return _Turn(-1, "", handoff(0))
    return _Turn(number, layer.people[number % len(layer.people)], handoff(number + 1))


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
