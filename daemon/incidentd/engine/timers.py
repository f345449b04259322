"""Deadlines as units of work: each is taken, handled and done in one transaction, so a crash leaves it due."""

from __future__ import annotations

from datetime import timedelta

from incidentd import holds
from incidentd.engine import course, handoff, learning, maintenance, owning, paging, rota, stopping, watchdog
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, retention, subjects
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
    _handle(tx, settings, job)
    return True


def _handle(tx: Tx, settings: Settings, job: Job) -> None:
    match job.kind:
        case "hold" | course.REPEAT:
            look = course.say_repeated if job.kind == course.REPEAT else course.time_came_for_hold
            look(tx, settings, job.subject)
        case "page":
            paging.time_came(tx, settings, int(job.payload["page"]))
        case "breach":
            _breach(tx, settings, job)
        case owning.LAPSE | owning.WORSE:
            owning.time_came(tx, settings, job)
        case stopping.KIND:
            stopping.time_came(tx, settings, job)
        case "quiet":
            course.quiet_passed(tx, settings, job.subject)
        case "draft":
            learning.draft(tx, settings, job.subject)
        case _:
            _keep_house(tx, settings, job)


def _keep_house(tx: Tx, settings: Settings, job: Job) -> None:
    """Handle a deadline that belongs to no hold, page or incident."""
    match job.kind:
        case watchdog.KIND:
            watchdog.time_came(tx, settings, job)
        case maintenance.KIND:
            maintenance.is_over(tx, job)
        case rota.KIND:
            rota.time_came(tx, settings)
            handoff.begin(tx, settings)
        case handoff.KIND:
            handoff.time_came(tx, settings, job)
        case retention.PRUNE:
            retention.take_turn(tx, settings.retention)
        case _:
            # a newer incidentd made it, and shares this store: leave it to that one
            jobs.schedule(
                tx, queue=job.queue, kind=job.kind, subject=job.subject, ukey=job.ukey, due_at=tx.now + AGAIN_AFTER,
                payload=job.payload, give_up_at=job.give_up_at,
            )  # fmt: skip


def _breach(tx: Tx, settings: Settings, job: Job) -> None:
    page = paging.breached(tx, int(job.payload["page"]))
    if page is None or not page.subject.startswith("HOLD-"):
        return
    hold = subjects.get_hold(tx, int(page.subject.removeprefix("HOLD-")))
    turn = holds.ack_missed(hold, within=page.respond_within, now=tx.now)
    course.carry_out(tx, settings, hold, turn, INCIDENTD)


def put_off(tx: Tx, job_id: int) -> None:
    """Move a deadline that could not be handled, so that the others get their turn."""
    jobs.put_off(tx, job_id, tx.now + AGAIN_AFTER)
