"""What keeps a run from its next step: a crash that fell into it, nobody who can do it, or a guard that says no now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.engine import outcome
from incidentd.engine.permission import ask_again
from incidentd.playbooks import Playbook, Run, RunState, StepResult, StepState, walk
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, things
from incidentd.store.jobs import Job


def looked_at(tx: Tx, settings: Settings, run: Run, playbook: Playbook) -> Run:
    """Give a run that may go on with the step that it is at; or as it ends here, which is not stored yet."""
    step, before = walk.current_step(run, playbook), things.step_state(tx, run, run.cursor)
    if step is not None and before is StepState.STARTED and not walk.may_repeat(step):
        return walk.step_interrupted(run, step, tx.now)
    if why := walk.lost(run, playbook):
        return walk.step_lost(run, why, tx.now)
    # the first step may have waited for long; what a crash fell into was asked about when it began
    is_first = before is None and run.cursor == 0 and run.phase == "steps" and bool(run.fingerprint)
    again = walk.to_be_vetted(run, playbook, tx.now)
    if step is None or not (is_first or again):
        return run
    verdict = ask_again(tx, settings, playbook, run, whole=again)
    if verdict.allowed:
        return _vetted(tx, run) if again else run
    tx.count(lambda m: m.playbook_guard_denials_total.labels(playbook=run.playbook, guard=verdict.guard).inc())
    if before is not None:
        return walk.step_interrupted(run, step, tx.now, why=verdict.reason)
    where = "its first step" if is_first else f"the step `{step.name}`"
    return _refused(run, playbook, f"before {where}, {verdict.reason}", tx.now)


def _vetted(tx: Tx, run: Run) -> Run:
    run = replace(run, vetted_at=tx.now)
    things.save_run(tx, run)
    return run


def _refused(run: Run, playbook: Playbook, reason: str, now: datetime) -> Run:
    """End a run between two steps, as somebody does who stops it."""
    left = "" if run.untouched else "; what it did before stays as it is"
    if left and playbook.rollback:
        left += ", and nothing is rolled back, since that would be acting on"
    return replace(run, state=RunState.REFUSED, finished_at=now, reason=f"{reason}{left}")


def ended(tx: Tx, settings: Settings, job: Job, run: Run, playbook: Playbook) -> None:
    """Store a run that ended before its step or in the middle of it."""
    if not jobs.complete(tx, job):
        return
    step = walk.current_step(replace(run, state=RunState.RUNNING), playbook)
    began = things.step_began(tx, run, run.cursor)
    if step is not None and began is not None:
        result = StepResult(ok=False, summary="interrupted: incidentd stopped in the middle of it")
        things.step_ended(tx, run, run.cursor, name=step.name, state=StepState.INTERRUPTED, result=result, began=began)
    things.save_run(tx, run)
    outcome.finished(tx, settings, run, playbook)
