"""A page: the call for a person to own something, with the plan by which it escalates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import Conflict
from incidentd.oncall import ChannelKind, Target
from incidentd.text import near


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of an escalation chain: whom, when, and by which channels how long after the level began."""

    after: timedelta
    """Since the page started (of the first loop)."""
    page: Target
    by: tuple[tuple[timedelta, tuple[ChannelKind, ...]], ...] = ()
    """Offsets from the level's start and the channel kinds used then; empty means every channel at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """What happens after the last loop: this target is paged at this interval until somebody answers."""

    page: Target
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The escalation for one urgency."""

    levels: tuple[Level, ...]
    loops: int = 1
    """How often the levels are gone through before the chain counts as exhausted."""
    exhausted: Exhausted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationPolicy:
    """Chains by urgency."""

    name: str
    chains: Mapping[str, Chain]


class PageState(StrEnum):
    """How a page stands."""

    OPEN = "open"
    ACKED = "acked"
    RESOLVED = "resolved"
    """What it was about went away, or was stood down, before anybody answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as it stands."""

    id: int
    subject: str
    """`HOLD-7` or `INC-12`."""
    policy: str
    urgency: str
    respond_within: timedelta
    state: PageState
    title: str
    started_at: datetime
    """The decision's instant, not the delivery's: the response clock is the business's clock."""
    chain: Chain
    """Frozen when the page started: a reload does not change an escalation that runs."""
    step: int = 0
    """How many steps of the escalation were taken; the next one is number `step`."""
    breached: bool = False
    acked_at: datetime | None = None
    acked_by: str = ""
    closed_at: datetime | None = None
    paged: tuple[str, ...] = ()
    """Handles of everybody paged so far, in order."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"PAGE-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one channel, as it lies in the outbox."""

    key: str
    """Stable over every try: the deduplication key that both copies of a repeat carry."""
    channel: str
    purpose: str
    """page | escalation | update | resolved | ticket | trouble"""
    title: str
    body: str
    page: str = ""
    repeat: bool = False
    """The outcome of an earlier try is not known, so this may be a second copy."""
    late_by: timedelta = field(default_factory=timedelta)
    attempt: int = 1
    """Which try it is."""
    also: tuple[str, ...] = ()
    """Keys of the messages that this one brings along."""


class Occasion(StrEnum):
    """Why a message about a page is sent now."""

    FIRST = "first"
    ESCALATION = "escalation"
    """Those who were paged before did not answer."""
    AGAIN = "again"
    """The same people once more: still no answer, or an answer and nothing after it."""
    DECLARED = "declared"
    """What was held is an incident now; whoever was paged and did not answer yet hears it."""
    SELF_RESOLVED = "self_resolved"
    """It went away before anybody answered; somebody should still look."""
    STOOD_DOWN = "stood_down"


CALLS = frozenset({"page", "escalation"})
"""The purposes of messages that call somebody."""
_PURPOSES = {
    Occasion.FIRST: "page",
    Occasion.ESCALATION: "escalation",
    Occasion.AGAIN: "page",
    Occasion.DECLARED: "page",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message says of the hold or incident behind the page."""

    severity: str
    means: str = ""
    """What the severity means, in words."""
    since: datetime
    """When it began to hurt."""
    declares_at: datetime | None = None
    """When what is held becomes an incident, unless there is progress."""
    because: str = ""
    """Why anybody is paged: the decision's reason."""
    tried: tuple[str, ...] = ()
    """What was done about it already, a sentence each."""
    links: tuple[tuple[str, str], ...] = ()
    """Name and address, in the order to show; an address that is no http or https one is left out."""


def needs_ack(page: Page) -> bool:
    """Say whether the page still waits for somebody to answer."""
    return page.state is PageState.OPEN


def acknowledge(page: Page, by: str, now: datetime) -> Page:
    """Take a person's answer: the page stops escalating. The same person may say it twice.

    Raises Conflict, with what happened instead, when somebody else was first or it is over.
    """
    match page.state:
        case PageState.OPEN:
            late = now - page.started_at > page.respond_within
            return replace(page, state=PageState.ACKED, acked_at=now, acked_by=by, breached=page.breached or late)
        case PageState.ACKED if page.acked_by == by:
            return page
        case PageState.ACKED:
            raise Conflict(f"{page.key} was acknowledged by {page.acked_by} at {near(page.acked_at, now)}")
        case PageState.RESOLVED:
            at = near(page.closed_at, now)
            raise Conflict(f"{page.key} was over at {at}, before anybody answered; there is nothing to acknowledge")


def purpose_of(occasion: Occasion) -> str:
    """Give the purpose of a notification that is sent on this occasion."""
    return _PURPOSES.get(occasion, "resolved")
