"""Incidents that come again, what fixed them the last times, and whether what was done afterwards helped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from incidentd.actionitems import ActionItem, ItemState, ItemType
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

    def fits(self, other: Print) -> bool:
        """Say whether both may be the same; a cause that nobody named contradicts none."""
        if (self.service, self.alerts) != (other.service, other.alerts) or not self.alerts:
            return False
        return self.cause == other.cause or not self.cause or not other.cause


def print_of(incident: Incident, history: History) -> Print:
    """Give by what an incident is known again."""
    known = (history.alerts.get(key) for key in history.members.get(incident.key, ()))
    names = frozenset(it.labels.get("alertname", "") for it in known if it is not None)
    return Print(incident.service, names, same(incident.cause))


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
    found: list[tuple[Print, list[Incident]]] = []
    for incident in sorted(filter(real, history.incidents), key=lambda one: one.declared_at):
        mark = print_of(incident, history)
        if not mark.alerts:
            continue
        number = next((n for n, (other, _) in enumerate(found) if mark.fits(other)), None)
        if number is None:
            found.append((mark, [incident]))
            continue
        other, its = found[number]
        found[number] = (other if other.cause else mark, [*its, incident])
    return tuple(_Family(mark=mark, incidents=tuple(its)) for mark, its in found)


def repeats(history: History) -> Iterator[Finding]:
    """Find what came three times, or twice although what was promised after the first time is overdue."""
    today = history.until.date()
    items: dict[str, list[ActionItem]] = defaultdict(list)
    for item in history.items:
        items[item.subject].append(item)
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


def effects(history: History) -> Iterator[Finding]:
    """Find action items after which the same came again, later than thirty days after they were done."""
    for item, done, again in _done(history):
        if again:
            yield Finding(
                kind=Kind.EFFECT, about=item.key, why=("came_again",),
                says=(
                    f"{plain(item.title, 100)} was done at {instant(done)}, and the same came again "
                    f"{about(again[0].declared_at - done)} later, {count(len(again), 'time')} so far."
                ),
                evidence=keys([item.key, item.subject, *(one.key for one in again)]),
                propose=f"Open {item.key} again, or find what else causes it.", weight=len(again),
            )  # fmt: skip


def effect_table(history: History) -> Table:
    """Say of each item that is done whether it came again since."""
    rows = tuple(
        (item.key, item.subject, instant(done), "came again" if again else _verdict(done, history.until))
        for item, done, again in _done(history)
    )
    head = ("Action item", "Incident", "Done", "Effect")
    return Table(name="action_item_effect", title="Effect of action items", head=head, rows=rows)


def _verdict(done: datetime, now: datetime) -> str:
    return "did not come again" if now - done > ITEM_EFFECT else "too early to say"


def _done(history: History) -> Iterator[tuple[ActionItem, datetime, Sequence[Incident]]]:
    """Give each item that was done to prevent something, when, and what came again after it had time to work."""
    of: Mapping[str, _Family] = {one.key: family for family in families(history) for one in family.incidents}
    for item in sorted(history.items, key=lambda item: item.id):
        done, family = history.done.get(item.key), of.get(item.subject)
        if item.state is not ItemState.DONE or item.type not in _MEANT_TO_PREVENT or done is None or family is None:
            continue
        yield item, done, [one for one in family.incidents if one.declared_at > done + ITEM_EFFECT]
