"""What is known of a source's alerts, for asking Alertmanager about it and for writing down what it answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select, text, update

from incidentd.alerts import AlertStatus, Change
from incidentd.reconciliation import ApiAlert, KnownAlert
from incidentd.store.base import Tx, both
from incidentd.store.inbox import Changed
from incidentd.store.tables import alert, alert_event, alert_group, group_member, hold, inbox, incident, member

_PART = 500
_NOT_RESOLVED = [status.value for status in AlertStatus if status is not AlertStatus.RESOLVED]
_COLUMNS = (
    alert.c.fingerprint, alert.c.status, alert.c.starts_at, alert.c.seen_at, alert.c.changed_at, alert.c.version,
)  # fmt: skip
_LIVE = select(*_COLUMNS).where(alert.c.source == bindparam("of_source"), alert.c.status.in_(_NOT_RESOLVED))
_NAMED = select(*_COLUMNS).where(
    alert.c.source == bindparam("of_source"), alert.c.fingerprint.in_(bindparam("fingerprints", expanding=True))
)
_ANY_LIVE = select(alert.c.fingerprint).where(alert.c.source == bindparam("of_source")).limit(1)
_ANY_LIVE = _ANY_LIVE.where(alert.c.status.in_(_NOT_RESOLVED))
_RECEIVERS = select(alert_group.c.receiver).where(alert_group.c.source == bindparam("of_source")).distinct()
_OPEN_HOLDS = select(hold.c.id).where(hold.c.source == bindparam("of_source"), hold.c.open.is_(True))
_OPEN_INCIDENTS = select(incident.c.id).where(incident.c.source == bindparam("of_source"), incident.c.open.is_(True))
_UNREAD = select(inbox.c.id).where(inbox.c.done.is_(False), inbox.c.source == bindparam("of_source")).limit(1)
_UNDECIDED_MEMBER = (
    select(alert.c.fingerprint)
    .join_from(member, alert, (member.c.source == alert.c.source) & (member.c.fingerprint == alert.c.fingerprint))
    .where(member.c.subject == bindparam("of"), member.c.open.is_(True), alert.c.undecided.is_(True))
    .limit(1)
)
_MUTED = (
    select(func.count())
    .select_from(member)
    .join(alert, (member.c.source == alert.c.source) & (member.c.fingerprint == alert.c.fingerprint))
    .where(member.c.subject == bindparam("of"), member.c.firing.is_(True))
    .where(alert.c.status == AlertStatus.SUPPRESSED.value)
)
_CUT = (
    select(func.max(alert_group.c.truncated))
    .join_from(group_member, alert_group, group_member.c.group_id == alert_group.c.id)
    .join(member, (member.c.source == alert_group.c.source) & (member.c.fingerprint == group_member.c.fingerprint))
    .where(member.c.subject == bindparam("of"))
)
# nearly always there is none, and then nobody has to look through all the alerts of a hold
_ANY_MUTED = select(alert.c.fingerprint).where(alert.c.status == AlertStatus.SUPPRESSED.value).limit(1)
_ANY_CUT = select(alert_group.c.id).where(text("truncated > 0")).limit(1)  # in the words of its index
_SET = (
    update(alert)
    .where(
        alert.c.source == bindparam("b_source"), alert.c.fingerprint == bindparam("b_fingerprint"),
        alert.c.version == bindparam("b_version"),
    )
    .values(
        status=bindparam("b_status"), change=bindparam("b_change"), starts_at=bindparam("b_starts"),
        ends_at=bindparam("b_ends"), changed_at=bindparam("b_at"), version=alert.c.version + 1,
        undecided=bindparam("b_undecided"),
    )
)  # fmt: skip
_INSERT = both(lambda insert: insert(alert).on_conflict_do_nothing(index_elements=["source", "fingerprint"]))
_LAST_END = (
    select(alert_event.c.ends_at)
    .where(alert_event.c.source == bindparam("of_source"), alert_event.c.fingerprint == bindparam("print"))
    .where(alert_event.c.ends_at.is_not(None))
    .order_by(alert_event.c.id.desc())
    .limit(1)
)
_RESOLVED_SINCE = (
    select(alert)
    .where(alert.c.source == bindparam("of_source"), alert.c.status == AlertStatus.RESOLVED.value)
    .where(alert.c.changed_at > bindparam("since"), alert.c.undecided.is_(False))
    .where(alert.c.change.in_([Change.RESOLVED.value, Change.CORRECTED.value, Change.GONE.value]))
)
_IN_DOUBT = select(alert).where(alert.c.source == bindparam("of_source"), alert.c.status == AlertStatus.UNKNOWN.value)


def live(tx: Tx, source: str) -> list[KnownAlert]:
    """Read every alert of a source that is not resolved."""
    return [_known(row) for row in tx.conn.execute(_LIVE, {"of_source": source})]


def named(tx: Tx, source: str, fingerprints: Sequence[str]) -> list[KnownAlert]:
    """Read what is known of these alerts."""
    return [
        _known(row)
        for first in range(0, len(fingerprints), _PART)
        for row in tx.conn.execute(
            _NAMED, {"of_source": source, "fingerprints": list(fingerprints[first : first + _PART])}
        )
    ]


def _known(row: Any) -> KnownAlert:
    return KnownAlert(
        fingerprint=row.fingerprint, status=AlertStatus(row.status), starts_at=row.starts_at, seen_at=row.seen_at,
        changed_at=row.changed_at, version=row.version,
    )  # fmt: skip


def receivers(tx: Tx, source: str) -> frozenset[str]:
    """Name the receivers under which deliveries of a source have come."""
    return frozenset(name for name in tx.conn.execute(_RECEIVERS, {"of_source": source}).scalars() if name)


def open_subjects(tx: Tx, source: str) -> list[str]:
    """Name the open holds and incidents of a source."""
    found = [f"HOLD-{one}" for one in tx.conn.execute(_OPEN_HOLDS, {"of_source": source}).scalars()]
    return found + [f"INC-{one}" for one in tx.conn.execute(_OPEN_INCIDENTS, {"of_source": source}).scalars()]


def any_live(tx: Tx, source: str) -> bool:
    """Say whether any alert of a source is not resolved."""
    return tx.conn.execute(_ANY_LIVE, {"of_source": source}).first() is not None


def news_waits(tx: Tx, source: str, subject: str) -> bool:
    """Say whether something was received that may be about this hold, and nobody looked at it yet."""
    if tx.conn.execute(_UNREAD, {"of_source": source}).first() is not None:
        return True
    return tx.conn.execute(_UNDECIDED_MEMBER, {"of": subject}).first() is not None


def muted(tx: Tx, subject: str) -> int:
    """Count the alerts of a hold or incident that fire, and are silenced or inhibited."""
    if tx.conn.execute(_ANY_MUTED).one_or_none() is None:
        return 0
    return int(tx.conn.execute(_MUTED, {"of": subject}).scalar_one())


def cut(tx: Tx, subject: str) -> int:
    """Count the alerts that its groups' last deliveries left out (`max_alerts`); whether they fire is not known."""
    if tx.conn.execute(_ANY_CUT).one_or_none() is None:
        return 0
    return int(tx.conn.execute(_CUT, {"of": subject}).scalar() or 0)


def last_end(tx: Tx, source: str, fingerprint: str) -> datetime | None:
    """Say when an alert ended the last time that it was resolved."""
    found: datetime | None = tx.conn.execute(_LAST_END, {"of_source": source, "print": fingerprint}).scalar()
    return found


def resolved_since(tx: Tx, source: str, since: datetime) -> list[Changed]:
    """Read the alerts of a source whose resolve came after an instant."""
    return [changed_of(row) for row in tx.conn.execute(_RESOLVED_SINCE, {"of_source": source, "since": since})]


def in_doubt(tx: Tx, source: str) -> list[Changed]:
    """Read the alerts of a source whose resolve is not believed."""
    return [changed_of(row) for row in tx.conn.execute(_IN_DOUBT, {"of_source": source})]


def changed_of(row: Row[Any]) -> Changed:
    """Read a row of the alert table."""
    return Changed(
        source=row.source, fingerprint=row.fingerprint, status=AlertStatus(row.status), change=Change(row.change),
        labels=row.labels, annotations=row.annotations, generator_url=row.generator_url, starts_at=row.starts_at,
        changed_at=row.changed_at, version=row.version, rule=row.rule,
    )  # fmt: skip


def set_state(
    tx: Tx, source: str, it: KnownAlert | Changed, *, status: AlertStatus, change: Change, undecided: bool,
    starts_at: datetime | None = None, ends_at: datetime | None = None,
) -> bool:  # fmt: skip
    """Write what became of an alert; False when something else changed it meanwhile, which wins."""
    starts = starts_at or it.starts_at
    found = tx.conn.execute(
        _SET,
        {
            "b_source": source, "b_fingerprint": it.fingerprint, "b_version": it.version, "b_status": status.value,
            "b_change": change.value, "b_starts": starts, "b_ends": ends_at, "b_at": tx.now, "b_undecided": undecided,
        },
    )  # fmt: skip
    if found.rowcount != 1:
        return False
    _note(tx, (source, it.fingerprint), change, starts, ends_at)
    if undecided:
        tx.wake("decide")
    return True


def take_up(tx: Tx, source: str, it: ApiAlert) -> bool:
    """Write an alert that no delivery told of; False when one did meanwhile."""
    row = {
        "source": source, "fingerprint": it.fingerprint, "status": AlertStatus.FIRING.value, "starts_at": it.starts_at,
        "ends_at": None, "labels": dict(it.labels), "annotations": dict(it.annotations),
        "generator_url": it.generator_url, "seen_at": tx.now, "changed_at": tx.now, "version": 1,
        "change": Change.FOUND.value, "undecided": True,
    }  # fmt: skip
    if tx.conn.execute(_INSERT[tx.dialect], row).rowcount != 1:
        return False
    _note(tx, (source, it.fingerprint), Change.FOUND, it.starts_at, None)
    tx.wake("decide")
    return True


def _note(tx: Tx, key: tuple[str, str], change: Change, starts_at: datetime, ends_at: datetime | None) -> None:
    row = {
        "source": key[0], "fingerprint": key[1], "change": change.value, "starts_at": starts_at, "ends_at": ends_at,
        "at": tx.now, "inbox_id": 0,
    }  # fmt: skip
    tx.conn.execute(alert_event.insert(), row)


def rows_of(tx: Tx, source: str, fingerprints: Iterable[str]) -> list[Changed]:
    """Read these alerts whole."""
    wanted = select(alert).where(alert.c.source == source, alert.c.fingerprint.in_(list(fingerprints)))
    return [changed_of(row) for row in tx.conn.execute(wanted)]
