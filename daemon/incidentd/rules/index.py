"""An index of rules: of a thousand, only the few whose most telling matcher fits an alert are looked at.

Each rule is filed under one matcher: an `=` matcher, else a pattern that is a list of plain words, else a pattern that
the empty string does not match. Patterns of one label are matched all at once. A rule without any of these is always
looked at. Whatever the index says, a rule decides only when all its matchers match, in the order of the files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import re2

from incidentd.matchers import Matcher
from incidentd.rules.rule import SeverityRule

_WORDS = re.compile(r"[\w :/@%,;=!\-]+(?:\|[\w :/@%,;=!\-]+)*")
_MOST_WORDS = 200
_MEMORY = 64 * 1024 * 1024
_REMEMBERED = 4096
"""Values of one label for which the patterns that match are kept: services are few, and come again and again."""


class _Patterns:
    """All patterns of one label that file a rule."""

    def __init__(self) -> None:
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _MEMORY
        self._set: Any = re2.Set.FullMatchSet(options)  # type: ignore[no-untyped-call]  # it has no types
        # matches every text: an answer without it is none, and then each rule is looked at
        self._witness: int = self._set.Add(rb"(?s).*")
        self._rules: dict[int, int] = {}
        self._compiled = False
        self._known: dict[str, tuple[int, ...]] = {}

    def add(self, pattern: str, rule: int) -> None:
        self._rules[self._set.Add(pattern.encode())] = rule

    def rules_for(self, value: str) -> tuple[int, ...]:
        """Give the rules whose pattern matches the whole value."""
        found = self._known.get(value)
        if found is None:
            found = self._ask(value)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[value] = found
        return found

    def _ask(self, value: str) -> tuple[int, ...]:
        if not self._compiled:
            self._compiled = True
            try:
                self._set.Compile()
            except re2.error:  # too large to be matched at once
                self._set = None
        matched = self._set.Match(value.encode(errors="replace")) or () if self._set is not None else ()
        if self._witness not in matched:
            return tuple(self._rules.values())
        return tuple(self._rules[number] for number in matched if number != self._witness)


class RuleIndex:
    """The rules in their order, and which of them can match given labels. Made once for a set of files."""

    def __init__(self, rules: Sequence[SeverityRule]) -> None:
        self.rules = tuple(rules)
        self.asks = any(rule.when for rule in self.rules)
        """Whether any rule has conditions."""
        self._built = False
        self._always: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._patterns: dict[str, _Patterns] = {}

    def matching(self, labels: Mapping[str, str]) -> Iterator[SeverityRule]:
        """Give the rules whose matchers all match, in their order."""
        if not self._built:
            self._build()
        for number in self._candidates(labels):
            rule = self.rules[number]
            if rule.matches(labels):
                yield rule

    def _candidates(self, labels: Mapping[str, str]) -> list[int]:
        found = set(self._always)
        for name, by_value in self._by_value.items():
            value = labels.get(name)
            if value is not None:
                found.update(by_value.get(value, ()))
        for name, patterns in self._patterns.items():
            value = labels.get(name)
            if value is not None:
                found.update(patterns.rules_for(value))
        return sorted(found)

    def _build(self) -> None:
        shared = Counter(key for rule in self.rules for matcher in rule.match for key in _keys(matcher))
        for number, rule in enumerate(self.rules):
            telling = min((one for one in rule.match if _keys(one)), key=lambda one: _rank(one, shared), default=None)
            if telling is None:
                self._always.append(number)
            elif (words := _words(telling)) is not None:
                for word in words:
                    self._by_value[telling.name][word].append(number)
            else:
                self._patterns.setdefault(telling.name, _Patterns()).add(telling.value, number)
        self._built = True


def _rank(matcher: Matcher, shared: Counter[tuple[str, str]]) -> tuple[int, int, int]:
    """Rank a matcher by how few alerts it probably lets through; the smallest is the best.

    What many rules ask for is on many alerts (`env="prod"`); then a value tells more than a pattern, and a long one
    more than a short one.
    """
    words = _words(matcher)
    return (max(shared[key] for key in _keys(matcher)), 0 if words is not None else 1, -len(matcher.value))


def _keys(matcher: Matcher) -> list[tuple[str, str]]:
    """Say under what a matcher could file its rule; nothing when it lets alerts through that lack the label."""
    if matcher.op.startswith("!") or matcher.matches({}):
        return []
    words = _words(matcher)
    return [(matcher.name, word) for word in ([f"~{matcher.value}"] if words is None else words)]


def _words(matcher: Matcher) -> list[str] | None:
    """Give the only values that the matcher lets through; None when that is no short list."""
    if matcher.op == "=":
        return [matcher.value]
    if matcher.op != "=~" or not _WORDS.fullmatch(matcher.value):
        return None
    words = matcher.value.split("|")
    return words if len(words) <= _MOST_WORDS else None
