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

_UNTOUCHED, _TOUCHED = "untouched", "touched"
"""Marks of a person's decision: whether anything had been changed before it."""
ENDING = timedelta(seconds=5)
"""What a step may need beyond its timeout to be ended: 2 s after SIGTERM, 2 s after SIGKILL, 1 s for its pipes."""
_LONGEST = 2000
"""Bytes of a target: the runs on it are found by an index, and PostgreSQL takes no row of more than 2,704 into one."""


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
    if (size := len(value.encode())) > _LONGEST:
        raise NotRunnable(f"the {what} of {playbook.name} has {size} bytes here, and at most {_LONGEST} may be")
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
        return StepResult(ok=False, unknown=True, final=True, summary=text.plain(str(error), 400))


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
    return step.idempotent or not changes(step)


def changes(step: Step) -> bool:
    """Say whether a step may change what a run acts on; of what only asks, waits or tells nothing can be undone.

    A silence is lifted when its run ends, so it is none of them; a ticket tells.
    """
    match step.kind:
        case "promql" | "alertmanager" | "ticket" | "note" | "notify" | "wait" | "approve":
            return False
        case "http":
            return str(step.args.get("method", "GET")).upper() not in {"GET", "HEAD"}
        case _:
            return not step.reads


def lost(run: Run, playbook: Playbook) -> str:
    """Say why a run cannot go on as its playbook was written; '' when it can."""
    if playbook.refused and not playbook.steps:
        return f"the playbook as it was when the run began: {playbook.refused}"
    step = current_step(run, playbook)
    if step is None or not step.lost or known(run, step) is not None:
        return ""
    return f"the step `{step.name}`: {step.lost}"


def longest(step: Step) -> timedelta:
    """Say how long a step can take at most, with all its tries: what a claim on it has to last."""
    return (step.timeout + ENDING) * (step.retries + 1) + step.delay * step.retries


def step_done(
    run: Run, playbook: Playbook, result: StepResult, now: datetime, *, began: datetime | None = None
) -> Run:  # fmt: skip
    """Go on from a step that ended: to the next one, to the verification, to the rollback, or to the end.

    `began` is when the step did.
    """
    step = current_step(run, playbook)
    if step is None:
        raise ValueError(f"{run.key} has no step that could have ended: it is {run.state}")
    failed = not result.ok and not step.ignore_errors
    run = replace(_registered(_seen(run, step, result, now, began), step, result), question=None)
    # one that could not be asked has no answer, and went wrong as any other step does
    decided = failed and step.kind == "approve" and "answer" in result.value
    failure = f"the step `{step.name}` failed: {result.summary}" if failed else ""
    return _go_on(run, playbook, failure, now, decided=(_UNTOUCHED if run.untouched else _TOUCHED) if decided else "")


def _seen(run: Run, step: Step, result: StepResult, now: datetime, began: datetime | None) -> Run:
    """Note up to when a run went on as it should, and whether the guards have to be asked before it acts.

    One that has changed something may have healed what fires, so time that it takes as planned asks nothing anew.
    """
    untouched = run.untouched and (not changes(step) or known(run, step) is not None)
    asked = step.kind == "approve" and not result.skipped
    seen, vetted = now, run.vetted_at
    if asked and run.question is not None:
        seen = run.question.closed_at or now
    elif step.kind == "wait" and began is not None and not result.skipped:
        seen = min(began + step.timeout, now)
    if asked:
        vetted = None
    elif not untouched and vetted is not None:
        vetted = seen
    return replace(run, untouched=untouched, seen_at=seen, vetted_at=vetted)


def to_be_vetted(run: Run, playbook: Playbook, now: datetime) -> bool:
    """Say whether the guards are asked once more before a run goes on with the step that it is at.

    So it is for a step that changes something, after an answer, and when the last time is longer ago than an alert may
    be old: then what the run was let begin for may not be so any more.
    """
    step = current_step(run, playbook)
    if step is None or run.phase != "steps" or not changes(step) or known(run, step) is not None:
        return False
    return run.vetted_at is None or now - run.vetted_at > playbook.limits.alert_age


def _registered(run: Run, step: Step, result: StepResult) -> Run:
    """Keep what a step gave, and where it gave not all that it registers, why."""
    key = scopes.register(step.scope, step.register)
    if not step.register or (result.skipped and key in run.registers):  # by an earlier repetition
        return run
    return replace(run, registers={**run.registers, key: _kept(step, result)})


def _kept(step: Step, result: StepResult) -> dict[str, object]:
    if result.skipped:
        return {scopes.WHY: f"`{step.name}` was skipped"}
    kept = {} if not result.ok and _says_nothing(step, result) else {**result.value, "ok": result.ok}
    if result.ok or (kept and result.value):
        return kept
    return {**kept, scopes.WHY: f"`{step.name}` gave no answer ({text.plain(result.summary, 100)})"}


def _says_nothing(step: Step, result: StepResult) -> bool:
    """Say whether nobody can tell from a failure whether what was asked is so.

    A server that does not answer is not well, and a program that cannot be started did not succeed; but a Prometheus
    that cannot be asked, or has no data, says nothing of what it watches, and a step that was not tried of nothing.
    """
    match step.kind:
        case "command" | "http":
            return result.unknown and result.final
        case "promql":
            return result.unknown or not result.value
        case _:
            return not result.value


def _go_on(run: Run, playbook: Playbook, failure: str, now: datetime, *, decided: str = "") -> Run:
    """Go where a step's end leads, past the repetitions of `for_each` that have no item."""
    _, blocks = _row(run, playbook)
    while True:
        way = onward(blocks, run.cursor, run.pending, failure, decided)
        run = replace(run, cursor=way.position, pending=way.pending)
        if way.failure:
            return _step_failed(run, playbook, way.failure, now, unchanged=way.decided == _UNTOUCHED)
        step = current_step(run, playbook)
        if step is None:
            return _steps_ended(run, playbook, now)
        if not _itemless(run, step):
            return run
        failure = decided = ""


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


def _step_failed(run: Run, playbook: Playbook, reason: str, now: datetime, *, unchanged: bool) -> Run:
    if run.phase == "rollback":
        return _finished(run, _failure(run), f"{run.reason}; and its rollback failed: {reason}", now)
    return _failed(run, playbook, RunState.FAILED, reason, now, unchanged=unchanged)


def _failed(
    run: Run, playbook: Playbook, state: RunState, reason: str, now: datetime, *, unchanged: bool = False
) -> Run:  # fmt: skip
    """End a run that failed, or begin its rollback; `unchanged` when all that it changed came after its decision."""
    if playbook.rollback and (run.untouched or unchanged):
        reason += f"; nothing was changed {'yet' if run.untouched else 'before that'}, so nothing is rolled back"
    elif playbook.rollback:
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


def step_interrupted(run: Run, step: Step, now: datetime, *, why: str = "") -> Run:
    """Stop a run whose step was cut short and is not repeated, and say why; a person has to look."""
    otherwise = f", and {why}" if why else ", which may not be repeated"
    reason = (
        f"incidentd stopped in the middle of the step `{step.name}`{otherwise}: "
        f"look whether it was done on {text.plain(run.target, 60)}, and go on by hand"
    )
    return _finished(run, RunState.INTERRUPTED, reason, now)


def step_lost(run: Run, why: str, now: datetime) -> Run:
    """Stop a run that cannot go on as it was written; a person has to look."""
    before = f"{run.reason}; and " if run.phase == "rollback" else ""
    reason = f"{before}nobody can do {why}. Look how far it came on {text.plain(run.target, 60)}, and go on by hand"
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
