"""What is known of the world when a rule's conditions are looked at: measured numbers, and what else fires."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from incidentd.rules.words import LabelMap

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Measured:
    """What Prometheus answered to one query."""

    value: float | None
    """None: unknown."""
    why: str = ""
    """Why it is unknown, to go after `because`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert of the same source that fires now."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime


class Neighbours:
    """The alerts of one source that fire now. They are sorted by what is asked for once, not for each alert."""

    def __init__(self, alerts: Sequence[OpenAlert], meaning: LabelMap) -> None:
        self._alerts = alerts
        self._meaning = meaning
        self._sorted: dict[tuple[str, ...], dict[tuple[str, ...], list[OpenAlert]]] = {}

    def like(self, labels: Mapping[str, str], by: tuple[str, ...]) -> Sequence[OpenAlert]:
        """Give those that have the same values of these labels, the alert itself among them."""
        if by not in self._sorted:
            groups: dict[tuple[str, ...], list[OpenAlert]] = defaultdict(list)
            for alert in self._alerts:
                groups[self._values(alert.labels, by)].append(alert)
            self._sorted[by] = groups
        return self._sorted[by].get(self._values(labels, by), [])

    def _values(self, labels: Mapping[str, str], by: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._meaning.value(name, labels) for name in by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out for the conditions before deciding. What nobody asked for is unknown."""

    now: datetime = NEVER
    measured: Mapping[str, Measured] = field(default_factory=dict)
    """By query, as it was asked."""
    neighbours: Neighbours | None = None

    def value_of(self, query: str) -> Measured:
        """Give the answer to a query."""
        return self.measured.get(query) or Measured(None, "nobody asked Prometheus")
