"""What a playbook would do for an alert: each step, target and guard, and nothing is done or asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from incidentd import guards
from incidentd.durations import format_duration
from incidentd.guards import Verdict
from incidentd.playbooks import Mode, Playbook, Run, RunState, Step, scopes, walk
from incidentd.playbooks.scopes import NotRunnable
from incidentd.runner.imagined import filled
from incidentd.settings import Automation
from incidentd.templates import BadTemplate
from incidentd.text import instant, iso, labels_line, plain

_MOST = 400
"""Characters of what a step does that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The alert that a plan is for."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    firing: bool = True
    now: datetime
    """When it is looked at: of an alert that somebody captured, when it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step of a plan."""

    name: str
    kind: str
    does: str
    """In one line, filled in as far as it can be."""
    when: tuple[str, ...] = ()
    for_line: int = 0
    """Of `for_each` over lines that nobody knows yet, which of them it is for; 0 when it is for none."""
    at_most: int = 0
    may_repeat: bool = True
    """It is done again when incidentd was stopped in the middle of it; else a person is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a playbook would do for an alert."""

    playbook: str
    title: str
    alert: Asked
    inputs: Mapping[str, str]
    target: str
    domain: str
    mode: Mode
    modes: tuple[Mode, Mode]
    """The playbook's own, and the configuration's."""
    guards: tuple[Verdict, ...]
    steps: tuple[PlannedStep, ...]
    verify: PlannedStep | None
    held: str
    """For how long, and within which time, the verification has to hold."""
    rollback: tuple[PlannedStep, ...]
    on_failure: str

    def lines(self) -> Iterator[str]:
        """Write it for people, line by line; strangers' words are harmless for a terminal."""
        yield f"{self.playbook}: {self.title} (a plan: nothing is done, nobody is asked)"
        yield f"alert:   {labels_line(dict(self.alert.labels), _MOST)}"
        yield f"inputs:  {labels_line(dict(self.inputs), _MOST) or 'none'}"
        yield f"target:  {plain(self.target, _MOST)}" + (f" in {plain(self.domain, 100)}" if self.domain else "")
        yield f"mode:    {self.mode} (the playbook's is {self.modes[0]}, the configuration's {self.modes[1]})"
        yield f"guards, at {instant(self.alert.now)}, on a target where nothing ran before:"
        for one in self.guards:
            yield f"  {'ok' if one.allowed else 'refuses':<8} {one.guard:<14} {one.reason}"
        yield "steps:"
        yield from _lines(self.steps)
        if self.verify is None:
            yield "verify: nothing does, so nobody may call it a success"
        else:
            yield f"verify, {self.held}: {self.verify.does}"
        if self.rollback:
            yield "rollback, when a step or the verification fails:"
            yield from _lines(self.rollback)
        yield f"when it fails: {self.on_failure}"

    def data(self) -> dict[str, Any]:
        """Give it for machines."""
        alert = {"labels": dict(self.alert.labels), "annotations": dict(self.alert.annotations)}
        times = {"starts_at": iso(self.alert.starts_at), "now": iso(self.alert.now)}
        return {
            "playbook": self.playbook, "title": self.title, "taken": True,
            "alert": {**alert, **times, "firing": self.alert.firing}, "inputs": dict(self.inputs),
            "target": self.target, "domain": self.domain, "mode": self.mode.value,
            "may_run": all(one.allowed for one in self.guards), "guards": [asdict(one) for one in self.guards],
            "steps": [asdict(one) for one in self.steps], "verify": asdict(self.verify) if self.verify else None,
            "rollback": [asdict(one) for one in self.rollback], "on_failure": self.on_failure,
        }  # fmt: skip


def plan(playbook: Playbook, automation: Automation, asked: Asked) -> Plan:
    """Plan a run of a playbook. Raises NotRunnable when the playbook does not take the alert."""
    inputs = scopes.inputs_for(playbook, asked.labels, asked.annotations)
    target = walk.target_for(playbook, inputs, asked.labels)
    domain = walk.domain_for(playbook, inputs, asked.labels)
    run = Run(
        id=0, subject="", playbook=playbook.name, sha256=playbook.sha256, definition={}, state=RunState.RUNNING,
        mode=Mode.AUTO, target=target, domain=domain, inputs=inputs, registers={}, source="", started_at=asked.now,
    )  # fmt: skip
    facts = guards.Facts(
        playbook=playbook, automation=automation, target=target, domain=domain, starts_at=asked.starts_at,
        still_firing=asked.firing, running_on_target=False, now=asked.now,
    )  # fmt: skip
    verify = playbook.verify
    held = f"for {format_duration(verify.hold_for)} within {format_duration(verify.within)}" if verify else ""
    return Plan(
        playbook=playbook.name, title=playbook.title, alert=asked, inputs=inputs, target=target, domain=domain,
        mode=guards.effective_mode(playbook, automation.mode), modes=(playbook.mode, automation.mode),
        guards=guards.every(facts), steps=tuple(_planned(run, step) for step in playbook.steps),
        verify=_planned(run, verify.step) if verify else None, held=held,
        rollback=tuple(_planned(run, step) for step in playbook.rollback), on_failure=playbook.on_failure,
    )  # fmt: skip


def _planned(run: Run, step: Step) -> PlannedStep:
    lines = step.each if step.each is not None and step.each.pattern else None
    return PlannedStep(
        name=step.name, kind=step.kind, does=_does(run, step), when=tuple(one.text for one in step.when),
        for_line=lines.number + 1 if lines else 0, at_most=lines.most if lines else 0, may_repeat=walk.may_repeat(step),
    )  # fmt: skip


def _lines(steps: tuple[PlannedStep, ...]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"  {number:>3}  {plain(step.name)}: {step.does}"
        yield from (f"       only when {plain(condition)}" for condition in step.when)
        if step.for_line:
            yield f"       for line {step.for_line} of at most {step.at_most}, if there is one"
        if not step.may_repeat:
            yield "       not done again when incidentd is stopped in the middle of it: a person is asked"


def _does(run: Run, step: Step) -> str:
    """Say what a step does; where a value comes from an earlier step, its template stands for it."""
    match step.kind:
        case "wait":
            return f"wait {step.args}"
        case "approve":
            who = "".join(f" {key} {', '.join(names)}" for key, names in step.args.get("who", {}).items())
            ends = f"go on with {step.args['default']}" if "default" in step.args else "fail"
            asked = f"ask{who or ' whoever may approve runs'}: {step.args['question']}"
            return f"{plain(asked, _MOST)} (and {ends} without an answer within {step.args['expires']})"
        case "note" | "notify":
            written = step.args if step.kind == "note" else f"to {step.args['channel']}: {step.args['title']}"
            return f"{step.kind} {plain(written, _MOST)}"
        case _:
            pass
    limit = f" (timeout {format_duration(step.timeout)}"
    limit += f", up to {step.retries + 1} tries)" if step.retries else ")"
    wanted = step.args.get("is") if step.kind == "promql" else None
    kind = "silence, until the run ends," if step.kind == "alertmanager" else step.kind
    return f"{kind} {_filled(run, step)}" + (f" {wanted}" if wanted else "") + limit


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
        case "alertmanager":
            return f"{{{', '.join(step.args['silence'])}}} for {step.args['for']}"
        case "promql":
            return str(step.args["query"])
        case _:
            return step.args


def _written(asked: object) -> str:
    match asked:
        case tuple():
            return plain(shlex.join(map(str, asked)), _MOST)
        case str():
            return plain(asked, _MOST)
        case _:
            return plain(json.dumps(asked, ensure_ascii=False), _MOST)
