"""Try a playbook with a case: the daemon's own walk, arguments and judgements, and nothing is done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from incidentd.config.cases import common
from incidentd.errors import Location
from incidentd.oncall import Roster
from incidentd.playbooks import Mode, Playbook, Run, RunState, Step, StepResult, questions, walk
from incidentd.playbooks.cases import NOT_MATCHED, REFUSED, SOMEBODY, VERIFY, Case, Expected, Gives
from incidentd.playbooks.scopes import NotRunnable, inputs_for
from incidentd.rehearsal.coming import not_for
from incidentd.rehearsal.telling import Failure, Told
from incidentd.rules import SeverityRule
from incidentd.runner.imagined import Imagined
from incidentd.text import plain

_TOLD = ("command", "http", "promql", "alertmanager", "ticket", "approve", "note")
_STARTS = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
_SUCH_AS = {
    "command": "{exit: 0}", "http": "{status: 200}", "promql": "{value: 1}", "approve": '{answer: "yes"}',
}  # fmt: skip
"""What a case can give by kind, for whoever forgot it."""


class _NotMatched(ValueError):
    """Nothing brings the playbook in for the alert of the case."""


@dataclass(slots=True)
class _Trying:
    """A case while it is tried."""

    case: Case
    playbook: Playbook
    rules: Iterable[SeverityRule] = ()
    playbooks: Iterable[Playbook] = ()
    roster: Roster | None = None
    now: datetime = _STARTS
    ran: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    told: dict[str, dict[str, object]] = field(default_factory=dict)
    """What was done: by kind, by step."""
    course: list[tuple[timedelta, str]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Steps of which the case does not say what they give, with their kinds."""
    tries: dict[str, int] = field(default_factory=dict)

    async def all(self) -> Run | NotRunnable | _NotMatched:
        """Walk to the end."""
        if why := not_for(self.playbook, self.case.labels, self.rules, self.playbooks):
            self._say(f"not matched: {why}")
            return _NotMatched(why)
        try:
            inputs = inputs_for(self.playbook, self.case.labels, self.case.annotations)
            target = walk.target_for(self.playbook, inputs, self.case.labels)
            domain = walk.domain_for(self.playbook, inputs, self.case.labels)
        except NotRunnable as no:
            self._say(f"refused: {no}")
            return no
        run = Run(
            id=1, subject="HOLD-1", playbook=self.playbook.name, sha256=self.playbook.sha256,
            definition=self.playbook.source, state=RunState.RUNNING, mode=Mode.AUTO, target=target, domain=domain,
            inputs=inputs, registers={}, source="default", started_at=self.now, untouched=True,
        )  # fmt: skip
        while (step := walk.current_step(run, self.playbook)) is not None:
            result = await self._done(run, step, step.name)
            run = walk.step_done(run, self.playbook, result, self.now)
            if run.state is RunState.VERIFYING:
                run = await self._verified(run)
        self._say(f"{run.state.replace('_', ' ')}: {run.reason}")
        return run

    async def _verified(self, run: Run) -> Run:
        verify = self.playbook.verify
        again: datetime | None = self.now
        while again is not None and verify is not None:
            self.now = again
            run, again = walk.verify_looked(run, self.playbook, await self._done(run, verify.step, VERIFY), self.now)
        return run

    async def _done(self, run: Run, step: Step, name: str) -> StepResult:
        result = walk.known(run, step)
        if result is None and step.kind == "wait":
            result = StepResult(ok=True, summary="waited")
            self.now += step.timeout
        if result is None and step.kind == "approve":
            result = self._answered(run, step, name)
        if result is None:
            imagined = Imagined(lambda: self._gives(name, step.kind), self._pass)
            result = await imagined.run_step(step, walk.context(run, step))
            kind = step.kind if step.kind in _TOLD else "arguments"
            self.told.setdefault(kind, {})[name] = imagined.asked
        elif step.kind == "note" and not result.skipped:
            self.told.setdefault("note", {})[name] = result.summary
        where = self.skipped if result.skipped else self.ran
        if name != VERIFY or VERIFY not in where:
            where.append(name)
            self._say(f"{name}: {result.summary}")
        return result

    def _answered(self, run: Run, step: Step, name: str) -> StepResult:
        question = questions.ask(step.args, walk.context(run, step), key=name, now=self.now)
        self.told.setdefault(step.kind, {})[name] = question.text
        gives = self._gives(name, step.kind)
        if gives is None or gives.fails:
            return StepResult(ok=False, summary=gives.fails if gives else "the case does not say what is answered")
        if gives.timed_out:
            self.now, by, answer = question.expires_at, "", question.default
        else:
            by, answer = gives.by, gives.answer
            if why := self._not_asked(question, by) or questions.refused(question, answer):
                return StepResult(ok=False, summary=why)
        ok, summary = questions.outcome(replace(question, answer=answer, by=by))
        return StepResult(ok=ok, summary=summary, value={"answer": answer, "by": by})

    def _not_asked(self, question: questions.Question, by: str) -> str:
        """Say why the daemon takes no answer from somebody; '' when it does, or the case does not say who answers."""
        if self.roster is None or by == SOMEBODY or questions.may_answer(question, self.roster, by):
            return ""
        return f"the question is for {questions.who(question)}, not for {plain(by, 60)}"

    def _gives(self, name: str, kind: str) -> Gives | None:
        given = self.case.given.get(name) or self.case.given.get(common(name))
        if given is None and kind == "alertmanager":
            return Gives()  # nobody has to say that a silence is made
        if given is None:
            self.missing[name] = kind
            return None
        number = self.tries[name] = self.tries.get(name, -1) + 1
        return given[min(number, len(given) - 1)]

    async def _pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _say(self, text: str) -> None:
        self.course.append((self.now - _STARTS, text))


async def try_case(
    case: Case, playbook: Playbook, rules: Iterable[SeverityRule] = (), playbooks: Iterable[Playbook] = (),
    roster: Roster | None = None,
) -> Told:  # fmt: skip
    """Try a playbook with one case.

    `rules` are those that may name it, `playbooks` all in their order; `roster` says who is in which team.
    """
    began = asyncio.get_running_loop().time()
    trying = _Trying(case, playbook, rules, playbooks, roster)
    ended = await trying.all()
    failures = tuple(Failure(where, text) for where, text in _unmet(trying, ended))
    return Told(case, failures, tuple(trying.course), asyncio.get_running_loop().time() - began)


def _unmet(trying: _Trying, ended: Run | NotRunnable | _NotMatched) -> Iterator[tuple[Location, str]]:
    """Give what is not as the case expects."""
    case, expected = trying.case, trying.case.expected
    for name, kind in trying.missing.items():
        such_as = f", such as `{name}: {_SUCH_AS[kind]}`" if kind in _SUCH_AS else ""
        yield case.where, f"the case does not say under `given` what `{name}` gives{such_as}"
    outcome, reason, target = _ended(ended)
    if outcome == NOT_MATCHED and expected.outcome is None:
        yield case.where, f"{reason}; if that is meant, write `outcome: {NOT_MATCHED}`"
    found: dict[str, object] = {
        "outcome": outcome, "ran": tuple(trying.ran), "skipped": tuple(trying.skipped), "target": target,
    }  # fmt: skip
    for key, is_ in found.items():
        wanted = getattr(expected, key)
        if wanted is not None and wanted != is_:
            why = f": {reason}" if key == "outcome" else ""
            yield expected.where[key], f"`{key}` is {_written(is_)}, expected {_written(wanted)}{why}"
    if expected.reason is not None and expected.reason not in reason:
        yield expected.where["reason"], f"the reason is {reason!r}, expected it to say {expected.reason!r}"
    yield from _differently(trying, expected)


def _ended(ended: Run | NotRunnable | _NotMatched) -> tuple[str, str, str]:
    """Give the outcome, its reason and the target."""
    match ended:
        case Run():
            return ended.state.value, ended.reason, ended.target
        case NotRunnable():
            return REFUSED, str(ended), ""
        case _NotMatched():
            return NOT_MATCHED, str(ended), ""


def _differently(trying: _Trying, expected: Expected) -> Iterator[tuple[Location, str]]:
    for kind in (*_TOLD, "arguments"):
        for name, wanted in getattr(expected, kind).items():
            asked = trying.told.get(kind, {}).get(name)
            if asked is None:
                yield expected.where[kind], f"`{name}` was not done"
            elif asked != wanted:
                yield expected.where[kind], f"`{name}` is {_written(asked)}, expected {_written(wanted)}"


def _written(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
