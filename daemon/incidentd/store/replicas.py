"""Replicas as units of work: each says regularly that it lives, and what a dead one had in hand is set free.

There is no leader. Whoever was not heard of for `TAKEOVER` is taken for dead by whichever replica looks next; should it
live after all, it writes its row anew, and its jobs have lost their leases, so what it still does it cannot complete.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, bindparam, cast, delete, func, select

from incidentd.store import jobs
from incidentd.store.base import Tx, both
from incidentd.store.tables import instant, replica, shared

log = logging.getLogger(__name__)

BEAT = timedelta(seconds=4)
"""How often a replica says that it lives."""
TAKEOVER = timedelta(seconds=20)
"""A replica that said nothing for so long counts as dead; with a beat to notice it that is well within 30 s."""

_BEAT = both(
    lambda insert: (new := insert(replica)).on_conflict_do_update(
        index_elements=["id"], set_={"seen_at": new.excluded.seen_at, "version": new.excluded.version}
    )
)
_SILENT = select(replica.c.id).where(replica.c.seen_at < bindparam("before"), replica.c.id != bindparam("me"))
_GONE = delete(replica).where(replica.c.id == bindparam("b_id"))
_GONE_IF_SILENT = _GONE.where(replica.c.seen_at < bindparam("before"))
_AGREE = both(lambda insert: insert(shared).on_conflict_do_nothing(index_elements=["name"]))
_AGREED = select(shared.c.value).where(shared.c.name == bindparam("of"))
_WANT = select(shared.c.name).limit(1).with_for_update(skip_locked=True)
_TIME = select(cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger))


def beat(tx: Tx, me: str, version: str) -> None:
    """Say that this replica lives."""
    row = {"id": me, "started_at": tx.now, "seen_at": tx.now, "version": version}
    tx.conn.execute(_BEAT[tx.dialect], row)


def take_over(tx: Tx, me: str) -> int:
    """Make due now what replicas had in hand that were not heard of; gives how many jobs that were."""
    before = tx.now - TAKEOVER
    taken = 0
    for name in tx.conn.execute(_SILENT, {"before": before, "me": me}).scalars().all():
        if tx.conn.execute(_GONE_IF_SILENT, {"b_id": name, "before": before}).rowcount == 1:
            released = jobs.release_of(tx, name)
            log.warning("replica %s was not heard of for %s; %d of its jobs are due again", name, TAKEOVER, released)
            taken += released
    return taken


def leave(tx: Tx, me: str) -> int:
    """Hand back what this replica has in hand, since it stops; gives how many jobs that were."""
    tx.conn.execute(_GONE, {"b_id": me})
    return jobs.release_of(tx, me)


def agree(tx: Tx, name: str, proposal: str) -> str:
    """Give what replicas agreed on under this name: what the first of them proposed."""
    tx.conn.execute(_AGREE[tx.dialect], {"name": name, "value": proposal})
    return str(tx.conn.execute(_AGREED, {"of": name}).scalar_one())


def want_to_write(tx: Tx) -> None:
    """Change nothing, and fail as whoever does change something fails where nobody may write."""
    tx.conn.execute(_WANT)


def time_of_database(tx: Tx) -> datetime:
    """Tell the time by the clock of the database."""
    return instant(int(tx.conn.execute(_TIME).scalar_one()))
