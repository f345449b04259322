"""An incident as it stands, with its clocks, its history and where it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.incidents.states import StandDown, Status
from incidentd.roles import Assignment, Role, effective_holder


class Trigger(StrEnum):
    """What declared it; also a metric label."""

    RULE = "rule"
    HOLD = "hold"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChange:
    """One change of severity after the declaration."""

    at: datetime
    by: str
    was: str
    to: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One correction of a recorded instant."""

    name: str
    """The field: `impact_started_at` and so on."""
    recorded: datetime | None
    """What stood there before."""
    to: datetime
    entered_by: str
    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How an incident went into another, and what it takes to give it back."""

    into: int
    at: datetime
    by: str
    was: Status
    """Its state before."""
    pages: tuple[int, ...] = ()
    """Pages that went along."""
    shared: tuple[tuple[str, str], ...] = ()
    """Alerts (source, fingerprint) that the survivor was about already; those stay with it."""
    records: tuple[tuple[str, int, int], ...] = ()
    """What was open and goes on in the survivor: its kind, its number here, its number there."""
    rooms: tuple[str, ...] = ()
    """Channels that follow the survivor only because they followed this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as it stands."""

    id: int
    title: str
    status: Status
    severity: str
    declared_severity: str
    peak_severity: str
    final_severity: str = ""
    """What its commander says it was, after it was resolved; '' while nobody said."""
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
    drill: bool = False
    """It is an exercise: in no metric and no tracker, and only people who take part in drills are paged."""
    impact_started_at: datetime
    detected_at: datetime
    declared_at: datetime
    declared_by: str
    acknowledged_at: datetime | None = None
    identified_at: datetime | None = None
    mitigated_at: datetime | None = None
    still_firing: int = 0
    """How many of its alerts fired when somebody said that the impact stopped; more than these mean that it is back."""
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    """When it stopped to be active, whichever way; None while it is."""
    cause: str = ""
    """The contributing factor that was named."""
    resolution: str = ""
    """What ended it; '' while it goes on, also of one that was taken up again."""
    stand_down: StandDown | None = None
    reopened: int = 0
    """How often it was taken up again."""
    recurrence_of: int | None = None
    """The incident of the same correlation key before it."""
    merge: Merge | None = None
    severity_changes: tuple[SeverityChange, ...] = ()
    corrections: tuple[Correction, ...] = ()
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
