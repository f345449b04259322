"""Incidents that come again, what fixed them the last times, and whether what was done afterwards helped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from incidentd.actionitems import ActionItem, Effect, ItemState, ItemType
from incidentd.durations import about
from incidentd.incidents import Incident
from incidentd.report.automating import same
from incidentd.report.detecting import real
from incidentd.report.finding import Finding, Kind, Table, keys
from incidentd.report.history import History
from incidentd.report.limits import ITEM_EFFECT, LAST, REPEATS, REPEATS_OWED
from incidentd.text import count, instant, plain

_MEANT_TO_PREVENT = frozenset({ItemType.PREVENT, ItemType.REPAIR, ItemType.AUTOMATE})


@dataclass(frozen=True, slots=True)
class Print:
    """By what incidents are the same: the service, the names of their alerts, and the cause that was named."""

    service: str
    alerts: frozenset[str]
    cause: str

    @property
    def what(self) -> tuple[str, frozenset[str]]:
        """All but the cause: what is equal of all that are the same."""
        return self.service, self.alerts

    def fits(self, other: Print) -> bool:
        """Say whether both may be the same."""
        return self.what == other.what and bool(self.alerts) and self.may_be_of(other.cause)

    def may_be_of(self, cause: str) -> bool:
        """Say whether it may have that cause; one that nobody named contradicts none."""
        return self.cause == cause or not self.cause or not cause


def print_of(incident: Incident, history: History) -> Print:
    """Give by what an incident is known again."""
    known = (history.alerts.get(key) for key in history.members.get(incident.key, ()))
    names = frozenset(it.labels.get("alertname", "") for it in known if it is not None)
    return Print(incident.service, names or history.earlier_names.get(incident.key, names), same(incident.cause))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Incidents that are the same, in the order in which they were declared."""

    mark: Print
    incidents: tuple[Incident, ...]

    @property
    def name(self) -> str:
        """Its name for people."""
        return f"{', '.join(sorted(self.mark.alerts))}" + (f" ({self.mark.service})" if self.mark.service else "")


def families(history: History) -> tuple[_Family, ...]:
    """Gather incidents that are the same; one joins the first family that it fits."""
    return _gathered(history.incidents, history)


def _gathered(incidents: Iterable[Incident], history: History) -> tuple[_Family, ...]:
    found: list[tuple[Print, list[Incident]]] = []
    alike: dict[tuple[str, frozenset[str]], list[int]] = defaultdict(list)
    for incident in sorted(filter(real, incidents), key=lambda one: one.declared_at):
        mark = print_of(incident, history)
        if not mark.alerts:
            continue
        numbers = alike[mark.what]  # a year has thousands, and only these can fit
        number = next((n for n in numbers if mark.fits(found[n][0])), None)
        if number is None:
            numbers.append(len(found))
            found.append((mark, [incident]))
            continue
        other, its = found[number]
        its.append(incident)
        found[number] = (other if other.cause else mark, its)
    return tuple(_Family(mark=mark, incidents=tuple(its)) for mark, its in found)


def repeats(history: History) -> Iterator[Finding]:
    """Find what came three times, or twice although what was promised after the first time is overdue."""
    today = history.until.date()
    items: dict[str, list[ActionItem]] = defaultdict(list)
    for item in history.items:
        items[history.whole_of(item.subject)].append(item)
    for family in families(history):
        its = family.incidents
        owed = [item for one in its[:-1] for item in items[one.key] if _overdue(item, today)]
        if len(its) < (REPEATS_OWED if owed else REPEATS):
            continue
        worst = min(owed, key=lambda item: item.due or today, default=None)
        promised = f" {_owed(worst, today)}" if worst else " Nothing that was promised afterwards is overdue."
        last = its[-1]
        yield Finding(
            kind=Kind.REPEAT, about=family.name, why=("overdue_item",) if owed else ("times",),
            says=f"It came {len(its)} times, the last time as {last.key} ({instant(last.declared_at)}).{promised}",
            evidence=keys([*(item.key for item in owed), *(one.key for one in its)]),
            propose=f"Do {worst.key} now." if worst else f"Agree on what prevents it, with {last.key}'s postmortem.",
            weight=len(its),
        )  # fmt: skip


def _overdue(item: ActionItem, today: date) -> bool:
    return item.is_open and item.due is not None and item.due < today


def _owed(item: ActionItem, today: date) -> str:
    late = (today - (item.due or today)).days
    return f"{item.key} of {item.subject} ({item.priority}, {plain(item.title, 100)}) is {count(late, 'day')} overdue."


# -- known issues ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of something at the time of its page: how it was fixed the last times."""

    times: int
    fixed: tuple[str, ...]
    """Of the last times, the newest first: what fixed it, who said so, and how long it took."""
    always: str = ""
    """What fixed it each of these times, when that was the same."""


def known_issue(past: Iterable[Incident]) -> Known | None:
    """Say what fixed the last three of these; None when nobody ever said what did.

    `past` are incidents that are the same thing: of the same correlation key, or of one family.
    """
    said = [one for one in past if real(one) and one.resolution.strip() and one.mitigated_at is not None]
    last = sorted(said, key=lambda one: one.declared_at)[-LAST:]
    if not last:
        return None
    alike = {same(one.resolution) for one in last}
    always = last[-1].resolution if len(last) == LAST and len(alike) == 1 else ""
    fixed = tuple(_fixed(one) for one in reversed(last))
    return Known(times=len(said), fixed=fixed, always=plain(always, 200))


def _fixed(one: Incident) -> str:
    took = about(max((one.mitigated_at or one.declared_at) - one.declared_at, timedelta(0)))
    who = f", {plain(one.commander, 80)} had it" if one.commander else ""
    return f"{one.key} ({instant(one.declared_at)}): {plain(one.resolution, 200)} ({took}{who})"


def known_issues(history: History) -> Iterator[Finding]:
    """Find what was fixed by the same thing the last three times: a page may say so at once."""
    for family in families(history):
        known = known_issue(family.incidents)
        if known is None or not known.always:
            continue
        yield Finding(
            kind=Kind.KNOWN, about=family.name, why=("same_fix",),
            says=f"The last {LAST} times the same fixed it: {known.always}",
            evidence=keys(one.key for one in family.incidents if one.resolution.strip()),
            propose="Write it into the runbook as the first thing to try, or let a playbook suggest it.",
            weight=known.times,
        )  # fmt: skip


# -- action items ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """An item that was done to prevent something, and what came again since then, in order."""

    item: ActionItem
    at: datetime
    came: tuple[Incident, ...]

    @property
    def late(self) -> tuple[Incident, ...]:
        """What came after it had time to work."""
        return tuple(one for one in self.came if one.declared_at > self.at + ITEM_EFFECT)

    @property
    def ineffective(self) -> bool:
        """Whether it was looked at when it had time to work, and had not."""
        return self.item.effect is Effect.INEFFECTIVE

    def verdict(self, now: datetime) -> str:
        """Say whether it helped."""
        if self.late:
            return "came again"
        if self.came or self.ineffective:
            return f"came again within {count(ITEM_EFFECT.days, 'day')}"
        over = self.item.effect is Effect.VERIFIED or now - self.at > ITEM_EFFECT
        return "did not come again" if over else "too early to say"


def effects(done: Iterable[_Done], history: History) -> Iterator[Finding]:
    """Find action items after which the same came again, later than thirty days after they were done.

    What came again sooner is found when it was looked at, thirty days after the item was done.
    """
    for it in done:
        looked_at = it.ineffective and it.at + ITEM_EFFECT >= history.since
        if not looked_at and not any(one.declared_at >= history.since for one in it.late):
            continue
        again = (
            f"the same came again {about(it.came[0].declared_at - it.at)} later, {count(len(it.came), 'time')} so far."
            if it.came
            else f"its alerts came again within {count(ITEM_EFFECT.days, 'day')}."
        )
        yield Finding(
            kind=Kind.EFFECT, about=it.item.key, why=("came_again",),
            says=f"{plain(it.item.title, 100)} was done at {instant(it.at)}, and {again}",
            evidence=keys([it.item.key, it.item.subject, *(one.key for one in it.came)]),
            propose=f"Open {it.item.key} again, or find what else causes it.", weight=max(len(it.came), 1),
        )  # fmt: skip


def effect_table(done: Iterable[_Done], history: History) -> Table:
    """Say of each item that is done whether it came again since; what was over and told before is left out."""
    rows = tuple(
        (it.item.key, it.item.subject, instant(it.at), it.verdict(history.until))
        for it in done
        if it.at + ITEM_EFFECT >= history.since or any(one.declared_at >= history.since for one in it.came)
    )
    head = ("Action item", "Incident", "Done", "Effect")
    return Table(name="action_item_effect", title="Effect of action items", head=head, rows=rows)


def tried(history: History) -> Iterator[_Done]:
    """Give each item that was done to prevent something, when, and what came again."""
    done = [item for item in history.items if item.state is ItemState.DONE and item.type in _MEANT_TO_PREVENT]
    kin = _Kin(history) if done else None
    for item in sorted(done, key=lambda item: item.id):
        at = item.done_at or history.done.get(item.key)
        if kin is None or at is None or not kin.knows(item.subject):
            continue
        yield _Done(item=item, at=at, came=kin.again(item.subject, at))


class _Kin:
    """Finds what is the same as an incident, however long before the history's begin it was.

    Of one that was merged that is what is the same as itself, or as what it is a part of.
    """

    def __init__(self, history: History) -> None:
        known = sorted((*history.earlier, *history.incidents), key=lambda one: one.declared_at)
        every = [one for one in known if real(one)]
        self._whole_of = history.whole_of
        self._real = {one.key for one in every}
        self._known = {one.key: one for one in known}
        self._prints = {one.key: print_of(one, history) for one in known}
        self._alike: dict[tuple[str, frozenset[str]], list[_Family]] = defaultdict(list)
        for family in _gathered(every, history):
            self._alike[family.mark.what].append(family)
        self._correlated: dict[tuple[str, str], list[Incident]] = defaultdict(list)
        for one in every:
            self._correlated[one.source, one.correlation_key].append(one)

    def knows(self, key: str) -> bool:
        """Say whether it is, or is part of, a known incident, and anything could be known again of it."""
        if self._whole_of(key) not in self._real:
            return False
        return any(self._prints[one.key].alerts or one.correlation_key for one in self._sides(key))

    def again(self, key: str, since: datetime) -> tuple[Incident, ...]:
        """Give what is the same and was declared later than that, in order; never what it is itself a part of."""
        its = {it.key: it for one in self._sides(key) for it in self._same(one) if it.declared_at > since}
        its.pop(self._whole_of(key), None)
        return tuple(sorted(its.values(), key=lambda it: (it.declared_at, it.id)))

    def _sides(self, key: str) -> list[Incident]:
        """Give the incident that it is part of, and itself, as far as they are known."""
        return [self._known[it] for it in dict.fromkeys((self._whole_of(key), key)) if it in self._known]

    def _same(self, one: Incident) -> Iterator[Incident]:
        """Give what is the same; by its correlation key where names of alerts may be kept no longer."""
        mark = self._prints[one.key]
        family = next((it for it in self._alike.get(mark.what, ()) if mark.fits(it.mark)), None)
        yield from family.incidents if family is not None else ()
        for it in self._correlated[one.source, one.correlation_key] if one.correlation_key else ():
            other = self._prints[it.key]
            alike = mark.alerts <= other.alerts or other.alerts <= mark.alerts
            if alike and mark.may_be_of(other.cause):
                yield it
