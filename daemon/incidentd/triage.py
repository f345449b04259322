"""What does this alert deserve? Pure: rules and labels in, a decision with its reason out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from incidentd.holds import HoldPolicy
from incidentd.matchers import Matcher
from incidentd.playbooks import Playbook
from incidentd.rules import CATCH_ALL, Decide, LabelMap, SeverityRule, first_match
from incidentd.text import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule decides about an alert, with everything that is needed to carry it out."""

    decide: Decide
    rule: str
    severity: str
    urgency: str
    reason: str
    """One sentence for people, with the rule's place in its file."""
    correlation_key: str
    """Alerts with the same key belong to the same hold or incident."""
    title: str
    service: str
    page: str
    teams: tuple[str, ...]
    playbook: str
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    matched: bool = True
    """False: no rule matched, and the built-in last one decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What triage reads: the rules in order, the meaning of labels, and the playbooks that choose alerts themselves."""

    rules: Sequence[SeverityRule]
    labels: LabelMap
    playbooks: Mapping[str, Playbook]


def triage(labels: Mapping[str, str], annotations: Mapping[str, str], book: Book) -> Decision:
    """Decide about one firing alert: the first rule that matches decides; without any, it is held and paged."""
    rule = first_match(book.rules, labels)
    matched = rule is not None
    rule = rule or CATCH_ALL
    return Decision(
        decide=rule.decide,
        rule=rule.name,
        severity=rule.severity,
        urgency=rule.urgency,
        reason=_reason(rule, labels, matched=matched),
        correlation_key=correlation_key(rule, labels, book.labels),
        title=title_of(labels, annotations, book.labels),
        service=book.labels.value("service", labels),
        page=rule.page,
        teams=rule.teams or ((team,) if (team := book.labels.value("team", labels)) else ()),
        playbook=rule.playbook or _playbook_for(labels, book.playbooks.values()),
        hold=rule.hold,
        matched=matched,
    )


def correlation_key(rule: SeverityRule, labels: Mapping[str, str], meaning: LabelMap) -> str:
    """Name what an alert belongs to: the rule and the values of the labels that it correlates by."""
    return json.dumps([rule.name, *(meaning.value(name, labels) for name in rule.correlate_by)], ensure_ascii=False)


def title_of(labels: Mapping[str, str], annotations: Mapping[str, str], meaning: LabelMap) -> str:
    """Give a hold or incident its title: the alert's name and where, with its summary if it has one."""
    name = labels.get("alertname") or "unnamed alert"
    where = [value for what in ("service", "environment") if (value := meaning.value(what, labels))]
    summary = annotations.get("summary") or annotations.get("title") or ""
    head = f"{name} ({', '.join(where)})" if where else name
    return plain(f"{head}: {summary}" if summary else head, 200)


def _reason(rule: SeverityRule, labels: Mapping[str, str], *, matched: bool) -> str:
    because = f" {rule.because}" if rule.because else ""
    if not matched:
        return f"No rule matches {plain(labels.get('alertname', 'this alert'), 80)}, so it is held and paged.{because}"
    found = ", ".join(str(matcher) for matcher in rule.match) or "everything"
    return f"Rule {rule.name} ({rule.at.file}:{rule.at.line}) says {rule.decide}: matches {found}.{because}"


def _playbook_for(labels: Mapping[str, str], playbooks: Iterable[Playbook]) -> str:
    return next((p.name for p in playbooks if p.match and _all_match(p.match, labels)), "")


def _all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)
