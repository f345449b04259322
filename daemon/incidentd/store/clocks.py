"""A clock that went back between two runs: instants that are waited for, and that it wrote ahead, go back with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, ColumnElement, bindparam, case, or_, select, update

from incidentd.pages import Page, PageState
from incidentd.store import things
from incidentd.store.base import Tx, load
from incidentd.store.jobs import LIVE, TIMER
from incidentd.store.tables import job, page, shared

_AUDITED = select(shared.c.value).where(shared.c.name == "audited_at")
_NOW = bindparam("at", type_=job.c.due_at.type)
_BY = bindparam("by", type_=BigInteger)


def _back(column: Column[datetime]) -> ColumnElement[datetime]:
    """Put back what lies ahead: what is due is as late as it is."""
    return case((column > _NOW, column - _BY), else_=column)


_PUT_BACK = (
    update(job)
    .where(LIVE, or_(job.c.queue != TIMER, job.c.kind.in_(bindparam("kinds", expanding=True))))
    .where(or_(job.c.created_at > _NOW, job.c.attempt > 0))  # the others are of an earlier run, whose clock was right
    .values({it.name: _back(it) for it in (job.c.due_at, job.c.give_up_at, job.c.created_at)})
)
_SINCE = select(job.c.id, job.c.payload).where(LIVE, job.c.payload["since"].as_string().is_not(None))
_SET_SINCE = update(job).where(job.c.id == bindparam("b_id")).values(payload=bindparam("with_payload"))
_PAGES = select(page.c.body).where(page.c.state == PageState.OPEN.value)


def ahead(tx: Tx) -> timedelta:
    """Say how far ahead the last look at the store was; nothing where the clock is the database's own."""
    last = tx.conn.execute(_AUDITED).scalar() if tx.dialect == "sqlite" else None
    return timedelta(0) if last is None else datetime.fromisoformat(last) - tx.now


def put_back(tx: Tx, by: timedelta, kinds: Collection[str]) -> None:
    """Put jobs and open pages back by so much; of the deadlines those of these kinds."""

    def back(at: datetime) -> datetime:
        return at - by if at > tx.now else at

    micros = by // timedelta(microseconds=1)
    tx.conn.execute(_PUT_BACK, {"kinds": list(kinds), "at": tx.now, "by": micros})
    for row in tx.conn.execute(_SINCE).all():
        since = back(datetime.fromisoformat(row.payload["since"]))
        tx.conn.execute(_SET_SINCE, {"b_id": row.id, "with_payload": {**row.payload, "since": since.isoformat()}})
    for it in [load(body, Page) for body in tx.conn.execute(_PAGES).scalars()]:
        origin, owned_at = (at and back(at) for at in (it.origin, it.owned_at))
        things.save_page(tx, replace(it, started_at=back(it.started_at), origin=origin, owned_at=owned_at))
