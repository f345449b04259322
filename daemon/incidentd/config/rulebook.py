"""Severity rules: from documents to values, and whether each of them can ever be reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

from incidentd.config.holding import hold_policy
from incidentd.config.matching import matchers
from incidentd.config.names import DEFAULT_POLICY, Names
from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.config.tree import Tree
from incidentd.holds import usual_wait
from incidentd.matchers import Matcher
from incidentd.pages import EscalationPolicy
from incidentd.rules import CATCH_ALL, Decide, Severity, SeverityRule


def rules(
    tree: Tree, names: Names, severities: Mapping[str, Severity], policies: Mapping[str, EscalationPolicy]
) -> tuple[SeverityRule, ...]:
    """Read the rules of all files, in the order in which the files are included."""
    book = _Book(names, severities, policies)
    found = [book.rule(rule, document) for document in tree.documents["rules"] for rule in document.entries("rules")]
    if found and "rules" not in tree.broken:
        _reachable(found, names.report)
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
        for noun, key in (
            ("severity", "severity"),
            ("urgency", "urgency"),
            ("team", "teams"),
            ("playbook", "playbook"),
        ):
            self._names.refer_all(noun, part, key)
        self._names.refer_all("escalation", part, "page", DEFAULT_POLICY)
        defaults = document["defaults"] if "defaults" in document else Part({}, document.at, document.at)
        self._names.refer_all("urgency", defaults, "urgency")
        severity = part.value["severity"]
        by_severity = self._severities[severity].urgency if severity in self._severities else ""
        urgency = part.get("urgency") or defaults.get("urgency") or by_severity
        rule = SeverityRule(
            name=part.value["name"],
            match=matchers(part, self._report),
            decide=Decide(part.value["decide"]),
            severity=severity,
            urgency=urgency,
            page=part.get("page", ""),
            teams=tuple(part.get("teams", ())),
            because=part.get("because", ""),
            correlate_by=tuple(part.get("correlate_by", CATCH_ALL.correlate_by)),
            playbook=part.get("playbook", ""),
            hold=hold_policy(part, defaults, self._report, usual=self._usual_wait(severity, urgency)),
            at=part.at,
        )
        self._paging(rule, part)
        return rule

    def _usual_wait(self, severity: str, urgency: str) -> timedelta:
        """Say how long a rule waits for progress that does not say it."""
        known = self._severities.get(severity)
        return usual_wait(rank=known.rank if known else 0, urgency=urgency)

    def _paging(self, rule: SeverityRule, part: Part) -> None:
        pages = rule.decide in (Decide.DECLARE, Decide.HOLD)
        if pages and not rule.page:
            self._report.doubt(
                part.at, f"the rule `{rule.name}` pages nobody", "write `page:` with an escalation policy"
            )
        if not pages and rule.page:
            self._report.doubt(part.at_key("page"), f"`page` does nothing here, since {rule.decide} pages nobody")
        policy = self._policies.get(rule.page)
        known = rule.urgency in self._names.given["urgency"]
        if pages and policy and known and rule.urgency not in policy.chains:
            self._report.wrong(
                part["page"].at, f"the escalation `{rule.page}` has no chain for this rule's urgency `{rule.urgency}`",
                f"add one, or give the rule an urgency of {', '.join(policy.chains)}",
            )  # fmt: skip


def _reachable(rules: list[SeverityRule], report: Report) -> None:
    """Check that a rule matches everything at the end, and that no rule stands behind one that takes all its alerts."""
    catch_all = next((number for number, rule in enumerate(rules) if not rule.match), None)
    if catch_all is None:
        report.wrong(
            rules[-1].at, "no rule matches everything, so some alerts would be decided by nobody",
            "add a rule with `match: []` after this one",
        )  # fmt: skip
        catch_all = len(rules) - 1
    elif catch_all < len(rules) - 1:
        rest = len(rules) - catch_all - 2
        more = f" and the {rest} after it are" if rest else " is"
        first = rules[catch_all]
        report.wrong(
            rules[catch_all + 1].at, f"the rule `{rules[catch_all + 1].name}`{more} never reached",
            f"`{first.name}` at {first.at} matches everything; it must be the last rule of all files",
        )  # fmt: skip
    _shadowed(rules[: catch_all + 1], report)


def _shadowed(rules: list[SeverityRule], report: Report) -> None:
    """Find rules whose matchers are all those of an earlier rule, and more: the earlier one takes all their alerts."""
    by_first: dict[Matcher, list[SeverityRule]] = defaultdict(list)
    for rule in rules:
        own = frozenset(rule.match)
        earlier = (one for matcher in rule.match for one in by_first[matcher] if own.issuperset(one.match))
        if (wider := next(earlier, None)) is not None:
            report.wrong(
                rule.at, f"the rule `{rule.name}` is never reached",
                f"`{wider.name}` at {wider.at} matches all its alerts before it; put the narrower rule first",
            )  # fmt: skip
        elif rule.match:
            by_first[rule.match[0]].append(rule)
