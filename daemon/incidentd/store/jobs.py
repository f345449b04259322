"""The one table of what must happen later: deadlines, notifications, Jira calls, playbook steps, questions, graphs.

A deadline is a job that is due in the future. Jobs are made, moved and cancelled in the transaction of the change that
causes them. Claiming pushes `due_at` to the end of the lease, so a dead worker's job becomes due again by itself;
finishing is fenced by attempt and owner, so a worker that lost its lease writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, func, literal_column, select, update

from incidentd.store import locks
from incidentd.store.base import Tx, both
from incidentd.store.tables import job
from incidentd.timeline import SYSTEM

TIMER = "timer"
NOTIFY = "notify"
JIRA = "jira"
PLAYBOOK = "playbook"
RECONCILE = "reconcile"
SAMPLE = "sample"
GRAPH = "graph"
EXPORT = "export"
POST = "post"
"""The kind of the messages by which channels follow a timeline; they hear an ending as an entry of it."""
QUEUES = (TIMER, NOTIFY, JIRA, PLAYBOOK, RECONCILE, SAMPLE, GRAPH, EXPORT)
_RANKS = {"page": 0, "escalation": 1, "trouble": 1, "resolved": 2, "update": 2, "ticket": 3, "timeline": 4}
"""Who goes first when a channel is busy, by what a message is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to do later."""

    id: int
    queue: str
    kind: str
    subject: str
    ukey: str
    due_at: datetime
    attempt: int
    give_up_at: datetime | None
    leased_by: str | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime


LIVE = job.c.state == literal_column("'live'")  # written out, so that the indexes on live jobs are used
MINE = and_(
    job.c.id == bindparam("b_id"),
    LIVE,
    job.c.attempt == bindparam("b_attempt"),
    job.c.leased_by.is_not_distinct_from(bindparam("b_owner")),
)
_SCHEDULE = both(
    lambda insert: (
        (new := insert(job)).on_conflict_do_update(
            index_elements=["ukey"],
            index_where=LIVE,
            set_={
                "due_at": new.excluded.due_at, "payload": new.excluded.payload, "kind": new.excluded.kind,
                "give_up_at": new.excluded.give_up_at, "attempt": 0, "leased_by": None, "rank": new.excluded.rank,
            },
        )
    )
)  # fmt: skip
_ENSURE = both(lambda insert: insert(job).on_conflict_do_nothing(index_elements=["ukey"], index_where=LIVE))
# What is being done is done again, and whoever is at it finishes nothing: attempts go on counting.
_SOON = both(
    lambda insert: (
        (new := insert(job)).on_conflict_do_update(
            index_elements=["ukey"],
            index_where=LIVE,
            set_={
                "due_at": case(
                    (and_(job.c.leased_by.is_(None), job.c.due_at < new.excluded.due_at), job.c.due_at),
                    else_=new.excluded.due_at,
                ),
                "leased_by": None,
            },
        )
    )
)  # fmt: skip
_CANCEL = update(job).where(job.c.ukey == bindparam("key"), LIVE).values(state="cancelled", finished_at=bindparam("at"))
_CANCEL_SUBJECT = (
    update(job)
    .where(job.c.subject == bindparam("of"), job.c.queue == bindparam("in_queue"), LIVE)
    .values(state="cancelled", finished_at=bindparam("at"))
)
_OF_PAGE = (
    select(job.c.id, job.c.ukey)
    .where(job.c.subject == bindparam("of"), LIVE)
    .where(job.c.payload["page"].as_integer() == bindparam("of_page"))
)
LANE = func.coalesce(job.c.payload["channel"].as_string(), "").label("lane")
_NOT_IN_FULL_LANES = LANE.not_in(bindparam("full", expanding=True))
_DUE = (
    select(job.c.id)
    .where(job.c.queue == bindparam("in_queue"), LIVE, job.c.due_at <= bindparam("at"))
    .order_by(job.c.due_at, job.c.id)
    .limit(bindparam("most"))
)
# A value, not a column of an index: with that one, all that is due would be sorted for each message that is sent.
_IS_DUE = func.coalesce(job.c.due_at, job.c.due_at, type_=job.c.due_at.type) <= bindparam("at")
MESSAGE = and_(job.c.queue == literal_column("'notify'"), LIVE)
_DUE_IN_LANES = (
    select(job.c.id, LANE)
    .where(MESSAGE, _IS_DUE, _NOT_IN_FULL_LANES)
    .order_by(job.c.rank, job.c.due_at, job.c.id)
    .limit(bindparam("most"))
)
_STILL_DUE = (
    select(job.c.id)
    .where(job.c.id.in_(bindparam("ids", expanding=True)), LIVE, job.c.due_at <= bindparam("at"))
    .with_for_update(skip_locked=True)
)
_CLAIMING = update(job).values(attempt=job.c.attempt + 1, leased_by=bindparam("me"), due_at=bindparam("until"))
CLAIM_THESE = _CLAIMING.where(job.c.id.in_(bindparam("ids", expanding=True)), LIVE).returning(job)
# materialized, so that the limit is looked at once, and what another replica has in hand is left to it
_FREE = _DUE.with_for_update(skip_locked=True).cte("free").prefix_with("MATERIALIZED")
_CLAIM = {
    "sqlite": _CLAIMING.where(job.c.id.in_(_DUE), LIVE).returning(job),
    "postgresql": _CLAIMING.where(job.c.id == _FREE.c.id).returning(job),
}
_FINISH = (
    update(job).where(MINE).values(state=bindparam("new"), finished_at=bindparam("at"), last_error=bindparam("why"))
)
_AGAIN = (
    update(job)
    .where(MINE)
    .values(
        due_at=bindparam("at"), leased_by=None, last_error=bindparam("why"),
        payload=bindparam("with_payload", type_=job.c.payload.type),
    )
)  # fmt: skip
_OTHERS = (
    select(func.count())
    .where(job.c.queue == NOTIFY, job.c.id != bindparam("b_id"), job.c.state.in_(("live", "done")))
    .where(job.c.subject == bindparam("of"), job.c.payload["page"].as_integer() == bindparam("of_page"))
    .where(job.c.payload["step"].as_integer() == bindparam("of_step"))
)
_TOLD = (
    select(job.c.payload)
    .where(job.c.queue == NOTIFY, job.c.subject.in_(bindparam("of", expanding=True)))
    .where(job.c.state.in_(("live", "done")), job.c.kind != POST)
    .order_by(job.c.id)
)
_RENEW = update(job).where(MINE).values(due_at=bindparam("at"))
_MOVE = update(job).where(job.c.id == bindparam("b_id")).values(subject=bindparam("to"))
_PUT_OFF = update(job).where(job.c.id == bindparam("b_id"), LIVE).values(due_at=bindparam("at"))
_NEXT = select(func.min(job.c.due_at)).where(job.c.queue == bindparam("in_queue"), LIVE)
_NEXT_IN_LANES = _NEXT.where(_NOT_IN_FULL_LANES)
_RELEASING = update(job).values(due_at=bindparam("at"), leased_by=None).returning(job.c.queue)
_RELEASE = _RELEASING.where(LIVE, job.c.leased_by.is_not(None))
_OF_OWNER = (
    select(job.c.id).where(LIVE, job.c.leased_by == bindparam("owner")).with_for_update(skip_locked=True).cte("held")
)
_RELEASE_OF = _RELEASING.where(job.c.id == _OF_OWNER.c.id)
_ONE_DUE = select(job).where(job.c.id == bindparam("b_id"), LIVE, job.c.due_at <= bindparam("at"))
_TAKE_ONE_DUE = _ONE_DUE.with_for_update(skip_locked=True)
_STILL_MINE = select(job.c.id).where(MINE)
_LIVE_KEY = select(job).where(job.c.ukey == bindparam("key"), LIVE)


def schedule(
    tx: Tx,
    *,
    queue: str,
    kind: str,
    subject: str,
    ukey: str,
    due_at: datetime,
    payload: Mapping[str, Any] | None = None,
    give_up_at: datetime | None = None,
) -> None:
    """Make a job, or move the live one of the same key (which takes it away from whoever was at it)."""
    row = {
        "queue": queue, "kind": kind, "subject": subject, "ukey": ukey, "due_at": due_at, "payload": payload or {},
        "give_up_at": give_up_at, "created_at": tx.now, "rank": _RANKS.get((payload or {}).get("purpose", ""), 0),
    }  # fmt: skip
    tx.later(job, _SCHEDULE[tx.dialect], ukey, row)
    tx.wake(queue)


def ensure(tx: Tx, *, kind: str, subject: str, ukey: str, due_at: datetime) -> None:
    """Make a deadline, unless there is a live one of the same key: that one stays when it is."""
    if tx.waits(job, ukey):
        return
    row = {
        "queue": TIMER, "kind": kind, "subject": subject, "ukey": ukey, "due_at": due_at, "payload": {},
        "give_up_at": None, "created_at": tx.now, "rank": 0,
    }  # fmt: skip
    tx.later(job, _ENSURE[tx.dialect], ukey, row)
    tx.wake(TIMER)


def soon(tx: Tx, *, queue: str, kind: str, subject: str, ukey: str, due_at: datetime) -> None:
    """Make a job unless one of the same key waits that is due no later; one that is being done is done once more."""
    row = {
        "queue": queue, "kind": kind, "subject": subject, "ukey": ukey, "due_at": due_at, "payload": {},
        "give_up_at": None, "created_at": tx.now, "rank": 0,
    }  # fmt: skip
    tx.later(job, _SOON[tx.dialect], ukey, row)
    tx.wake(queue)


def cancel(tx: Tx, ukey: str) -> None:
    """Cancel the live job of this key, if there is one."""
    beside = None if tx.waits(job, ukey) else job
    tx.execute(_CANCEL, {"key": ukey, "at": tx.now}, beside=beside)


def cancel_all(tx: Tx, subject: str, queue: str) -> None:
    """Cancel every live job of a queue that concerns this subject."""
    tx.conn.execute(_CANCEL_SUBJECT, {"of": subject, "in_queue": queue, "at": tx.now})


def cancel_page(tx: Tx, subject: str, page_id: int) -> None:
    """Cancel everything that a page would still do: its clocks, and its messages that were not sent."""
    for row in tx.conn.execute(_OF_PAGE, {"of": subject, "of_page": page_id}).all():
        cancel(tx, row.ukey)


def move_page(tx: Tx, page_id: int, *, of: str, to: str) -> None:
    """Let everything that a page will still do concern another subject."""
    for row in tx.conn.execute(_OF_PAGE, {"of": of, "of_page": page_id}).all():
        tx.conn.execute(_MOVE, {"b_id": row.id, "to": to})


def claim(tx: Tx, queue: str, *, me: str, lease: timedelta, most: int) -> list[Job]:
    """Take up to `most` due jobs for the length of a lease; each try counts, before anything is done."""
    key = {"in_queue": queue, "at": tx.now, "most": most, "me": me, "until": tx.now + lease}
    rows = tx.conn.execute(_CLAIM[tx.dialect], key)
    return sorted((job_of(row) for row in rows), key=lambda claimed: claimed.id)


def claim_in_lanes(
    tx: Tx, *, me: str, lease: timedelta, most: int, each: Callable[[str], int], busy: Mapping[str, int]
) -> list[Job]:  # fmt: skip
    """Claim messages as `claim` does, but of a lane at most what `each` allows, counting those that are `busy`.

    The lane of a job is its channel: a slow one keeps nobody else's messages waiting. Pages go first, then the rest.
    Whoever chooses what goes together to a channel is let finish, so that what they take along is not claimed here.
    """
    key = {"at": tx.now, "most": 4 * most, "full": full_lanes(busy, each)}
    taken = Counter(busy)
    lanes: dict[int, str] = {}
    for row in tx.conn.execute(_DUE_IN_LANES, key).all():
        if taken[row.lane] < each(row.lane) and len(lanes) < most:
            taken[row.lane] += 1
            lanes[row.id] = row.lane
    ids = list(lanes)
    if tx.shares and ids:
        for lane in sorted(set(lanes.values())):
            locks.channel(tx, lane)
        ids = list(tx.conn.execute(_STILL_DUE, {"ids": ids, "at": tx.now}).scalars())
    if not ids:
        return []
    rows = tx.conn.execute(CLAIM_THESE, {"ids": ids, "me": me, "until": tx.now + lease})
    return sorted((job_of(row) for row in rows), key=lambda claimed: claimed.id)


def full_lanes(busy: Mapping[str, int], each: Callable[[str], int]) -> list[str]:
    """Name the lanes that have no room."""
    return sorted(lane for lane, number in busy.items() if number >= each(lane))


def lane_of(job: Job) -> str:
    """Name the lane of a job."""
    return str(job.payload.get("channel", ""))


def due_ids(tx: Tx, queue: str, most: int) -> list[int]:
    """Name the jobs that are due, the longest waiting first."""
    return list(tx.conn.execute(_DUE, {"in_queue": queue, "at": tx.now, "most": most}).scalars())


def take(tx: Tx, job_id: int) -> Job | None:
    """Take a due job that is done within this very transaction, and mark it done; None when it is not due any more."""
    row = tx.conn.execute(_ONE_DUE, {"b_id": job_id, "at": tx.now}).one_or_none()
    if row is not None and tx.shares:
        locks.subject(tx, row.subject)
        if row.subject == SYSTEM:
            locks.job(tx, row.ukey)
        row = tx.conn.execute(_TAKE_ONE_DUE, {"b_id": job_id, "at": tx.now}).one_or_none()
    if row is None:
        return None
    taken = job_of(row)
    complete(tx, taken)
    return taken


def complete(tx: Tx, done: Job) -> bool:
    """Mark a job done; False when the lease was lost, and then nothing that belongs to it may be written."""
    return _finish(tx, done, "done", "")


def bury(tx: Tx, given_up: Job, why: str) -> bool:
    """Give a job up; False when the lease was lost."""
    return _finish(tx, given_up, "dead", why)


def retry(tx: Tx, failed: Job, *, at: datetime, why: str, known_undone: bool) -> bool:
    """Put a job back for a later try; False when the lease was lost.

    `known_undone` says that this try certainly had no effect; the payload counts the tries of which that is known.
    """
    payload = dict(failed.payload)
    if known_undone and payload.get("known_undone", 0) == failed.attempt - 1:
        payload["known_undone"] = failed.attempt
    found = tx.conn.execute(_AGAIN, {**mine(failed), "at": at, "why": why, "with_payload": payload})
    tx.wake(failed.queue)
    return found.rowcount == 1


def renew(tx: Tx, held: Job, lease: timedelta) -> bool:
    """Make a lease longer; False when it was lost."""
    return tx.conn.execute(_RENEW, {**mine(held), "at": tx.now + lease}).rowcount == 1


def next_due(tx: Tx, queue: str, full: Sequence[str] = ()) -> datetime | None:
    """Say when the next job of a queue is due, those in full lanes left out."""
    statement = _NEXT_IN_LANES if full else _NEXT
    found: datetime | None = tx.conn.execute(statement, {"in_queue": queue, "full": list(full)}).scalar()
    return found


def still_mine(tx: Tx, held: Job) -> bool:
    """Say whether a lease still holds."""
    return tx.conn.execute(_STILL_MINE, mine(held)).one_or_none() is not None


def release_all(tx: Tx) -> int:
    """Make every leased job due now. Only where it is known that no other process lives: SQLite, at start."""
    return _released(tx, tx.conn.execute(_RELEASE, {"at": tx.now}).scalars().all())


def release_of(tx: Tx, owner: str) -> int:
    """Make due now what a replica has leased, since it ends or was not heard of for too long."""
    return _released(tx, tx.conn.execute(_RELEASE_OF, {"at": tx.now, "owner": owner}).scalars().all())


def _released(tx: Tx, queues: Sequence[str]) -> int:
    for queue in set(queues):
        tx.wake(queue)
    return len(queues)


def has_others_of_step(tx: Tx, one: Job) -> bool:
    """Say whether another message of the same escalation step was delivered, or still may be."""
    key = {"b_id": one.id, "of": one.subject, "of_page": one.payload["page"], "of_step": one.payload["step"]}
    return bool(tx.conn.execute(_OTHERS, key).scalar())


def put_off(tx: Tx, job_id: int, until: datetime) -> None:
    """Make a job due later."""
    tx.conn.execute(_PUT_OFF, {"b_id": job_id, "at": until})


def live(tx: Tx, ukey: str) -> Job | None:
    """Find the live job of this key; what else a unit makes of it, nobody makes meanwhile."""
    locks.job(tx, ukey)
    row = tx.conn.execute(_LIVE_KEY, {"key": ukey}).one_or_none()
    return None if row is None else job_of(row)


def told(tx: Tx, subjects: Sequence[str]) -> list[str]:
    """Name the channels that messages about these subjects reached, or still will, in the order of the first."""
    rows = tx.execute(_TOLD, {"of": list(subjects)})
    return list(dict.fromkeys(str(row.payload["channel"]) for row in rows if row.payload.get("channel")))


def _finish(tx: Tx, finished: Job, state: str, why: str) -> bool:
    locks.subject(tx, finished.subject)
    key = {**mine(finished), "new": state, "at": tx.now, "why": why}
    found = tx.execute(_FINISH, key, beside=None if tx.waits(job, finished.ukey) else job)
    return found.rowcount == 1


def mine(held: Job) -> dict[str, Any]:
    """Give what MINE asks for."""
    return {"b_id": held.id, "b_attempt": held.attempt, "b_owner": held.leased_by}


def job_of(row: Row[Any]) -> Job:
    """Make a job of its row."""
    return Job(
        id=row.id, queue=row.queue, kind=row.kind, subject=row.subject, ukey=row.ukey, due_at=row.due_at,
        attempt=row.attempt, give_up_at=row.give_up_at, leased_by=row.leased_by, payload=row.payload,
        created_at=row.created_at,
    )  # fmt: skip
