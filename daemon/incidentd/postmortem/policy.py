"""When an incident needs a postmortem, by when, and whom its clock reminds: facts in, instants out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from incidentd.durations import about
from incidentd.rules import Severity
from incidentd.text import count, plain


class Because(StrEnum):
    """Why an incident needs a postmortem, beside its severity (the SRE book's triggers)."""

    DATA_LOSS = "data_loss"
    CUSTOMER_FIRST = "customer_first"
    HANDS_ON = "hands_on"
    LONG = "long"
    PLAYBOOK_WORSE = "playbook_worse"
    HELD_AGAIN = "held_again"


LONG_AFTER = timedelta(minutes=60)
AGAIN_WITHIN = timedelta(days=7)
"""Two holds of one key that ended by the hard cap or flapping within this time need a postmortem."""
OTHERWISE_DUE = 5
"""Business days for one whose severity names no date."""
COMMANDER_AFTER, MANAGER_AFTER = timedelta(days=2), timedelta(days=5)
"""So long after its date the Incident Commander is reminded as well, and then the manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What the policy has to know of an incident that is over."""

    severity: Severity | None
    """The worst that it was; None for one that the files do not know any more."""
    drill: bool = False
    stood_down: bool = False
    lasted: timedelta = timedelta(0)
    data_lost: bool = False
    customer_first: bool = False
    by_hand: tuple[str, ...] = ()
    """Changes that people made to production."""
    made_worse: tuple[str, ...] = ()
    """Runs after which it was no better."""
    held_again: int = 0
    """Holds of the same key that ended by the hard cap or flapping in the days before its end, its own among them."""
    asked: tuple[str, ...] = ()
    """Who asked for it, and why."""


def required(it: Occasion, asks: Collection[str] = tuple(Because), *, long: timedelta = LONG_AFTER) -> tuple[str, ...]:
    """Say why an incident needs a full postmortem, one part of a sentence each; () when nothing requires one.

    A drill needs none, and what was stood down gets its quick review; anybody may ask for one all the same.
    """
    if it.drill or it.stood_down:
        return it.asked
    found = [f"it was {it.severity.name}"] if it.severity is not None and it.severity.postmortem == "full" else []
    reasons: Mapping[Because, str] = {
        Because.DATA_LOSS: "data was lost" if it.data_lost else "",
        Because.CUSTOMER_FIRST: "customers noticed it before monitoring did" if it.customer_first else "",
        Because.HANDS_ON: f"people changed production ({plain(', '.join(it.by_hand), 200)})" if it.by_hand else "",
        Because.LONG: f"it took {about(it.lasted)}, more than {about(long)}" if it.lasted > long else "",
        Because.PLAYBOOK_WORSE: f"automation did not help ({', '.join(it.made_worse)})" if it.made_worse else "",
        Because.HELD_AGAIN: _again(it.held_again),
    }  # fmt: skip
    found += [said for because, said in reasons.items() if said and because in asks]
    return (*found, *it.asked)


def _again(times: int) -> str:
    within = about(AGAIN_WITHIN)
    return f"{count(times, 'hold')} of it ended by the hard cap or flapping within {within}" if times > 1 else ""


def due(severity: Severity | None, resolved_at: datetime, *, otherwise: int = OTHERWISE_DUE) -> datetime:
    """Say when a postmortem that is required has to be there; `otherwise` counts business days."""
    if severity is not None and severity.postmortem_business_days is not None:
        return business_days(resolved_at, severity.postmortem_business_days)
    if severity is not None and severity.postmortem_within is not None:
        return resolved_at + severity.postmortem_within
    return business_days(resolved_at, otherwise)


def business_days(since: datetime, days: int, holidays: Collection[date] = ()) -> datetime:
    """Go on by so many business days, Monday to Friday in UTC; it never ends on a day that is none."""
    at, left = since.astimezone(UTC), days
    while left or not _works(at, holidays):
        at += timedelta(days=1)
        if left and _works(at, holidays):
            left -= 1
    return at


def _works(at: datetime, holidays: Collection[date]) -> bool:
    return at.weekday() < 5 and at.date() not in holidays


def reminder_at(number: int, since: datetime, due_at: datetime) -> datetime:
    """Say when a reminder is sent, counted from 0: at half of the time, at its end, and then each day."""
    if number == 0:
        return since + (due_at - since) / 2
    return due_at + timedelta(days=number - 1)


def reminder_now(since: datetime, due_at: datetime, now: datetime) -> int:
    """Say which reminder is the last one whose time has come; -1 while none has."""
    if now < reminder_at(0, since, due_at):
        return -1
    return 0 if now < due_at else (now - due_at) // timedelta(days=1) + 1


def reminded(due_at: datetime, now: datetime, *, owner: str, commander: str, manager: str) -> tuple[str, ...]:
    """Say whom a reminder goes to; while nobody owns it, the Incident Commander, and without one the manager."""
    late = now - due_at
    people = [owner or commander or manager]
    if late >= COMMANDER_AFTER:
        people.append(commander)
    if late >= MANAGER_AFTER:
        people.append(manager)
    return tuple(one for one in dict.fromkeys(people) if one)
