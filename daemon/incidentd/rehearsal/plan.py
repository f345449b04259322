"""What a playbook would do for an alert: each step, target and guard, and nothing is done or asked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime

from incidentd import guards
from incidentd.durations import format_duration
from incidentd.playbooks import Mode, Playbook, Run, RunState, Step, scopes, walk
from incidentd.playbooks.scopes import NotRunnable
from incidentd.runner.imagined import filled
from incidentd.settings import Automation
from incidentd.templates import BadTemplate
from incidentd.text import labels_line, plain

_MOST = 400
"""Characters of what a step does that are shown."""


def plan(
    playbook: Playbook, automation: Automation, *, labels: Mapping[str, str], annotations: Mapping[str, str],
    now: datetime,
) -> Iterator[str]:  # fmt: skip
    """Write the plan, line by line. Raises NotRunnable when the playbook does not take the alert."""
    inputs = scopes.inputs_for(playbook, labels, annotations)
    target = walk.target_for(playbook, inputs, labels)
    domain = walk.domain_for(playbook, inputs, labels)
    run = Run(
        id=0, subject="", playbook=playbook.name, sha256=playbook.sha256, definition={}, state=RunState.RUNNING,
        mode=Mode.AUTO, target=target, domain=domain, inputs=inputs, registers={}, source="", started_at=now,
    )  # fmt: skip
    yield f"{playbook.name}: {playbook.title} (a plan: nothing is done, nobody is asked)"
    yield f"alert:   {labels_line(dict(labels), _MOST)}"
    yield f"inputs:  {labels_line(inputs, _MOST) or 'none'}"
    yield f"target:  {plain(target, _MOST)}" + (f" in {plain(domain, 100)}" if domain else "")
    effective = guards.effective_mode(playbook, automation.mode)
    yield f"mode:    {effective} (the playbook's is {playbook.mode}, the configuration's {automation.mode})"
    yield "guards, for an alert that begins now on a target where nothing ran before:"
    yield from _guards(playbook, automation, target, domain, now)
    yield "steps:"
    yield from _steps(run, playbook.steps)
    yield from _verification(run, playbook)
    if playbook.rollback:
        yield "rollback, when a step or the verification fails:"
        yield from _steps(run, playbook.rollback)
    yield f"when it fails: {playbook.on_failure}"


def _guards(playbook: Playbook, automation: Automation, target: str, domain: str, now: datetime) -> Iterator[str]:
    facts = guards.Facts(
        playbook=playbook, automation=automation, target=target, domain=domain, starts_at=now, still_firing=True,
        running_on_target=False, now=now,
    )  # fmt: skip
    for verdict in guards.every(facts):
        yield f"  {'ok' if verdict.allowed else 'refuses':<8} {verdict.guard:<14} {verdict.reason}"


def _steps(run: Run, steps: tuple[Step, ...]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"  {number:>3}  {plain(step.name)}: {_does(run, step)}"
        yield from (f"       only when {plain(condition.text)}" for condition in step.when)
        if step.each is not None and step.each.pattern:
            yield f"       for line {step.each.number + 1} of at most {step.each.most}, if there is one"
        if not walk.may_repeat(step):
            yield "       not done again when incidentd is stopped in the middle of it: a person is asked"


def _verification(run: Run, playbook: Playbook) -> Iterator[str]:
    verify = playbook.verify
    if verify is None:
        yield "verify: nothing does, so nobody may call it a success"
        return
    held = f"for {format_duration(verify.hold_for)} within {format_duration(verify.within)}"
    yield f"verify, {held}: {_does(run, verify.step)}"


def _does(run: Run, step: Step) -> str:
    """Say what a step does; where a value comes from an earlier step, its template stands for it."""
    match step.kind:
        case "wait":
            return f"wait {step.args}"
        case "note" | "notify":
            written = step.args if step.kind == "note" else f"to {step.args['channel']}: {step.args['title']}"
            return f"{step.kind} {plain(written, _MOST)}"
        case _:
            pass
    limit = f" (timeout {format_duration(step.timeout)}"
    limit += f", up to {step.retries + 1} tries)" if step.retries else ")"
    wanted = step.args.get("is") if step.kind == "promql" else None
    return f"{step.kind} {_filled(run, step)}" + (f" {wanted}" if wanted else "") + limit


def _filled(run: Run, step: Step) -> str:
    try:
        asked = filled(step, walk.context(run, step))
    except (BadTemplate, NotRunnable):
        asked = _unfilled(step)
        return f"{_written(asked)} [filled in from what earlier steps give]"
    return _written(asked)


def _unfilled(step: Step) -> object:
    match step.kind:
        case "command":
            return tuple(map(str, step.args))
        case "http":
            return f"{step.args.get('method', 'GET')} {step.args['url']}"
        case _:
            return str(step.args["query"])


def _written(asked: object) -> str:
    return plain(shlex.join(map(str, asked)) if isinstance(asked, tuple) else str(asked), _MOST)
