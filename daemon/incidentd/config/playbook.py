"""Playbooks: from documents to values, with every template checked for what it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta

from incidentd.config.matching import matchers
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.promql import check_promql
from incidentd.config.report import Report, instead, shown
from incidentd.config.tree import Tree
from incidentd.config.values import limit
from incidentd.durations import parse_duration
from incidentd.playbooks import Input, Limits, Mode, OnFailure, Playbook, Step, Verify
from incidentd.templates import Template, compile_template

_KINDS = ("command", "http", "promql")
# what each kind of step registers, as playbooks.StepResult has it
_REGISTERED = {"command": ("exit", "stdout", "stderr"), "http": ("status", "body"), "promql": ("value",)}
_RESERVED = ("inputs", "labels", "annotations")
_SELDOM, _OFTEN = timedelta(seconds=15), timedelta(seconds=1)
"""Between two looks of a verification: a quarter of the time that it must hold, within these bounds."""


def playbooks(tree: Tree, names: Names) -> dict[str, Playbook]:
    """Read the playbooks of all files."""
    found = {}
    for document in tree.documents["playbook"]:
        one = playbook(document, names.report)
        found[one.name] = one
        _check_queries(document, names.report)
    return found


def _check_queries(document: Part, report: Report) -> None:
    """Check the PromQL of files only: a run that began keeps its playbook, whatever a newer parser thinks of it."""
    steps = [*document.entries("steps"), *document.entries("rollback")]
    for step in [*steps, *([document["verify"]] if "verify" in document else [])]:
        if "promql" in step:
            check_promql(step["promql"]["query"], report)


def playbook(part: Part, report: Report) -> Playbook:
    """Read one playbook; mistakes are in the report."""
    inputs = {name: Input(source=one.value["from"], pattern=one.value["pattern"]) for name, one in part.items("inputs")}
    scope = _Scope(inputs, report)
    scope.check(part["target"], labels=True)
    steps = scope.steps(part, "steps")
    verify = _verify(part["verify"], scope) if "verify" in part else None
    mode = Mode(part.value["mode"])
    if mode is Mode.AUTO and verify is None:
        report.wrong(
            part["mode"].at, "`mode: auto` needs a verification, since nobody else would see whether it helped",
            "add `verify:`, or write `mode: approve`",
        )  # fmt: skip
    return Playbook(
        name=part.value["name"],
        title=part.value["title"],
        mode=mode,
        match=matchers(part, report),
        inputs=inputs,
        target=part.value["target"],
        risk=part.get("risk", "medium"),
        limits=_limits(part.get("limits", {})),
        steps=steps,
        verify=verify,
        rollback=scope.steps(part, "rollback"),
        on_failure=OnFailure(part.get("on_failure", OnFailure.DECLARE)),
        manual_minutes=float(part.get("manual_minutes", 0)),
        at=part.at,
        sha256=hashlib.sha256(json.dumps(part.value, sort_keys=True).encode()).hexdigest(),
        source=part.value,
    )


def _limits(written: dict[str, str]) -> Limits:
    built_in = Limits()
    return Limits(
        per_target=limit(written["per_target"]) if "per_target" in written else built_in.per_target,
        total=limit(written["total"]) if "total" in written else built_in.total,
        alert_age=parse_duration(written["alert_age"]) if "alert_age" in written else built_in.alert_age,
    )


def _verify(part: Part, scope: _Scope) -> Verify:
    hold_for, within = parse_duration(part.get("for", "0s")), parse_duration(part.value["within"])
    if hold_for > within:
        scope.report.wrong(
            part["for"].at, f"`for` ({part.value['for']}) is longer than `within` ({part.value['within']})",
            "make `within` the longer one",
        )  # fmt: skip
    scope.in_step(part)
    return Verify(
        step=_step(part, "verify"),
        hold_for=hold_for,
        within=within,
        every=parse_duration(part.value["every"]) if "every" in part else max(min(hold_for / 4, _SELDOM), _OFTEN),
    )


def _step(part: Part, name: str) -> Step:
    kind = _kind(part)
    built_in = Step(name=name, kind=kind, args=part.value[kind])
    return Step(
        name=name,
        kind=kind,
        args=part.value[kind],
        register=part.get("register", ""),
        timeout=parse_duration(part.value["timeout"]) if "timeout" in part else built_in.timeout,
        retries=int(part.get("retries", 0)),
        delay=parse_duration(part.value["delay"]) if "delay" in part else built_in.delay,
        idempotent=part.get("idempotent", False),
        ignore_errors=part.get("ignore_errors", False),
    )


def _kind(part: Part) -> str:
    return next(kind for kind in _KINDS if kind in part)


class _Scope:
    """What the templates of a playbook may name, which grows from step to step."""

    def __init__(self, inputs: dict[str, Input], report: Report) -> None:
        self.report = report
        self._inputs = inputs
        self._registers: dict[str, str] = {}
        self._names: set[str] = set()

    def steps(self, whole: Part, key: str) -> tuple[Step, ...]:
        """Read the steps under a key; the registers of each are known to those after it."""
        found = []
        for part in whole.entries(key):
            name = part.value["name"]
            if name in self._names:
                self.report.wrong(part["name"].at, f"there are two steps `{shown(name)}`", "rename one")
            self._names.add(name)
            self.in_step(part)
            if "register" in part:
                self._register(part)
            found.append(_step(part, name))
        return tuple(found)

    def _register(self, part: Part) -> None:
        name = part.value["register"]
        if name in _RESERVED or name in self._registers:
            taken = "is a name that every playbook has" if name in _RESERVED else "is registered by an earlier step"
            self.report.wrong(part["register"].at, f"`{name}` {taken}", "choose another name")
        self._registers.setdefault(name, _kind(part))

    def in_step(self, part: Part) -> None:
        """Check every template of a step."""
        kind = _kind(part)
        for template in _templates(part[kind]):
            self.check(template)
        match kind:
            case "command":
                program = part["command"][0]
                if compile_template(program.value).variables():
                    self.report.wrong(program.at, "the program itself may not come from a value", "write it out")
            case "http":
                self._address(part["http"]["url"])
            case _:
                pass

    def _address(self, part: Part) -> None:
        if not part.value.startswith(("http://", "https://")):
            self.report.wrong(part.at, "this url does not begin with http:// or https://", "write the beginning out")
        if "urlencode" in compile_template(part.value).filters():
            self.report.wrong(
                part.at, "values in a url are percent-encoded by themselves", "leave the filter `urlencode` out"
            )

    def check(self, part: Part, *, labels: bool = False) -> None:
        """Check that a template names only what will be there when it is filled in."""
        for name in sorted(_compiled(part, self.report)):
            first, _, rest = name.partition(".")
            if first == "inputs":
                self._known(part, name, rest, list(self._inputs), "declare it under `inputs`")
            elif first in self._registers:
                kind = self._registers[first]
                self._known(part, name, rest, list(_REGISTERED[kind]), f"a {kind} step registers these")
            elif not (labels and first == "labels" and rest):
                self._unknown(part, name, first, labels=labels)

    def _known(self, part: Part, name: str, rest: str, known: list[str], otherwise: str) -> None:
        if rest not in known:
            self.report.wrong(part.at, f"`{shown(name)}` is not known here", instead(rest, known) or otherwise)

    def _unknown(self, part: Part, name: str, first: str, *, labels: bool) -> None:
        if first in ("labels", "annotations"):
            hint = (
                f"labels are strangers' texts; declare an input `{{from: {shown(name)}, pattern: ...}}` and name that"
            )
        else:
            hint = instead(first, ["inputs", *(["labels"] if labels else []), *self._registers])
        self.report.wrong(part.at, f"`{shown(name)}` is not known here", hint)


def _compiled(part: Part, report: Report) -> frozenset[str]:
    """Give the names that a template looks up; texts inside a JSON body come here unread."""
    try:
        template: Template = compile_template(part.value)
    except ValueError as error:
        report.wrong(part.at, str(error))
        return frozenset()
    return template.variables()


def _templates(part: Part) -> Iterator[Part]:
    """Give every text of a step's arguments, as deep as they go; conditions and patterns are none."""
    match part.value:
        case str():
            yield part
        case dict() as value:
            for key in value:
                if key not in ("is", "expect", "method"):
                    yield from _templates(part[key])
        case list() as value:
            for number in range(len(value)):
                yield from _templates(part[number])
        case _:
            pass
