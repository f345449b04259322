"""A hold as it stands: its state, its clocks, and how it may end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.holds.policy import HoldPolicy
from incidentd.timeline import Draft


class HoldState(StrEnum):
    """How a hold stands."""

    HOLDING = "holding"
    RECOVERING = "recovering"
    """Nothing fires; the clock stands still until it was quiet for long enough or something fires again."""
    SNOOZED = "snoozed"
    """All that fires is silenced or inhibited in Alertmanager; the clock stands still until it no longer is."""
    DECLARED = "declared"
    CLOSED = "closed"


OPEN = frozenset({HoldState.HOLDING, HoldState.RECOVERING, HoldState.SNOOZED})


class Outcome(StrEnum):
    """Why a hold ended; also a metric label."""

    DECLARED_NO_PROGRESS = "declared_no_progress"
    DECLARED_HARD_CAP = "declared_hard_cap"
    DECLARED_FLAPPING = "declared_flapping"
    DECLARED_GROWING = "declared_growing"
    DECLARED_PLAYBOOK_FAILED = "declared_playbook_failed"
    DECLARED_ACK_MISSED = "declared_ack_missed"
    DECLARED_MANUAL = "declared_manual"
    SELF_RESOLVED = "self_resolved"
    AUTO_REMEDIATED = "auto_remediated"
    HUMAN_RESOLVED = "human_resolved"
    STOOD_DOWN = "stood_down"
    MERGED = "merged"
    """The same alerts became part of an incident that was declared meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it stands."""

    id: int
    source: str
    rule: str
    correlation_key: str
    title: str
    severity: str
    urgency: str
    service: str = ""
    teams: tuple[str, ...] = ()
    page_policy: str = ""
    reason: str = ""
    """Why it is held: the rule's decision, in one sentence."""
    impact_started_at: datetime
    """When the first of its alerts began to fire."""
    policy: HoldPolicy
    state: HoldState
    opened_at: datetime
    deadline_at: datetime
    cap_at: datetime
    firing: int
    peak: int
    best: int
    """The fewest alerts seen firing since the peak settled."""
    progress_at: datetime
    """When the current wait began: the opening, or the last progress."""
    notes_used: int = 0
    quiet_since: datetime | None = None
    snoozed_since: datetime | None = None
    refires: tuple[datetime, ...] = ()
    remediated: bool = False
    """A playbook was verified while it was held."""
    touched: bool = False
    """A person noted something or acknowledged."""
    unverified: bool = False
    """It was declared without Alertmanager's word that it still fires."""
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    spent: timedelta = timedelta(0)
    """The patience used up when it ended, which a successor inherits."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"HOLD-{self.id}"


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a hold, and what its timeline says about it."""

    hold: Hold
    drafts: tuple[Draft, ...] = ()
