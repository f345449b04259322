"""Which graphs went with which message: a channel is given those of one moment of a hold or incident once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from incidentd.store.base import Tx, both
from incidentd.store.tables import attached

_OF = (
    attached.c.subject == bindparam("of"), attached.c.channel == bindparam("with_channel"),
)  # fmt: skip
_GIVEN = select(attached.c.moment, attached.c.at).where(*_OF)
_CLAIM = both(lambda insert: insert(attached).on_conflict_do_nothing().returning(attached.c.key))
_LET_GO = delete(attached).where(*_OF, attached.c.key == bindparam("with_key"))


def given(tx: Tx, subject: str, channel: str) -> dict[str, datetime]:
    """Say of which moments the channel was given the graphs, or may have been, and when."""
    rows = tx.execute(_GIVEN, {"of": subject, "with_channel": channel})
    return {row.moment: row.at for row in rows}


def claim(tx: Tx, subject: str, channel: str, moment: str, key: str) -> bool:
    """Note that a message is about to give them to the channel; False when another one was first."""
    row = {"subject": subject, "channel": channel, "moment": moment, "key": key, "at": tx.now}
    return tx.execute(_CLAIM[tx.dialect], row).one_or_none() is not None


def let_go(tx: Tx, subject: str, channel: str, key: str) -> None:
    """Forget what a message was about to give: it surely did not arrive, and the next one may."""
    tx.execute(_LET_GO, {"of": subject, "with_channel": channel, "with_key": key})
