"""What the store remembers of a stretch of time, as the reports read it. Drills are in none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidentd.actionitems import ActionItem
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.oncall import Shift
from incidentd.pages import Page
from incidentd.playbooks import Run

AlertKey = tuple[str, str]
"""Source and fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAlert:
    """An alert as it stands, and what was decided about it the last time."""

    key: AlertKey
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    decision: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time that an alert fired; `ended` is None while it does."""

    key: AlertKey
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that a person did by hand, or noted, about a hold or an incident."""

    subject: str
    at: datetime
    text: str
    change: bool = False
    """A change made to production, not a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that the reports read."""

    since: datetime
    until: datetime
    begins: datetime | None = None
    """When the oldest thing that the store still knows of began; None: nothing ever happened."""
    holds: tuple[Hold, ...] = ()
    incidents: tuple[Incident, ...] = ()
    earlier: tuple[Incident, ...] = ()
    """Incidents from before `since`, for whatever shows only later: whether what was done after one of them helped."""
    earlier_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The names of their alerts, by their keys, as far as alerts are still kept."""
    pages: tuple[Page, ...] = ()
    runs: tuple[Run, ...] = ()
    items: tuple[ActionItem, ...] = ()
    merged: Mapping[str, str] = field(default_factory=dict)
    """What each incident that has action items, or took in one that has, was merged into; by keys, however long ago."""
    done: Mapping[str, datetime] = field(default_factory=dict)
    """When an action item was done, by its key."""
    alerts: Mapping[AlertKey, KnownAlert] = field(default_factory=dict)
    firings: tuple[Firing, ...] = ()
    """In the order in which they began."""
    members: Mapping[str, tuple[AlertKey, ...]] = field(default_factory=dict)
    """The alerts of each hold and incident, in the order in which they joined."""
    deeds: tuple[Deed, ...] = ()
    """In the order in which they were done."""
    shifts: Mapping[str, tuple[Shift, ...]] = field(default_factory=dict)
    """By schedule, in order; nobody's time is left out."""
    last_runs: Mapping[str, datetime] = field(default_factory=dict)
    """When each playbook ran the last time, however long ago."""
    cut: tuple[str, ...] = ()
    """What there was more of than is read."""

    def whole_since(self, alerts_kept: timedelta) -> datetime:
        """Say from when on everything is known of what the history is about, so that its rates can be told.

        Of the time before anything happened nothing is, and of pages that are older than `alerts_kept` only those of
        alerts that fired again since.
        """
        return max(self.since, self.begins or self.since, self.until - alerts_kept)

    def whole_of(self, key: str) -> str:
        """Follow merges to what an incident with action items is a part of; itself when it was not merged."""
        seen = {key}
        while (into := self.merged.get(key, key)) not in seen:
            seen.add(into)
            key = into
        return key
