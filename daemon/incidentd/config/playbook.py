"""Playbooks: from documents to values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidentd.config.matching import matchers
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.promql import check_promql
from incidentd.config.report import Report
from incidentd.config.row import LONGEST, Row, inputs_of, kind_of, step_of
from incidentd.config.steps import Checking, check_calls, every_step
from incidentd.config.tree import Tree
from incidentd.config.values import limit
from incidentd.durations import parse_duration
from incidentd.errors import Location
from incidentd.playbooks import Input, Limits, Mode, OnFailure, Playbook, Promote, Verify
from incidentd.playbooks.scopes import NotRunnable, checked
from incidentd.playbooks.standing import is_weaker

CALLED = "called"
"""The key under which a frozen playbook has the documents of those that it calls; no file may write it."""
_SELDOM, _OFTEN = timedelta(seconds=15), timedelta(seconds=1)
"""Between two looks of a verification: a quarter of the time that it must hold, within these bounds."""


def playbooks(tree: Tree, names: Names) -> dict[str, Playbook]:
    """Read the playbooks of all files."""
    library = {document.value["name"]: document for document in tree.documents["playbook"]}
    found = {}
    for document in tree.documents["playbook"]:
        check_calls(document, library, names)
        one = playbook(document, names.report, library, names)
        found[one.name] = one
        _check_queries(document, names.report)
    used = {name for it in found.values() if it.mode is not Mode.OFF for name in (it.name, *it.source.get(CALLED, ()))}
    for document in (library[name] for name in sorted(used)):
        # what is off may wait for what it needs
        _check_sources(document, tree, names.report)
        _check_tickets(document, tree, names.report)
    return found


_ASKED = {
    "alertmanager": ("an Alertmanager", "alertmanager: {urls: [...]}", "alertmanager"),
    "promql": ("a Prometheus", "prometheus: {url: ...}", "prometheus"),
}  # fmt: skip
"""By kind of step, what of a source it asks, how that is written, and its key."""


def _check_sources(document: Part, tree: Tree, report: Report) -> None:
    """Warn of steps that ask what no source of the configuration has."""
    if not tree.documents["config"]:
        return
    sources = [source for config in tree.documents["config"] for source in config.entries("sources")]
    for kind, (what, written, key) in _ASKED.items():
        if any(key in source for source in sources):
            continue
        for step in (one for one in _looks_too(document) if kind in one):
            report.doubt(
                step[kind].key_at, f"no source of this configuration has {what}, so this step fails",
                f"write `{written}` at the source",
            )  # fmt: skip


def _check_tickets(document: Part, tree: Tree, report: Report) -> None:
    """Refuse a ticket that would go nowhere."""
    configs = tree.documents["config"]
    if not configs or any("jira" in config for config in configs):
        return
    for step in every_step(document):
        if "ticket" in step:
            report.wrong(
                step["ticket"].key_at, "this configuration has no Jira, so this step has nowhere to file its ticket",
                "write `jira:` in the configuration, or `mode: off` here until there is one",
            )  # fmt: skip


def _check_queries(document: Part, report: Report) -> None:
    """Check the PromQL of files only: a run that began keeps its playbook, whatever a newer parser thinks of it."""
    for step in _looks_too(document):
        if "promql" in step:
            check_promql(step["promql"]["query"], report)


def _looks_too(document: Part) -> list[Part]:
    """Give every step, and the look of the verification."""
    return [*every_step(document), *([document["verify"]] if "verify" in document else [])]


def playbook(part: Part, report: Report, library: Mapping[str, Part], names: Names | None = None) -> Playbook:
    """Read one playbook, which may call those of the library; mistakes are in the report."""
    inputs = inputs_of(part)
    _check_inputs(part, inputs, report)
    checking = Checking(inputs, report, names)
    for key in ("target", "domain"):
        if key in part:
            checking.check(part[key], labels=True)
    checking.steps(part, "steps")
    verify = _verify(part["verify"], checking) if "verify" in part else None
    checking.steps(part, "rollback")
    mode = Mode(part.value["mode"])
    if mode is Mode.AUTO and verify is None:
        report.wrong(
            part["mode"].at, "`mode: auto` needs a verification, since nobody else would see whether it helped",
            "add `verify:`, or write `mode: approve`",
        )  # fmt: skip
    steps, rollback = (_row(part, key, library, report) for key in ("steps", "rollback"))
    source = _source(part, steps.called | rollback.called)
    return Playbook(
        name=part.value["name"],
        title=part.value["title"],
        mode=mode,
        match=matchers(part, report),
        inputs=inputs,
        target=part.value["target"],
        domain=part.get("domain", ""),
        risk=part.get("risk", "medium"),
        limits=_limits(part.get("limits", {})),
        steps=tuple(steps.steps),
        blocks=tuple(steps.blocks),
        verify=verify,
        rollback=tuple(rollback.steps),
        rollback_blocks=tuple(rollback.blocks),
        on_failure=OnFailure(part.get("on_failure", OnFailure.DECLARE)),
        safe_during_incident=part.get("safe_during_incident", False),
        fleet=part.get("fleet", 0),
        promote=_promote(part, mode, report),
        manual_minutes=float(part.get("manual_minutes", 0)),
        at=part.at,
        sha256=hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest(),
        source=source,
        refused=next((one.lost for one in (*steps.steps, *rollback.steps) if one.lost), ""),
    )


def stand_in(document: Mapping[str, Any], at: Location, *, sha256: str, why: str) -> Playbook:
    """Stand for a frozen playbook that cannot be read any more: it has no step that could be done."""
    name = str(document.get("name", ""))
    return Playbook(
        name=name, title=str(document.get("title", name)), mode=Mode.APPROVE, match=(), inputs={}, target="",
        risk="high", limits=Limits(), steps=(), verify=None, rollback=(), on_failure=OnFailure.DECLARE,
        manual_minutes=0, at=at, sha256=sha256, source=document, refused=why,
    )  # fmt: skip


def _row(part: Part, key: str, library: Mapping[str, Part], report: Report) -> Row:
    row = Row({name: one for name, one in library.items() if name != part.value["name"]})
    row.lay(part, key)
    if len(row.steps) > LONGEST:
        report.wrong(
            part.at_key(key), f"with what it calls and repeats, `{key}` has more than {LONGEST} steps",
            "make `most` of `for_each` smaller",
        )  # fmt: skip
    return row


def _source(part: Part, called: Mapping[str, Any]) -> dict[str, Any]:
    return {**part.value, CALLED: dict(called)} if called else dict(part.value)


def _check_inputs(part: Part, inputs: Mapping[str, Input], report: Report) -> None:
    for name, one in inputs.items():
        if one.default:
            try:
                checked(name, one, one.default)
            except NotRunnable as error:
                report.wrong(part["inputs"][name]["default"].at, f"the default of {error}", "write one that does")


def _promote(part: Part, mode: Mode, report: Report) -> Promote | None:
    if "promote" not in part:
        return None
    wanted = part["promote"]
    to = Mode(wanted.value["to"])
    if "verify" not in part:
        report.wrong(
            wanted.key_at, "`promote` needs a verification: runs that nobody verifies earn nothing",
            "add `verify:`, or leave `promote` out",
        )  # fmt: skip
    if not is_weaker(mode, to):
        report.wrong(wanted["to"].at, f"`mode: {mode}` goes as far as `to: {to}` already", "begin with a weaker mode")
    if to is Mode.AUTO and part.get("risk") == "high":
        report.wrong(wanted["to"].at, "what is of high risk asks a person in any mode", "promote it to `approve`")
    return Promote(after=wanted.value["after"], to=to)


def _limits(written: dict[str, Any]) -> Limits:
    built_in = Limits()
    return Limits(
        per_target=limit(written["per_target"]) if "per_target" in written else built_in.per_target,
        total=limit(written["total"]) if "total" in written else built_in.total,
        alert_age=parse_duration(written["alert_age"]) if "alert_age" in written else built_in.alert_age,
        cool_down=parse_duration(written["cool_down"]) if "cool_down" in written else built_in.cool_down,
        share=written.get("share", built_in.share),
        alerting=written.get("alerting", built_in.alerting),
    )


def _verify(part: Part, checking: Checking) -> Verify:
    hold_for, within = parse_duration(part.get("for", "0s")), parse_duration(part.value["within"])
    if hold_for > within:
        checking.report.wrong(
            part["for"].at, f"`for` ({part.value['for']}) is longer than `within` ({part.value['within']})",
            "make `within` the longer one",
        )  # fmt: skip
    kind = kind_of(part)
    checking.does(part, kind)
    return Verify(
        step=step_of(part, "verify", kind),
        hold_for=hold_for,
        within=within,
        every=parse_duration(part.value["every"]) if "every" in part else max(min(hold_for / 4, _SELDOM), _OFTEN),
    )
