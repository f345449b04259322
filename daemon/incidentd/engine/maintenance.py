"""Maintenance as units of work: what was only written down is decided as new when its window ends."""

from __future__ import annotations

from incidentd.rules import Maintenance
from incidentd.store import Tx, firing, jobs
from incidentd.store.jobs import Job
from incidentd.timeline import SYSTEM

KIND = "maintenance"
"""Of the job; also the rule under which what a window takes is written down."""


def watch(tx: Tx, source: str, window: Maintenance) -> None:
    """Set the clock for the end of a window that took alerts of a source."""
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=SYSTEM, ukey=f"maintenance:{source}:{window.name}",
        due_at=window.ends, payload={"source": source},
    )  # fmt: skip


def is_over(tx: Tx, job: Job) -> None:
    """Have what still fires decided anew; what another window takes is written down once more."""
    firing.decide_anew(tx, KIND, str(job.payload["source"]))


def changed(tx: Tx) -> None:
    """Take that the windows may be others now: at start, and after a reload."""
    firing.decide_anew(tx, KIND)
