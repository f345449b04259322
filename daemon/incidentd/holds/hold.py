"""A hold as it stands: its state, its clocks, and how it may end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.holds.policy import SETTLE, HoldPolicy
from incidentd.holds.watch import Watch
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
    DECLARED_SPREAD = "declared_spread"
    DECLARED_SEVERITY_RAISED = "declared_severity_raised"
    DECLARED_CUSTOMER_VISIBLE = "declared_customer_visible"
    DECLARED_PLAYBOOK_FAILED = "declared_playbook_failed"
    DECLARED_ACK_MISSED = "declared_ack_missed"
    DECLARED_MANUAL = "declared_manual"
    SELF_RESOLVED = "self_resolved"
    AUTO_REMEDIATED = "auto_remediated"
    HUMAN_RESOLVED = "human_resolved"
    SNOOZED_OUT = "snoozed_out"
    """It resolved while it was silenced."""
    TICKETED = "ticketed"
    """It flaps, and its rule says that this is work for the backlog."""
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
    firing_then: int | None = None
    """How many alerts fired when the current wait began."""
    notes_used: int = 0
    ignored: tuple[str, ...] = ()
    """The last that was seen in the current wait and is not progress, a few words each."""
    quiet_since: datetime | None = None
    snoozed_since: datetime | None = None
    refires: tuple[datetime, ...] = ()
    burst_since: datetime | None = None
    """When it began to fire the last time; None: at the opening."""
    settles_at: datetime | None = None
    """Until then more alerts only teach it its peak; None: a minute after the opening."""
    asked_at: datetime | None = None
    """When people were asked the last time, before it would declare."""
    busy_until: datetime | None = None
    """A playbook's step runs, and may take until then: the deadline is not looked at before."""
    watches: tuple[Watch, ...] = ()
    """The queries whose answers may be progress."""
    truncated: bool = False
    """Alertmanager left alerts out of a delivery, so fewer that fire prove nothing."""
    rank: int = 0
    """Of its severity, 1 is the worst; 0 when it is not known."""
    source_rank: int = 0
    """The lowest that the source's own severity has come down to since the opening."""
    mixed: bool = False
    """Alerts of more than one rule belong to it: the same thing with another severity."""
    services: tuple[str, ...] = ()
    """Whose alerts have joined so far."""
    owners: tuple[str, ...] = ()
    """The teams whose alerts have joined so far, by their labels."""
    customer_visible: bool = False
    wants: Outcome | None = None
    """It would declare, and Alertmanager is asked first whether it still fires."""
    wants_why: str = ""
    extended_by: str = ""
    """Who asked for more time, and got it once."""
    remediated: bool = False
    """A playbook was verified while it was held."""
    touched: bool = False
    """A person noted something or acknowledged."""
    slept: bool = False
    """It went quiet while it was silenced."""
    unverified: bool = False
    """It was declared without Alertmanager's word that it still fires."""
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    spent: timedelta = timedelta(0)
    """The patience used up when it ended, which a successor inherits; before, what something worse took of the wait."""
    last_tick: datetime | None = None
    """What the clock said when it was written the last time; a clock that says less went back."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"HOLD-{self.id}"

    @property
    def settled_at(self) -> datetime:
        """From when on more alerts are growth, and fewer are progress."""
        return self.settles_at or self.opened_at + SETTLE


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a hold, and what its timeline says about it."""

    hold: Hold
    drafts: tuple[Draft, ...] = ()
    instead: Hold | None = None
    """When it ended: the hold as it was just before, for whoever asks first whether it should."""

    def then(self, later: Turn) -> Turn:
        """Let another turn follow on this one."""
        return Turn(later.hold, self.drafts + later.drafts, later.instead)
