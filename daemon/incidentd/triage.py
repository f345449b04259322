"""What does this alert deserve? Pure: rules, labels and measured facts in, a decision with its reason out.

book = book_of(settings, now)
wanted = needs(labels, annotations, book)       # what the rules want to know; the engine finds it out
decision = triage(labels, annotations, book, facts)
explain(labels, annotations, book, facts).tried  # each rule that was looked at, and why it did or did not apply
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import Location
from incidentd.holds import HoldPolicy
from incidentd.matchers import Matcher
from incidentd.playbooks import Playbook
from incidentd.rules import CATCH_ALL, Decide, Facts, Grade, LabelMap, Maintenance, RuleIndex, SeverityRule
from incidentd.rules.conditions import Look, Subject
from incidentd.settings import Settings, Source
from incidentd.text import plain

NOTHING_KNOWN = Facts()
ASIDE = ("drill", "maintenance")
"""What stands for a rule when no rule is asked."""
_LONGEST_KEY = 1500
"""Bytes of a correlation key: PostgreSQL takes no row of more than 2,704 into an index."""
_LONGEST_HEADS = 200
"""Characters that a longer key shows of all its values together."""
_MOST_PASSED = 3
"""Rules that matched and whose conditions were not met, of which a reason tells."""


class Fallback(StrEnum):
    """Why no rule of the operator decided; also a metric label."""

    UNMATCHED = "unmatched"
    UNREADABLE_SEVERITY = "unreadable_severity"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule decides about an alert, with everything that is needed to carry it out."""

    decide: Decide
    rule: str
    severity: str
    urgency: str
    reason: str
    """One sentence for people, with the rule's place in its file and what its conditions saw."""
    correlation_key: str
    """Alerts with the same key belong to the same hold or incident."""
    title: str
    service: str
    page: str
    teams: tuple[str, ...]
    playbook: str
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    fallback: Fallback | None = None
    """Set when no rule could decide, and the catch-all held and paged."""
    window: Maintenance | None = None
    """The maintenance that it falls into: it is decided anew when that ends."""

    @property
    def matched(self) -> bool:
        """Whether a rule decided."""
        return self.fallback is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What triage reads: the rules in order, the meaning of labels, and the playbooks that choose alerts themselves."""

    index: RuleIndex
    labels: LabelMap
    playbooks: Mapping[str, Playbook]
    windows: tuple[Maintenance, ...] = ()
    """The maintenance that is on now."""
    catch_all: SeverityRule = CATCH_ALL
    """What decides when no rule can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What has to be found out before an alert can be decided."""

    queries: frozenset[str] = frozenset()
    neighbours: bool = False
    """What else fires at its source."""

    def __bool__(self) -> bool:
        return bool(self.queries) or self.neighbours


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
    """A decision and the way to it. `tried` is empty when the rules were not asked: a drill, or maintenance."""

    decision: Decision
    tried: tuple[Tried, ...]


def book_of(settings: Settings, now: datetime) -> Book:
    """Give the book that the operator's files make at an instant."""
    return Book(
        index=settings.rule_index,
        labels=settings.labels,
        playbooks=settings.playbooks,
        windows=tuple(window for window in settings.maintenance if window.is_on(now)),
        catch_all=_catch_all(settings),
    )


def needs(labels: Mapping[str, str], book: Book) -> Needs:
    """Say what the rules want to know of an alert: those that match, up to the first that wants nothing."""
    if not book.index.asks or _aside(labels, book):
        return Needs()
    queries: set[str] = set()
    neighbours = False
    for rule in book.index.matching(labels):
        if not rule.when:
            break
        for condition in rule.when:
            queries.update(condition.queries(labels))
            neighbours = neighbours or condition.asks_neighbours
    return Needs(queries=frozenset(queries), neighbours=neighbours)


def triage(
    labels: Mapping[str, str], annotations: Mapping[str, str], book: Book, facts: Facts = NOTHING_KNOWN, *,
    earlier: str = "",
) -> Decision:  # fmt: skip
    """Decide about one alert: the first rule that matches and whose conditions are met decides.

    Without any, it is held and paged. For an alert that does not fire any more `earlier` is the rule that decided
    before: it decides again as long as it matches, and no rule that has conditions is asked.
    """
    subject = Subject(labels=labels, annotations=annotations, meaning=book.labels)
    aside = None if earlier and earlier not in ASIDE else _aside(labels, book)
    if aside is not None:
        return _set_aside(subject, book, aside)
    passed: list[str] = []
    for rule in book.index.matching(labels):
        if earlier and rule.name != earlier and rule.when:
            continue
        looks = () if earlier else _look(rule, subject, facts)
        unmet = next((look for look in looks if not _counts(look)), None)
        if unmet is None:
            return _decided(rule, subject, book, looks, passed)
        passed.append(f"{rule.name} did not apply: {unmet.text}")
    return fall_back(labels, annotations, book, Fallback.UNMATCHED)


def explain(
    labels: Mapping[str, str], annotations: Mapping[str, str], book: Book, facts: Facts = NOTHING_KNOWN
) -> Explanation:
    """Decide, and say of every rule up to the one that decided why it did or did not apply."""
    decision = triage(labels, annotations, book, facts)
    if _aside(labels, book) is not None:
        return Explanation(decision=decision, tried=())
    subject = Subject(labels=labels, annotations=annotations, meaning=book.labels)
    tried: list[Tried] = []
    for rule in book.index.rules:
        matched, why = _why(rule, subject, facts)
        tried.append(Tried(rule=rule.name, at=rule.at, matched=matched, why=why))
        if matched:
            break
    return Explanation(decision=decision, tried=tuple(tried))


def of_watchdog(source: Source, labels: Mapping[str, str], decision: Decision) -> Decision | None:
    """Decide nothing about the watchdog of a source that fires: it always does. None when this is not one."""
    if source.watchdog is None or not source.watchdog.matches(labels):
        return None
    reason = f"It is the watchdog of {source.name}: it always fires, and matters when it does not."
    return replace(
        decision, decide=Decide.RECORD, rule="watchdog", reason=reason, correlation_key=f"watchdog:{source.name}",
        page="", playbook="", fallback=None, window=None,
    )  # fmt: skip


def fall_back(labels: Mapping[str, str], annotations: Mapping[str, str], book: Book, why: Fallback) -> Decision:
    """Decide when no rule can: hold for 15 minutes, and page. An alert is never dropped."""
    subject = Subject(labels=labels, annotations=annotations, meaning=book.labels)
    rule, name = book.catch_all, plain(labels.get("alertname", "this alert"), 80)
    failed = why is Fallback.ERROR
    head = f"The rules could not be applied to {name} (the log says why)" if failed else f"No rule matches {name}"
    because = f" {rule.because}" if rule.because else ""
    reason = f"{head}, so it is held and paged.{because}"
    return replace(_decision(rule, rule.grade, subject, book, reason), fallback=why)


def correlation_key(rule: SeverityRule, labels: Mapping[str, str], meaning: LabelMap) -> str:
    """Name what an alert belongs to: the rule and the values of the labels that it correlates by.

    Of values that are too long for an index only their beginnings are left, with the hash of all.
    """
    values = [meaning.value(name, labels) for name in rule.correlate_by]
    key = json.dumps([rule.name, *values], ensure_ascii=False)
    whole = key.encode("utf-8", "surrogatepass")
    if len(whole) <= _LONGEST_KEY:
        return key
    heads = [value[: _LONGEST_HEADS // len(values)] for value in values]
    return json.dumps([rule.name, *heads, hashlib.sha256(whole).hexdigest()], ensure_ascii=False)


def title_of(labels: Mapping[str, str], annotations: Mapping[str, str], meaning: LabelMap) -> str:
    """Give a hold or incident its title: the alert's name and where, with its summary if it has one."""
    name = labels.get("alertname") or "unnamed alert"
    where = [value for what in ("service", "environment") if (value := meaning.value(what, labels))]
    summary = annotations.get("summary") or annotations.get("title") or ""
    head = f"{name} ({', '.join(where)})" if where else name
    return plain(f"{head}: {summary}" if summary else head, 200)


# -- the rules -------------------------------------------------------------------------------------------------------


def _look(rule: SeverityRule, subject: Subject, facts: Facts) -> tuple[Look, ...]:
    return tuple(_as_it_counts(condition.look(subject, facts), condition.unknown) for condition in rule.when)


def _as_it_counts(look: Look, unknown: bool) -> Look:
    if look.met is not None:
        return look
    return Look(unknown, f"{look.text}, which counts as {'met' if unknown else 'not met'}")


def _counts(look: Look) -> bool:
    return look.met is True


def _decided(
    rule: SeverityRule, subject: Subject, book: Book, looks: tuple[Look, ...], passed: list[str]
) -> Decision:  # fmt: skip
    grade: Grade | None = rule.grade
    said = ""
    if rule.from_label is not None:
        value = book.labels.value(rule.from_label.label, subject.labels)
        grade = rule.from_label.grade(value)
        said = f"; its {rule.from_label.label} is {plain(value, 40)!r}"
    if grade is None:
        return _unreadable(rule, subject, book)
    saw = "".join(f"; {look.text}" for look in looks)
    before = f" {'; '.join(passed[:_MOST_PASSED])}." if passed else ""
    because = f" {rule.because}" if rule.because else ""
    at = f"{rule.at.file}:{rule.at.line}"
    reason = f"Rule {rule.name} ({at}) says {grade.decide}: matches {rule.found}{said}{saw}.{because}{before}"
    return _decision(rule, grade, subject, book, reason)


def _unreadable(rule: SeverityRule, subject: Subject, book: Book) -> Decision:
    """Decide about an alert whose rule asks a label for the severity, and the label says none."""
    label = rule.from_label.label if rule.from_label else ""
    value = book.labels.value(label, subject.labels)
    says = f"says {plain(value, 40)!r}, which is no severity here" if value else "is missing"
    stand_in = replace(
        book.catch_all, name=rule.name, page=rule.page or book.catch_all.page, teams=rule.teams,
        correlate_by=rule.correlate_by, at=rule.at,
    )  # fmt: skip
    reason = (
        f"Rule {rule.name} ({rule.at.file}:{rule.at.line}) takes the severity from the label {label}, which {says}, "
        "so it is held and paged."
    )
    decision = _decision(stand_in, stand_in.grade, subject, book, reason)
    return replace(decision, fallback=Fallback.UNREADABLE_SEVERITY)


def _decision(rule: SeverityRule, grade: Grade, subject: Subject, book: Book, reason: str) -> Decision:
    labels = subject.labels
    return Decision(
        decide=grade.decide,
        rule=rule.name,
        severity=grade.severity,
        urgency=grade.urgency,
        reason=reason,
        correlation_key=correlation_key(rule, labels, book.labels),
        title=title_of(labels, subject.annotations, book.labels),
        service=book.labels.value("service", labels),
        page=rule.page,
        teams=rule.teams or ((team,) if (team := book.labels.value("team", labels)) else ()),
        playbook=rule.playbook or _playbook_for(labels, book.playbooks.values()),
        hold=grade.holds(rule.hold),
    )


def _why(rule: SeverityRule, subject: Subject, facts: Facts) -> tuple[bool, str]:
    for matcher in rule.match:
        if not matcher.matches(subject.labels):
            has = subject.labels.get(matcher.name)
            return False, f"{matcher} does not match: " + (
                f"there is no {plain(matcher.name, 60)}" if has is None else f"it is {plain(has, 60)!r}"
            )
    looks = _look(rule, subject, facts)
    unmet = next((look for look in looks if not _counts(look)), None)
    if unmet is not None:
        return False, f"matches {rule.found}, but {unmet.text}"
    return True, "; ".join([f"matches {rule.found}", *(look.text for look in looks)])


def _playbook_for(labels: Mapping[str, str], playbooks: Iterable[Playbook]) -> str:
    return next((p.name for p in playbooks if p.match and _all_match(p.match, labels)), "")


def _all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


# -- what no rule is asked about -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Aside:
    rule: str
    reason: str
    window: Maintenance | None = None


def _aside(labels: Mapping[str, str], book: Book) -> _Aside | None:
    """Say why an alert is only written down: a drill, or maintenance."""
    if book.labels.says_yes("drill", labels):
        return _Aside("drill", "It is a drill: its labels say so, and it is only written down.")
    window = next((one for one in book.windows if one.matches(labels)), None)
    if window is None:
        return None
    because = f" {window.because}" if window.because else ""
    until = window.ends.strftime("%Y-%m-%d %H:%M UTC")
    text = f"Maintenance {window.name} ({window.at.file}:{window.at.line}) is on until {until}, so it is only written"
    return _Aside("maintenance", f"{text} down; if it still fires then, it is decided anew.{because}", window)


def _set_aside(subject: Subject, book: Book, aside: _Aside) -> Decision:
    grade = replace(book.catch_all.grade, decide=Decide.RECORD)
    decision = _decision(book.catch_all, grade, subject, book, aside.reason)
    key = json.dumps([aside.rule, aside.window.name if aside.window else ""], ensure_ascii=False)
    return replace(decision, rule=aside.rule, page="", playbook="", correlation_key=key, window=aside.window)


def _catch_all(settings: Settings) -> SeverityRule:
    """Give what decides when no rule can: the built-in one, in the operator's own words where there are some."""
    last = settings.rules[-1] if settings.rules else CATCH_ALL
    own = last if last.takes_everything and last.from_label is None and last.page else CATCH_ALL
    hold = replace(own.hold, no_progress_after=min(own.hold.no_progress_after, timedelta(minutes=15)))
    graded = [one.name for one in settings.severities.values() if one.decide is Decide.HOLD]
    severity = own.severity if own.severity in settings.severities else [*settings.severities, *graded][-1]
    return replace(own, decide=Decide.HOLD, severity=severity, hold=hold, because=own.because or CATCH_ALL.because)
