"""Everything that came about in a store, for rehearsals: a store in memory holds little of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from incidentd.actionitems import ActionItem
from incidentd.holds import Hold
from incidentd.incidents import Incident, Status
from incidentd.pages import Page, PageState
from incidentd.playbooks import Run
from incidentd.store import chain
from incidentd.store.base import Tx, load
from incidentd.store.tables import action_item, alert, hold, incident, page, playbook_run
from incidentd.timeline import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An alert as it stands, and what was decided about it."""

    source: str
    fingerprint: str
    labels: dict[str, str]
    status: str
    starts_at: datetime
    changed_at: datetime
    decision: str
    rule: str
    reason: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """What came about, each kind in the order in which it began."""

    holds: tuple[Hold, ...]
    incidents: tuple[Incident, ...]
    pages: tuple[Page, ...]
    runs: tuple[Run, ...]
    tickets: tuple[ActionItem, ...]
    alerts: tuple[Decided, ...]


def everything(tx: Tx) -> Everything:
    """Read it all but the timelines."""
    items = [load(body, ActionItem) for body in tx.conn.execute(select(action_item.c.body)).scalars()]
    return Everything(
        holds=tuple(load(b, Hold) for b in tx.conn.execute(select(hold.c.body).order_by(hold.c.id)).scalars()),
        incidents=tuple(
            load(b, Incident) for b in tx.conn.execute(select(incident.c.body).order_by(incident.c.id)).scalars()
        ),
        pages=tuple(load(b, Page) for b in tx.conn.execute(select(page.c.body).order_by(page.c.id)).scalars()),
        runs=tuple(load(b, Run) for b in tx.conn.execute(select(playbook_run.c.body)).scalars()),
        tickets=tuple(it for it in items if it.correlation_key),
        alerts=tuple(decided(tx)),
    )


def decided(tx: Tx, source: str = "", fingerprints: Sequence[str] = ()) -> list[Decided]:
    """Read every alert, or those that are named, with what was decided about it."""
    wanted = select(alert).order_by(alert.c.changed_at)
    if fingerprints:
        wanted = wanted.where(alert.c.source == source, alert.c.fingerprint.in_(fingerprints))
    return [
        Decided(
            source=row.source, fingerprint=row.fingerprint, labels=row.labels, status=row.status,
            starts_at=row.starts_at, changed_at=row.changed_at, decision=row.decision, rule=row.rule,
            reason=row.reason, subject=row.subject,
        )
        for row in tx.conn.execute(wanted)
    ]  # fmt: skip


def awaiting(tx: Tx) -> tuple[list[Page], list[Incident]]:
    """Read what waits for people: the pages that nobody answered, and the incidents that somebody has to resolve.

    A page that joined a summary is answered with it, and is left out.
    """
    waits = (page.c.state == PageState.OPEN.value, page.c.joined.is_(None))
    pages = tx.conn.execute(select(page.c.body).where(*waits)).scalars()
    over = tx.conn.execute(select(incident.c.body).where(incident.c.status == Status.MITIGATED.value)).scalars()
    return [load(body, Page) for body in pages], [load(body, Incident) for body in over]


def timeline(tx: Tx) -> list[Entry]:
    """Read what every timeline says, in the order in which it happened."""
    entries = [entry for _, its in chain.chains(tx) for entry in its]
    return sorted(entries, key=lambda entry: (entry.at, entry.subject, entry.seq))
