"""How a run walks through its playbook: each function takes the run as it stands and gives the run as it goes on."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import text
from incidentd.durations import about
from incidentd.matchers import Regex
from incidentd.playbooks import Input, Playbook, Run, RunState, Step, StepResult
from incidentd.templates import BadTemplate, compile_template

ENDING = timedelta(seconds=5)
"""What a step may need beyond its timeout to be ended: 2 s after SIGTERM, 2 s after SIGKILL, 1 s for its pipes."""
_LONGEST_INPUT = 1024
_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


class NotRunnable(ValueError):
    """The playbook cannot run for this alert; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with a number, such as `> 0`."""

    operator: str
    threshold: float

    def holds(self, value: float | None) -> bool | None:
        """Say whether it holds; None, which is no success, when there is no value or it is no number."""
        return None if value is None or math.isnan(value) else _OPERATORS[self.operator](value, self.threshold)


def parse_condition(expression: str) -> Condition:
    """Read `> 0`, `>= 1.5`, `== 3`, `!= 0`, `< 5` or `<= 5`; raise ValueError for anything else."""
    found = _CONDITION.fullmatch(expression) if len(expression) <= 60 else None
    if found is None or not math.isfinite(float(found[2])):
        raise ValueError(f"{expression[:60]!r} is no condition: write a comparison with a number, for example '> 0'")
    return Condition(found[1], float(found[2]))


def is_met(expression: str, value: float | None) -> bool | None:
    """Hold a value against a condition; None means unknown. Raises ValueError when the condition cannot be read."""
    return parse_condition(expression).holds(value)


def inputs_for(playbook: Playbook, labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, str]:
    """Take the playbook's inputs from an alert; raise NotRunnable when one is missing or not what it has to be."""
    return {name: _input(name, wanted, labels, annotations) for name, wanted in playbook.inputs.items()}


def _input(name: str, wanted: Input, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    where, _, key = wanted.source.partition(".")
    value = (annotations if where == "annotations" else labels).get(key, "")
    if not value:
        raise NotRunnable(f"the input `{name}` has no value: the alert has no {wanted.source}")
    if value.startswith("-"):
        raise NotRunnable(
            f"the input `{name}` begins with a minus, so a program could take it for an option: {_shown(value)}"
        )
    if not _matches(name, wanted.pattern, value):
        raise NotRunnable(f"the input `{name}` does not match {wanted.pattern!r} as a whole: {_shown(value)}")
    return value


def _matches(name: str, pattern: str, value: str) -> bool:
    try:
        return len(value) <= _LONGEST_INPUT and Regex(pattern).matches(value)
    except ValueError as error:
        raise NotRunnable(f"the pattern of the input `{name}` cannot be read: {error}") from None


def _shown(value: str) -> str:
    return repr(text.plain(value, 60))


def target_for(playbook: Playbook, inputs: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Say what the run acts on; raise NotRunnable when that is nothing, since nothing could be taken for everything."""
    try:
        target = compile_template(playbook.target).render({"inputs": inputs, "labels": labels}).strip()
    except BadTemplate as error:
        raise NotRunnable(f"the target of {playbook.name} cannot be filled in: {error}") from None
    if not target:
        raise NotRunnable(f"the target of {playbook.name} is empty for this alert, and an empty target acts on nothing")
    return target


def context(run: Run) -> dict[str, object]:
    """Give what the templates of the run's steps may name: its inputs, and what earlier steps registered."""
    return {**run.registers, "inputs": run.inputs}


def current_step(run: Run, playbook: Playbook) -> Step | None:
    """Give the step that is next; None when the run is not running."""
    steps = playbook.rollback if run.phase == "rollback" else playbook.steps
    return steps[run.cursor] if run.state is RunState.RUNNING and run.cursor < len(steps) else None


def may_repeat(step: Step) -> bool:
    """Say whether a step may be done again when nobody knows whether it was done."""
    match step.kind:
        case "promql":
            return True
        case "http":
            return step.idempotent or str(step.args.get("method", "GET")).upper() in {"GET", "HEAD"}
        case _:
            return step.idempotent


def longest(step: Step) -> timedelta:
    """Say how long a step can take at most, with all its tries: what a claim on it has to last."""
    return (step.timeout + ENDING) * (step.retries + 1) + step.delay * step.retries


def step_done(run: Run, playbook: Playbook, result: StepResult, now: datetime) -> Run:
    """Go on from a step that ended: to the next one, to the verification, to the rollback, or to the end."""
    step = current_step(run, playbook)
    if step is None:
        raise ValueError(f"{run.key} has no step that could have ended: it is {run.state}")
    if not result.ok and not step.ignore_errors:
        return _step_failed(run, playbook, f"the step `{step.name}` failed: {result.summary}", now)
    kept = {step.register: dict(result.value)} if step.register else {}
    run = replace(run, cursor=run.cursor + 1, registers={**run.registers, **kept})
    return run if current_step(run, playbook) else _steps_ended(run, playbook, now)


def _steps_ended(run: Run, playbook: Playbook, now: datetime) -> Run:
    if run.phase == "rollback":
        return _finished(run, _failure(run), f"{run.reason}; it was rolled back", now)
    verify = playbook.verify
    if verify is None:
        return _finished(run, RunState.DONE, "it ran to its end, and nothing verifies whether it helped", now)
    return replace(run, state=RunState.VERIFYING, verify_since=now, ends_at=now + verify.within)


def _step_failed(run: Run, playbook: Playbook, reason: str, now: datetime) -> Run:
    if run.phase == "rollback":
        return _finished(run, _failure(run), f"{run.reason}; and its rollback failed: {reason}", now)
    return _failed(run, playbook, RunState.FAILED, reason, now)


def _failed(run: Run, playbook: Playbook, state: RunState, reason: str, now: datetime) -> Run:
    if playbook.rollback:
        return replace(
            run, state=RunState.RUNNING, phase="rollback", cursor=0, reason=reason, good_since=None, ends_at=None
        )
    return _finished(run, state, reason, now)


def _failure(run: Run) -> RunState:
    """What a rolled back run had come to: a verification that had begun is what failed."""
    return RunState.VERIFY_FAILED if run.verify_since else RunState.FAILED


def _finished(run: Run, state: RunState, reason: str, now: datetime) -> Run:
    return replace(run, state=state, reason=reason, finished_at=now)


def step_interrupted(run: Run, step: Step, now: datetime) -> Run:
    """Stop a run whose step was cut short and may not be repeated; a person has to look."""
    reason = (
        f"incidentd stopped in the middle of the step `{step.name}`, which may not be repeated: "
        f"look whether it was done on {text.plain(run.target, 60)}, and go on by hand"
    )
    return _finished(run, RunState.INTERRUPTED, reason, now)


def verify_looked(run: Run, playbook: Playbook, result: StepResult, now: datetime) -> tuple[Run, datetime | None]:
    """Take in one look of the verification; the second value says when to look again, None when it is decided.

    A look that is not good, or says nothing, begins the time anew, and so does a gap in which nobody looked.
    """
    verify, deadline = playbook.verify, run.ends_at
    if run.state is not RunState.VERIFYING or verify is None or deadline is None:
        raise ValueError(f"{run.key} is not being verified: it is {run.state}")
    gap = now - (run.looked_at or now)
    unbroken = run.good_since if gap <= 2 * verify.every + longest(verify.step) else None
    good_since = (unbroken or now) if result.ok and not result.unknown else None
    run = replace(run, good_since=good_since, looked_at=now)
    if good_since and now - good_since >= verify.hold_for and good_since + verify.hold_for <= deadline:
        return _finished(run, RunState.VERIFIED, f"its verification held for {about(now - good_since)}", now), None
    if now >= deadline:
        reason = (
            f"its verification did not hold for {about(verify.hold_for)} within {about(verify.within)}; "
            f"the last look: {result.summary}"
        )
        return _failed(run, playbook, RunState.VERIFY_FAILED, reason, now), None
    return run, min(now + verify.every, deadline)
