"""What goes together to a channel: messages about pages that wait for it, and those that stand for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from incidentd.store.base import Tx
from incidentd.store.jobs import CLAIM_THESE, LANE, LIVE, MESSAGE, MINE, NOTIFY, Job, job_of, lane_of, mine
from incidentd.store.tables import job

_WAITING = select(job).where(MESSAGE, job.c.kind == "page", job.c.leased_by.is_(None), bindparam("of_lane") == LANE)
_WAITING_OF_SUBJECT = _WAITING.where(job.c.subject == bindparam("of"))
_WAITING_FOR_ANY = _WAITING.order_by(job.c.rank, job.c.created_at, job.c.id).limit(bindparam("most"))
_LOCKED = {it: it.with_for_update(skip_locked=True) for it in (_WAITING_OF_SUBJECT, _WAITING_FOR_ANY)}
_PAGES_IN_HAND = (
    select(job.c.payload["page"].as_integer())
    .distinct()
    .where(MESSAGE, job.c.kind == "page", job.c.leased_by.is_not(None), job.c.due_at > bindparam("at"))
    .where(bindparam("of_lane") == LANE, job.c.id != bindparam("b_id"))
)
_CANCEL_THESE = (
    update(job)
    .where(job.c.id.in_(bindparam("ids", expanding=True)), LIVE)
    .values(state="cancelled", finished_at=bindparam("at"))
)
_WRITE_INTO = update(job).where(MINE).values(payload=bindparam("with_payload", type_=job.c.payload.type))
_SAME_PAGE = (
    select(func.count())
    .where(job.c.queue == NOTIFY, job.c.subject == bindparam("of"), bindparam("of_lane") == LANE)
    .where(job.c.payload["page"].as_integer() == bindparam("of_page"), job.c.id != bindparam("b_id"))
)
_TOLD = _SAME_PAGE.where(job.c.state.in_(("live", "done")), job.c.created_at >= bindparam("since"))
_NEWER_DONE = _SAME_PAGE.where(job.c.state == "done", job.c.id > bindparam("b_id"))
_NEWER_IN_HAND = _SAME_PAGE.where(
    LIVE, job.c.id > bindparam("b_id"), job.c.leased_by.is_not(None), job.c.due_at > bindparam("at")
)


def waiting_of_subject(tx: Tx, one: Job, *, lock: bool) -> list[Job]:
    """Find the messages about pages of the same subject that wait for the same channel, in no particular order.

    What nobody else has in hand is kept from the other replicas with `lock`, which needs a transaction that writes.
    """
    return _waiting(tx, one, _WAITING_OF_SUBJECT, {"of": one.subject}, lock=lock)


def waiting_for_channel(tx: Tx, one: Job, most: int, *, lock: bool) -> list[Job]:
    """Find up to `most` messages about pages that wait for the same channel, the worst and longest waiting first."""
    return _waiting(tx, one, _WAITING_FOR_ANY, {"most": most}, lock=lock)


def _waiting(tx: Tx, one: Job, statement: Select[Any], key: dict[str, Any], *, lock: bool) -> list[Job]:
    key |= {"of_lane": lane_of(one), "at": tx.now}
    rows = tx.conn.execute(_LOCKED[statement] if lock else statement, key)
    return [job_of(row) for row in rows if row.id != one.id]


def pages_in_hand(tx: Tx, one: Job) -> set[int]:
    """Name the pages of which other messages are on their way to the same channel."""
    return set(tx.conn.execute(_PAGES_IN_HAND, {"at": tx.now, "of_lane": lane_of(one), "b_id": one.id}).scalars())


def take_along(tx: Tx, one: Job, others: Sequence[Job], lease: timedelta) -> list[Job]:
    """Claim other jobs for whoever has this one, as `claim` does."""
    key = {"ids": [other.id for other in others], "me": one.leased_by, "until": tx.now + lease}
    return sorted((job_of(row) for row in tx.conn.execute(CLAIM_THESE, key)), key=lambda taken: taken.id)


def absorb(tx: Tx, one: Job, others: Sequence[Job], payload: Mapping[str, Any]) -> Job:
    """Cancel jobs that this one now stands for, and write into it what it has of them."""
    tx.conn.execute(_CANCEL_THESE, {"ids": [other.id for other in others], "at": tx.now})
    tx.conn.execute(_WRITE_INTO, {**mine(one), "with_payload": dict(payload)})
    return replace(one, payload=payload)


def has_told(tx: Tx, one: Job, channel: str, since: datetime) -> bool:
    """Say whether a channel was sent another message about the same page since then, or will be."""
    return bool(tx.conn.execute(_TOLD, {**_same_page(one, channel), "since": since}).scalar())


def has_newer(tx: Tx, one: Job, *, sent: bool) -> bool:
    """Say whether a newer message about the same page reached the same channel, or is on its way there."""
    statement = _NEWER_DONE if sent else _NEWER_IN_HAND
    return bool(tx.conn.execute(statement, {**_same_page(one, lane_of(one)), "at": tx.now}).scalar())


def _same_page(one: Job, channel: str) -> dict[str, Any]:
    return {"of": one.subject, "of_page": one.payload["page"], "of_lane": channel, "b_id": one.id}
