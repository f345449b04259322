"""What can be proved of a set of rules as a whole: that each is reached, and that together they do what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from incidentd.config.names import Names
from incidentd.config.report import Report, shown
from incidentd.durations import format_duration
from incidentd.matchers import Matcher
from incidentd.rules import Decide, LabelMap, RuleIndex, Severity, SeverityRule
from incidentd.settings import Source

_SETTLE = timedelta(minutes=1)
_WHOM = ("tier", "customer_visible", "team", "service")
_MAPPED = ("tier", "customer_visible", "team")
_CRITICAL = ("critical", "page")
_PRODUCTION = ("prod", "production")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else the files say that rules have to fit."""

    labels: LabelMap
    severities: Mapping[str, Severity]
    sources: Mapping[str, Source]


def check_rules(rules: Sequence[SeverityRule], names: Names, around: Surroundings) -> None:
    """Prove a set of rules; mistakes and doubts are in the report."""
    _reachable(rules, names.report)
    _given(rules, names)
    for source in around.sources.values():
        if source.group_interval is not None:
            for at, message, hint in slow_news(rules, source.group_interval, f"the source `{source.name}`"):
                names.report.doubt(at.at, message, hint)
    if not any(source.prometheus for source in around.sources.values()):
        for rule in (rule for rule in rules if any(condition.asks_prometheus for condition in rule.when)):
            names.report.doubt(
                rule.at, f"the rule `{rule.name}` asks Prometheus, and no source has one, so it never knows",
                "write `prometheus: {url: ...}` in the source",
            )  # fmt: skip
    _hurts(rules, names, around.labels)


def _reachable(rules: Sequence[SeverityRule], report: Report) -> None:
    """Check that a rule matches everything at the end, and that no rule stands behind one that takes all its alerts."""
    catch_all = next((number for number, rule in enumerate(rules) if rule.takes_everything), None)
    if catch_all is None:
        asks = not rules[-1].match
        report.wrong(
            rules[-1].at,
            "the last rule has conditions, so it does not match everything" if asks
            else "no rule matches everything, so some alerts would be decided by nobody",
            "add a rule with `match: []` and no `when` after this one" if asks
            else "add a rule with `match: []` after this one",
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


def _shadowed(rules: Sequence[SeverityRule], report: Report) -> None:
    """Find rules of which an earlier one takes all alerts: each of its matchers follows from theirs."""
    plain = [rule for rule in rules if rule.match and not rule.when]
    place = {id(rule): number for number, rule in enumerate(rules)}
    index = RuleIndex(plain)
    by_first: dict[Matcher, list[SeverityRule]] = defaultdict(list)
    for rule in plain:
        by_first[rule.match[0]].append(rule)
    for number, rule in enumerate(rules):
        sure = {matcher.name: matcher.value for matcher in rule.match if matcher.op == "="}
        others = (one for matcher in rule.match for one in by_first[matcher])
        wider = next(
            (
                one
                for one in (*index.matching(sure), *others)
                if place[id(one)] < number and all(_follows(wanted, rule.match) for wanted in one.match)
            ),
            None,
        )
        if wider is not None:
            report.wrong(
                rule.at, f"the rule `{rule.name}` is never reached",
                f"`{wider.name}` at {wider.at} matches all its alerts before it; put the narrower rule first",
            )  # fmt: skip


def _follows(wanted: Matcher, given: Iterable[Matcher]) -> bool:
    """Say whether every alert that meets the given matchers certainly meets the wanted one."""
    return any(
        one == wanted or (one.op == "=" and one.name == wanted.name and wanted.matches({one.name: one.value}))
        for one in given
    )


def _given(rules: Sequence[SeverityRule], names: Names) -> None:
    """Doubt severities of the file that no rule ever gives."""
    given = {rule.severity for rule in rules}
    given |= {grade.severity for rule in rules if rule.from_label for grade in rule.from_label.grades.values()}
    for name, part in names.tree.of("config", "severities"):
        if name not in given:
            names.report.doubt(
                part.key_at, f"no rule gives the severity `{shown(name)}`", "write a rule for it, or take it out"
            )


def slow_news(
    rules: Iterable[SeverityRule], interval: timedelta, whose: str
) -> list[tuple[SeverityRule, str, str]]:  # fmt: skip
    """Find holds that are over before Alertmanager would have told of a change; gives the rule, what and what to do.

    Alertmanager tells of a resolve, and of a new alert in a group, up to a `group_interval` late.
    """
    found = []
    needed = 2 * interval + _SETTLE
    said = f"Alertmanager tells of changes only every {format_duration(interval)} (group_interval of {whose})"
    for rule in rules:
        grades = rule.from_label.grades.values() if rule.from_label else (rule.grade,)
        waits = [grade.holds(rule.hold).no_progress_after for grade in grades if grade.decide is Decide.HOLD]
        if not waits:
            continue
        wait, quiet = min(waits), rule.hold.quiet
        if wait < needed:
            what = f"`no_progress_after` of `{rule.name}` is {format_duration(wait)}, and {said}"
            found.append((rule, what, f"write {format_duration(needed)} or more, or shorten group_interval"))
        if quiet < interval:
            what = f"`quiet` of `{rule.name}` is {format_duration(quiet)}, and {said}"
            found.append((rule, what, f"write {format_duration(interval)} or more, or shorten group_interval"))
    return found


def _hurts(rules: Iterable[SeverityRule], names: Names, labels: LabelMap) -> None:
    """Doubt rules for what is critical in production that cannot tell a customer's trouble from nobody's."""
    mapped = any(key in config.get("labels", {}) for config in names.tree.configs for key in _MAPPED)
    if mapped:
        return
    telling = {name for meaning in _WHOM for name in labels.names.get(meaning, (meaning,))}
    for rule in rules:
        knows = rule.teams or rule.when or any(matcher.name in telling for matcher in rule.match)
        if not knows and _is_critical_production(rule, labels):
            names.report.doubt(
                rule.at, f"nothing says whom it hurts when `{rule.name}` finds something critical in production",
                "map `tier`, `customer_visible` or `team` under `labels:` of the configuration, or name `teams:` here",
            )  # fmt: skip


def _is_critical_production(rule: SeverityRule, labels: LabelMap) -> bool:
    pages = rule.decide in (Decide.DECLARE, Decide.HOLD)
    return (
        pages
        and _lets_through(rule, labels.names["severity"], _CRITICAL)
        and _lets_through(rule, labels.names["environment"], _PRODUCTION)
    )


def _lets_through(rule: SeverityRule, labels: Sequence[str], values: Sequence[str]) -> bool:
    """Say whether a rule asks for one of the labels, and takes one of the values."""
    asked = [matcher for matcher in rule.match if matcher.name in labels and not matcher.op.startswith("!")]
    return bool(asked) and any(all(one.matches({one.name: value}) for one in asked) for value in values)
