"""Incidents as they stand at this moment, for whoever decides about something else: nothing is locked by reading them.

What changes while it is read is seen by the next one who looks; so nothing may be saved that was read here.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select

from incidentd.incidents import Incident
from incidentd.store.base import Tx, load
from incidentd.store.tables import incident

_ONE = select(incident.c.body).where(incident.c.id == bindparam("b_id"))


def one(tx: Tx, incident_id: int) -> Incident | None:
    """Read an incident; None when there is none of this number."""
    body = tx.conn.execute(_ONE, {"b_id": incident_id}).scalar()
    return None if body is None else load(body, Incident)
