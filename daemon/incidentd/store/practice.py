"""What the reports read of a stretch of time: whole tables at once, and never more of one than is said here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, and_, bindparam, func, or_, select, tuple_

from incidentd.actionitems import ActionItem, ItemState
from incidentd.alerts import Change as Became
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.oncall import Roster, Shift, joined, shifts_between
from incidentd.pages import Page
from incidentd.playbooks import Run, RunState
from incidentd.records import Change
from incidentd.report import AlertKey, Deed, Firing, History, KnownAlert
from incidentd.report.limits import LONGEST
from incidentd.store import rota
from incidentd.store.base import Tx, load
from incidentd.store.merged import MERGED
from incidentd.store.tables import (
    action_item,
    alert,
    alert_event,
    hold,
    incident,
    member,
    page,
    playbook_run,
    record,
    timeline,
)

T = TypeVar("T")

MOST = 20_000
"""Rows of one kind that are read at most, the newest ones; 200,000 of changes of alerts."""
_MOST_CHANGES = 10 * MOST
_AT_ONCE = 500
ITEM_DONE = "item.done"
"""The kind of the entry that says that an action item is done; its data names the item."""

_HOLDS = (
    select(hold.c.body)
    .where(hold.c.opened_at <= bindparam("until"), or_(hold.c.ended_at >= bindparam("since"), hold.c.open.is_(True)))
    .order_by(hold.c.id.desc())
    .limit(bindparam("most"))
)
_INCIDENTS = (
    select(incident.c.body)
    .where(incident.c.declared_at >= bindparam("since"), incident.c.declared_at <= bindparam("until"))
    .where(incident.c.drill.is_(False))
    .order_by(incident.c.id.desc())
    .limit(bindparam("most"))
)
_EARLIER = (
    select(incident.c.body)
    .where(incident.c.declared_at >= bindparam("earliest"), incident.c.declared_at < bindparam("since"))
    .where(incident.c.drill.is_(False))
    .order_by(incident.c.id.desc())
    .limit(bindparam("most"))
)
_PAGES = (
    select(page.c.body)
    .where(page.c.started_at >= bindparam("since"), page.c.started_at <= bindparam("until"))
    .order_by(page.c.id.desc())
    .limit(bindparam("most"))
)
_RUNS = (
    select(playbook_run.c.body)
    .where(playbook_run.c.started_at >= bindparam("since"), playbook_run.c.started_at <= bindparam("until"))
    .where(playbook_run.c.state != RunState.REFUSED.value)
    .order_by(playbook_run.c.id.desc())
    .limit(bindparam("most"))
)
_ITEMS = (
    select(action_item.c.body)
    .where(action_item.c.subject != "")
    .order_by(action_item.c.id.desc())
    .limit(bindparam("most"))
)
_LAST_RUNS = (
    select(playbook_run.c.playbook, func.max(playbook_run.c.started_at).label("at"))
    .where(playbook_run.c.state.in_([RunState.VERIFIED, RunState.DONE, RunState.FAILED, RunState.VERIFY_FAILED]))
    .group_by(playbook_run.c.playbook)
)
_MEMBERS = (
    select(member.c.subject, member.c.source, member.c.fingerprint)
    .where(member.c.subject.in_(bindparam("of", expanding=True)))
    .order_by(member.c.subject, member.c.joined_at, member.c.fingerprint)
)
_NAMES = (
    select(member.c.subject, alert.c.labels)
    .join(alert, and_(alert.c.source == member.c.source, alert.c.fingerprint == member.c.fingerprint))
    .where(member.c.subject.in_(bindparam("of", expanding=True)))
)
_ALERT = select(
    alert.c.source, alert.c.fingerprint, alert.c.labels, alert.c.annotations, alert.c.decision, alert.c.rule
)
_ALERTS = (
    _ALERT.where(alert.c.changed_at >= bindparam("since"))
    .order_by(alert.c.changed_at.desc(), alert.c.fingerprint)
    .limit(bindparam("most"))
)
_THESE = _ALERT.where(tuple_(alert.c.source, alert.c.fingerprint).in_(bindparam("keys", expanding=True)))
_NOTES = (
    select(timeline.c.subject, timeline.c.at, timeline.c.actor, timeline.c.text)
    .where(timeline.c.subject.in_(bindparam("of", expanding=True)), timeline.c.kind == "note")
    .where(timeline.c.via.not_in(["time", "rule", "playbook", "alertmanager"]))
)
_DONE = (
    select(timeline.c.at, timeline.c.data)
    .where(timeline.c.subject.in_(bindparam("of", expanding=True)), timeline.c.kind == ITEM_DONE)
    .order_by(timeline.c.at)
)
_CHANGES = (
    select(record.c.incident_id, record.c.body)
    .where(record.c.incident_id.in_(bindparam("of", expanding=True)), record.c.kind == "change")
    .where(record.c.version == 1)
)
_EVENTS = (
    select(
        alert_event.c.source, alert_event.c.fingerprint, alert_event.c.change, alert_event.c.starts_at,
        alert_event.c.ends_at, alert_event.c.at,
    )
    .where(alert_event.c.at >= bindparam("since"), alert_event.c.at <= bindparam("until"))
    .order_by(alert_event.c.id.desc())
    .limit(bindparam("most"))
)  # fmt: skip
_FIRST = (
    select(func.min(hold.c.opened_at)),
    select(func.min(incident.c.declared_at)),
    select(func.min(page.c.started_at)),
)
_BEGINS = frozenset({Became.FIRED, Became.REFIRED, Became.ECHO, Became.FOUND, Became.CONFIRMED})
_ENDS = frozenset({Became.RESOLVED, Became.UNSEEN, Became.GONE})


def history(tx: Tx, roster: Roster, since: datetime) -> History:
    """Read what happened since then, in a few statements; drills are left out, and `cut` says what there is more of."""
    reads = _Reads(tx, since)
    incidents = reads.bodies(_INCIDENTS, Incident, "incidents")
    found_holds = reads.bodies(_HOLDS, Hold, "holds")
    subjects = [*(one.key for one in found_holds), *(one.key for one in incidents)]
    members = _members(tx, subjects)
    items = reads.bodies(_ITEMS, ActionItem, "action items")
    done = any(item.state is ItemState.DONE for item in items)
    earlier = reads.bodies(_EARLIER, Incident, "earlier incidents") if done else ()
    return History(
        since=since, until=tx.now, begins=_begins(tx), holds=found_holds, incidents=incidents,
        earlier=earlier, earlier_names=_names(tx, [one.key for one in earlier]),
        pages=tuple(one for one in reads.bodies(_PAGES, Page, "pages") if not one.drill),
        runs=reads.bodies(_RUNS, Run, "playbook runs"), items=items, merged=_merged(tx, items),
        done=_done(tx, items),
        alerts=reads.alerts(key for its in members.values() for key in its), firings=reads.firings(),
        members=members, deeds=_deeds(tx, subjects, incidents), shifts=_shifts(tx, roster, since),
        last_runs={row.playbook: row.at for row in tx.conn.execute(_LAST_RUNS)}, cut=tuple(reads.cut),
    )  # fmt: skip


class _Reads:
    """Reads tables, and notes which of them had more than is read."""

    def __init__(self, tx: Tx, since: datetime) -> None:
        self._tx = tx
        self._since = since
        self.cut: list[str] = []

    def bodies(self, query: Select[Any], kind: type[T], called: str) -> tuple[T, ...]:
        """Read nouns, the oldest first."""
        return tuple(load(row.body, kind) for row in self._rows(query, MOST, called))

    def alerts(self, needed: Iterable[AlertKey]) -> Mapping[AlertKey, KnownAlert]:
        """Read the alerts that changed, and of those that did not the ones that are needed."""
        found = {it.key: it for it in map(_known, self._rows(_ALERTS, MOST, "alerts"))}
        lacking = sorted(set(needed) - found.keys())
        return found | {it.key: it for it in map(_known, _in_parts(self._tx, _THESE, "keys", lacking))}

    def firings(self) -> tuple[Firing, ...]:
        """Read each time that an alert fired."""
        return tuple(_firings(self._rows(_EVENTS, _MOST_CHANGES, "changes of alerts")))

    def _rows(self, query: Select[Any], most: int, called: str) -> Sequence[Any]:
        wanted = query.compile().params
        now = self._tx.now
        values = {"since": self._since, "until": now, "earliest": now - LONGEST, "most": most + 1}
        rows = self._tx.conn.execute(query, {name: at for name, at in values.items() if name in wanted}).all()
        if len(rows) > most:
            self.cut.append(f"{called}: only the newest {most}")
        return rows[:most][::-1]


def _firings(rows: Iterable[Any]) -> Iterator[Firing]:
    """Pair the beginnings and ends of each alert; one whose beginning is older than the history is left out."""
    began: dict[AlertKey, datetime] = {}
    found: list[Firing] = []
    for row in rows:
        key, change = (row.source, row.fingerprint), Became(row.change)
        if change in _BEGINS:
            if key in began and change is Became.REFIRED:
                found.append(Firing(key=key, began=began[key], ended=row.starts_at))
                began[key] = row.starts_at
            began.setdefault(key, row.starts_at)
        elif change in _ENDS and key in began:
            found.append(Firing(key=key, began=began.pop(key), ended=row.ends_at or row.at))
    found += [Firing(key=key, began=at, ended=None) for key, at in began.items()]
    yield from sorted(found, key=lambda it: (it.began, it.key))


def _in_parts(tx: Tx, query: Select[Any], name: str, values: Sequence[Any]) -> Iterator[Any]:
    for first in range(0, len(values), _AT_ONCE):
        yield from tx.conn.execute(query, {name: list(values[first : first + _AT_ONCE])})


def _members(tx: Tx, subjects: Sequence[str]) -> Mapping[str, tuple[AlertKey, ...]]:
    found: dict[str, list[AlertKey]] = defaultdict(list)
    for row in _in_parts(tx, _MEMBERS, "of", subjects):
        found[row.subject].append((row.source, row.fingerprint))
    return {subject: tuple(its) for subject, its in found.items()}


def _names(tx: Tx, subjects: Sequence[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in _in_parts(tx, _NAMES, "of", subjects):
        found[row.subject].add(row.labels.get("alertname", ""))
    return {subject: frozenset(names) for subject, names in found.items()}


def _known(row: Any) -> KnownAlert:
    return KnownAlert(
        key=(row.source, row.fingerprint), labels=row.labels, annotations=row.annotations, decision=row.decision,
        rule=row.rule,
    )  # fmt: skip


def _deeds(tx: Tx, subjects: Sequence[str], incidents: Sequence[Incident]) -> tuple[Deed, ...]:
    notes = [
        Deed(subject=row.subject, at=row.at, text=row.text.removeprefix(f"{row.actor}: "))
        for row in _in_parts(tx, _NOTES, "of", subjects)
    ]
    changes = [
        Deed(subject=f"INC-{row.incident_id}", at=it.made_at, text=it.what, change=True)
        for row in _in_parts(tx, _CHANGES, "of", [one.id for one in incidents])
        if not (it := load(row.body, Change)).run
    ]
    return tuple(sorted([*notes, *changes], key=lambda it: (it.at, it.subject)))


def _done(tx: Tx, items: Sequence[ActionItem]) -> Mapping[str, datetime]:
    subjects = sorted({item.subject for item in items})
    return {str(row.data.get("item", "")): row.at for row in _in_parts(tx, _DONE, "of", subjects)}


def _merged(tx: Tx, items: Sequence[ActionItem]) -> Mapping[str, str]:
    """Read what the incidents of these were merged into, and what that was merged into."""
    found: dict[str, str] = {}
    wanted = {int(item.subject.removeprefix("INC-")) for item in items if item.subject.startswith("INC-")}
    seen: set[int] = set()
    while wanted:
        seen |= wanted
        its = [load(row.body, Incident) for row in _in_parts(tx, MERGED, "numbers", sorted(wanted))]
        merges = {one.key: one.merge.into for one in its if one.merge is not None}
        found |= {key: f"INC-{into}" for key, into in merges.items()}
        wanted = set(merges.values()) - seen
    return found


def _shifts(tx: Tx, roster: Roster, since: datetime) -> Mapping[str, tuple[Shift, ...]]:
    then = rota.between(tx, roster, since, tx.now)
    return {
        name: tuple(joined(shifts_between(schedule, since, tx.now, then.people)))
        for name, schedule in then.schedules.items()
    }


def _begins(tx: Tx) -> datetime | None:
    return min((at for query in _FIRST if (at := tx.conn.execute(query).scalar()) is not None), default=None)
