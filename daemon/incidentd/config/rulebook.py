"""Severity rules: from documents to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from incidentd.config.conditions import conditions
from incidentd.config.holding import hold_policy, says_how_long
from incidentd.config.matching import matchers
from incidentd.config.names import DEFAULT_POLICY, Names
from incidentd.config.parts import Part
from incidentd.config.proof import Surroundings, check_rules
from incidentd.config.report import closest
from incidentd.config.tree import Tree
from incidentd.errors import Location
from incidentd.holds import usual_wait
from incidentd.pages import EscalationPolicy
from incidentd.rules import CATCH_ALL, Decide, FromLabel, Grade, Severity, SeverityRule

_TAKEN = ("drill", "maintenance", "watchdog")
"""What stands for a rule on an alert that no rule was asked about."""


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
            hold=hold_policy(part, defaults, self._report, grade=grade, usual=self._usual_wait(grade)),
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

    def _usual_wait(self, grade: Grade) -> timedelta:
        """Say how long alerts wait for progress when no file says it."""
        known = self._severities.get(grade.severity)
        return usual_wait(rank=known.rank if known else 0, urgency=grade.urgency)

    def _from_label(self, part: Part, defaults: Part) -> FromLabel | None:
        """Read a severity that a label says."""
        if isinstance(part.value["severity"], str):
            return None
        severity = part["severity"]
        written = dict(severity.items("map"))
        if not written:
            written = {name: Part(name, severity.at, severity.at) for name in self._severities}
        grades = {value.strip().casefold(): self._grade(one, part, defaults) for value, one in written.items()}
        if not says_how_long(part, defaults):
            grades = {value: replace(grade, waits=self._usual_wait(grade)) for value, grade in grades.items()}
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
        if policy is not None:
            for urgency in dict.fromkeys(grade.urgency for grade in paging):
                self._chained(urgency, policy, part["page"].at)

    def _chained(self, urgency: str, policy: EscalationPolicy, at: Location) -> None:
        """Check that a policy has a chain for an urgency; a chain whose own name is misspelt is said at that name."""
        known = self._names.given["urgency"]
        there = [one for one in policy.chains if one in known]
        misspelt = {closest(one, known) for one in policy.chains if one not in known}
        if urgency in known and urgency not in there and urgency not in misspelt:
            other = f", or give the rule an urgency of {', '.join(there)}" if there else ""
            self._report.wrong(
                at,
                f"the escalation `{policy.name}` has no chain for this rule's urgency `{urgency}`",
                f"add one{other}",
            )
