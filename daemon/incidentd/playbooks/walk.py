"""How a run walks through its playbook: each function takes the run as it stands and gives the run as it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from incidentd import text
from incidentd.durations import about
from incidentd.playbooks import Playbook, Run, RunState, Step, StepResult, questions, scopes
from incidentd.playbooks.flow import Block, onward
from incidentd.playbooks.scopes import NotRunnable
from incidentd.playbooks.when import parse_test
from incidentd.templates import BadTemplate, compile_template

ENDING = timedelta(seconds=5)
"""What a step may need beyond its timeout to be ended: 2 s after SIGTERM, 2 s after SIGKILL, 1 s for its pipes."""


def target_for(playbook: Playbook, inputs: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Say what the run acts on; raise NotRunnable when that is nothing, since nothing could be taken for everything."""
    return _filled(playbook, "target", playbook.target, {"inputs": inputs, "labels": labels})


def domain_for(playbook: Playbook, inputs: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Say in which failure domain the run acts; '' when the playbook does not ask. Raises NotRunnable."""
    return _filled(playbook, "domain", playbook.domain, {"inputs": inputs, "labels": labels}) if playbook.domain else ""


def _filled(playbook: Playbook, what: str, template: str, names: Mapping[str, object]) -> str:
    try:
        value = compile_template(template).render(names).strip()
    except BadTemplate as error:
        raise NotRunnable(f"the {what} of {playbook.name} cannot be filled in: {error}") from None
    if not value:
        raise NotRunnable(f"the {what} of {playbook.name} is empty for this alert, and an empty {what} acts on nothing")
    return value


def current_step(run: Run, playbook: Playbook) -> Step | None:
    """Give the step that is next; None when the run is not running."""
    steps, _ = _row(run, playbook)
    return steps[run.cursor] if run.state is RunState.RUNNING and run.cursor < len(steps) else None


def _row(run: Run, playbook: Playbook) -> tuple[tuple[Step, ...], tuple[Block, ...]]:
    if run.phase == "rollback":
        return playbook.rollback, playbook.rollback_blocks
    return playbook.steps, playbook.blocks


def known(run: Run, step: Step) -> StepResult | None:
    """Give what a step gives without anything being done outside; None when it has to be done."""
    try:
        if any(scopes.item(run, each) is None for each in scopes.repetitions(step)):
            return StepResult(ok=True, skipped=True, summary="skipped: there is nothing to do it for")
        for condition in step.when:
            if not parse_test(condition.text).holds(scopes.names(run, condition.scope, condition.each)):
                return StepResult(ok=True, skipped=True, summary=f"skipped: `{condition.text}` does not hold")
        return _told(step, context(run, step))
    except (BadTemplate, NotRunnable) as error:
        return StepResult(ok=False, final=True, summary=text.plain(str(error), 300))


def context(run: Run, step: Step) -> dict[str, object]:
    """Give what the templates of a step may name: inputs, what earlier steps registered, the item of `for_each`.

    Raises NotRunnable when the inputs that a call gives are not what the called playbook wants.
    """
    return scopes.names(run, step.scope, step.each)


def _told(step: Step, names: Mapping[str, object]) -> StepResult | None:
    match step.kind:
        case "note":
            return StepResult(ok=True, summary=text.plain(compile_template(step.args).render(names), 1000))
        case "notify":
            filled = {key: compile_template(value).render(names, _in_message) for key, value in step.args.items()}
            return StepResult(ok=True, summary=f"a message goes to {filled['channel']}", value=filled)
        case "approve":
            questions.filled(step.args, names)  # what cannot be filled in fails before anybody is asked
            return None
        case _:
            return None


def _in_message(value: str, before: str) -> str:
    """What a stranger wrote is one harmless line of a message; the lines of the message are its writer's."""
    return text.plain(value)


def may_repeat(step: Step) -> bool:
    """Say whether a step may be done again when nobody knows whether it was done."""
    match step.kind:
        case "promql" | "alertmanager" | "note" | "notify" | "wait" | "approve":
            return True
        case "http":
            return step.idempotent or str(step.args.get("method", "GET")).upper() in {"GET", "HEAD"}
        case _:
            return step.idempotent or step.reads


def longest(step: Step) -> timedelta:
    """Say how long a step can take at most, with all its tries: what a claim on it has to last."""
    return (step.timeout + ENDING) * (step.retries + 1) + step.delay * step.retries


def step_done(run: Run, playbook: Playbook, result: StepResult, now: datetime) -> Run:
    """Go on from a step that ended: to the next one, to the verification, to the rollback, or to the end."""
    step = current_step(run, playbook)
    if step is None:
        raise ValueError(f"{run.key} has no step that could have ended: it is {run.state}")
    failed = not result.ok and not step.ignore_errors
    run = replace(_registered(run, step, result), question=None)
    return _go_on(run, playbook, f"the step `{step.name}` failed: {result.summary}" if failed else "", now)


def _registered(run: Run, step: Step, result: StepResult) -> Run:
    if not step.register or result.skipped or (not result.ok and not result.value):
        return run
    kept = {**result.value, "ok": result.ok}
    return replace(run, registers={**run.registers, scopes.register(step.scope, step.register): kept})


def _go_on(run: Run, playbook: Playbook, failure: str, now: datetime) -> Run:
    """Go where a step's end leads, past the repetitions of `for_each` that have no item."""
    _, blocks = _row(run, playbook)
    while True:
        way = onward(blocks, run.cursor, run.pending, failure)
        run = replace(run, cursor=way.position, pending=way.pending)
        if way.failure:
            return _step_failed(run, playbook, way.failure, now)
        step = current_step(run, playbook)
        if step is None:
            return _steps_ended(run, playbook, now)
        if not _itemless(run, step):
            return run
        failure = ""


def _itemless(run: Run, step: Step) -> bool:
    try:
        return any(each.number > 0 and scopes.item(run, each) is None for each in scopes.repetitions(step))
    except (BadTemplate, NotRunnable):
        return False  # the step itself will say so


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
            run,
            state=RunState.RUNNING,
            phase="rollback",
            cursor=0,
            pending={},
            reason=reason,
            good_since=None,
            ends_at=None,
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
