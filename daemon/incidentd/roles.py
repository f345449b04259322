"""The three roles of an incident, and who holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The roles of the incident command system as SRE uses them."""

    INCIDENT_COMMANDER = "incident_commander"
    OPERATIONS_LEAD = "operations_lead"
    COMMUNICATIONS_LEAD = "communications_lead"

    @property
    def title(self) -> str:  # type: ignore[override]  # an enum member's own words, not str.title()
        """How people say it: `Incident Commander`."""
        return self.value.replace("_", " ").title()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One person in one role, from one instant to another (None: still)."""

    role: Role
    person: str
    since: datetime
    until: datetime | None = None
    because: str = ""


def effective_holder(role: Role, assignments: Iterable[Assignment]) -> str:
    """Say who answers for a role: its holder, else the Incident Commander, who holds every role not delegated."""
    now = {a.role: a.person for a in assignments if a.until is None}
    return now.get(role) or now.get(Role.INCIDENT_COMMANDER, "")
