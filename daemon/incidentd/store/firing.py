"""What fires now at a source, for conditions on more than one alert, and alerts that have to be decided anew."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, exists, select, update

from incidentd.alerts import AlertStatus, Change
from incidentd.rules import OpenAlert
from incidentd.store.base import Tx
from incidentd.store.tables import alert, job

_FIRING = (
    select(alert.c.labels, alert.c.annotations, alert.c.starts_at)
    .where(alert.c.source == bindparam("of_source"), alert.c.status == AlertStatus.FIRING.value)
    .order_by(alert.c.changed_at.desc())
    .limit(bindparam("most"))
)
_LIKE = (
    select(alert.c.fingerprint)
    .where(alert.c.source == bindparam("of_source"), alert.c.status == AlertStatus.FIRING.value)
    .where(alert.c.labels["alertname"].as_string() == bindparam("name"))
    .limit(bindparam("most"))
)
# whether it fires again is asked first (Change.ECHO), and the answer has it decided
_IS_ASKED = exists().where(
    job.c.ukey == "confirm:" + alert.c.source + ":" + alert.c.fingerprint, job.c.state == "live"
)  # fmt: skip
# what fired anew counted when it did, for the hold or incident that follows it, and does not once more
_ANEW = (
    update(alert)
    .where(
        alert.c.status == AlertStatus.FIRING.value, alert.c.undecided.is_(False), alert.c.decision == "record",
        alert.c.rule == bindparam("decided_by"), ~_IS_ASKED,
    )
    .values(undecided=True, change=Change.CONFIRMED.value)
)  # fmt: skip


def firing(tx: Tx, source: str, most: int) -> list[OpenAlert]:
    """Read the alerts of a source that fire now and are not muted, those that changed last first."""
    rows = tx.conn.execute(_FIRING, {"of_source": source, "most": most})
    return [OpenAlert(labels=row.labels, annotations=row.annotations, starts_at=row.starts_at) for row in rows]


def like(tx: Tx, source: str, labels: Mapping[str, str], most: int) -> int:
    """Count the alerts of a source that fire and have the same name as these labels, up to `most`."""
    which = {"of_source": source, "name": labels.get("alertname", ""), "most": most}
    return len(tx.conn.execute(_LIKE, which).all())


def decide_anew(tx: Tx, rule: str, source: str | None = None) -> int:
    """Have every alert decided anew that fires and was only written down by this rule, of one source or of all."""
    wanted = _ANEW if source is None else _ANEW.where(alert.c.source == bindparam("of_source"))
    which = {"decided_by": rule} | ({} if source is None else {"of_source": source})
    found = tx.conn.execute(wanted, which).rowcount
    if found:
        tx.wake("decide")
    return found
