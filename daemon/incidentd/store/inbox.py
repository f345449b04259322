"""Unpacking: from the bodies in the inbox to the known state of alerts, set by set, never alert by alert."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from incidentd.alerts import DECIDABLE, Alert, AlertGroup, AlertStatus, Change, Known, age, merge, parse_group
from incidentd.errors import BodyRefused
from incidentd.metrics import Metrics
from incidentd.store import groups, locks
from incidentd.store.base import Tx, both
from incidentd.store.bulk import AT_ONCE, parts
from incidentd.store.tables import alert, alert_event, inbox, member, quarantine

BODIES = 64
ALERTS = 100
"""In a batch of bodies, so that its transaction takes about ten milliseconds: receipts wait for no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One body of the inbox, read."""

    id: int
    source: str
    at: datetime
    group: AlertGroup | None
    """None when it can no longer be read; it was checked at the door, so this is a fault of ours, and is kept."""
    refused: str = ""


_NEW = select(inbox.c.id, inbox.c.source, inbox.c.at, inbox.c.body).where(inbox.c.done.is_(False))
# a few at a time, since what exceeds a batch is not to be fetched
_NEXT = _NEW.order_by(inbox.c.id).limit(bindparam("most")).execution_options(stream_results=True, max_row_buffer=16)
_DONE = (
    update(inbox)
    .where(inbox.c.id.in_(bindparam("deliveries", expanding=True)), inbox.c.done.is_(False))
    .values(done=True)
)
_EVENT = alert_event.insert()
_QUARANTINE = quarantine.insert()
_STILL_NEW = select(inbox.c.id).where(inbox.c.id.in_(bindparam("deliveries", expanding=True)), inbox.c.done.is_(False))
_THESE = (alert.c.source == bindparam("of_source"), alert.c.fingerprint.in_(bindparam("fingerprints", expanding=True)))
# locked, where others write too, and in one order everywhere, so that nobody waits for another in a circle
_KNOWN = (
    select(alert.c.fingerprint, alert.c.status, alert.c.starts_at, alert.c.ends_at, alert.c.version)
    .where(*_THESE)
    .order_by(alert.c.fingerprint)
    .with_for_update()
)
_PUT = both(
    lambda insert: (
        (new := insert(alert)).on_conflict_do_update(
            index_elements=["source", "fingerprint"],
            set_={
                name: getattr(new.excluded, name)
                for name in (
                    "status", "starts_at", "ends_at", "labels", "annotations", "generator_url", "seen_at",
                    "changed_at", "version", "change", "undecided",
                )
            },
        )
    )
)  # fmt: skip
_SEEN = (
    update(alert)
    .where(alert.c.source == bindparam("b_source"), alert.c.fingerprint == bindparam("b_fingerprint"))
    .values(seen_at=bindparam("b_at"), annotations=bindparam("b_annotations"))
)
# what changed last, and whether somebody decided about it, stays: other times are nothing to decide about
_CORRECTED = _SEEN.values(starts_at=bindparam("b_starts"), ends_at=bindparam("b_ends"))


def next_deliveries(tx: Tx) -> list[Delivery]:
    """Read the oldest bodies that were not unpacked yet, a batch's worth of them."""
    deliveries: list[Delivery] = []
    alerts = 0
    with tx.conn.execute(_NEXT, {"most": BODIES}) as rows:
        for row in rows:
            deliveries.append(_read(row))
            alerts += 0 if (group := deliveries[-1].group) is None else len(group.alerts)
            if alerts >= ALERTS:
                break
    return deliveries


def _read(row: Any) -> Delivery:
    try:
        return Delivery(id=row.id, source=row.source, at=row.at, group=parse_group(row.body))
    except BodyRefused as error:
        return Delivery(id=row.id, source=row.source, at=row.at, group=None, refused=str(error))


class _Batch:
    """The state of the alerts of one batch, as it becomes body by body."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Known] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.changed: dict[tuple[str, str], dict[str, Any]] = {}
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}
        self.corrected: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []

    def take(self, delivery: Delivery, it: Alert) -> None:
        """Let one alert of a body change what is known."""
        key = (delivery.source, it.fingerprint)
        before = self.known.get(key)
        after, change = merge(before, it, delivery.at)
        self.known[key] = after
        seen = {
            "b_source": delivery.source, "b_fingerprint": it.fingerprint, "b_at": delivery.at,
            "b_annotations": dict(it.annotations),
        }  # fmt: skip
        if change is Change.REPEAT:
            if key in self.changed:
                self.changed[key]["seen_at"] = delivery.at
            elif key in self.corrected:
                self.corrected[key] |= seen
            else:
                self.seen[key] = seen
            return
        self.seen.pop(key, None)
        if change is not Change.CORRECTED:
            self._change(delivery, it, after, change)
        elif key in self.changed:
            self.changed[key] |= {
                "starts_at": after.starts_at, "ends_at": after.ends_at, "seen_at": delivery.at,
                "annotations": dict(it.annotations),
            }  # fmt: skip
        else:
            self.corrected[key] = seen | {"b_starts": after.starts_at, "b_ends": after.ends_at}
        self._note(delivery, it, after, change)

    def _change(self, delivery: Delivery, it: Alert, after: Known, change: Change) -> None:
        key = (delivery.source, it.fingerprint)
        self.versions[key] = self.versions.get(key, 0) + 1
        self.corrected.pop(key, None)
        self.changed[key] = {
            "source": delivery.source, "fingerprint": it.fingerprint, "status": after.status.value,
            "starts_at": after.starts_at, "ends_at": after.ends_at, "labels": dict(it.labels),
            "annotations": dict(it.annotations), "generator_url": it.generator_url, "seen_at": delivery.at,
            "changed_at": delivery.at, "version": self.versions[key], "change": change.value,
            "undecided": change in DECIDABLE,
        }  # fmt: skip

    def _note(self, delivery: Delivery, it: Alert, after: Known, change: Change) -> None:
        self.events.append(
            {
                "source": delivery.source, "fingerprint": it.fingerprint, "change": change.value,
                "starts_at": after.starts_at, "ends_at": after.ends_at, "at": delivery.at, "inbox_id": delivery.id,
            }
        )  # fmt: skip


def take(tx: Tx, deliveries: Sequence[Delivery]) -> Sequence[Delivery] | None:
    """Take bodies for this transaction; None when another replica is unpacking.

    What another one unpacked meanwhile is left out, so every body is applied once, and in the order of the inbox: what
    was read is always the oldest that was there.
    """
    if not locks.take_inbox(tx):
        return None
    if not tx.shares:
        return deliveries
    new = set(tx.conn.execute(_STILL_NEW, {"deliveries": [delivery.id for delivery in deliveries]}).scalars())
    return [delivery for delivery in deliveries if delivery.id in new]


def unpack(
    tx: Tx, deliveries: Sequence[Delivery], severity: Callable[[Mapping[str, str]], str]
) -> list[tuple[str, str]]:  # fmt: skip
    """Bring the known state up to date with these bodies, in their order; give (source, fingerprint) of what repeats.

    `severity` maps an alert's labels to the severity word that a metric is labelled with.
    """
    batch = _Batch()
    _load_known(tx, batch, deliveries)
    for delivery in deliveries:
        if delivery.group is None:
            continue
        for it in _firing_last(delivery.group.alerts):
            batch.take(delivery, it)
    _store_alerts(tx, batch)
    groups.put(tx, ((d.source, d.at, d.group) for d in deliveries if d.group is not None))
    _store_rejected(tx, deliveries)
    tx.conn.execute(_DONE, {"deliveries": [delivery.id for delivery in deliveries]})
    _count(tx, batch, deliveries, severity)
    if any(row["undecided"] for row in batch.changed.values()):
        tx.wake("decide")
    return list(batch.seen)


def _firing_last(alerts: Iterable[Alert]) -> list[Alert]:
    """Order the alerts of one body so that of two words about the same alert the firing one is the last."""
    return sorted(alerts, key=lambda it: it.status is AlertStatus.FIRING)


def _load_known(tx: Tx, batch: _Batch, deliveries: Sequence[Delivery]) -> None:
    wanted: dict[str, set[str]] = {}
    for delivery in deliveries:
        if delivery.group is not None:
            wanted.setdefault(delivery.source, set()).update(it.fingerprint for it in delivery.group.alerts)
    for source, fingerprints in sorted(wanted.items()):
        for part in parts(sorted(fingerprints), AT_ONCE):
            for row in tx.conn.execute(_KNOWN, {"of_source": source, "fingerprints": part}):
                key = (source, row.fingerprint)
                batch.versions[key] = row.version
                batch.known[key] = Known(status=AlertStatus(row.status), starts_at=row.starts_at, ends_at=row.ends_at)


def _store_alerts(tx: Tx, batch: _Batch) -> None:
    tx.many(_PUT[tx.dialect], list(batch.changed.values()))
    tx.many(_SEEN, list(batch.seen.values()))
    tx.many(_CORRECTED, list(batch.corrected.values()))
    tx.many(_EVENT, batch.events)


def _store_rejected(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    rows = [
        {"source": d.source, "at": d.at, "reason": rejected.reason, "excerpt": rejected.excerpt}
        for d in deliveries
        if d.group is not None
        for rejected in d.group.rejected
    ]
    rows += [
        {"source": d.source, "at": d.at, "reason": d.refused, "excerpt": f"the whole of inbox row {d.id}"}
        for d in deliveries
        if d.group is None
    ]
    if rows:
        tx.many(_QUARANTINE, rows)
        tx.count(lambda m: m.quarantined_alerts_total.inc(len(rows)))


def _count(tx: Tx, batch: _Batch, deliveries: Sequence[Delivery], severity: Callable[[Mapping[str, str]], str]) -> None:
    truncated = sum(d.group.truncated for d in deliveries if d.group is not None)
    changed = [(row["status"], severity(row["labels"]), row) for row in batch.changed.values()]

    def figures(m: Metrics) -> None:
        m.alerts_truncated_total.inc(truncated)
        for status, word, row in changed:
            m.alerts_received_total.labels(status=status, severity=word).inc()
            if row["change"] == Change.FIRED:
                m.alert_delivery_lag_seconds.observe(age(row["starts_at"], row["changed_at"]).total_seconds())

    tx.count(figures)


# -- what the engine takes next --------------------------------------------------------------------------------------

_UNDECIDED = select(alert).where(alert.c.undecided.is_(True)).order_by(alert.c.changed_at).limit(bindparam("most"))
_UNDECIDED_KEYS = _UNDECIDED.with_only_columns(alert.c.source, alert.c.fingerprint, alert.c.version)
_UNDECIDED_THESE = select(alert).where(*_THESE, alert.c.undecided.is_(True))
# locked, where others write too, and in one order everywhere, so that nobody waits for another in a circle
_STILL_UNDECIDED = (
    select(alert.c.fingerprint, alert.c.version, alert.c.starts_at)
    .where(*_THESE, alert.c.undecided.is_(True))
    .order_by(alert.c.fingerprint)
    .with_for_update()
)
_TAKEN = update(alert).where(*_THESE).values(undecided=False)
_TAKE_ONE = (
    update(alert)
    .where(
        alert.c.source == bindparam("of_source"), alert.c.fingerprint == bindparam("of_fingerprint"),
        alert.c.version == bindparam("of_version"), alert.c.undecided.is_(True),
    )
    .values(undecided=False)
    .returning(alert.c.starts_at)
)  # fmt: skip
_NOTE = (
    update(alert)
    .where(alert.c.source == bindparam("of_source"), alert.c.fingerprint == bindparam("of_fingerprint"))
    .values(
        decision=bindparam("b_decision"), rule=bindparam("b_rule"), reason=bindparam("b_reason"),
        subject=bindparam("b_subject"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An alert whose last change nobody decided about yet."""

    source: str
    fingerprint: str
    status: AlertStatus
    change: Change
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    starts_at: datetime
    changed_at: datetime
    version: int
    rule: str = ""
    """The rule that decided about it before; '' when none did."""

    @property
    def fires(self) -> bool:
        """Whether it fires, muted or not."""
        return self.status is not AlertStatus.RESOLVED


def undecided(tx: Tx, most: int, without: Collection[tuple[str, str, int]] = ()) -> list[Changed]:
    """Read the alerts whose last change nobody decided about, the longest waiting first.

    `without` names changes (source, fingerprint, version) that somebody is at already: they take nobody's place.
    """
    if not without:
        return [_changed(row) for row in tx.conn.execute(_UNDECIDED, {"most": most})]
    # only what is wanted is read whole: a great many may wait
    waiting = tx.conn.execute(_UNDECIDED_KEYS, {"most": most + len(without)})
    wanted = [key for key in map(tuple, waiting) if key not in without][:most]
    by_source: dict[str, list[str]] = {}
    for source, fingerprint, _ in wanted:
        by_source.setdefault(source, []).append(fingerprint)
    found = {
        (row.source, row.fingerprint, row.version): _changed(row)
        for source, fingerprints in by_source.items()
        for part in parts(fingerprints, AT_ONCE)
        for row in tx.conn.execute(_UNDECIDED_THESE, {"of_source": source, "fingerprints": part})
    }
    return [found[key] for key in wanted if key in found]


def _changed(row: Row[Any]) -> Changed:
    return Changed(
        source=row.source, fingerprint=row.fingerprint, status=AlertStatus(row.status), change=Change(row.change),
        labels=row.labels, annotations=row.annotations, generator_url=row.generator_url, starts_at=row.starts_at,
        changed_at=row.changed_at, version=row.version, rule=row.rule,
    )  # fmt: skip


def claim_changes(tx: Tx, source: str, its: Sequence[Changed]) -> list[Changed]:
    """Take changes of a source for this transaction.

    Left out are those for which another replica, or a newer change, was faster; the others have their start as it is by
    now. What was decided before and is still to be noted with alerts is something else, and waits.
    """
    if len(its) == 1:
        key = {"of_source": source, "of_fingerprint": its[0].fingerprint, "of_version": its[0].version}
        taken = tx.execute(_TAKE_ONE, key, beside=alert).scalars()
        return [replace(its[0], starts_at=starts_at) for starts_at in taken]
    starts: dict[str, datetime] = {}
    versions = {it.fingerprint: it.version for it in its}
    for part in parts(sorted(versions), AT_ONCE):
        found = tx.execute(_STILL_UNDECIDED, {"of_source": source, "fingerprints": part}, beside=alert).all()
        starts |= {row.fingerprint: row.starts_at for row in found if row.version == versions[row.fingerprint]}
    for part in parts(sorted(starts), AT_ONCE):
        tx.execute(_TAKEN, {"of_source": source, "fingerprints": part}, beside=alert)
    return [replace(it, starts_at=starts[it.fingerprint]) for it in its if it.fingerprint in starts]


def note_decision(
    tx: Tx, source: str, fingerprints: Sequence[str], *, decision: str, rule: str, reason: str, subject: str
) -> None:
    """Keep with these alerts what was decided about them, and why."""
    row = {"of_source": source, "b_decision": decision, "b_rule": rule, "b_reason": reason, "b_subject": subject}
    for fingerprint in fingerprints:
        tx.later(alert, _NOTE, (source, fingerprint), {**row, "of_fingerprint": fingerprint})


_FIRST_OF = (
    select(alert)
    .join_from(member, alert, (alert.c.source == member.c.source) & (alert.c.fingerprint == member.c.fingerprint))
    .where(member.c.subject == bindparam("of"))
    .order_by(member.c.joined_at, member.c.fingerprint)
    .limit(1)
)


def first_alert_of(tx: Tx, subject: str) -> Any | None:
    """Read the row of the alert that a hold or incident began with; None when it is about none."""
    return tx.conn.execute(_FIRST_OF, {"of": subject}).one_or_none()


def alerts_of(tx: Tx, source: str, fingerprints: Sequence[str]) -> list[Any]:
    """Read the rows of these alerts."""
    wanted = select(alert).where(alert.c.source == source, alert.c.fingerprint.in_(fingerprints))
    return list(tx.conn.execute(wanted))
