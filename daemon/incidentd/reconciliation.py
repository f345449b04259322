"""What Alertmanager says when it is asked, held against what its deliveries made known. Pure.

Deliveries may never come (silenced, lost, told while nobody listened) and may be wrong; Alertmanager's own list of
alerts is what it knows at this moment. It proves nothing about alerts from before its start: it keeps none of them, and
has to be told again by Prometheus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.alerts import MOVED, AlertStatus

TOLD_AGAIN_WITHIN = timedelta(minutes=3)
"""After this long a started Alertmanager has every alert again: Prometheus sends each anew every minute."""
TAKEN_UP_AFTER = timedelta(minutes=1)
"""An alert that no delivery told of is left alone for this long: Alertmanager itself may still wait (`group_wait`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAlert:
    """One alert as Alertmanager lists it."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime
    generator_url: str = ""
    receivers: frozenset[str] = frozenset()
    """The names of those that it is routed to."""
    muted_by: tuple[str, ...] = ()
    """In words, what keeps it from being told: `silence 51973eae`, `alert d2c2efc3`, `time interval nights`."""
    muted_by_runs: bool = False
    """Nothing mutes it but silences that playbook runs made: nobody has put it off, and it goes on as it fires."""
    processed: bool = True
    """False: it has just come, and is not yet said to be muted or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that Alertmanager said at one moment."""

    asked_at: datetime
    alerts: Mapping[str, ApiAlert] = field(default_factory=dict)
    """By fingerprint; of several peers, what any of them has."""
    up_for: timedelta = timedelta(0)
    """How long the peer that runs the longest does."""
    receivers: frozenset[str] = frozenset()
    """Those whose address leads to us, as far as Alertmanager shows addresses."""
    hides_muting: bool = False
    """It mutes by time, and is too old to say which alerts."""
    error: str = ""
    """Why nobody answered; '' when somebody did."""

    @property
    def answered(self) -> bool:
        """Whether anybody answered."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAlert:
    """What is known of one alert."""

    fingerprint: str
    status: AlertStatus
    starts_at: datetime
    seen_at: datetime
    """When a delivery had it last."""
    changed_at: datetime
    version: int


class Verdict(StrEnum):
    """What asking brought to light; also a metric label."""

    FOUND = "found"
    """It fires and was never told."""
    GONE = "gone"
    """It was said to fire, and Alertmanager has it no longer."""
    SUPPRESSED = "suppressed"
    CONFIRMED = "confirmed"
    """It fires; before, it was suppressed or in doubt."""
    REFIRED = "refired"
    """It resolved and fired again between two deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One alert of which more is known now."""

    verdict: Verdict
    fingerprint: str
    known: KnownAlert | None
    """None when it was never told."""
    api: ApiAlert | None
    """None when Alertmanager has it no longer."""


def compare(
    known: Iterable[KnownAlert], snapshot: Snapshot, *, ours: Collection[str], begun_at: datetime, believe_absence: bool
) -> list[Finding]:
    """Find every alert of which Alertmanager's answer says something else than its deliveries.

    `known` holds the alerts that are not resolved, and of those in the answer the resolved ones too. `ours` names the
    receivers that lead here, `begun_at` is when this daemon began to listen. With `believe_absence` off (monitoring is
    blind) an alert that is not there may still fire.
    """
    if not snapshot.answered:
        return []
    by_fingerprint = {it.fingerprint: it for it in known}
    findings = []
    for it in by_fingerprint.values():
        if it.status is not AlertStatus.RESOLVED:
            verdict = _live(it, snapshot, believe_absence=believe_absence)
            if verdict is not None:
                api = snapshot.alerts.get(it.fingerprint)
                findings.append(Finding(verdict=verdict, fingerprint=it.fingerprint, known=it, api=api))
    for api in snapshot.alerts.values():
        before = by_fingerprint.get(api.fingerprint)
        if _never_told(api, before, snapshot, ours, begun_at):
            findings.append(Finding(verdict=Verdict.FOUND, fingerprint=api.fingerprint, known=before, api=api))
    return findings


def _live(it: KnownAlert, snapshot: Snapshot, *, believe_absence: bool) -> Verdict | None:
    if max(it.seen_at, it.changed_at) >= snapshot.asked_at:
        return None  # a delivery came after the question
    api = snapshot.alerts.get(it.fingerprint)
    if api is None:
        # told after that Alertmanager's start, it was there and ended; from before, it may only not be there yet
        was_there = it.seen_at > snapshot.asked_at - snapshot.up_for or snapshot.up_for >= TOLD_AGAIN_WITHIN
        gone = believe_absence and was_there and it.status is not AlertStatus.UNKNOWN
        return Verdict.GONE if gone else None
    if not api.processed:
        return None
    if api.muted_by and not api.muted_by_runs:
        return None if it.status is AlertStatus.SUPPRESSED else Verdict.SUPPRESSED
    if it.status is not AlertStatus.FIRING:
        return Verdict.CONFIRMED
    return Verdict.REFIRED if api.starts_at - it.starts_at >= MOVED else None


def _never_told(
    api: ApiAlert, before: KnownAlert | None, snapshot: Snapshot, ours: Collection[str], begun_at: datetime
) -> bool:
    """Say whether an alert fires for us, and no delivery says so.

    What is muted deserves nothing, and of alerts for others we know nothing; while it is not known which receiver is
    ours, or which alerts are muted by time, nothing is taken up.
    """
    if api.muted_by or not api.processed or snapshot.hides_muting or api.receivers.isdisjoint(ours):
        return False
    if before is not None and before.status is not AlertStatus.RESOLVED:
        return False
    # what began before we listened was told to nobody here, however young it is
    since = api.starts_at if before is None else max(api.starts_at, before.changed_at)
    return since <= max(begun_at, snapshot.asked_at - TAKEN_UP_AFTER)
