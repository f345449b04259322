"""The `hold` of a rule: from what is written, in it and in its file's defaults, to the parameters of its holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incidentd.config.parts import Part
from incidentd.config.promql import check_promql
from incidentd.config.report import Report
from incidentd.config.values import percentage
from incidentd.durations import format_duration, parse_duration
from incidentd.holds import DeclareOn, HoldPolicy, OnFlap, ProgressQuery, ShortWindow
from incidentd.rules import Decide, Grade
from incidentd.templates import BadTemplate, compile_template

_DURATIONS = ("no_progress_after", "hard_cap", "quiet")
_ALERTS = ("labels.", "annotations.")


def says_how_long(rule: Part, defaults: Part) -> bool:
    """Say whether a rule, or its file, says how long its alerts wait for progress."""
    return any("hold" in part and "no_progress_after" in part["hold"] for part in (rule, defaults))


def hold_policy(rule: Part, defaults: Part, report: Report, *, grade: Grade, usual: timedelta) -> HoldPolicy:
    """Read how the alerts of a rule are held; `usual` is how long it waits when nothing says how long."""
    own = rule["hold"] if "hold" in rule else Part({}, rule.at, rule.at)
    shared = defaults["hold"] if "hold" in defaults else Part({}, rule.at, rule.at)
    written: dict[str, Any] = {"no_progress_after": usual, "at": f"{rule.at.file}:{rule.at.line}"}
    for source in (shared, own):
        written |= {key: parse_duration(source.value[key]) for key in _DURATIONS if key in source}
        written |= _signals(source)
        _only_of_the_alert(source, report)
    policy = HoldPolicy(**written)
    if grade.decide is Decide.HOLD:
        _at_once(policy, rule, grade, report)
        _flaps_for_nobody(policy, own, report)
    if policy.no_progress_after > policy.hard_cap:
        key = "no_progress_after" if "no_progress_after" in own or "hard_cap" not in own else "hard_cap"
        at = own[key].at if key in own else shared[key].at if key in shared else rule.at
        after, cap = format_duration(policy.no_progress_after), format_duration(policy.hard_cap)
        report.wrong(
            at, f"`no_progress_after` ({after}) is longer than `hard_cap` ({cap}), which would always come first",
            "make it shorter, or the cap longer",
        )  # fmt: skip
    return policy


def _at_once(policy: HoldPolicy, rule: Part, grade: Grade, report: Report) -> None:
    if not policy.no_progress_after:
        report.doubt(
            rule.at, f"the rule `{rule.value['name']}` holds alerts of {grade.severity}, and waits for nothing",
            "write `hold: {no_progress_after: 15m}` with the time that you mean, or `decide: declare`",
        )  # fmt: skip


def _flaps_for_nobody(policy: HoldPolicy, own: Part, report: Report) -> None:
    if policy.on_flap is OnFlap.TICKET and "declare_on" in own and DeclareOn.FLAPPING in policy.declare_on:
        report.doubt(own.at_key("declare_on"), "`flapping` declares nothing here, since `on_flap` makes a ticket of it")


def _only_of_the_alert(hold: Part, report: Report) -> None:
    """Check that a query names nothing but what the alert brings."""
    for key in ("query", "slo"):
        if "progress" not in hold or key not in hold["progress"]:
            continue
        part = hold["progress"][key]["promql"]
        check_promql(part, report)
        for name in sorted(_names(part.value)):
            if not name.startswith(_ALERTS):
                report.wrong(
                    part.at, f"a query of a hold knows no `{name}`",
                    "it may name the alert's `labels.NAME` and `annotations.NAME`",
                )  # fmt: skip


def _names(text: str) -> frozenset[str]:
    """Give the names that a template looks up; of one that cannot be read, none, since that is said elsewhere."""
    try:
        return compile_template(text).variables()
    except BadTemplate:
        return frozenset()


def _signals(hold: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    progress = hold.get("progress", {})
    if "alerts_down" in progress:
        found["alerts_down"] = percentage(progress["alerts_down"])
    if "human_notes" in progress:
        found["human_notes"] = int(progress["human_notes"])
    if "query" in progress:
        found["query"] = _query(progress["query"])
    if "slo" in progress:
        slo = progress["slo"]
        found["slo"] = ShortWindow(promql=slo["promql"], condition=slo["is"], **_every(slo))
    if "declare_on" in hold:
        found["declare_on"] = frozenset(DeclareOn(signal) for signal in hold.value["declare_on"])
    if "growing" in hold:
        found["growth"] = float(hold.value["growing"]["times"])
    return found | _flapping(hold)


def _query(written: dict[str, str]) -> ProgressQuery:
    return ProgressQuery(
        promql=written["promql"], higher=written["better"] == "higher", by=percentage(written["by"]), **_every(written)
    )


def _every(written: dict[str, str]) -> dict[str, Any]:
    return {"every": parse_duration(written["every"])} if "every" in written else {}


def _flapping(hold: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    flapping = hold.get("flapping", {})
    if "times" in flapping:
        found["flaps"] = int(flapping["times"])
    if "within" in flapping:
        found["flap_window"] = parse_duration(flapping["within"])
    if "shortest" in flapping:
        found["flap_shortest"] = parse_duration(flapping["shortest"])
    if "on_flap" in hold:
        found["on_flap"] = OnFlap(hold.value["on_flap"])
    return found
