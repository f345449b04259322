"""What is not well about who has which role: too much for one person, or for too long."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.roles.role import Assignment, Role, effective_holder

TIRED_AFTER = timedelta(hours=4)
"""How long somebody has a role before they are asked to hand it over (workbook, chapter 9)."""
APART_DOWN_TO = 2
"""Down to this rank of severity, who commands does not investigate once somebody else is there."""


def not_apart(assignments: Iterable[Assignment], here: Collection[str], rank: int) -> str:
    """Name the commander who is also Operations Lead although others are there who could be; '' when all is well."""
    known = tuple(assignments)
    commander = effective_holder(Role.INCIDENT_COMMANDER, known)
    lead = effective_holder(Role.OPERATIONS_LEAD, known)
    alone = not set(here) - {commander}
    return "" if rank > APART_DOWN_TO or alone or commander != lead else commander


def tired(assignments: Iterable[Assignment], now: datetime) -> tuple[Assignment, ...]:
    """List what somebody has had for too long."""
    return tuple(one for one in assignments if one.until is None and now - one.since >= TIRED_AFTER)


def tires_at(assignments: Iterable[Assignment], now: datetime) -> datetime | None:
    """Say when the next one has had a role for too long; None while nobody has one."""
    ends = (one.since + TIRED_AFTER for one in assignments if one.until is None)
    return min((at for at in ends if at > now), default=None)


def worries(assignments: Iterable[Assignment], here: Collection[str], rank: int, now: datetime) -> tuple[str, ...]:
    """Say in sentences what is not well; a person's name may stand in them."""
    known = tuple(assignments)
    person = not_apart(known, here, rank)
    apart = [f"{person} commands and leads operations although others are here."] if person else []
    long = (
        f"{one.person} is {one.role.title} for {about(now - one.since)}: time to hand over."
        for one in tired(known, now)
    )  # fmt: skip
    return (*apart, *long)
