"""The promised next update of one audience, and the texts that kept it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.updates.cadence import LONG_AFTER, Audience, Cadence
from incidentd.updates.drafts import Phase

_TIME = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}:\d\d(?::\d\d)?\b|\bUTC\b")


class State(StrEnum):
    """What became of a text."""

    WAITING = "waiting"
    """For the Incident Commander."""
    SENT = "sent"
    SKIPPED = "skipped"
    """There was none: the reason is the text."""
    REPLACED = "replaced"
    """It waited for approval, and another one came, or its incident became part of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """How often a promise was called in."""

    of: datetime
    """When it was due: the reminders belong to that instant, and one that is due at another one has none yet."""
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How one audience of one incident stands."""

    incident_id: int
    audience: Audience
    due_at: datetime | None
    """When the next update is due; None once nothing is owed any more."""
    sent: int = 0
    last_text: str = ""
    last_at: datetime | None = None
    every: timedelta | None = None
    """Decided by somebody in place of the configured cadence, for as long as the severity does not rise."""
    long: bool = False
    """Somebody decided that this one takes long."""
    reminders: Reminders | None = None
    """The last ones; they stay when it is kept or moved, since it may come to be due at that instant again."""

    def reminded(self) -> Reminders | None:
        """Give the reminders of what is due now; None while there was none."""
        return self.reminders if self.reminders is not None and self.reminders.of == self.due_at else None

    def is_overdue(self, now: datetime) -> bool:
        """Say whether the promise is broken."""
        return self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One text to one audience; or the reason why there was none."""

    id: int
    incident_id: int
    audience: Audience
    state: State
    phase: Phase
    text: str
    by: str
    at: datetime
    """When it was sent; while it waits, when it was written."""
    next_in: timedelta | None
    """The wait that it promises, from when it goes out; None when it is the last one."""
    next_at: datetime | None = None
    """What it promised, once it went out."""
    approved_by: str = ""
    late: bool = False
    """It came after it was promised."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"UPD-{self.id}"


def started(incident_id: int, audience: Audience, cadence: Cadence, at: datetime) -> Promise:
    """Promise an audience its first update, from the instant of the declaration."""
    return Promise(incident_id=incident_id, audience=audience, due_at=at + cadence.first)


def longest(promise: Promise, cadence: Cadence | None, *, declared_at: datetime, now: datetime) -> timedelta | None:
    """Say how long the update after one that goes out now may take at most; None when nobody said."""
    if promise.every is not None:
        return promise.every
    if cadence is None:
        return None
    if promise.sent == 0 and cadence.second is not None:
        return cadence.second
    return cadence.long if promise.long and now - declared_at >= LONG_AFTER else cadence.then


def told(promise: Promise, text: str, next_at: datetime | None, now: datetime) -> Promise:
    """Take that an audience was told, and when it is told next."""
    return replace(promise, due_at=next_at, sent=promise.sent + 1, last_text=text, last_at=now)


def raised(promise: Promise, cadence: Cadence, *, declared_at: datetime, now: datetime) -> Promise:
    """Tighten a promise at once for a severity that rose: what was decided for less does not hold any more."""
    by = now + cadence.then if promise.sent else max(declared_at + cadence.first, now)
    due = by if promise.due_at is None else min(promise.due_at, by)
    return replace(promise, due_at=due, every=None, long=False)


def joined(promise: Promise, other: Promise) -> Promise:
    """Take over what was promised for another incident that is part of this one now: the earlier of both holds.

    Whom this one told nothing yet was told of the other; so they hear how it ends. What is overdue there is called in
    from where its reminders were.
    """
    due = min((at for at in (promise.due_at, other.due_at) if at is not None), default=None)
    sooner = replace(promise, due_at=due)
    if due != promise.due_at:
        both = [it for it in (sooner.reminded(), replace(other, due_at=due).reminded()) if it is not None]
        sooner = replace(sooner, reminders=max(both, key=lambda it: it.count, default=promise.reminders))
    if promise.sent:
        return sooner
    return replace(sooner, sent=other.sent, last_text=other.last_text, last_at=other.last_at)


def same_words(a: str, b: str) -> bool:
    """Say whether two texts tell the same; a later time of day alone is no news."""
    return bool(a) and _bare(a) == _bare(b)


def _bare(text: str) -> str:
    return " ".join(_TIME.sub("", text).casefold().split())
