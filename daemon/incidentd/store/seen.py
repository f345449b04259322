"""Incidents as they stand at this moment, for whoever decides about something else: nothing is locked by reading them.

What changes while it is read is seen by the next one who looks; so nothing may be saved that was read here.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, select

from incidentd.incidents import Incident
from incidentd.store.base import Tx, load
from incidentd.store.tables import alert, incident, member

_MOST_ALERTS = 200
"""Alerts of an incident whose labels are looked at, those that came first; of a storm they say what it is about."""
_ONE = select(incident.c.body).where(incident.c.id == bindparam("b_id"))
_ACTIVE = select(incident.c.body).where(incident.c.open.is_(True)).order_by(incident.c.id)
_LABELS = (
    select(alert.c.labels)
    .join_from(member, alert, (member.c.source == alert.c.source) & (member.c.fingerprint == alert.c.fingerprint))
    .where(member.c.subject == bindparam("of"))
    .order_by(member.c.joined_at)
    .limit(_MOST_ALERTS)
)


def one(tx: Tx, incident_id: int) -> Incident | None:
    """Read an incident; None when there is none of this number."""
    body = tx.conn.execute(_ONE, {"b_id": incident_id}).scalar()
    return None if body is None else load(body, Incident)


def active(tx: Tx) -> list[Incident]:
    """Read the incidents about which somebody has to do something still, oldest first."""
    return [load(body, Incident) for body in tx.conn.execute(_ACTIVE).scalars()]


def labels_of(tx: Tx, subject: str) -> list[Mapping[str, str]]:
    """Read the labels of the alerts of a hold or incident."""
    return list(tx.conn.execute(_LABELS, {"of": subject}).scalars())
