"""Audiences, and how often each is told at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Audience(StrEnum):
    """Who is told; also a metric label."""

    RESPONDERS = "responders"
    INTERNAL = "internal"
    EXECUTIVES = "executives"
    EXTERNAL = "external"


LONG_AFTER = timedelta(hours=2)
"""An incident may be told of less often, by decision, once it is this old (PagerDuty's guide for customer liaisons)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """The longest that an audience waits: for the first update, for each that follows, and when it takes long."""

    first: timedelta
    """From the declaration; 0s sends the templated first words as it is declared."""
    then: timedelta
    long: timedelta
    second: timedelta | None = None
    """From the first update to the next one, when that is shorter: the first says hardly more than that we know."""


def _of(first: int, then: int, long: int, second: int | None = None) -> Cadence:
    return Cadence(
        first=timedelta(minutes=first), then=timedelta(minutes=then), long=timedelta(minutes=long),
        second=None if second is None else timedelta(minutes=second),
    )  # fmt: skip


# process: internal every 30 minutes; outside 5 minutes, 5 more for the scope, then 20 (PagerDuty's guides)
CADENCES: Mapping[Audience, Mapping[str, Cadence]] = {
    Audience.RESPONDERS: {"sev1": _of(15, 30, 60), "sev2": _of(30, 30, 60)},
    Audience.INTERNAL: {"sev1": _of(15, 30, 60), "sev2": _of(30, 30, 60), "sev3": _of(0, 240, 1440)},
    Audience.EXECUTIVES: {"sev1": _of(15, 30, 60), "sev2": _of(30, 30, 60)},
    Audience.EXTERNAL: {"sev1": _of(5, 20, 60, second=5), "sev2": _of(15, 30, 60)},
}
"""By audience and severity; a severity that is not there promises that audience nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudiencePlan:
    """How one audience is told."""

    channels: tuple[str, ...] = ()
    """Shared channels; none of them keeps the text for the status alone."""
    cadences: Mapping[str, Cadence] = field(default_factory=dict)
    """By severity."""
    approval: bool = False
    """The Incident Commander lets each text go out."""
    first_by_itself: bool = False
    """The templated first words go out by themselves when nobody was faster, with no approval.

    Only while it is investigated, for that is what they say.
    """
    strict: bool = False
    """What the check of the words finds is refused instead of said."""

    def cadence(self, severity: str) -> Cadence | None:
        """Give the cadence of a severity; None when this audience is promised nothing."""
        return self.cadences.get(severity)

    def begins_by_itself(self, severity: str) -> bool:
        """Say whether the first words go out by themselves."""
        cadence = self.cadence(severity)
        return self.first_by_itself or (cadence is not None and not cadence.first and not self.approval)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSettings:
    """Who is told of incidents; nobody who is not named is promised anything."""

    audiences: Mapping[Audience, AudiencePlan] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    """What people outside call a service, by the name that its alerts have."""
