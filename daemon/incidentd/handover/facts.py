"""What the message of a handover is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.incidents import Incident
from incidentd.playbooks import Run
from incidentd.records import Records
from incidentd.roles import Role
from incidentd.updates import Audience, Promise

TOLERANCE = 0.1
"""A value that differs from the best by less than this share of it is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure of the incident: what it is now, and what it was at its best."""

    name: str
    value: float
    best: float
    higher: bool = False
    """Higher values are better."""
    at: datetime | None = None
    """When it was measured; None: just now."""

    @property
    def trend(self) -> str:
        """Compare the two: better, same or worse."""
        gained = self.value - self.best if self.higher else self.best - self.value
        if abs(gained) <= TOLERANCE * abs(self.best):
            return "same"
        return "better" if gained > 0 else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known when a handover is drafted."""

    incident: Incident
    roles: tuple[Role, ...]
    sender: str
    receiver: str = ""
    records: Records = field(default_factory=Records)
    measured: tuple[Measured, ...] = ()
    """The first one is what the trend is read from."""
    runs: tuple[Run, ...] = ()
    promises: Mapping[Audience, Promise] = field(default_factory=dict)
    holders: Mapping[Role, str] = field(default_factory=dict)
    """Who answers for each role now."""
    on_the_way: tuple[str, ...] = ()
    can_go: tuple[str, ...] = ()
    observers: tuple[str, ...] = ()
    external_url: str = ""
    graphs: tuple[tuple[str, str], ...] = ()
    """Title and address of each graph."""
    channels: tuple[str, ...] = ()
    """The names of the rooms in which the incident is followed."""
