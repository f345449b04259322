"""People, teams and the channels on which they are reached, and the target that a page names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from incidentd.errors import Location
from incidentd.redaction import Secret

LOG_CHANNEL = "log"
"""The built-in channel that is always there: it writes the message to the log."""


class ChannelKind(StrEnum):
    """What sort of place a channel leads to; escalation policies name channels by kind."""

    PUSH = "push"
    SMS = "sms"
    CALL = "call"
    MAIL = "mail"
    CHAT = "chat"
    LOG = "log"


RINGING = frozenset({ChannelKind.PUSH, ChannelKind.SMS, ChannelKind.CALL})
"""Kinds that make a telephone ring: each message costs its owner's attention, and often money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most so many messages in any window of this length."""

    most: int
    window: timedelta


# A page with the shipped chain calls a phone three times in fifteen minutes: two pages fit, and what comes on top is
# merged. The rest is what the services of the kind take without answering 429 (chat: about one a second).
RATES: Mapping[ChannelKind, Rate] = {
    ChannelKind.PUSH: Rate(most=30, window=timedelta(minutes=1)),
    ChannelKind.SMS: Rate(most=6, window=timedelta(minutes=15)),
    ChannelKind.CALL: Rate(most=6, window=timedelta(minutes=15)),
    ChannelKind.MAIL: Rate(most=60, window=timedelta(minutes=1)),
    ChannelKind.CHAT: Rate(most=60, window=timedelta(minutes=1)),
}
"""How many messages a channel of each kind is sent at most, unless the files say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One place where notifications go: a person's mail, a team's chat room. One Apprise URL, and that is a secret."""

    name: str
    """Our own name for it, the only one that is ever shown: `ops-chat`, or `ana/mail` for a person's."""
    kind: ChannelKind
    url: Secret
    rate: Rate | None = None
    """How much it is sent at most; None: what is sound for its kind."""
    at: Location | None = field(default=None, compare=False)
    """Where the files speak of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be paged."""

    handle: str
    name: str
    time_zone: str = "UTC"
    role: str = "responder"
    jira: str = ""
    site: str = ""
    """Whose holidays this person has; '' for none."""
    channels: tuple[Channel, ...] = ()
    """In the order of the file; names are `HANDLE/KIND`."""
    fallback_channel: str = ""
    """Where a page goes that a channel of theirs does not take: a name of a channel; '' for what holds for all."""
    drills: bool = False
    """They take part in drills: a page of a drill reaches nobody else."""


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
