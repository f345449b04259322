"""What the auditor looks at: whether the store can be written, and what is due for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import case, func, literal_column, select

from incidentd.promises import Promise
from incidentd.store import jobs
from incidentd.store.base import Tx, both
from incidentd.store.tables import inbox, job, shared

_TOUCH = both(
    lambda insert: (new := insert(shared)).on_conflict_do_update(
        index_elements=["name"], set_={"value": new.excluded.value}
    )
)
_LIVE = job.c.state == literal_column("'live'")
_PURPOSE = job.c.payload["purpose"].as_string()
_CLASS = case(
    (job.c.queue == jobs.TIMER, Promise.DEADLINE.value), (job.c.queue == jobs.PLAYBOOK, Promise.PLAYBOOK.value),
    (_PURPOSE.in_(("page", "escalation")), Promise.PAGE.value), else_=Promise.MESSAGE.value,
)  # fmt: skip
_LOOKED_AT = (jobs.TIMER, jobs.NOTIFY, jobs.PLAYBOOK)
_DUE = (
    select(_CLASS.label("promise"), func.min(job.c.due_at).label("due_at"))
    .where(job.c.queue.in_(_LOOKED_AT), _LIVE)
    .group_by(_CLASS)
)
_INBOX = select(func.min(inbox.c.at)).where(inbox.c.done.is_(False))
_PAGE = job.c.payload["page"].as_integer()
_TRIED = (
    select(_PAGE.label("page"), job.c.subject, func.min(job.c.created_at).label("since"))
    .where(job.c.queue == jobs.NOTIFY, _LIVE, _PURPOSE.in_(("page", "escalation")), _PAGE.is_not(None))
    .group_by(_PAGE, job.c.subject)
)


def touch(tx: Tx) -> None:
    """Write something small, and fail as whoever writes does."""
    tx.conn.execute(_TOUCH[tx.conn.dialect.name], {"name": "audited_at", "value": tx.now.isoformat()})


def late_by(tx: Tx) -> Mapping[Promise, timedelta]:
    """Say how long the oldest of each class has been due; what is not due is left out."""
    since: dict[Promise, datetime] = {Promise(row.promise): row.due_at for row in tx.conn.execute(_DUE)}
    oldest = tx.conn.execute(_INBOX).scalar()
    if oldest is not None:
        since[Promise.INBOX] = oldest
    undelivered = _undelivered(tx)
    if undelivered is not None:
        since[Promise.PAGE] = min(since.get(Promise.PAGE, undelivered), undelivered)
    return {promise: tx.now - at for promise, at in since.items() if at < tx.now}


def _undelivered(tx: Tx) -> datetime | None:
    """Find since when a page waits of which nothing at all was delivered, though it is tried again and again."""
    found = []
    for row in tx.conn.execute(_TRIED):
        delivered = select(job.c.id).where(
            job.c.queue == jobs.NOTIFY, job.c.state == "done", job.c.subject == row.subject, row.page == _PAGE
        )
        if tx.now - row.since > timedelta(minutes=1) and tx.conn.execute(delivered.limit(1)).first() is None:
            found.append(row.since)
    return min(found, default=None)
