"""Stopping playbooks: one run, or all of a switch that somebody turns off, at once and wherever they are at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from incidentd.engine import outcome, silencing
from incidentd.engine.course.busy import definition_of
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.playbooks import FINISHED, Playbook, Run, RunState, StepResult, StepState, standing, walk
from incidentd.playbooks.standing import ALL, Switch
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, locks, switching, things
from incidentd.store.jobs import Job
from incidentd.text import count, plain
from incidentd.timeline import SYSTEM, Actor, Draft

KIND = "stop"
"""Of the job that stops one run."""
WAITER = "stops"
"""What is woken to look whether something that is being done here has to be let go."""
_LONGEST_REASON = 1000
_HARMLESS = frozenset({"promql", "note", "notify", "wait", "approve", "alertmanager", "ticket"})
"""Kinds of steps of which nothing can be half done on a target; what a run silenced is lifted at its end."""


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """A switch that was turned off, and the runs that are stopped by it."""

    switch: Switch
    stops: tuple[str, ...]


def disable(tx: Tx, settings: Settings, playbook: str, *, actor: Actor, reason: str) -> SwitchedOff:
    """Switch a playbook off, or ALL: nothing begins any more, no further step, and what runs is stopped.

    It is so from the commit on, on every replica and after every restart, until somebody enables it; pages, holds and
    tickets go on. Raises BadRequest without a reason, NotFound for a playbook that nobody knows.
    """
    reason = _checked(reason)
    locks.automation(tx)  # whoever begins a run meanwhile is seen below, or sees this
    running = switching.active_runs(tx, playbook)
    if playbook != ALL and playbook not in settings.playbooks and not running:
        raise NotFound(_unknown(settings, playbook))
    switch = Switch(playbook=playbook, by=actor.name, via=actor.via, reason=reason, at=tx.now)
    switching.switch_off(tx, switch)
    text = f"{switch.said()}. {_stops(running)}"
    data = {"playbook": playbook or "all", "runs": [run.key for run in running]}
    chain.append(tx, SYSTEM, actor, [Draft("automation.disabled", text, data)])
    for run in running:
        # each in a transaction of its own: whoever holds one of these subjects keeps nobody else's run alive
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=KIND, subject=run.subject, ukey=f"{KIND}:{run.key}", due_at=tx.now,
            payload={"run": run.id, "by": actor.name, "via": actor.via, "key": actor.key, "why": switch.said()},
        )  # fmt: skip
    tx.wake(WAITER)
    return SwitchedOff(switch, tuple(run.key for run in running))


def enable(tx: Tx, settings: Settings, playbook: str, *, actor: Actor, reason: str = "") -> str:
    """Let a playbook, or ALL, begin again; what was stopped stays so. Raises Conflict when it was not switched off.

    Gives why it does not run all the same, because every playbook is off; '' when it does.
    """
    what = plain(playbook, 80) or "every playbook"
    locks.automation(tx)
    if not switching.switch_on(tx, playbook):
        if playbook != ALL and playbook not in settings.playbooks:
            raise NotFound(_unknown(settings, playbook))
        off = _off_for_all(tx, playbook)
        why = f"it does not run because {off}; `incidentd playbook enable --all` lets all run again"
        raise Conflict(f"{what} is not switched off by itself: {why}" if off else f"{what} is not switched off")
    why = f": {plain(_checked(reason), 300)}" if reason.strip() else ""
    still = _off_for_all(tx, playbook)
    text = f"{actor.name} switched {what} on again{why}." + (f" It still does not run: {still}." if still else "")
    chain.append(tx, SYSTEM, actor, [Draft("automation.enabled", text, {"playbook": playbook or "all"})])
    return still


def _off_for_all(tx: Tx, playbook: str) -> str:
    """Say who switched every playbook off, where that keeps one from running; '' when nobody did."""
    off = switching.switches(tx).get(ALL) if playbook != ALL else None
    return off.said() if off else ""


def _unknown(settings: Settings, playbook: str) -> str:
    return f"there is no playbook {plain(playbook, 80)!r}; there are {', '.join(sorted(settings.playbooks)) or 'none'}"


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadRequest("the reason is empty: say why, for whoever finds it off")
    if len(reason) > _LONGEST_REASON:
        raise BadRequest(f"the reason has {len(reason)} characters; the most is {_LONGEST_REASON}")
    return reason


def _stops(running: Sequence[Run]) -> str:
    if not running:
        return "Nothing was running."
    return f"{count(len(running), 'run')} stopped by it: {', '.join(run.key for run in running[:20])}."


# -- one run ---------------------------------------------------------------------------------------------------------


def stop(tx: Tx, settings: Settings, run_id: int, *, actor: Actor, reason: str) -> Run:
    """Stop a run wherever it is, and say what is half done; nothing of it is rolled back.

    Raises NotFound, BadRequest without a reason, and Conflict when it is over.
    """
    run = things.get_run(tx, run_id)
    if run.state in FINISHED:
        raise Conflict(f"{run.key} is over: {run.state.replace('_', ' ')}")
    return _stop(tx, settings, run, actor, f"{actor.name} stopped it: {plain(_checked(reason), 300)}")


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Stop a run whose playbook was switched off."""
    run = things.get_run(tx, int(job.payload["run"]))
    if run.state not in FINISHED:
        by = Actor(name=job.payload["by"], via=job.payload["via"], key=job.payload.get("key", ""))
        _stop(tx, settings, run, by, str(job.payload["why"]))


def _stop(tx: Tx, settings: Settings, run: Run, actor: Actor, why: str) -> Run:
    playbook = definition_of(run)
    jobs.cancel(tx, run.key)
    run = replace(run, state=RunState.STOPPED, finished_at=tx.now, reason=f"{why}; {_where(tx, run, playbook)}")
    things.save_run(tx, run)
    outcome.finished(tx, settings, run, playbook, actor=actor)
    tx.wake(WAITER)
    return run


def _where(tx: Tx, run: Run, playbook: Playbook) -> str:
    """Say how far it had come, and what may be half done; a step that is at work ends here."""
    if run.state is RunState.PROPOSED:
        return "it had not begun"
    if run.state is RunState.VERIFYING:
        return "every step of it was done, and nobody knows yet whether it helped"
    step = walk.current_step(run, playbook)
    began = things.step_began(tx, run, run.cursor)
    if step is None or began is None or things.step_state(tx, run, run.cursor) is not StepState.STARTED:
        next_one = f", before the step `{step.name}`" if step else ""
        return f"it was between two steps{next_one}, and nothing is half done"
    result = StepResult(ok=False, clean=False, summary="stopped in the middle of it")
    things.step_ended(tx, run, run.cursor, name=step.name, state=StepState.INTERRUPTED, result=result, began=began)
    rollback = ", and nothing was rolled back" if playbook.rollback and run.phase != "rollback" else ""
    if step.kind in _HARMLESS:
        return f"it was at the step `{step.name}`, of which nothing can be half done{rollback}"
    return (
        f"the step `{step.name}` was at work and may be half done: look at {plain(run.target, 60)}, "
        f"and go on by hand{rollback}"
    )


# -- what is being done here -----------------------------------------------------------------------------------------


def lost(tx: Tx, held: Sequence[Job]) -> list[int]:
    """Name those of these jobs that are not to go on: stopped, switched off, or somebody else's by now.

    What a run silenced is lifted all the same.
    """
    off = switching.switches(tx)

    def is_off(job: Job) -> bool:
        of_a_step = bool(off) and job.kind != silencing.KIND
        return of_a_step and bool(standing.off(off, switching.playbook_of(tx, int(job.payload["run"]))))

    return [job.id for job in held if not jobs.still_mine(tx, job) or is_off(job)]
