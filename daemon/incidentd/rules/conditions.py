"""Conditions on live data: what a rule's `when` asks, and what the answers mean.

Pure: the queries are asked before (engine/facts.py), and the answers come in as `Facts`. A condition is met, not met or
unknown; an unknown one counts as the rule says, and as met when it says nothing, since a decision that cannot be proved
unnecessary is taken. Each says in words what it saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from incidentd.durations import format_duration
from incidentd.playbooks.numbers import Condition as Is
from incidentd.rules.facts import NEVER, Facts, Measured, OpenAlert
from incidentd.rules.words import LabelMap
from incidentd.templates import BadTemplate, Template, format_number, in_promql
from incidentd.text import count, plain

_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The alert that is decided."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    meaning: LabelMap


@dataclass(frozen=True, slots=True)
class Look:
    """What a condition saw: met, not met, or None for unknown; in words, to stand in a sentence."""

    met: bool | None
    text: str


class Condition(Protocol):
    """One entry of `when`."""

    @property
    def unknown(self) -> bool:
        """What it counts as when it is unknown."""

    def queries(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Give the queries whose answers it needs for an alert."""

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Look at the facts."""

    @property
    def asks_neighbours(self) -> bool:
        """Whether it needs to know what else fires."""

    @property
    def asks_prometheus(self) -> bool:
        """Whether it needs a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    unknown: bool = True

    @property
    def asks_neighbours(self) -> bool:
        return False

    @property
    def asks_prometheus(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counting:
    """A condition on the alerts of the same source that fire now."""

    by: tuple[str, ...]
    """Only alerts with the same values of these labels count."""
    is_: Is
    unknown: bool = True

    @property
    def asks_neighbours(self) -> bool:
        return True

    @property
    def asks_prometheus(self) -> bool:
        return False

    def queries(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def _found(self, subject: Subject, facts: Facts) -> list[OpenAlert]:
        alerts = list(facts.neighbours.like(subject.labels, self.by)) if facts.neighbours else []
        if not any(one.labels == subject.labels for one in alerts):
            alerts.append(OpenAlert(labels=subject.labels, annotations=subject.annotations, starts_at=facts.now))
        return alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(_Measuring):
    """A PromQL query held against a number."""

    name: str = ""
    """What it measures, in a word for people; '' shows the query."""
    promql: Template
    is_: Is

    def queries(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Give its query for an alert."""
        return _filled(self.promql, labels)

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Hold the number against the threshold."""
        name = self.name or f"`{plain(self.promql.text, 60)}`"
        return _compared(name, _measured(self.promql, subject.labels, facts), self.is_)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLost(_Measuring):
    """Money lost a minute, as an annotation says it, or else a query."""

    annotation: str = ""
    promql: Template | None = None
    currency: str = ""
    is_: Is

    @property
    def asks_prometheus(self) -> bool:
        """Whether there is a query beside the annotation."""
        return self.promql is not None

    def queries(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Give its query for an alert."""
        return _filled(self.promql, labels) if self.promql else ()

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Hold the loss against the threshold. An annotation that is a number goes before the query."""
        lost = self._annotated(subject)
        if lost.value is None and self.promql is not None:
            lost = _measured(self.promql, subject.labels, facts)
        name = f"money lost a minute{f' in {self.currency}' if self.currency else ''}"
        return _compared(name, lost, self.is_)

    def _annotated(self, subject: Subject) -> Measured:
        written = subject.annotations.get(self.annotation, "")
        if not written:
            return Measured(None, f"the alert has no annotation {plain(self.annotation, 60)}")
        try:
            value = float(written) if len(written) <= 40 else float("nan")
        except ValueError:
            value = float("nan")
        if value != value:  # noqa: PLR0124 - the one value that is not itself is NaN
            return Measured(None, f"its annotation {plain(self.annotation, 60)} is no number: {plain(written, 40)!r}")
        return Measured(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A long window that says how much of the budget is gone, and a short one that says whether it still burns."""

    long: timedelta
    short: timedelta
    factor: float
    """Both have to burn faster than this many times what the budget allows."""


PAGE_PAIRS = (
    Pair(long=timedelta(hours=1), short=timedelta(minutes=5), factor=14.4),
    Pair(long=timedelta(hours=6), short=timedelta(minutes=30), factor=6),
)
"""2 % of a month's budget within an hour, 5 % within six (SRE workbook, chapter 5, table 5-8)."""
TICKET_PAIRS = (Pair(long=timedelta(days=3), short=timedelta(hours=6), factor=1),)
"""10 % of it within three days (the same table)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate(_Measuring):
    """An error budget that burns too fast over a long and a short window; one such pair is enough."""

    name: str = ""
    error_ratio: Template
    """PromQL with `{{ window }}` in it that gives the share of bad events, 0 to 1."""
    budget: float
    """The share of bad events that the objective allows: 0.001 for 99.9 %."""
    pairs: tuple[Pair, ...] = PAGE_PAIRS

    def queries(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Give its queries for an alert, one for each window."""
        windows = dict.fromkeys(window for pair in self.pairs for window in (pair.short, pair.long))
        return tuple(query for window in windows for query in _filled(self.error_ratio, labels, window))

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Look at each pair of windows."""
        looks = [self._pair(pair, subject, facts) for pair in self.pairs]
        name = self.name or "burn rate"
        for wanted in (True, None):
            found = next((look for look in looks if look.met is wanted), None)
            if found is not None:
                return Look(wanted, f"{name} {found.text}")
        return Look(False, f"{name} {', '.join(look.text for look in looks)}")

    def _pair(self, pair: Pair, subject: Subject, facts: Facts) -> Look:
        rates, unknown = [], ""
        for window in (pair.long, pair.short):
            measured = _measured(self.error_ratio, subject.labels, facts, window)
            if measured.value is None:
                unknown = unknown or f"unknown over {format_duration(window)} because {measured.why}"
                continue
            rate = measured.value / self.budget
            rates.append((window, rate))
        said = " and ".join(f"{_short(rate)} over {format_duration(window)}" for window, rate in rates)
        if any(rate <= pair.factor for _, rate in rates):  # one window that does not burn settles it
            return Look(False, f"{said}, not {'both ' if len(rates) > 1 else ''}> {_short(pair.factor)}")
        if unknown:
            return Look(None, unknown)
        return Look(True, f"{said}, both > {_short(pair.factor)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(_Counting):
    """More than one service or team is affected."""

    of: str
    """What is counted: `service` or `team`."""
    within: timedelta | None = None
    """Only alerts that began to fire this lately count; None: all that fire."""

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Count the services or teams of what fires."""
        if facts.neighbours is None:
            return Look(None, f"{self.of}s affected unknown because nobody looked at what else fires")
        since = facts.now - self.within if self.within is not None else NEVER
        alerts = [one for one in self._found(subject, facts) if one.starts_at >= since]
        found = {value for one in alerts if (value := subject.meaning.value(self.of, one.labels))}
        names = ", ".join(plain(name, 40) for name in sorted(found)[:_FEW]) + (", ..." if len(found) > _FEW else "")
        lately = f" in {format_duration(self.within)}" if self.within is not None else ""
        text = f"{count(len(found), self.of)}{f' ({names})' if names else ''}{lately}"
        return _held(text, len(found), self.is_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Related(_Counting):
    """How many related alerts began to fire within a window of time, and still do."""

    within: timedelta

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Count the alerts that began in the window."""
        if facts.neighbours is None:
            return Look(None, "related alerts unknown because nobody looked at what else fires")
        since = facts.now - self.within
        found = sum(one.starts_at >= since for one in self._found(subject, facts))
        return _held(f"{count(found, 'related alert')} in {format_duration(self.within)}", found, self.is_)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReport(_Counting):
    """A customer noticed: this alert says so, or another one that fires does, such as one from the help desk."""

    annotation: str = ""
    """An annotation that says so too, when it is there at all."""

    def look(self, subject: Subject, facts: Facts) -> Look:
        """Look for the label or annotation on this alert, and then on what else fires."""
        found = [one for one in self._found(subject, facts) if self._is_report(one, subject.meaning)]
        if not found and facts.neighbours is None:
            return Look(None, "customer reports unknown because nobody looked at what else fires")
        if not found:
            return Look(False, "no customer reported it")
        names = dict.fromkeys(plain(one.labels.get("alertname", "unnamed"), 40) for one in found)
        return _held(f"{count(len(found), 'customer report')} ({', '.join([*names][:_FEW])})", len(found), self.is_)

    def _is_report(self, one: OpenAlert, meaning: LabelMap) -> bool:
        by_label = meaning.says_yes("customer_visible", one.labels)
        return by_label or bool(self.annotation and one.annotations.get(self.annotation))


# -- what they share -------------------------------------------------------------------------------------------------


def _filled(template: Template, labels: Mapping[str, str], window: timedelta | None = None) -> tuple[str, ...]:
    context: dict[str, object] = {"labels": labels}
    if window is not None:
        context["window"] = format_duration(window)
    try:
        return (template.render(context, in_promql),)
    except BadTemplate:
        return ()


def _measured(
    template: Template, labels: Mapping[str, str], facts: Facts, window: timedelta | None = None
) -> Measured:  # fmt: skip
    query = _filled(template, labels, window)
    if query:
        return facts.value_of(query[0])
    missing = sorted(name for name in template.variables() if name.startswith("labels.") and name[7:] not in labels)
    why = f"the alert has no {plain(missing[0], 60)}" if missing else "a label of the alert may not stand in a query"
    return Measured(None, why)


def _compared(name: str, measured: Measured, is_: Is) -> Look:
    if measured.value is None:
        return Look(None, f"{name} unknown because {measured.why}")
    return _held(f"{name} {_short(measured.value)}", measured.value, is_)


def _held(text: str, value: float, is_: Is) -> Look:
    met = is_.holds(value)
    wanted = f"{is_.operator} {format_number(is_.threshold)}"
    return Look(met, f"{text} {wanted}" if met else f"{text}, not {wanted}")


def _short(value: float) -> str:
    """Write a number for people: whole from a thousand on, else four digits."""
    return format_number(float(round(value) if 1000 <= abs(value) < 1e15 else float(f"{value:.4g}")))
