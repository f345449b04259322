"""What a handover is: its message, line by line, and how the offer stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import BadRequest
from incidentd.records import SectionName
from incidentd.roles import Role
from incidentd.text import plain

ANSWER_WITHIN = timedelta(minutes=10)
"""How long the receiver has; after it the offer is void and the sender is told who could be asked next."""
OBSERVES_FOR = timedelta(minutes=15)
"""How long whoever handed over stays as an observer."""
TRENDS = ("better", "same", "worse")


class HumanLine(StrEnum):
    """What only a person knows, as the option that says it."""

    NOW = "now"
    TREND = "trend"
    HYPOTHESES = "hypotheses"
    DECISIONS = "decisions"
    RISKS = "risks"
    ESCALATE_IF = "escalate_if"

    @property
    def section(self) -> SectionName:
        """The part of the incident's document that keeps it."""
        return SectionName.IMPACT if self is HumanLine.NOW else SectionName(self.value)

    @property
    def option(self) -> str:
        """How it is typed: `--escalate-if`."""
        return f"--{self.value.replace('_', '-')}"


def trend_of(text: str) -> str:
    """Read a trend. Raises BadRequest for another word."""
    word = text.strip().lower()
    if word not in TRENDS:
        raise BadRequest(f"the trend is one of {', '.join(TRENDS)}, not {plain(text, 40)!r}")
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a line says: words as they were typed, and where to look."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the message; without items it says that there is nothing."""

    name: str
    items: tuple[Item, ...] = ()
    human: bool = False
    """People answer for it; else it was made from what is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the receiver has to know, current state first. Words in it are as they were typed: render it."""

    head: str
    state: str
    """Severity, state, age."""
    lines: tuple[Line, ...]


class State(StrEnum):
    """How an offer stands; but for the first also a metric label."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"
    WITHDRAWN = "withdrawn"
    VOID = "void"
    """The role changed hands otherwise, or the incident was over, before it was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One offer of roles of one incident, from one person to another."""

    id: int
    incident_id: int
    roles: tuple[Role, ...]
    sender: str
    """Who answers for the roles until it is accepted."""
    receiver: str
    state: State = State.OFFERED
    message: Message
    offered_by: str
    """Who offered it: the sender, or whoever may in their place."""
    offered_at: datetime
    answer_by: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    reason: str = ""
    """Why it was declined or withdrawn, or what happened instead."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"HO-{self.id}"

    @property
    def observer_until(self) -> datetime | None:
        """Until when the sender of an accepted one is an observer."""
        accepted = self.state is State.ACCEPTED and self.ended_at is not None
        return self.ended_at + OBSERVES_FOR if accepted and self.ended_at is not None else None


def titles(roles: Iterable[Role]) -> str:
    """Name roles in a sentence: `Incident Commander and Operations Lead`."""
    names = [role.title for role in roles]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
