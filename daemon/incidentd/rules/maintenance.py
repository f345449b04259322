"""Maintenance: times in which what an alert says is expected, so that it is written down and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.errors import Location
from incidentd.matchers import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """One window. An alert that still fires when it ends is decided as if it had just begun."""

    name: str
    match: tuple[Matcher, ...]
    """All of them must match; at least one, since a window over everything would hide what nobody expects."""
    begins: datetime
    ends: datetime
    because: str = ""
    at: Location = field(default_factory=lambda: Location("(built in)", 1))

    def is_on(self, now: datetime) -> bool:
        """Say whether it is now."""
        return self.begins <= now < self.ends

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether it is about an alert with these labels."""
        return all(matcher.matches(labels) for matcher in self.match)
