"""The timeline's rows: appending to a subject's chain, and reading it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from incidentd.communication import OWN
from incidentd.store import jobs
from incidentd.store.base import Tx, both
from incidentd.store.tables import chain_head, timeline
from incidentd.timeline import INCIDENTD, Actor, Draft, Entry, link

# locked, where others write too: an entry is bound to the one before it, so two may not be written at once
_HEAD = (
    select(chain_head.c.seq, chain_head.c.hash, chain_head.c.follow_after)
    .where(chain_head.c.subject == bindparam("of"))
    .with_for_update()
)
_SET_HEAD = both(
    lambda insert: (new := insert(chain_head)).on_conflict_do_update(
        index_elements=["subject"], set_={"seq": new.excluded.seq, "hash": new.excluded.hash}
    )
)
_ENTRY = timeline.insert()
_NOTHING = (0, "", 0)
_FOLLOW = (
    update(chain_head)
    .where(chain_head.c.subject == bindparam("of"), chain_head.c.follow_after != bindparam("b_after"))
    .values(follow_after=bindparam("b_after"))
)
FOLLOWED = "followed"
"""The kind of the deadlines that tell channels of entries."""
_BETWEEN = (
    select(timeline)
    .where(timeline.c.subject == bindparam("of"), timeline.c.seq > bindparam("after"))
    .where(timeline.c.seq <= bindparam("to"))
    .order_by(timeline.c.seq)
)
_KINDS = select(timeline.c.seq, timeline.c.kind).where(
    timeline.c.subject == bindparam("of"), timeline.c.seq > bindparam("after")
)
_READ = select(timeline).where(timeline.c.subject == bindparam("of")).order_by(timeline.c.seq)
_LAST_OF = select(func.max(timeline.c.at)).where(
    timeline.c.subject == bindparam("of"), timeline.c.kind.in_(bindparam("kinds", expanding=True))
)
_LAST_KIND = (
    select(timeline.c.kind)
    .where(timeline.c.subject == bindparam("of"), timeline.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(timeline.c.seq.desc())
    .limit(1)
)
_LAST_HEARD = select(func.max(timeline.c.at)).where(
    timeline.c.subject == bindparam("of"), timeline.c.via != INCIDENTD.via
)
_READ_ALL = select(timeline).order_by(timeline.c.subject, timeline.c.seq)


def append(tx: Tx, subject: str, actor: Actor, drafts: Iterable[Draft]) -> None:
    """Write what happened at the end of a subject's chain."""
    for draft in drafts:
        seq, prev, follow_after = _head(tx, subject)
        entry = link(draft, subject=subject, seq=seq + 1, at=tx.now, actor=actor, prev_hash=prev)
        row = {
            "subject": subject, "seq": entry.seq, "at": entry.at, "actor": actor.name, "via": actor.via,
            "key": actor.key, "kind": entry.kind, "text": entry.text, "data": dict(entry.data),
            "prev_hash": entry.prev_hash, "hash": entry.hash,
        }  # fmt: skip
        tx.later(timeline, _ENTRY, (subject, entry.seq), row)
        head = {"subject": subject, "seq": entry.seq, "hash": entry.hash}
        tx.later(chain_head, _SET_HEAD[tx.dialect], subject, head)
        tx.heads[subject] = (entry.seq, entry.hash, follow_after)
        if follow_after and not entry.kind.startswith(OWN):
            told(tx, subject, tx.now + timedelta(milliseconds=follow_after))
        if tx.told is not None:
            tx.told(tx, subject, entry.kind)


def begin(tx: Tx, subject: str) -> None:
    """Say that a subject was made in this transaction, so that it has no chain yet: no number is given twice."""
    tx.heads[subject] = _NOTHING


def follow(tx: Tx, subject: str, after: timedelta | None) -> None:
    """Have channels told of a chain's entries from here on, so long after each; None: no more."""
    wait = 0 if after is None else max(int(after / timedelta(milliseconds=1)), 1)
    tx.execute(_FOLLOW, {"of": subject, "b_after": wait})
    known = tx.heads.get(subject)
    if known is not None:
        tx.heads[subject] = (known[0], known[1], wait)


def told(tx: Tx, subject: str, due_at: datetime) -> None:
    """Have the channels that follow a chain told of what is new, at that time or sooner when that is set already."""
    jobs.ensure(tx, kind=FOLLOWED, subject=subject, ukey=f"{FOLLOWED}:{subject}", due_at=due_at)


def is_followed(tx: Tx, subject: str) -> bool:
    """Say whether channels are told of a chain's entries."""
    return bool(_head(tx, subject)[2])


def _head(tx: Tx, subject: str) -> tuple[int, str, int]:
    known = tx.heads.get(subject)
    if known is None:
        # what waits to be written of other chains has nothing to do with it; of this one, it would be known
        found = tx.execute(_HEAD, {"of": subject}, beside=chain_head).one_or_none()
        known = tx.heads[subject] = (found.seq, found.hash, found.follow_after) if found else _NOTHING
    return known


def entries(tx: Tx, subject: str) -> tuple[Entry, ...]:
    """Read a whole chain, oldest first."""
    return tuple(_entry(row) for row in tx.conn.execute(_READ, {"of": subject}))


def between(tx: Tx, subject: str, after: int, to: int) -> tuple[Entry, ...]:
    """Read the entries of a chain that follow on one, up to another; oldest first."""
    return tuple(_entry(row) for row in tx.execute(_BETWEEN, {"of": subject, "after": after, "to": to}))


def kinds_after(tx: Tx, subject: str, after: int) -> list[tuple[int, str]]:
    """Read the (seq, kind) of what follows on an entry."""
    return [(row.seq, row.kind) for row in tx.execute(_KINDS, {"of": subject, "after": after})]


def last_of(tx: Tx, subject: str, kinds: Sequence[str]) -> datetime | None:
    """Say when something of these kinds was written about a subject the last time."""
    found: datetime | None = tx.conn.execute(_LAST_OF, {"of": subject, "kinds": list(kinds)}).scalar()
    return found


def last_kind(tx: Tx, subject: str, kinds: Sequence[str]) -> str:
    """Say which of these kinds was written about a subject the last time; '' when none was."""
    return str(tx.execute(_LAST_KIND, {"of": subject, "kinds": list(kinds)}).scalar() or "")


def last_heard(tx: Tx, subject: str) -> datetime | None:
    """Say when somebody or something else than incidentd's own clocks wrote about a subject the last time."""
    found: datetime | None = tx.execute(_LAST_HEARD, {"of": subject}).scalar()
    return found


def chains(tx: Tx) -> Iterator[tuple[str, list[Entry]]]:
    """Read every chain, one after another, each oldest first."""
    rows = tx.conn.execution_options(yield_per=1000).execute(_READ_ALL)
    for subject, chain in groupby(rows, key=lambda row: str(row.subject)):
        yield subject, [_entry(row) for row in chain]


def heads(tx: Tx) -> dict[str, tuple[int, str]]:
    """Read the (seq, hash) of every chain's newest entry, of the pruned ones too."""
    return {row.subject: (row.seq, row.hash) for row in tx.conn.execute(select(chain_head))}


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        subject=row.subject, seq=row.seq, at=row.at, actor=Actor(name=row.actor, via=row.via, key=row.key),
        kind=row.kind, text=row.text, data=row.data, prev_hash=row.prev_hash, hash=row.hash,
    )  # fmt: skip
