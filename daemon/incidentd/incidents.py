"""An incident: its states, the moves between them, and its clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import Conflict
from incidentd.roles import Assignment, Role, effective_holder


class Status(StrEnum):
    """The states of an incident."""

    DECLARED = "declared"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"
    CLOSED = "closed"
    STOOD_DOWN = "stood_down"
    MERGED = "merged"


ACTIVE = frozenset({Status.DECLARED, Status.INVESTIGATING, Status.IDENTIFIED, Status.MITIGATED})

# From a state to the states that may follow it. Anything else is refused with what is allowed.
TRANSITIONS: dict[Status, tuple[Status, ...]] = {
    Status.DECLARED: (Status.INVESTIGATING, Status.MERGED, Status.MITIGATED, Status.STOOD_DOWN),
    Status.INVESTIGATING: (Status.IDENTIFIED, Status.MERGED, Status.MITIGATED, Status.RESOLVED, Status.STOOD_DOWN),
    Status.IDENTIFIED: (
        Status.INVESTIGATING, Status.MERGED, Status.MITIGATED, Status.RESOLVED, Status.STOOD_DOWN,
    ),
    Status.MITIGATED: (Status.INVESTIGATING, Status.MERGED, Status.RESOLVED, Status.STOOD_DOWN),
    Status.RESOLVED: (Status.CLOSED, Status.INVESTIGATING, Status.POSTMORTEM),
    Status.POSTMORTEM: (Status.CLOSED, Status.INVESTIGATING),
    Status.STOOD_DOWN: (Status.INVESTIGATING,),
    Status.MERGED: (Status.INVESTIGATING,),
    Status.CLOSED: (),
}  # fmt: skip


class Trigger(StrEnum):
    """What declared it; also a metric label."""

    RULE = "rule"
    HOLD = "hold"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as it stands."""

    id: int
    title: str
    status: Status
    severity: str
    declared_severity: str
    peak_severity: str
    urgency: str
    trigger: Trigger
    reason: str
    """Why it was declared, in one sentence."""
    rule: str = ""
    source: str = ""
    correlation_key: str = ""
    hold_id: int | None = None
    service: str = ""
    teams: tuple[str, ...] = ()
    page_policy: str = ""
    quiet: timedelta = timedelta(minutes=5)
    """How long all its alerts must stay resolved before the system calls it mitigated."""
    impact_started_at: datetime
    detected_at: datetime
    declared_at: datetime
    declared_by: str
    acknowledged_at: datetime | None = None
    identified_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str = ""
    roles: tuple[Assignment, ...] = ()
    version: int = 1

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"INC-{self.id}"

    @property
    def commander(self) -> str:
        """The handle of the Incident Commander, '' while there is none."""
        return effective_holder(Role.INCIDENT_COMMANDER, self.roles)


def move(incident: Incident, to: Status, now: datetime) -> Incident:
    """Move an incident to another state and stamp the clocks that belong to it; refuse what the table does not list.

    Raises Conflict with the moves that are allowed.
    """
    allowed = TRANSITIONS[incident.status]
    if to not in allowed:
        listed = ", ".join(allowed) or "none"
        raise Conflict(f"{incident.key} is {incident.status}; it cannot become {to} (allowed from here: {listed})")
    changes: dict[str, object] = {"status": to, "version": incident.version + 1}
    if to is Status.INVESTIGATING:
        changes |= {"acknowledged_at": incident.acknowledged_at or now, "mitigated_at": None, "resolved_at": None}
    elif to is Status.IDENTIFIED:
        changes |= {"identified_at": incident.identified_at or now}
    elif to is Status.MITIGATED:
        changes |= {"mitigated_at": now}
    elif to is Status.RESOLVED:
        changes |= {"resolved_at": now, "mitigated_at": incident.mitigated_at or now}
    return replace(incident, **changes)  # type: ignore[arg-type]  # the names above are fields of it


def resolve(incident: Incident, now: datetime) -> Incident:
    """Resolve it; from `declared` that acknowledges it too, since whoever says it is over has it."""
    if incident.status is Status.DECLARED:
        incident = move(incident, Status.INVESTIGATING, now)
    return move(incident, Status.RESOLVED, now)


def worse(a: str, b: str, rank: dict[str, int]) -> str:
    """Give the worse of two severities."""
    return a if rank.get(a, 99) <= rank.get(b, 99) else b
