"""Severity rules: from documents to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidentd.config.conditions import conditions
from incidentd.config.core import not_acted_on
from incidentd.config.matching import matchers
from incidentd.config.names import DEFAULT_POLICY, Names
from incidentd.config.parts import Part
from incidentd.config.promql import check_promql
from incidentd.config.proof import Surroundings, check_rules
from incidentd.config.tree import Tree
from incidentd.config.values import percentage
from incidentd.durations import format_duration, parse_duration
from incidentd.holds import IN_FORCE, DeclareOn, HoldPolicy
from incidentd.pages import EscalationPolicy
from incidentd.rules import CATCH_ALL, Decide, FromLabel, Grade, Severity, SeverityRule

_TAKEN = ("drill", "maintenance", "watchdog")
"""What stands for a rule on an alert that no rule was asked about."""
_DURATIONS = ("no_progress_after", "hard_cap", "quiet")


def rules(
    tree: Tree, names: Names, around: Surroundings, policies: Mapping[str, EscalationPolicy]
) -> tuple[SeverityRule, ...]:  # fmt: skip
    """Read the rules of all files, in the order in which the files are included."""
    book = _Book(names, around.severities, policies)
    found = [book.rule(rule, document) for document in tree.documents["rules"] for rule in document.entries("rules")]
    if found and "rules" not in tree.broken:
        check_rules(found, names, around)
    for config in tree.configs:
        if not found and "rules" not in tree.broken:
            names.report.doubt(
                config.at, "there are no rules, so every alert is held and paged", "include a file of `kind: rules`"
            )
    return tuple(found) or (CATCH_ALL,)


class _Book:
    """Reads rules, knowing what they may name."""

    def __init__(
        self, names: Names, severities: Mapping[str, Severity], policies: Mapping[str, EscalationPolicy]
    ) -> None:
        self._names = names
        self._report = names.report
        self._severities = severities
        self._policies = policies

    def rule(self, part: Part, document: Part) -> SeverityRule:
        """Read one rule; what it does not say is in the file's defaults, or built in."""
        for noun, key in (("urgency", "urgency"), ("team", "teams"), ("playbook", "playbook")):
            self._names.refer_all(noun, part, key)
        self._names.refer_all("escalation", part, "page", DEFAULT_POLICY)
        defaults = document["defaults"] if "defaults" in document else Part({}, document.at, document.at)
        self._names.refer_all("urgency", defaults, "urgency")
        if part.value["name"] in _TAKEN:
            self._report.wrong(part["name"].at, f"`{part.value['name']}` stands for something else", "rename the rule")
        correlate_by = tuple(part.get("correlate_by", CATCH_ALL.correlate_by))
        from_label = self._from_label(part, defaults)
        grade = self._worst(from_label) if from_label else self._grade(part["severity"], part, defaults)
        rule = SeverityRule(
            name=part.value["name"],
            match=matchers(part, self._report),
            when=conditions(part, correlate_by, self._report),
            decide=grade.decide,
            severity=grade.severity,
            urgency=grade.urgency,
            from_label=from_label,
            page=part.get("page", ""),
            teams=tuple(part.get("teams", ())),
            because=part.get("because", ""),
            correlate_by=correlate_by,
            playbook=part.get("playbook", ""),
            hold=self._hold(part, defaults),
            at=part.at,
        )
        self._paging(rule, part)
        return rule

    def _grade(self, severity: Part, part: Part, defaults: Part) -> Grade:
        """Say what a severity means in this rule: what the rule says itself, else its file, else the severity."""
        self._names.refer("severity", severity)
        known = self._severities.get(str(severity.value))
        return Grade(
            severity=str(severity.value),
            urgency=part.get("urgency") or defaults.get("urgency") or (known.urgency if known else ""),
            decide=Decide(part.get("decide") or (known.decide if known else Decide.HOLD)),
        )

    def _from_label(self, part: Part, defaults: Part) -> FromLabel | None:
        """Read a severity that a label says."""
        if isinstance(part.value["severity"], str):
            return None
        severity = part["severity"]
        written = dict(severity.items("map"))
        if not written:
            written = {name: Part(name, severity.at, severity.at) for name in self._severities}
        grades = {value.strip().casefold(): self._grade(one, part, defaults) for value, one in written.items()}
        return FromLabel(label=severity.value["label"], grades=grades)

    def _worst(self, from_label: FromLabel) -> Grade:
        order = list(self._severities)
        known = [grade for grade in from_label.grades.values() if grade.severity in order]
        return min(known or from_label.grades.values(), key=lambda g: order.index(g.severity) if known else 0)

    def _paging(self, rule: SeverityRule, part: Part) -> None:
        grades = list(rule.from_label.grades.values()) if rule.from_label else [rule.grade]
        paging = [grade for grade in grades if grade.decide in (Decide.DECLARE, Decide.HOLD)]
        if paging and not rule.page:
            self._report.doubt(
                part.at, f"the rule `{rule.name}` pages nobody", "write `page:` with an escalation policy"
            )
        if not paging and rule.page:
            self._report.doubt(part.at_key("page"), f"`page` does nothing here, since {rule.decide} pages nobody")
        policy = self._policies.get(rule.page)
        for urgency in dict.fromkeys(grade.urgency for grade in paging):
            known = urgency in self._names.given["urgency"]
            if policy and known and urgency not in policy.chains:
                self._report.wrong(
                    part["page"].at, f"the escalation `{rule.page}` has no chain for this rule's urgency `{urgency}`",
                    f"add one, or give the rule an urgency of {', '.join(policy.chains)}",
                )  # fmt: skip

    def _hold(self, part: Part, defaults: Part) -> HoldPolicy:
        own = part["hold"] if "hold" in part else Part({}, part.at, part.at)
        shared = defaults["hold"] if "hold" in defaults else Part({}, part.at, part.at)
        written: dict[str, Any] = {}
        for source in (shared, own):
            self._what_waits(source)
            written |= {key: parse_duration(source.value[key]) for key in _DURATIONS if key in source}
            written |= _signals(source)
        policy = HoldPolicy(**written)
        if policy.no_progress_after > policy.hard_cap:
            key = "no_progress_after" if "no_progress_after" in own or "hard_cap" not in own else "hard_cap"
            at = own[key].at if key in own else shared[key].at if key in shared else part.at
            after, cap = format_duration(policy.no_progress_after), format_duration(policy.hard_cap)
            self._report.wrong(
                at, f"`no_progress_after` ({after}) is longer than `hard_cap` ({cap}), which would always come first",
                "make it shorter, or the cap longer",
            )  # fmt: skip
        return policy

    def _what_waits(self, hold: Part) -> None:
        """Warn of what is accepted and not watched yet."""
        for signal in hold.entries("declare_on"):
            if DeclareOn(signal.value) not in IN_FORCE:
                not_acted_on(self._report, signal.at, f"`{signal.value}`")
        if "query" in hold.get("progress", {}):
            check_promql(hold["progress"]["query"]["promql"], self._report)
            not_acted_on(self._report, hold["progress"].at_key("query"), "`progress.query`")


def _signals(hold: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    progress = hold.get("progress", {})
    if "alerts_down" in progress:
        found["alerts_down"] = percentage(progress["alerts_down"])
    if "human_notes" in progress:
        found["human_notes"] = int(progress["human_notes"])
    if "declare_on" in hold:
        found["declare_on"] = frozenset(DeclareOn(signal) for signal in hold.value["declare_on"])
    return found
