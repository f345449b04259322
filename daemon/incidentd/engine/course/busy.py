"""What a playbook does at this moment for a hold: its deadline is not looked at in the middle of a step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidentd import config
from incidentd.errors import Location
from incidentd.playbooks import Playbook, Run, RunState, walk
from incidentd.store import Tx, things

_AT_WORK = frozenset({RunState.RUNNING, RunState.VERIFYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A step that runs, and until when it may."""

    what: str
    until: datetime


def definition_of(run: Run) -> Playbook:
    """Read the playbook as it was when the run was made, whatever the files say by now."""
    return config.frozen(run.definition, Location(f"(frozen in {run.key})", 1), sha256=run.sha256)


def is_at_work(tx: Tx, subject: str) -> bool:
    """Say whether a playbook runs for a hold."""
    return any(run.state in _AT_WORK for run in things.runs_of(tx, subject))


def step_at_work(tx: Tx, subject: str) -> AtWork | None:
    """Find the step of a run that may take the longest yet, by its own timeout; None when nothing runs."""
    found = [_of(tx, run) for run in things.runs_of(tx, subject) if run.state in _AT_WORK]
    return max((one for one in found if one is not None), key=lambda one: one.until, default=None)


def _of(tx: Tx, run: Run) -> AtWork | None:
    book = definition_of(run)
    if run.state is RunState.VERIFYING and run.ends_at is not None and book.verify is not None:
        last = walk.longest(book.verify.step)  # the last look begins when its time is over
        return AtWork(what=f"the verification of {run.key}", until=run.ends_at + last)
    step = walk.current_step(run, book)
    if step is None or step.kind == "approve":  # what waits for people holds nothing up
        return None
    began = things.step_began(tx, run, run.cursor) or tx.now
    return AtWork(what=f"the step `{step.name}` of {run.key}", until=began + walk.longest(step))
