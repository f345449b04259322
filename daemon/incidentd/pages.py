"""A page: the call for a person to own something, with the plan by which it escalates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum

from incidentd.errors import Conflict
from incidentd.oncall import ChannelKind, Target
from incidentd.text import near

SUMMARY = "SUM"
"""The subject of a page that calls for many others begins with this: `SUM-9` is what `PAGE-9` is about."""


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
class QuietHours:
    """A part of every day in which a page waits for its end. It may go over midnight."""

    start: time
    end: time
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The escalation for one urgency."""

    levels: tuple[Level, ...]
    loops: int = 1
    """How often the levels are gone through before the chain counts as exhausted."""
    exhausted: Exhausted | None = None
    quiet_hours: QuietHours | None = None
    """None, unless somebody chose it: a page goes out whatever the hour."""


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


class Ending(StrEnum):
    """Why a page ended although nobody had it."""

    RESOLVED_BEFORE_ACK = "resolved_before_ack"
    """It went away by itself: no answer, and none that was late either."""
    STOOD_DOWN = "stood_down"
    MERGED = "merged"
    """It is part of something that other people were paged for."""
    RESOLVED = "resolved"
    """Somebody resolved it without answering the page, or has the role by now that it called for."""


class Verdict(StrEnum):
    """What somebody who had a page says of it afterwards; also a metric label."""

    ACTIONABLE = "actionable"
    """There was something to do, and it was right to call."""
    FALSE_POSITIVE = "false_positive"
    """Nothing was wrong."""
    NOT_ACTIONABLE = "not_actionable"
    """Something was wrong, and nobody could have done anything about it."""
    SELF_RESOLVED = "self_resolved"
    """It would have been over without anybody."""
    DUPLICATE = "duplicate"
    """Somebody was called for the same already."""
    POOR_DETAILS = "poor_details"
    """What it said was not enough to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What the people of a page are called for, beside what it is about."""

    role: str = ""
    """The role that whoever answers takes; '' for none in particular."""
    team: str = ""
    """The team that was asked to come."""
    asked: str = ""
    """What they were asked to do."""
    by: str = ""
    """Who asked."""


NO_ERRAND = Errand()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as it stands."""

    id: int
    subject: str
    """`HOLD-7` or `INC-12`; `SUM-9` of a summary page."""
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
    """The first human ownership: what the response time ends with. A later answer does not change it."""
    acked_by: str = ""
    closed_at: datetime | None = None
    paged: tuple[str, ...] = ()
    """Handles of everybody paged so far, in order."""
    owner: str = ""
    """Who has it now: whoever answered, or took it over later. '' while it waits for an answer."""
    owned_at: datetime | None = None
    """Since when; an answer that was never renewed by a sign of life expires `renotify` after this."""
    lapsed_by: str = ""
    """Whose answer expired last: the page is open again, and that person is called first."""
    renotify: timedelta = timedelta(0)
    """How long an answer holds without a note or progress; nothing means for ever."""
    origin: datetime | None = None
    """What the steps count from; None is `started_at`. Later when quiet hours, or an answer, were in between."""
    base: int = 0
    """Messages of earlier chains of this page: numbers go on, so that no key is used twice."""
    unreachable: tuple[str, ...] = ()
    """Channels that could not deliver a message of this page; they are not waited for again."""
    ending: Ending | None = None
    drill: bool = False
    """It calls only people who take part in drills, and is in no metric."""
    errand: Errand = NO_ERRAND
    joined: int = 0
    """The number of the summary page that calls for this one, whose answer is this one's; 0 when it calls by itself."""
    verdict: Verdict | None = None
    """What was said of it last; None while nobody said anything."""
    verdict_by: str = ""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"PAGE-{self.id}"

    @property
    def counts_from(self) -> datetime:
        """What the steps of the chain and the response time count from."""
        return self.origin or self.started_at

    @property
    def is_summary(self) -> bool:
        """Whether it calls for other pages."""
        return self.subject.startswith(f"{SUMMARY}-")

    @property
    def held_by(self) -> str:
        """Who has it; '' when nobody has."""
        return (self.owner or self.acked_by) if self.state is PageState.ACKED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A picture that goes with a message."""

    name: str
    """Of the file: `INC-12-graph-1.png`."""
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one channel, as it lies in the outbox."""

    key: str
    """Stable over every try: the deduplication key that both copies of a repeat carry."""
    channel: str
    purpose: str
    """page | escalation | update | resolved | ticket | trouble | timeline"""
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
    pictures: tuple[Attachment, ...] = ()
    """What is attached where the channel can take it; the words never wait for it, nor depend on it."""


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
    before: str = ""
    """The same thing the last time, and what fixed it."""
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
            return _owned(page, by, now)
        case PageState.ACKED if page.held_by == by:
            return page
        case PageState.ACKED:
            raise Conflict(f"{page.key} was acknowledged by {page.held_by} at {near(page.owned_at, now)}")
        case PageState.RESOLVED:
            at = near(page.closed_at, now)
            raise Conflict(f"{page.key} was over at {at}, before anybody answered; there is nothing to acknowledge")


def take(page: Page, by: str, now: datetime) -> Page:
    """Make somebody the one who has the page, paged or not, and whoever has it now. Raises Conflict when it is over."""
    match page.state:
        case PageState.OPEN:
            return _owned(page, by, now)
        case PageState.ACKED if page.held_by == by:
            return page
        case PageState.ACKED:
            return replace(page, owner=by, owned_at=now, joined=0)
        case PageState.RESOLVED:
            raise Conflict(f"{page.key} was over at {near(page.closed_at, now)}; there is nothing to take")


def follow(page: Page, summary: Page, now: datetime) -> Page:
    """Take over how the summary page stands that a page joined: who has it, or that nobody has it any more."""
    at = summary.owned_at or now
    match page.state, summary.state:
        case PageState.OPEN, PageState.ACKED:
            return replace(_owned(page, summary.held_by, at), joined=page.joined)
        case PageState.ACKED, PageState.ACKED if page.held_by != summary.held_by:
            return replace(page, owner=summary.held_by, owned_at=at)
        case PageState.ACKED, PageState.OPEN:
            again = replace(page, state=PageState.OPEN, owner="", owned_at=None, lapsed_by=page.held_by)
            return _begin_anew(again, page.chain, now)
        case _:
            return page


def _owned(page: Page, by: str, now: datetime) -> Page:
    owned = replace(page, state=PageState.ACKED, owner=by, owned_at=now, lapsed_by="", joined=0)
    if page.acked_at is not None:
        return owned
    late = now - page.counts_from > page.respond_within
    return replace(owned, acked_at=now, acked_by=by, breached=page.breached or late)


def lapse(page: Page, chain: Chain, now: datetime) -> Page:
    """Open a page again whose answer expired; `chain` is how it goes on. What was answered stays answered in time."""
    again = replace(page, state=PageState.OPEN, owner="", owned_at=None, lapsed_by=page.held_by)
    return _begin_anew(again, chain, now)


def raise_to(page: Page, *, urgency: str, respond_within: timedelta, renotify: timedelta, chain: Chain, title: str,
             now: datetime) -> Page:  # fmt: skip
    """Turn a page into one of another urgency: the same page and its links, with a response time that begins now."""
    raised = replace(
        page, state=PageState.OPEN, urgency=urgency, respond_within=respond_within, renotify=renotify, title=title,
        started_at=now, breached=False, acked_at=None, acked_by="", owner="", owned_at=None, lapsed_by="", joined=0,
    )  # fmt: skip
    return _begin_anew(raised, chain, now)


def _begin_anew(page: Page, chain: Chain, now: datetime) -> Page:
    return replace(page, chain=chain, origin=now, base=page.base + page.step, step=0)


def answers_count(page: Page, by: str, *, rooms: bool) -> bool:
    """Say whether somebody's answer stops a page: those who were paged, and everybody where a room was (`rooms`)."""
    return rooms or not page.paged or by in (*page.paged, page.acked_by, page.owner)


def purpose_of(occasion: Occasion) -> str:
    """Give the purpose of a notification that is sent on this occasion."""
    return _PURPOSES.get(occasion, "resolved")
