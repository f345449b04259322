"""Channels that follow holds and incidents, and up to where each has been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from incidentd.store import jobs
from incidentd.store.base import Tx, both
from incidentd.store.jobs import Job
from incidentd.store.tables import follower, job


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A channel that follows a hold or incident."""

    subject: str
    channel: str
    seq: int = 0
    """The last entry that it was told of, or that is on its way; 0 when it was told nothing yet."""
    refused: int = 0
    """The last entry of a message that it did not take; that is tried again with what comes after it."""
    added_by: str = ""
    """Who added it by hand; '' where a route did."""
    is_on: bool = True
    """Whether it is still told; no route adds a channel again that somebody removed."""
    waits: bool = False
    """More is to come once the message that is under way arrived."""


_OF = select(follower).where(follower.c.subject == bindparam("of")).order_by(follower.c.channel)
_POSTS = select(job).where(job.c.subject == bindparam("of"), jobs.MESSAGE, job.c.kind == jobs.POST).order_by(job.c.id)
_WIDEN = (
    update(job)
    .where(jobs.MINE)
    .values(ukey=bindparam("b_ukey"), payload=bindparam("with_payload", type_=job.c.payload.type))
)
_FORGET = delete(follower).where(
    follower.c.subject == bindparam("of"), follower.c.channel == bindparam("which")
)  # fmt: skip
_SUBJECTS = select(follower.c.subject).where(follower.c.is_on.is_(True)).distinct()
_SAVE = both(
    lambda insert: (new := insert(follower)).on_conflict_do_update(
        index_elements=["subject", "channel"],
        set_={name: new.excluded[name] for name in ("seq", "refused", "added_by", "is_on", "waits")},
    )
)


def of(tx: Tx, subject: str) -> dict[str, Follower]:
    """Give the channels of a hold or incident by name, those that were removed too."""
    return {
        row.channel: Follower(
            subject=row.subject, channel=row.channel, seq=row.seq, refused=row.refused,
            added_by=row.added_by, is_on=row.is_on, waits=row.waits,
        )
        for row in tx.execute(_OF, {"of": subject})
    }  # fmt: skip


def subjects(tx: Tx) -> set[str]:
    """Name what some channel follows."""
    return set(tx.execute(_SUBJECTS).scalars())


def save(tx: Tx, it: Follower) -> None:
    """Keep how a channel follows; the caller has the lock of the subject."""
    row = {
        "subject": it.subject, "channel": it.channel, "seq": it.seq, "refused": it.refused,
        "added_by": it.added_by, "is_on": it.is_on, "waits": it.waits,
    }  # fmt: skip
    tx.execute(_SAVE[tx.dialect], row)


def forget(tx: Tx, subject: str, channel: str) -> None:
    """Let it be as if a channel had never followed; the caller has the lock of the subject."""
    tx.execute(_FORGET, {"of": subject, "which": channel})


def posts(tx: Tx, subject: str) -> dict[str, Job]:
    """Give the messages to channels that follow this subject and that did not arrive yet, by channel."""
    return {jobs.lane_of(it): it for it in (jobs.job_of(row) for row in tx.execute(_POSTS, {"of": subject}))}


def widen(tx: Tx, waiting: Job, *, ukey: str, payload: Mapping[str, Any]) -> bool:
    """Let a message that nobody is at say more, under another key; False when somebody took it meanwhile."""
    return tx.execute(_WIDEN, {**jobs.mine(waiting), "b_ukey": ukey, "with_payload": payload}).rowcount == 1
