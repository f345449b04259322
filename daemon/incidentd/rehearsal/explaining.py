"""Why the rules decide about an alert as they do: each rule that was looked at, and why it did or did not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incidentd.errors import Location
from incidentd.rules import SeverityRule
from incidentd.settings import Settings
from incidentd.text import plain
from incidentd.triage import Book, Decision, triage


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rule that was looked at."""

    rule: str
    at: Location
    matched: bool
    """It decided."""
    why: str
    """Why it did or did not, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision and the way to it."""

    decision: Decision
    tried: tuple[Tried, ...]


def explain(labels: Mapping[str, str], annotations: Mapping[str, str], settings: Settings) -> Explanation:
    """Decide, and say of every rule up to the one that decided why it did or did not apply."""
    book = Book(rules=settings.rules, labels=settings.labels, playbooks=settings.playbooks)
    tried: list[Tried] = []
    for rule in settings.rules:
        matched, why = _why(rule, labels)
        tried.append(Tried(rule=rule.name, at=rule.at, matched=matched, why=why))
        if matched:
            break
    return Explanation(decision=triage(labels, annotations, book), tried=tuple(tried))


def _why(rule: SeverityRule, labels: Mapping[str, str]) -> tuple[bool, str]:
    for matcher in rule.match:
        if not matcher.matches(labels):
            has = labels.get(matcher.name)
            found = f"there is no {plain(matcher.name, 60)}" if has is None else f"it is {plain(has, 60)!r}"
            return False, f"{matcher} does not match: {found}"
    return True, f"matches {', '.join(str(matcher) for matcher in rule.match) or 'everything'}"
