"""The parameters of a hold, and where their numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SETTLE = timedelta(seconds=60)
"""How long after opening more alerts only teach the hold its peak."""
REFILL = 0.5
"""Seconds of patience that come back for each quiet second: a leaky bucket, so that slow flapping still declares."""
FLAPS = 3
FLAP_WINDOW = timedelta(minutes=30)
GROWTH = 3
"""Firing alerts at this many times the settled peak are a rapidly growing issue."""


class DeclareOn(StrEnum):
    """What declares a hold before its time is up."""

    SEVERITY_RAISED = "severity_raised"
    SPREAD = "spread"
    GROWING = "growing"
    FLAPPING = "flapping"
    PLAYBOOK_FAILED = "playbook_failed"
    CUSTOMER_VISIBLE = "customer_visible"
    ACK_MISSED = "ack_missed"


IN_FORCE = frozenset({DeclareOn.GROWING, DeclareOn.FLAPPING, DeclareOn.PLAYBOOK_FAILED, DeclareOn.ACK_MISSED})
"""The signals that this version watches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPolicy:
    """The parameters of a hold; a running one keeps those it was opened with."""

    no_progress_after: timedelta = timedelta(minutes=30)
    hard_cap: timedelta = timedelta(minutes=60)
    """Declared then whatever the progress (an hour's concentrated analysis: SRE book, chapter 14)."""
    quiet: timedelta = timedelta(minutes=5)
    """How long all its alerts must stay resolved before the hold closes."""
    alerts_down: float = 0.2
    """Fewer firing alerts than the best so far by this share are progress."""
    human_notes: int = 2
    """Notes that count as progress in a row, without an objective improvement between them."""
    declare_on: frozenset[DeclareOn] = IN_FORCE
