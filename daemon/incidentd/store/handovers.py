"""What a handoff report tells of: what is open, what was paged, what flapped."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select

from incidentd.alerts import Change
from incidentd.handoff import Flapping
from incidentd.holds import Hold
from incidentd.incidents import ACTIVE, Incident
from incidentd.pages import Page
from incidentd.store.base import Tx, load
from incidentd.store.tables import alert, alert_event, hold, incident, page
from incidentd.text import labels_line

_MOST = 200
FLAPS = 3
"""An alert that fired so often during a shift flaps."""
_FIRES = (Change.FIRED.value, Change.REFIRED.value, Change.ECHO.value)
_HOLDS = select(hold.c.body).where(hold.c.open.is_(True)).order_by(hold.c.id).limit(_MOST)
_INCIDENTS = (
    select(incident.c.body)
    .where(incident.c.status.in_([status.value for status in ACTIVE]))
    .order_by(incident.c.id)
    .limit(_MOST)
)
_PAGES = (
    select(page.c.body)
    .where(page.c.started_at >= bindparam("since"), page.c.started_at < bindparam("until"), page.c.joined.is_(None))
    .order_by(page.c.id)
    .limit(_MOST)
)
_FIRED = func.count().label("fired")
_FLAPPING = (
    select(alert.c.labels, _FIRED)
    .join(alert_event, (alert_event.c.source == alert.c.source) & (alert_event.c.fingerprint == alert.c.fingerprint))
    .where(alert_event.c.at >= bindparam("since"), alert_event.c.at < bindparam("until"))
    .where(alert_event.c.change.in_(_FIRES))
    .group_by(alert.c.source, alert.c.fingerprint, alert.c.labels)
    .having(func.count() >= FLAPS)
    .order_by(_FIRED.desc(), alert.c.source, alert.c.fingerprint)
    .limit(_MOST)
)


def open_now(tx: Tx) -> tuple[list[Incident], list[Hold]]:
    """Read the incidents and the holds that are open."""
    return (
        [load(body, Incident) for body in tx.conn.execute(_INCIDENTS).scalars()],
        [load(body, Hold) for body in tx.conn.execute(_HOLDS).scalars()],
    )


def paged_between(tx: Tx, since: datetime, until: datetime) -> list[Page]:
    """Read the pages that were started in a stretch of time, oldest first; those that joined a summary are in it."""
    return [load(body, Page) for body in tx.conn.execute(_PAGES, {"since": since, "until": until}).scalars()]


def flapped_between(tx: Tx, since: datetime, until: datetime) -> list[Flapping]:
    """Find the alerts that fired again and again in a stretch of time, the worst first."""
    return [
        Flapping(what=labels_line(row.labels), fired=row.fired)
        for row in tx.conn.execute(_FLAPPING, {"since": since, "until": until})
    ]
