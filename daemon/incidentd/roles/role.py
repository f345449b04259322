"""The roles of an incident, and who holds them from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from incidentd.errors import BadRequest
from incidentd.text import plain


class Role(StrEnum):
    """The roles of the incident command system as SRE uses them: three of every incident, three that it may have."""

    INCIDENT_COMMANDER = "incident_commander"
    OPERATIONS_LEAD = "operations_lead"
    COMMUNICATIONS_LEAD = "communications_lead"
    DEPUTY = "deputy"
    SCRIBE = "scribe"
    PLANNING = "planning"
    """What comes next: bugs, handovers, food and sleep, and what was changed and has to be undone."""

    @property
    def title(self) -> str:  # type: ignore[override]  # an enum member's own words, not str.title()
        """How people say it: `Incident Commander`."""
        return self.value.replace("_", " ").title()

    @property
    def short(self) -> str:
        """How people type it: `ic`."""
        return _SHORT.get(self, self.value)


_SHORT = {Role.INCIDENT_COMMANDER: "ic", Role.OPERATIONS_LEAD: "ol", Role.COMMUNICATIONS_LEAD: "cl"}
MAIN = (Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.COMMUNICATIONS_LEAD)
"""The roles that every incident has; the Incident Commander holds those that are not delegated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One person in one role, from one instant to another (None: still)."""

    role: Role
    person: str
    since: datetime
    until: datetime | None = None
    because: str = ""
    by: str = ""
    """Who assigned it; '' is incidentd."""


def named(word: str) -> Role:
    """Find the role that somebody typed: `ic`, `IC` or `incident_commander`. Raises BadRequest that lists them."""
    typed = word.strip().lower().replace("-", "_")
    for role in Role:
        if typed in (role.short, role.value):
            return role
    raise BadRequest(f"there is no role {plain(word, 40)!r}; there are {', '.join(role.short for role in Role)}")


def holder(role: Role, assignments: Iterable[Assignment]) -> str:
    """Say who was given a role and has it still; '' when it is nobody's own."""
    return next((a.person for a in assignments if a.role is role and a.until is None), "")


def since(role: Role, assignments: Iterable[Assignment]) -> datetime | None:
    """Say since when its holder has a role; None when it is nobody's own."""
    return next((a.since for a in assignments if a.role is role and a.until is None), None)


def effective_holder(role: Role, assignments: Iterable[Assignment]) -> str:
    """Say who answers for a role: its holder, else the Incident Commander, who holds every role not delegated."""
    now = {a.role: a.person for a in assignments if a.until is None}
    return now.get(role) or now.get(Role.INCIDENT_COMMANDER, "")


def vacant(assignments: Iterable[Assignment]) -> tuple[Role, ...]:
    """List the roles that every incident has and that are nobody's own."""
    held = {a.role for a in assignments if a.until is None}
    return tuple(role for role in MAIN if role not in held)


def held_by(person: str, assignments: Iterable[Assignment]) -> tuple[Role, ...]:
    """List the roles that somebody has now."""
    return tuple(a.role for a in assignments if a.until is None and a.person == person)


def assigned(assignments: Iterable[Assignment], new: Assignment) -> tuple[Assignment, ...]:
    """Give a role to somebody: whoever had it has it until then. The history stays."""
    return (*released(assignments, new.since, new.role), new)


def released(assignments: Iterable[Assignment], now: datetime, *only: Role) -> tuple[Assignment, ...]:
    """End what is held of these roles (of all when none is named). The history stays."""
    return tuple(
        replace(a, until=max(now, a.since)) if a.until is None and (not only or a.role in only) else a
        for a in assignments
    )
