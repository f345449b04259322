"""People, teams and the channels on which they are reached, and the target that a page names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    site: str = ""
    """Whose holidays this person has; '' for none."""
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
