"""Locks of the database, for units that several replicas may run at the same moment.

A correlation key is the root: its hold, the incident that the hold becomes, their pages, runs and jobs change only
under the key's lock, so what happens to one subject happens one after the other, in whichever replica. It is taken
before any row, and rows of jobs are taken last. What a correlation key is of never changes, so a lock looks past what
is still to be written. The locks of channels are taken before those of subjects, and in the order of their names.
On SQLite the one writer is the lock, and all of this does nothing.
"""

from __future__ import annotations

from sqlalchemy import Select, Table, bindparam, case, cast, func, literal, select
from sqlalchemy.types import Text

from incidentd.pages import SUMMARY
from incidentd.store.base import Tx
from incidentd.store.tables import action_item, hold, incident, page, playbook_run

_BETWEEN = "\x01"


def _lock(name: object) -> Select[tuple[object]]:
    return select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0)))


def _lock_of(table: Table, kind: str) -> Select[tuple[object]]:
    alone = literal(f"{kind}-") + cast(table.c.id, Text)
    by_key = table.c.source + literal(_BETWEEN) + table.c.correlation_key
    return _lock(case((table.c.correlation_key == "", alone), else_=by_key)).where(table.c.id == bindparam("b_id"))


_NAMED = _lock(bindparam("name", type_=Text))
_TRY_NAMED = select(func.pg_try_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=Text), 0)))
_SUBJECT = {"HOLD": _lock_of(hold, "HOLD"), "INC": _lock_of(incident, "INC")}
_ABOUT = {
    table: select(table.c.subject).where(table.c.id == bindparam("b_id")) for table in (page, playbook_run, action_item)
}


def key(tx: Tx, source: str, correlation_key: str) -> None:
    """Let nobody else change what is about this correlation key until the end of the transaction."""
    if correlation_key:
        _take(tx, f"{source}{_BETWEEN}{correlation_key}")


def subject(tx: Tx, name: str) -> None:
    """Let nobody else change this hold, incident or summary, or what is about it; other subjects have no lock."""
    kind, _, number = name.partition("-")
    if kind == SUMMARY:
        _take(tx, name)  # the last lock of all: whoever has it waits for no hold
    elif tx.shares and name not in tx.locked and kind in _SUBJECT:
        tx.bare.execute(_SUBJECT[kind], {"b_id": int(number)})
        tx.locked.add(name)


def about(tx: Tx, table: Table, row_id: int) -> None:
    """Lock the subject that a page, a run or an action item is about."""
    if tx.shares:
        found = tx.execute(_ABOUT[table], {"b_id": row_id}).scalar()
        if found is not None:
            subject(tx, found)


def automation(tx: Tx) -> None:
    """Let nobody else begin a playbook run: its guards count the runs of all subjects."""
    _take(tx, "automation")


def job(tx: Tx, ukey: str) -> None:
    """Let nobody else change the job of this key, which concerns no hold or incident and may keep state of its own."""
    _take(tx, f"job:{ukey}")


def channel(tx: Tx, name: str) -> None:
    """Let nobody else claim for this channel, or choose what goes together: they would see wait what one takes."""
    _take(tx, f"channel:{name}")


def take_inbox(tx: Tx) -> bool:
    """Take the inbox for this transaction; False when another replica is at it."""
    return not tx.shares or bool(tx.bare.execute(_TRY_NAMED, {"name": "inbox"}).scalar())


def _take(tx: Tx, name: str) -> None:
    if tx.shares and name not in tx.locked:
        tx.bare.execute(_NAMED, {"name": name})
        tx.locked.add(name)
