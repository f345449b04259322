"""What a playbook would do for an alert: each step, target and guard, and nothing is done or asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from incidentd import guards
from incidentd.durations import format_duration
from incidentd.guards import Verdict
from incidentd.oncall import Roster
from incidentd.playbooks import Mode, Playbook, Run, RunState, Step, questions, scopes, walk
from incidentd.playbooks.flow import Block
from incidentd.playbooks.outline import Within, headings, within
from incidentd.playbooks.scopes import NotRunnable
from incidentd.rehearsal.coming import not_for
from incidentd.runner.imagined import filled
from incidentd.settings import Settings
from incidentd.templates import BadTemplate, compile_template
from incidentd.text import instant, iso, labels_line, plain

_MOST = 400
"""Characters of what a step does that are shown."""
_MEANS = {
    Mode.OFF: "nothing runs",
    Mode.SUGGEST: "it says that it is there, and runs when a person runs it",
    Mode.APPROVE: "it is proposed, and begins when a person approves it",
    Mode.AUTO: "it begins by itself when every guard lets it",
}
_BESIDE = {
    True: "also while another incident about the same service is active (safe_during_incident)",
    False: "while another incident about the same service is active, it asks whoever leads that (safe_during_incident)",
}
_LATER = "[filled in from what earlier steps give]"
_DESCRIBED = ("alertmanager", "ticket")


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
class PlannedQuestion:
    """A question that a step asks people."""

    text: str
    who: str
    """Who may answer, in words."""
    people: tuple[str, ...]
    """Those by name; empty where whoever may approve runs may answer."""
    answers: str
    """What may be answered."""
    expires: str
    otherwise: str
    """What happens when nobody answers in time."""

    @property
    def asks(self) -> str:
        """Say who is asked what."""
        names = f" ({', '.join(self.people)})" if self.people and self.who != ", ".join(self.people) else ""
        return f"ask {self.who}{names}: {self.text}"

    @property
    def then(self) -> str:
        """Say what may be answered, and what comes of it."""
        return f"{self.answers}; without an answer within {self.expires} {self.otherwise}"


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
    question: PlannedQuestion | None = None
    within: tuple[Within, ...] = ()
    """The parts of blocks that it stands in, from the outside in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a playbook would do for an alert."""

    playbook: str
    title: str
    alert: Asked
    mismatch: str
    """Why nothing brings it in for this alert; '' when something may."""
    inputs: Mapping[str, str]
    target: str
    domain: str
    mode: Mode
    modes: tuple[Mode, Mode]
    """The playbook's own, and the configuration's."""
    safe_during_incident: bool
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
        if self.mismatch:
            yield f"         {self.mismatch}; so it does not begin by itself, and this is what a person would run"
        yield f"inputs:  {labels_line(dict(self.inputs), _MOST) or 'none'}"
        yield f"target:  {plain(self.target, _MOST)}" + (f" in {plain(self.domain, 100)}" if self.domain else "")
        modes = f"the playbook's is {self.modes[0]}, the configuration's {self.modes[1]}"
        yield f"mode:    {self.mode}: {_MEANS[self.mode]} ({modes})"
        if self.mode is Mode.AUTO:
            yield f"         {_BESIDE[self.safe_during_incident]}"
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
            "alert": {**alert, **times, "firing": self.alert.firing}, "matches": not self.mismatch,
            "mismatch": self.mismatch, "inputs": dict(self.inputs),
            "target": self.target, "domain": self.domain, "mode": self.mode.value,
            "safe_during_incident": self.safe_during_incident,
            "may_run": all(one.allowed for one in self.guards), "guards": [asdict(one) for one in self.guards],
            "steps": [asdict(one) for one in self.steps], "verify": asdict(self.verify) if self.verify else None,
            "rollback": [asdict(one) for one in self.rollback], "on_failure": self.on_failure,
        }  # fmt: skip


def plan(playbook: Playbook, settings: Settings, asked: Asked) -> Plan:
    """Plan a run of a playbook. Raises NotRunnable when the playbook does not take the alert."""
    inputs = scopes.inputs_for(playbook, asked.labels, asked.annotations)
    target = walk.target_for(playbook, inputs, asked.labels)
    domain = walk.domain_for(playbook, inputs, asked.labels)
    run = Run(
        id=0, subject="", playbook=playbook.name, sha256=playbook.sha256, definition={}, state=RunState.RUNNING,
        mode=Mode.AUTO, target=target, domain=domain, inputs=inputs, registers={}, source="", started_at=asked.now,
    )  # fmt: skip
    facts = guards.Facts(
        playbook=playbook, automation=settings.automation, target=target, domain=domain, starts_at=asked.starts_at,
        still_firing=asked.firing, running_on_target=False, now=asked.now,
    )  # fmt: skip
    verify, ceiling = playbook.verify, settings.automation.mode
    held = f"for {format_duration(verify.hold_for)} within {format_duration(verify.within)}" if verify else ""
    return Plan(
        playbook=playbook.name, title=playbook.title, alert=asked, inputs=inputs, target=target, domain=domain,
        mismatch=not_for(playbook, asked.labels, settings.rules, settings.playbooks.values()),
        mode=guards.effective_mode(playbook, ceiling), modes=(playbook.mode, ceiling),
        safe_during_incident=playbook.safe_during_incident,
        guards=guards.every(facts), steps=_row(run, playbook.steps, playbook.blocks, settings.roster),
        verify=_planned(run, verify.step, settings.roster) if verify else None, held=held,
        rollback=_row(run, playbook.rollback, playbook.rollback_blocks, settings.roster),
        on_failure=playbook.on_failure,
    )  # fmt: skip


def _row(run: Run, steps: Sequence[Step], blocks: Sequence[Block], roster: Roster) -> tuple[PlannedStep, ...]:
    return tuple(_planned(run, step, roster, within(blocks, position)) for position, step in enumerate(steps))


def _planned(run: Run, step: Step, roster: Roster, parts: tuple[Within, ...] = ()) -> PlannedStep:
    question = _asks(run, step, roster, parts) if step.kind == "approve" else None
    lines = step.each if step.each is not None and step.each.pattern else None
    return PlannedStep(
        name=step.name, kind=step.kind, does=question.asks if question else _does(run, step),
        when=tuple(one.text for one in step.when), for_line=lines.number + 1 if lines else 0,
        at_most=lines.most if lines else 0, may_repeat=walk.may_repeat(step), question=question,
        within=parts,
    )  # fmt: skip


def _lines(steps: tuple[PlannedStep, ...]) -> Iterator[str]:
    written = [step for step in steps if step.for_line <= 1]  # nobody knows the lines, so the others say the same
    before: tuple[Within, ...] = ()
    for number, step in enumerate(written, 1):
        deeper, here = "    " * len(step.within), step.within
        if step.for_line:
            here = tuple(replace(one, block=one.block.replace(" (1)", "")) for one in here)
        yield from (f"       {'    ' * depth}{plain(words, _MOST)}" for depth, words in headings(before, here))
        before = here
        name = step.name.replace(" (1)", "") if step.for_line else step.name
        yield f"  {deeper}{number:>3}  {plain(name)}: {step.does}"
        yield from (f"       {deeper}{words}" for words in _about(step))


def _about(step: PlannedStep) -> Iterator[str]:
    if step.question:
        yield f"to answer: {step.question.then}"
    yield from (f"only when {plain(condition)}" for condition in step.when)
    if step.for_line:
        yield f"for each line, of which there may be {step.at_most}"
    if not step.may_repeat:
        yield "not done again when incidentd is stopped in the middle of it: a person is asked"


def _does(run: Run, step: Step) -> str:
    """Say what a step does; where a value comes from an earlier step, its template stands for it."""
    match step.kind:
        case "wait":
            return f"wait {step.args}"
        case "note" | "notify":
            words = step.args if step.kind == "note" else step.args["title"]
            to = "" if step.kind == "note" else f"to {step.args['channel']}: "
            return f"{step.kind} {to}{_rendered(run, step, words)}"
        case _:
            pass
    limit = f" (timeout {format_duration(step.timeout)}"
    limit += f", up to {step.retries + 1} tries)" if step.retries else ")"
    wanted = step.args.get("is") if step.kind == "promql" else None
    kind = "silence, until the run ends," if step.kind == "alertmanager" else step.kind
    return f"{kind} {_filled(run, step)}" + (f" {wanted}" if wanted else "") + limit


def _asks(run: Run, step: Step, roster: Roster, parts: tuple[Within, ...]) -> PlannedQuestion:
    """Fill in a question as far as it can be, and say what may come of it."""
    question = questions.ask({**step.args, "question": ""}, {}, key="", now=run.started_at)
    ends = _without_a_yes(step, parts)
    fails = f"; after no {ends}" if question.choices == questions.YES_OR_NO else ""
    matching = f"words that match {plain(question.pattern, 200)!r} as a whole"
    return PlannedQuestion(
        text=_rendered(run, step, step.args["question"]), who=questions.who(question),
        people=tuple(questions.asked(question, roster)),
        answers=(plain(" or ".join(question.choices), _MOST) or matching) + fails, expires=step.args["expires"],
        otherwise=f"it goes on with {plain(question.default, 200)!r}" if question.default else ends,
    )  # fmt: skip


def _without_a_yes(step: Step, parts: tuple[Within, ...]) -> str:
    """Say what comes of a no, and of a question that nobody answers: a decision, which nothing rescues."""
    if step.ignore_errors:
        return "the run goes on all the same"
    return "the run fails" + (", and no rescue is done" if any(one.part == "block" for one in parts) else "")


def _rendered(run: Run, step: Step, words: str) -> str:
    """Fill in words for people; as they are written where that cannot be done yet."""
    try:
        return plain(compile_template(words).render(walk.context(run, step)), _MOST)
    except (BadTemplate, NotRunnable):
        return f"{plain(_as_far_as_known(run, step, words), _MOST)} {_LATER}"


def _as_far_as_known(run: Run, step: Step, words: str) -> str:
    """Fill in what is known now; what earlier steps give stays as it is written."""
    try:
        known = walk.context(run, step)
    except (BadTemplate, NotRunnable):
        known = {} if step.scope else {"inputs": run.inputs}
    try:
        template = compile_template(words)
        unknown: dict[str, Any] = {}
        for name in template.variables():
            first, _, rest = name.partition(".")
            if first not in known:
                unknown[first] = {**unknown.get(first, {}), rest: f"{{{{ {name} }}}}"} if rest else f"{{{{ {name} }}}}"
        return template.render({**known, **unknown})
    except BadTemplate:
        return words


def _filled(run: Run, step: Step) -> str:
    if step.kind in _DESCRIBED:
        # these words are not shown, and what they name may come from earlier steps
        step = replace(step, args={key: one for key, one in step.args.items() if key not in ("comment", "description")})
    try:
        asked = filled(step, walk.context(run, step))
    except (BadTemplate, NotRunnable):
        asked = _unfilled(run, step)
        return f"{_written(asked)} {_LATER}"
    return _written(asked)


def _unfilled(run: Run, step: Step) -> object:
    match step.kind:
        case "command":
            return tuple(_as_far_as_known(run, step, str(one)) for one in step.args)
        case "http":
            return f"{step.args.get('method', 'GET')} {_as_far_as_known(run, step, step.args['url'])}"
        case "alertmanager":
            return f"{{{', '.join(step.args['silence'])}}} for {step.args['for']}"
        case "ticket":
            return _as_far_as_known(run, step, str(step.args["summary"]))
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
