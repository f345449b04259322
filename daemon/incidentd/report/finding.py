"""A finding: one line of the report, with what it rests on and the one change that it proposes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from incidentd.report.limits import MOST_EVIDENCE


class Kind(StrEnum):
    """The reports, in the order in which they are shown."""

    AUTOMATE = "automation_candidate"
    NOISY = "noisy_alert"
    BARE = "missing_playbook"
    DETECTION = "detection_gap"
    LEAD_TIME = "lead_time"
    REPEAT = "repeat_incident"
    KNOWN = "known_issue"
    HOLD = "hold_tuning"
    ON_CALL = "oncall_health"
    ROT = "playbook_rot"
    EFFECT = "action_item_effect"
    TOIL = "toil"
    RULES = "rules_differ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    kind: Kind
    about: str
    """An alert's name, a rule, a playbook, a service, a schedule, a severity, or the key of an action item."""
    why: tuple[str, ...]
    """Which of the report's rules it meets, in words for machines: `precision`, `self_resolved`."""
    says: str
    """What was seen, with its figures."""
    evidence: tuple[str, ...]
    """Keys of what it rests on, the newest ones."""
    propose: str
    """The one change that is proposed."""
    weight: float = 0
    """What it costs; within a report the highest comes first."""
    draft: str = ""
    """A file to begin with, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures beside the findings."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def keys(found: Iterable[str]) -> tuple[str, ...]:
    """Give keys as evidence: each once, the newest first, no more than people look at."""
    return tuple(list(dict.fromkeys(reversed(list(found))))[:MOST_EVIDENCE])


def median(values: Sequence[timedelta]) -> timedelta:
    """Give the middle one; of two in the middle what is between them. Of nothing it is nothing."""
    if not values:
        return timedelta(0)
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def p90(values: Sequence[timedelta]) -> timedelta:
    """Give the one that nine of ten are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 9 // 10) - 1] if ordered else timedelta(0)


def percent(share: float) -> str:
    """Write a share: `62 %`."""
    return f"{round(100 * share)} %"
