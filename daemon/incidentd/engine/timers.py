"""Deadlines as units of work: each is taken, handled and done in one transaction, so a crash leaves it due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from incidentd import holds
from incidentd.engine import (
    backlog,
    communication,
    course,
    following,
    handoff,
    handover,
    joined,
    learning,
    maintenance,
    owning,
    paging,
    postmortems,
    records,
    refusals,
    reporting,
    roles,
    rota,
    shiftend,
    stale,
    stopping,
    updates,
    watchdog,
)
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, retention, subjects
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD

AGAIN_AFTER = timedelta(minutes=1)


def fire(tx: Tx, settings: Settings, job_id: int) -> bool:
    """Handle a deadline that has passed; False when it was moved, cancelled or handled meanwhile."""
    job = jobs.take(tx, job_id)
    if job is None:
        return False
    late = max((tx.now - job.due_at).total_seconds(), 0)
    tx.count(lambda m: m.timer_lag_seconds.observe(late))
    _HANDLERS.get(job.kind, _newer)(tx, settings, job)
    return True


def _newer(tx: Tx, _settings: Settings, job: Job) -> None:
    """Leave a deadline that is not known here to a newer incidentd, which made it and shares this store."""
    jobs.schedule(
        tx, queue=job.queue, kind=job.kind, subject=job.subject, ukey=job.ukey, due_at=tx.now + AGAIN_AFTER,
        payload=job.payload, give_up_at=job.give_up_at,
    )  # fmt: skip


def _breach(tx: Tx, settings: Settings, job: Job) -> None:
    page = paging.breached(tx, settings, int(job.payload["page"]))
    if page is None or not page.subject.startswith("HOLD-"):
        return
    hold = subjects.get_hold(tx, int(page.subject.removeprefix("HOLD-")))
    turn = holds.ack_missed(hold, within=page.respond_within, now=tx.now)
    course.carry_out(tx, settings, hold, turn, INCIDENTD)


def _shift_changes(tx: Tx, settings: Settings, _job: Job) -> None:
    rota.time_came(tx, settings)
    handoff.begin(tx, settings)


_HANDLERS: Mapping[str, Callable[[Tx, Settings, Job], None]] = {
    # of holds and pages
    "hold": lambda tx, settings, job: course.time_came_for_hold(tx, settings, job.subject),
    course.REPEAT: lambda tx, settings, job: course.say_repeated(tx, settings, job.subject),
    "page": lambda tx, settings, job: paging.time_came(tx, settings, int(job.payload["page"])),
    "breach": _breach,
    owning.LAPSE: owning.time_came,
    owning.WORSE: owning.time_came,
    joined.FOLLOW: following.time_came,
    joined.LOOK: following.time_came,
    refusals.RETELL: refusals.time_came,
    stopping.KIND: stopping.time_came,
    chain.FOLLOWED: communication.time_came,
    # of an incident, and of those who work on it
    "quiet": lambda tx, settings, job: course.quiet_passed(tx, settings, job.subject),
    course.CUT: lambda tx, settings, job: course.cut_looked_at(tx, settings, job.subject),
    course.HEALTHY: lambda tx, settings, job: course.stayed_healthy(tx, settings, job.subject),
    stale.KIND: stale.time_came,
    postmortems.KIND: postmortems.time_came,
    postmortems.COPIES: postmortems.copies_are_due,
    postmortems.REVIEW: postmortems.time_is_over,
    "draft": lambda tx, settings, job: learning.draft(tx, settings, job.subject),
    records.TASK: records.box_is_over,
    records.DECISION: lambda tx, _settings, job: records.wait_is_over(tx, job),
    updates.KIND: updates.time_came,
    handover.KIND: handover.time_came,
    handover.WATCH: lambda tx, _settings, job: handover.watch_ended(tx, job),
    handoff.PROMPT: shiftend.time_came,
    roles.OFFERED: roles.time_came,
    roles.TIRED: roles.tired,
    roles.VACANT: roles.vacant,
    roles.CALLOUT: roles.call_out,
    # of action items
    backlog.REMIND: backlog.reminds,
    backlog.EFFECT: backlog.looks_at_effect,
    backlog.DIGEST: backlog.digest,
    # of the house
    watchdog.KIND: watchdog.time_came,
    maintenance.KIND: lambda tx, _settings, job: maintenance.is_over(tx, job),
    rota.KIND: _shift_changes,
    handoff.KIND: handoff.time_came,
    reporting.KIND: reporting.time_came,
    retention.PRUNE: lambda tx, settings, _job: retention.take_turn(tx, settings.retention),
}
"""What is done when a deadline of a kind has passed."""


def put_off(tx: Tx, job_id: int) -> None:
    """Move a deadline that could not be handled, so that the others get their turn."""
    jobs.put_off(tx, job_id, tx.now + AGAIN_AFTER)
