"""Sampling as units of work: what the queries of a hold answer, and when they are asked again."""

from __future__ import annotations

from dataclasses import dataclass

from incidentd.errors import NotFound
from incidentd.holds import OPEN, Hold, HoldState, Watch
from incidentd.store import Tx, jobs, subjects
from incidentd.store.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query that is to be asked now."""

    source: str
    promql: str


def begin(tx: Tx, hold: Hold) -> None:
    """Have each query of a new hold asked at once."""
    for number in range(len(hold.watches)):
        _ask(tx, hold, number, after=False)


def end(tx: Tx, hold: Hold) -> None:
    """Ask nothing more about a hold that is over."""
    for number in range(len(hold.watches)):
        jobs.cancel(tx, _key(hold, number))


def question(tx: Tx, job: Job) -> Question | None:
    """Say what is to be asked; None while the clock of the hold stands still, or when it is over."""
    found = _watch(tx, job)
    if found is None or found[0].state is not HoldState.HOLDING:
        return None
    return Question(source=found[0].source, promql=found[1].promql)


def ask_again(tx: Tx, job: Job) -> Hold | None:
    """Set the clock for the next sample; None when the lease was lost or the hold is over, and then nothing counts."""
    found = _watch(tx, job)
    if not jobs.complete(tx, job) or found is None or found[0].state not in OPEN:
        return None
    _ask(tx, found[0], int(job.payload["number"]), after=True)
    return found[0]


def _watch(tx: Tx, job: Job) -> tuple[Hold, Watch] | None:
    try:
        hold = subjects.get_hold(tx, int(job.subject.removeprefix("HOLD-")))
    except NotFound:
        return None
    number = int(job.payload["number"])
    return (hold, hold.watches[number]) if number < len(hold.watches) else None


def _ask(tx: Tx, hold: Hold, number: int, *, after: bool) -> None:
    due_at = tx.now + hold.watches[number].every if after else tx.now
    jobs.schedule(
        tx, queue=jobs.SAMPLE, kind="sample", subject=hold.key, ukey=_key(hold, number), due_at=due_at,
        payload={"number": number},
    )  # fmt: skip


def _key(hold: Hold, number: int) -> str:
    return f"sample:{hold.key}:{number}"
