"""How much there is of what lasts, as it is counted for a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCounts:
    """How much there is of what lasts, as counted before each scrape. Instants are Unix time, 0 for none."""

    holds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(state, severity) of unfinished holds."""
    hold_oldest_start: float = 0
    incidents: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(state, severity) of active incidents."""
    roles_vacant: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(role, severity) of active incidents with nobody in the role."""
    updates_overdue: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(audience, severity) of promised updates that are late."""
    action_items: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(state, priority), without drills."""
    items_overdue: Mapping[str, float] = field(default_factory=dict)
    """By priority."""
    jira_synced: float = 0
    postmortems: Mapping[str, float] = field(default_factory=dict)
    postmortems_overdue: Mapping[str, float] = field(default_factory=dict)
    """By state."""
    playbook_runs: float = 0
    switched_off: frozenset[str] = frozenset()
    """The playbooks whose own switch is off; '' stands for the switch of all."""
    notification_outbox: float = 0
    jira_outbox: float = 0
    document_outbox: float = 0
    inbox: float = 0
    inbox_oldest_received: float = 0
