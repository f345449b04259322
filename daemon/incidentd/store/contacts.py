"""Contact tests: which channel was tested at which address, and whether somebody said that it arrived."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from incidentd.contacts import Confirmation
from incidentd.store import locks
from incidentd.store.base import Tx, both
from incidentd.store.tables import contact

_ALL = select(contact)
_ONE = select(contact).where(contact.c.channel == bindparam("of"))
_SENT = both(
    lambda insert: (new := insert(contact)).on_conflict_do_update(
        index_elements=["channel"],
        set_={name: getattr(new.excluded, name) for name in ("mark", "sent_at", "confirmed_at")},
    )
)
_CONFIRMED = update(contact).where(contact.c.channel == bindparam("of")).values(confirmed_at=bindparam("at"))


def confirmations(tx: Tx) -> dict[str, Confirmation]:
    """Read what is known of every channel that was ever tested, by its name."""
    return {
        row.channel: Confirmation(
            channel=row.channel, mark=row.mark, sent_at=row.sent_at, confirmed_at=row.confirmed_at
        )
        for row in tx.conn.execute(_ALL)
    }


def confirmation(tx: Tx, channel: str) -> Confirmation | None:
    """Read what is known of one channel; nobody else changes it until the end of a transaction that may write."""
    locks.job(tx, f"contact:{channel}")
    row = tx.conn.execute(_ONE, {"of": channel}).one_or_none()
    if row is None:
        return None
    return Confirmation(channel=row.channel, mark=row.mark, sent_at=row.sent_at, confirmed_at=row.confirmed_at)


def sent(tx: Tx, channel: str, mark: str) -> None:
    """Note that a test goes out; a confirmation of the same address stays, that of another one is over."""
    known = confirmation(tx, channel)
    kept = known.confirmed_at if known is not None and known.mark == mark else None
    row = {"channel": channel, "mark": mark, "sent_at": tx.now, "confirmed_at": kept}
    tx.conn.execute(_SENT[tx.conn.dialect.name], row)


def confirmed(tx: Tx, channel: str) -> None:
    """Note that a test arrived."""
    tx.conn.execute(_CONFIRMED, {"of": channel, "at": tx.now})
