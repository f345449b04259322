"""Silences that runs make: lifted when the run ends, whatever ends it, by a job that is there before the silence is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.durations import parse_duration
from incidentd.engine.course.busy import definition_of
from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import FINISHED, Playbook, Run, Step, StepResult, StepState
from incidentd.playbooks.errands import mark_of
from incidentd.store import Store, Tx, chain, jobs, things
from incidentd.store.jobs import Job
from incidentd.text import count, instant, plain
from incidentd.timeline import INCIDENTD, Draft

KIND = "lift"
_LOOK = timedelta(minutes=1)
"""Between two looks whether the run is over; and after its end, for a silence that was on its way while it ended."""


class Lifts(Protocol):
    """The door to one source's Alertmanager."""

    async def lift(self, mark: str) -> int:
        """End the silences of the run with this mark, and say how many. Raises TemporaryError and PermanentError."""


class _PutBack(Protocol):
    def __call__(self, job: Job, why: str, *, error: TemporaryError | None = None) -> Awaitable[None]: ...


def begins(tx: Tx, run: Run, step: Step, given: StepResult | None) -> None:
    """See to it that what a step is about to silence is lifted, even if nothing more is heard of the run."""
    if step.kind == "alertmanager" and given is None:
        _schedule(tx, run, at=tx.now + _LOOK)


def over(tx: Tx, run: Run, playbook: Playbook) -> None:
    """Have the silences of a run that ended lifted now, if it may have made any."""
    begun = (
        things.step_state(tx, replace(run, phase=phase), number)
        for phase, steps in (("steps", playbook.steps), ("rollback", playbook.rollback))
        for number, step in enumerate(steps)
        if step.kind == "alertmanager"
    )
    if any(state not in (None, StepState.SKIPPED) for state in begun):
        _schedule(tx, run, at=tx.now)


def _schedule(tx: Tx, run: Run, *, at: datetime, again: bool = False) -> None:
    jobs.schedule(
        tx, queue=jobs.PLAYBOOK, kind=KIND, subject=run.subject, ukey=_key(run), due_at=at,
        payload={"run": run.id, "again": again},
    )  # fmt: skip


def _key(run: Run) -> str:
    return f"{run.key}/lift"


class Silencing:
    """Lifts silences: claimed jobs, one a run."""

    def __init__(
        self, store: Store, *, alertmanagers: Callable[[], Mapping[str, Lifts]], now: Callable[[], datetime],
        put_back: _PutBack,
    ) -> None:  # fmt: skip
        self._store = store
        self._alertmanagers = alertmanagers
        self._now = now
        self._put_back = put_back

    async def act(self, job: Job) -> None:
        """Lift what a run silenced, if the run is over; else look again."""
        run = await self._store.read(things.get_run, int(job.payload["run"]))
        if run.state not in FINISHED:
            await self._store.write(_still_runs, job, run)
            return
        door = self._alertmanagers().get(run.source)
        try:
            if door is None:
                raise PermanentError(f"the configuration names no Alertmanager for {run.source} any more")
            lifted = await door.lift(mark_of(run))
        except TemporaryError as error:
            if self._now() < _gone_by(run):
                await self._put_back(job, str(error), error=error)
            else:
                await self._store.write(_not_lifted, job, run, str(error))
        except PermanentError as error:
            await self._store.write(_not_lifted, job, run, str(error))
        else:
            await self._store.write(_lifted, job, run, lifted)


def _gone_by(run: Run) -> datetime:
    """Say when the last silence of a run has ended by itself."""
    playbook = definition_of(run)
    lasts = (
        parse_duration(step.args["for"])
        for step in (*playbook.steps, *playbook.rollback)
        if step.kind == "alertmanager"
    )  # fmt: skip
    return (run.finished_at or run.started_at) + max(lasts, default=timedelta(0)) + _LOOK


def _still_runs(tx: Tx, job: Job, run: Run) -> None:
    if jobs.complete(tx, job):
        over_now = things.get_run(tx, run.id).state in FINISHED
        _schedule(tx, run, at=tx.now if over_now else tx.now + _LOOK)


def _lifted(tx: Tx, job: Job, run: Run, lifted: int) -> None:
    if not jobs.complete(tx, job):
        return
    if lifted:
        text = f"{run.key}: {count(lifted, 'silence')} that it made {'is' if lifted == 1 else 'are'} lifted."
        chain.append(tx, run.subject, INCIDENTD, [Draft("run.unsilenced", text, {"run": run.key})])
    if not job.payload["again"]:
        _schedule(tx, run, at=tx.now + _LOOK, again=True)


def _not_lifted(tx: Tx, job: Job, run: Run, why: str) -> None:
    if jobs.complete(tx, job):
        text = (
            f"{run.key}: what it silenced could not be lifted: {plain(why, 300)}. It ends by itself at "
            f"{instant(_gone_by(run))} at the latest; to end it now, expire the silence in Alertmanager."
        )
        chain.append(tx, run.subject, INCIDENTD, [Draft("run.silence_left", text, {"run": run.key})])
