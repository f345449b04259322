"""The parameters of a hold, and where their numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SETTLE = timedelta(seconds=60)
"""How long after opening more alerts only teach the hold its peak, and samples only what the best is."""
REFILL = 0.5
"""Seconds of patience that come back for each quiet second: a leaky bucket, so that slow flapping still declares."""
ASK_BEFORE = 0.2
"""The share of the wait that is left when people are asked: at 80 %."""
_NOT_WAITED_WITH = 2
FEWEST_GROWING = 3
"""Alerts that must fire at least before anything counts as a growing issue."""


def usual_wait(*, rank: int, urgency: str) -> timedelta:
    """Say how long a hold waits for progress when its rule does not say it.

    What is of the two worst severities is not waited with; what is not even urgent may take an hour.
    """
    if 0 < rank <= _NOT_WAITED_WITH:
        return timedelta(0)
    return timedelta(minutes=60) if urgency == "ticket" else timedelta(minutes=30)


class DeclareOn(StrEnum):
    """What declares a hold before its time is up."""

    SEVERITY_RAISED = "severity_raised"
    SPREAD = "spread"
    GROWING = "growing"
    FLAPPING = "flapping"
    PLAYBOOK_FAILED = "playbook_failed"
    CUSTOMER_VISIBLE = "customer_visible"
    ACK_MISSED = "ack_missed"


IN_FORCE = frozenset(DeclareOn)
"""The signals that are watched for unless a rule names others: all of them."""


class OnFlap(StrEnum):
    """What becomes of a hold that flaps."""

    DECLARE = "declare"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressQuery:
    """A number that gets better while people or a playbook make progress: a queue's depth, an error ratio."""

    promql: str
    """A template; it is filled in once, with the labels of the alert that opened the hold."""
    higher: bool = False
    """Whether more is better; else less is."""
    by: float = 0.2
    """By which share of the best so far it must be better, on two samples in a row."""
    every: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortWindow:
    """The short window of a burn rate: back under its threshold, no more budget burns while the long one still fires.

    SRE workbook, chapter 5: the short window says whether the budget is still being burned.
    """

    promql: str
    """A template, filled in once."""
    condition: str
    """What its value is once nothing burns any more: `< 14.4`."""
    every: timedelta = timedelta(seconds=30)


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
    query: ProgressQuery | None = None
    slo: ShortWindow | None = None
    declare_on: frozenset[DeclareOn] = IN_FORCE
    flaps: int = 3
    """So many times it must fire again within `flap_window` to be flapping."""
    flap_window: timedelta = timedelta(minutes=30)
    flap_shortest: timedelta = timedelta(0)
    """A return after a burst shorter than this is no flap."""
    on_flap: OnFlap = OnFlap.DECLARE
    growth: float = 3
    """Firing alerts at this many times the settled peak are a rapidly growing issue (SRE book, chapter 14)."""
    at: str = ""
    """Where its rule stands: `rules/platform.yaml:12`."""
