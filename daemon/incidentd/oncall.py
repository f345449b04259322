"""Who is on call: people, teams, rotations in wall-clock time. Pure; every function is told the instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum

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
    """Whom a level pages: exactly one of a schedule, a team, a person, or a channel."""

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
