"""What people outside of the work were told, and what they were promised: stored, saved, found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from incidentd.errors import NotFound
from incidentd.store import locks
from incidentd.store.base import Read, Tx, both, dump, load, new_id
from incidentd.store.tables import stakeholder_update, update_promise
from incidentd.updates import Audience, Promise, Update

_MOST = 200
_told, _promised = stakeholder_update.c, update_promise.c
_SAVE_PROMISE = both(
    lambda insert: (new := insert(update_promise)).on_conflict_do_update(
        index_elements=["incident_id", "audience"], set_={"due_at": new.excluded.due_at, "body": new.excluded.body}
    )
)
_PROMISES = select(_promised.body).where(_promised.incident_id == bindparam("of")).order_by(_promised.audience)
_SAVE = update(stakeholder_update).where(_told.id == bindparam("b_id"))
_ONE = Read(select(_told.body).where(_told.id == bindparam("b_id")))
_INCIDENT_OF = select(_told.incident_id).where(_told.id == bindparam("b_id"))
_OF = select(_told.body).where(_told.incident_id == bindparam("of")).order_by(_told.id.desc()).limit(_MOST)
_WAITING = select(_told.body).where(
    _told.incident_id == bindparam("of"), _told.audience == bindparam("to"), _told.state == "waiting"
)
_SHOWN = (
    select(_told.body)
    .where(_told.audience == Audience.EXTERNAL.value, _told.state == "sent", _told.at >= bindparam("since"))
    .order_by(_told.at.desc(), _told.id.desc())
    .limit(_MOST)
)


def save_promise(tx: Tx, changed: Promise) -> None:
    """Store how an audience stands."""
    row = {
        "incident_id": changed.incident_id, "audience": changed.audience.value, "due_at": changed.due_at,
        "body": dump(changed),
    }  # fmt: skip
    tx.execute(_SAVE_PROMISE[tx.dialect], row)


def promises(tx: Tx, incident_id: int) -> dict[Audience, Promise]:
    """Read what each audience of an incident was promised."""
    locks.subject(tx, f"INC-{incident_id}")
    found = (load(body, Promise) for body in tx.execute(_PROMISES, {"of": incident_id}).scalars())
    return {one.audience: one for one in found}


def insert(tx: Tx, new: Update) -> Update:
    """Store a new text and give it its id."""
    made = new_id(tx, stakeholder_update, _row(new))
    numbered = load({**dump(new), "id": made}, Update)
    save(tx, numbered)
    return numbered


def save(tx: Tx, changed: Update) -> None:
    """Store what became of a text."""
    tx.execute(_SAVE, {"b_id": changed.id, **_row(changed)})


def get(tx: Tx, update_id: int) -> Update:
    """Read a text, with its incident locked. Raises NotFound."""
    number = tx.execute(_INCIDENT_OF, {"b_id": update_id}).scalar()
    if number is None:
        raise NotFound(f"there is no UPD-{update_id}")
    locks.subject(tx, f"INC-{number}")
    return load(tx.execute(_ONE.of(tx), {"b_id": update_id}).scalar_one(), Update)


def waiting(tx: Tx, incident_id: int, audience: Audience) -> Update | None:
    """Find the text to an audience that waits for approval."""
    locks.subject(tx, f"INC-{incident_id}")
    body = tx.execute(_WAITING, {"of": incident_id, "to": audience.value}).scalar()
    return None if body is None else load(body, Update)


def of_incident(tx: Tx, incident_id: int) -> list[Update]:
    """List the texts of an incident, the newest first."""
    return [load(body, Update) for body in tx.execute(_OF, {"of": incident_id}).scalars()]


def sent_outside(tx: Tx, since: datetime) -> list[Update]:
    """List what was sent to people outside since an instant, the newest first."""
    return [load(body, Update) for body in tx.execute(_SHOWN, {"since": since}).scalars()]


def _row(it: Update) -> dict[str, Any]:
    return {
        "incident_id": it.incident_id, "audience": it.audience.value, "state": it.state.value, "at": it.at,
        "body": dump(it),
    }  # fmt: skip
