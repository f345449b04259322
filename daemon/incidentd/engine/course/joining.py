"""Which hold or incident an alert of another rule belongs to, and what alerts bring that join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from incidentd.holds import Hold, Joining
from incidentd.incidents import Incident
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Tx, subjects
from incidentd.store.inbox import Changed
from incidentd.triage import Decision, book_of, correlation_key

_YES = frozenset({"1", "true", "yes"})


def joining(settings: Settings, decision: Decision, fresh: Sequence[Changed]) -> Joining:
    """Say what alerts bring that join a hold, or open it."""
    labels = [it.labels for it in fresh]
    return Joining(
        rule=decision.rule, severity=decision.severity, rank=_rank(settings, decision.severity),
        urgency=decision.urgency, page=decision.page, teams=decision.teams,
        services=_values(settings, "service", labels), owners=_values(settings, "team", labels),
        customer=_customer(settings, labels),
        wait=timedelta(0) if decision.decide is Decide.DECLARE else decision.hold.no_progress_after,
    )  # fmt: skip


def _values(settings: Settings, meaning: str, labels: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    found = (settings.labels.value(meaning, one) for one in labels)
    return tuple(dict.fromkeys(value for value in found if value))[:50]


def _customer(settings: Settings, labels: Sequence[Mapping[str, str]]) -> str:
    for one in labels:
        if settings.labels.value("customer_visible", one).lower() in _YES:
            return one.get("alertname") or "an alert without a name"
    return ""


def _rank(settings: Settings, severity: str) -> int:
    known = settings.severities.get(severity)
    return known.rank if known else 0


def same_thing(
    tx: Tx, settings: Settings, source: str, decision: Decision, labels: Mapping[str, str]
) -> Incident | Hold | None:
    """Find what is open about the same thing with another severity, which another rule decided about.

    A hold rule would have taken this alert too if its severity had been another, and what it holds has the same values
    of the labels that it correlates by. An alert that is to be declared joins only what is less severe: that is what
    raises it; and an incident takes what is no worse than itself.
    """
    if decision.decide not in (Decide.HOLD, Decide.DECLARE):
        return None
    keys = [
        correlation_key(rule, labels, settings.labels)
        for rule in settings.rules
        if rule.decide is Decide.HOLD and rule.name != decision.rule and _but_for_severity(settings, rule, labels)
    ]
    rank = _rank(settings, decision.severity)
    for subject in subjects.open_by_keys(tx, source, keys):
        if subject.startswith("INC-"):
            incident = subjects.get_incident(tx, int(subject.removeprefix("INC-")))
            if _rank(settings, incident.severity) <= rank:
                return incident
        else:
            hold = subjects.get_hold(tx, int(subject.removeprefix("HOLD-")))
            if decision.decide is Decide.HOLD or rank < hold.rank:
                return hold
    return None


def _but_for_severity(settings: Settings, rule: SeverityRule, labels: Mapping[str, str]) -> bool:
    names = settings.labels.names.get("severity", ("severity",))
    return all(matcher.matches(labels) for matcher in rule.match if matcher.name not in names)


def severity_of(tx: Tx, settings: Settings, hold: Hold, like: Joining | None) -> tuple[str, int]:
    """Give the highest severity that the rules of the alerts have which still fire; rank 0 when that is not known.

    One rule that nobody knows any more, or that stands for none, is enough for that: its alerts may be the worst.
    """
    last = book_of(settings, tx.now).catch_all
    by_rule = {last.name: last.severity} | {rule.name: rule.severity for rule in settings.rules}
    if like is not None:
        by_rule[""] = like.severity  # what joins just now has not been noted with its alerts yet
    names = {by_rule.get(rule, "") for rule in subjects.firing_rules(tx, hold.key)}
    if like is not None:
        names.add(like.severity)
    worst = min(((name, _rank(settings, name)) for name in names), key=lambda one: one[1], default=("", 0))
    return worst if worst[1] else ("", 0)
