"""A page: the call for a person to own something, with the plan by which it escalates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.oncall import ChannelKind, Target


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
