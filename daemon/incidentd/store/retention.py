"""Retention: what is over for long enough is removed, a small batch a transaction; what is open is never touched.

Whole chains go, never the end or the middle of one; their heads stay, and the timeline of `SYSTEM` says which chain was
removed up to which entry, so that what was pruned can be told from what was taken away. Postmortems and action items
are kept for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, Text, and_, cast, delete, exists, func, literal, or_, select

from incidentd.pages import SUMMARY
from incidentd.settings import Retention
from incidentd.store import chain, jobs
from incidentd.store import tables as t
from incidentd.store.base import Tx
from incidentd.store.tables import oncall_override, oncall_shift
from incidentd.text import count
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

PRUNE = "prune"
"""The kind and the key of the one job that prunes."""
EVERY = timedelta(hours=1)
_FIRST = timedelta(minutes=1)  # after a start there is more urgent work
_NEXT = timedelta(seconds=1)  # between two batches, so that the writer has time for everything else

BATCH = 500
"""Rows of a table that one transaction removes at most."""
_BYTES = 4 * 1024 * 1024  # of bodies, which may be large
_SUBJECTS = 20

JOBS = timedelta(days=7)
"""How long finished jobs and refused runs stay, for whoever asks why something was not sent, or not done."""
QUARANTINE = timedelta(days=90)
LINKS = timedelta(days=30)
"""How long a used action link is remembered; it works for a day."""

PRUNED = "store.pruned"
"""The kind of `SYSTEM`'s entries that name pruned chains: `chains` maps a subject to the last (seq, hash) removed."""


def keep_pruning(tx: Tx) -> None:
    """See to it that there is the job that prunes."""
    if jobs.live(tx, PRUNE) is None:
        _schedule(tx, _FIRST)


def take_turn(tx: Tx, keep: Retention) -> None:
    """Remove one batch, and come again: soon when there is more, else in an hour."""
    _schedule(tx, _NEXT if prune(tx, keep) else EVERY)


def _schedule(tx: Tx, wait: timedelta) -> None:
    jobs.schedule(tx, queue=jobs.TIMER, kind=PRUNE, subject=SYSTEM, ukey=PRUNE, due_at=tx.now + wait)


def prune(tx: Tx, keep: Retention) -> bool:
    """Remove one batch of what is over for longer than it is kept; say whether there may be more."""
    more = [
        _bodies(tx, tx.now - keep.inbox),
        _alerts(tx, tx.now - keep.alerts),
        _groups(tx, tx.now - keep.alerts),
        _remove(tx, t.alert_event, (row.id for row in _older(tx, t.alert_event, "at", tx.now - keep.alerts))),
        _remove(tx, t.quarantine, (row.id for row in _older(tx, t.quarantine, "at", tx.now - QUARANTINE))),
        _jobs(tx, tx.now - JOBS),
        _remove(tx, t.refusal, (row.id for row in _older(tx, t.refusal, "at", tx.now - JOBS))),
        _links(tx, tx.now - LINKS),
        _remove(tx, oncall_shift, (row.id for row in _older(tx, oncall_shift, "end_at", tx.now - keep.closed))),
        _remove(tx, oncall_override, _over(tx, tx.now - keep.closed)),
        _subjects(tx, tx.now - keep.closed),
        _summaries(tx, tx.now - keep.closed),
    ]
    return any(more)


# -- rows whose ids grow with time -----------------------------------------------------------------------------------


def _older(tx: Tx, table: Table, at: str, before: datetime, *also: ColumnElement[Any]) -> Iterator[Row[Any]]:
    """Give the oldest rows, up to the first that is too young: what is looked at does not grow with the table."""
    last = 0
    while True:
        page = select(table.c.id, table.c[at].label("made"), *also).where(table.c.id > last)
        rows = tx.conn.execute(page.order_by(table.c.id).limit(BATCH)).all()
        for row in rows:
            if row.made >= before:
                return
            yield row
        if len(rows) < BATCH:
            return
        last = rows[-1].id


def _remove(tx: Tx, table: Table, ids: Iterable[int]) -> bool:
    batch = list(islice(ids, BATCH))
    if batch:
        tx.conn.execute(delete(table).where(table.c.id.in_(batch)))
    return len(batch) == BATCH


def _over(tx: Tx, before: datetime) -> Iterator[int]:
    old = select(oncall_override.c.id).where(oncall_override.c.end_at < before).limit(BATCH)
    yield from tx.conn.execute(old).scalars()


def _bodies(tx: Tx, before: datetime) -> bool:
    ids, size = [], 0
    for row in _older(tx, t.inbox, "at", before, t.inbox.c.done, func.length(t.inbox.c.body).label("size")):
        if row.done:
            ids.append(row.id)
            size += row.size
        if len(ids) == BATCH or size >= _BYTES:
            break
    return _remove(tx, t.inbox, ids) or size >= _BYTES


def _jobs(tx: Tx, before: datetime) -> bool:
    ids = []
    for row in _older(tx, t.job, "created_at", before, t.job.c.state, t.job.c.finished_at):
        if row.state != "live" and row.finished_at is not None and row.finished_at < before:
            ids.append(row.id)
        if len(ids) == BATCH:
            break
    return _remove(tx, t.job, ids)


def _links(tx: Tx, before: datetime) -> bool:
    old = select(t.link_use.c.nonce).where(t.link_use.c.at < before).limit(BATCH)
    gone = tx.conn.execute(delete(t.link_use).where(t.link_use.c.nonce.in_(old.scalar_subquery())))
    return gone.rowcount == BATCH


# -- alerts and their groups -----------------------------------------------------------------------------------------


def _alerts(tx: Tx, before: datetime) -> bool:
    """Remove alerts that are resolved, decided, not heard of since, and about nothing that is open."""
    alert, member = t.alert.c, t.member.c
    followed = exists().where(
        member.source == alert.source, member.fingerprint == alert.fingerprint, member.open.is_(True)
    )
    over = and_(
        alert.status == "resolved", alert.changed_at < before, alert.seen_at < before, alert.undecided.is_(False),
        ~followed,
    )  # fmt: skip
    found = select(alert.source, alert.fingerprint).where(over).order_by(alert.changed_at).limit(BATCH)
    of_source: dict[str, list[str]] = defaultdict(list)
    for row in tx.conn.execute(found):
        of_source[row.source].append(row.fingerprint)
    for source, names in of_source.items():
        # `over` again: another replica may have heard of one of them meanwhile
        tx.conn.execute(delete(t.alert).where(alert.source == source, alert.fingerprint.in_(names), over))
        groups = select(t.alert_group.c.id).where(t.alert_group.c.source == source).scalar_subquery()
        gone = t.group_member.c
        tx.conn.execute(delete(t.group_member).where(gone.fingerprint.in_(names), gone.group_id.in_(groups)))
    return sum(len(names) for names in of_source.values()) == BATCH


def _groups(tx: Tx, before: datetime) -> bool:
    """Remove groups that were not heard of since, and of whose alerts none fires."""
    group, member, alert = t.alert_group.c, t.group_member.c, t.alert.c
    fires = (
        exists()
        .where(member.group_id == group.id, member.present.is_(True))
        .where(alert.source == group.source, alert.fingerprint == member.fingerprint, alert.status == "firing")
    )
    ids = list(tx.conn.execute(select(group.id).where(group.seen_at < before, ~fires).limit(BATCH)).scalars())
    if ids:
        tx.conn.execute(delete(t.group_member).where(member.group_id.in_(ids)))
    return _remove(tx, t.alert_group, ids)


# -- holds and incidents ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Over:
    """A hold or an incident (with the hold that it was) that is over."""

    incident: int | None
    hold: int | None
    learned: bool = False
    """It has a postmortem, so its own row stays."""

    @property
    def keys(self) -> list[str]:
        """Their speakable ids."""
        numbered = (("INC", self.incident), ("HOLD", self.hold))
        return [f"{kind}-{number}" for kind, number in numbered if number is not None]


def _key(kind: str, number: ColumnElement[Any]) -> ColumnElement[str]:
    return literal(kind + "-") + cast(number, Text)


def _quiet(key: ColumnElement[str], before: datetime) -> ColumnElement[bool]:
    """Say that nothing happened to this subject since, and nothing is about to."""
    happened = exists().where(t.timeline.c.subject == key, t.timeline.c.at >= before)
    waits = exists().where(t.job.c.subject == key, t.job.c.state == "live")
    paged = exists().where(t.page.c.subject == key, t.page.c.state == "open")
    runs = exists().where(t.playbook_run.c.subject == key, t.playbook_run.c.active.is_(True))
    return and_(~happened, ~waits, ~paged, ~runs)


def _subjects(tx: Tx, before: datetime) -> bool:
    over = [*_over_incidents(tx, before), *_over_holds(tx, before)][:_SUBJECTS]
    if not over:
        return False
    _forget(tx, [key for one in over for key in one.keys])
    rows = [one for one in over if not one.learned]
    incidents = [one.incident for one in rows if one.incident is not None]
    closed = select(t.incident.c.id).where(t.incident.c.id.in_(incidents), t.incident.c.open.is_(False))
    for table in (
        t.record,
        t.update_promise,
        t.stakeholder_update,
        t.role_assignment,
        t.participant,
        t.handover_role,
        t.handover,
        t.postmortem_tag,
    ):
        tx.conn.execute(delete(table).where(table.c.incident_id.in_(closed.scalar_subquery())))
    tx.conn.execute(delete(t.incident).where(t.incident.c.id.in_(incidents), t.incident.c.open.is_(False)))
    held = [one.hold for one in rows if one.hold is not None]
    tx.conn.execute(delete(t.hold).where(t.hold.c.id.in_(held), t.hold.c.open.is_(False)))
    return len(over) == _SUBJECTS


def _over_incidents(tx: Tx, before: datetime) -> list[_Over]:
    it = t.incident.c
    drafted = exists().where(t.postmortem.c.incident_id == it.id)
    learned = or_(drafted, exists().where(t.published.c.incident_id == it.id))
    own, hold = _key("INC", it.id), _key("HOLD", it.hold_id)
    told = exists().where(t.timeline.c.subject.in_([own, hold]))
    over = (
        select(it.id, it.hold_id, learned.label("learned"))
        .where(it.open.is_(False), it.declared_at < before, _quiet(own, before))
        .where(or_(it.hold_id.is_(None), _quiet(hold, before)), or_(~learned, told))
        .order_by(it.id)
        .limit(_SUBJECTS)
    )
    return [_Over(row.id, row.hold_id, row.learned) for row in tx.conn.execute(over)]


def _over_holds(tx: Tx, before: datetime) -> list[_Over]:
    """Find holds that became no incident; those that did go with it."""
    it = t.hold.c
    became = exists().where(t.incident.c.hold_id == it.id)
    over = (
        select(it.id)
        .where(it.open.is_(False), it.ended_at < before, ~became, _quiet(_key("HOLD", it.id), before))
        .order_by(it.id)
        .limit(_SUBJECTS)
    )
    return [_Over(None, row.id) for row in tx.conn.execute(over)]


def _summaries(tx: Tx, before: datetime) -> bool:
    """Remove summary pages of which nothing that joined them is kept any more."""
    it, joined = t.page.alias("summary").c, t.page.alias("joined").c
    over = (
        select(it.subject)
        .where(it.subject.startswith(f"{SUMMARY}-"), it.state != "open", it.started_at < before)
        .where(~exists().where(joined.joined == it.id), _quiet(it.subject, before))
        .limit(_SUBJECTS)
    )
    found = list(tx.conn.execute(over).scalars())
    _forget(tx, found)
    return len(found) == _SUBJECTS


def _forget(tx: Tx, keys: Sequence[str]) -> None:
    """Remove what belongs to these subjects, and keep the heads of the chains that are gone."""
    told = select(t.timeline.c.subject).where(t.timeline.c.subject.in_(keys)).distinct()
    head = t.chain_head.c
    heads = select(head.subject, head.seq, head.hash).where(head.subject.in_(told.scalar_subquery()))
    gone = {row.subject: (row.seq, row.hash) for row in tx.conn.execute(heads.order_by(head.subject))}
    runs = select(t.playbook_run.c.id).where(t.playbook_run.c.subject.in_(keys)).scalar_subquery()
    tx.conn.execute(delete(t.playbook_step).where(t.playbook_step.c.run_id.in_(runs)))
    for table in (t.attached, t.follower, t.graph, t.playbook_run, t.page, t.member, t.tally, t.timeline):
        tx.conn.execute(delete(table).where(table.c.subject.in_(keys)))
    if gone:
        text = f"Pruned {count(len(gone), 'timeline')} of what was over for longer than it is kept."
        chain.append(tx, SYSTEM, INCIDENTD, [Draft(PRUNED, text, {"chains": gone})])
