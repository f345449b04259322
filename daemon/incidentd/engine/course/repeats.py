"""Repeats of what is held: counted each time, and said once in each wait, since they are not progress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from incidentd import holds
from incidentd.engine.course.held import carry_out
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, subjects
from incidentd.timeline import ALERTMANAGER

REPEAT = "repeat"


def repeated(tx: Tx, repeats: Sequence[tuple[str, str]]) -> None:
    """Take that a delivery said again what is known of these alerts (source, fingerprint)."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, fingerprint in repeats:
        by_source[source].append(fingerprint)
    for source, fingerprints in by_source.items():
        for hold in subjects.holds_of(tx, source, sorted(fingerprints)):
            tx.count(lambda m: m.hold_ignored_signals_total.labels(signal="repeat").inc())
            if holds.repeated(hold, tx.now).hold != hold:
                # as a job, since the hold is not to be locked after the rows of alerts
                jobs.schedule(
                    tx, queue=jobs.TIMER, kind=REPEAT, subject=hold.key, ukey=f"repeat:{hold.key}", due_at=tx.now,
                )  # fmt: skip


def say_repeated(tx: Tx, settings: Settings, subject: str) -> None:
    """Say on the timeline of a hold that a repeat is no progress."""
    hold = subjects.get_hold(tx, int(subject.removeprefix("HOLD-")))
    carry_out(tx, settings, hold, holds.repeated(hold, tx.now), ALERTMANAGER)
