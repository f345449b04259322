"""Offers to take over roles: stored, answered once, found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from incidentd.errors import Conflict, NotFound
from incidentd.handover import Handover, State
from incidentd.roles import Role
from incidentd.store import jobs, locks
from incidentd.store.base import Tx, dump, load, new_id
from incidentd.store.tables import handover, handover_role

KIND = "handover"
"""The kind of the deadlines of offers, and of the messages to their receivers."""
_it, _of_role = handover.c, handover_role.c
_BODY = select(_it.body).where(_it.id == bindparam("b_id"))
_INCIDENT_OF = select(_it.incident_id).where(_it.id == bindparam("b_id"))
_OF = select(_it.body).where(_it.incident_id == bindparam("of")).order_by(_it.id)
_WAITING = _OF.where(_it.state == State.OFFERED.value)
_SAVE = update(handover).where(_it.id == bindparam("b_id"), _it.state == State.OFFERED.value)
_SAVE_ROLES = update(handover_role).where(_of_role.handover_id == bindparam("b_id"))
_WRITE_ID = update(handover).where(_it.id == bindparam("b_id"))


def add(tx: Tx, new: Handover) -> Handover:
    """Store an offer and give it its id. Raises Conflict when one of its roles is on offer already."""
    locks.subject(tx, f"INC-{new.incident_id}")
    for role in new.roles:
        before = waiting_for(tx, new.incident_id, role)
        if before is not None:
            raise Conflict(
                f"{role.title} of INC-{new.incident_id} is on offer to {before.receiver} already ({before.key}); "
                f"take that back first: incidentd withdraw {before.key}"
            )
    made = replace(new, id=new_id(tx, handover, _row(new)))
    tx.execute(_WRITE_ID, {"b_id": made.id, "body": dump(made)})
    for role in made.roles:
        row = {
            "handover_id": made.id, "role": role.value, "incident_id": made.incident_id, "state": made.state.value
        }  # fmt: skip
        tx.execute(insert(handover_role), row)
    return made


def deadline(handover_id: int) -> str:
    """Name the deadline of an offer."""
    return f"handover:{handover_id}"


def overtaken(tx: Tx, incident_id: int, role: Role | None = None) -> None:
    """Have the offer of a role (of any, if none is named) looked at now, since the role changed hands.

    It is void then, and that is said.
    """
    for it in waiting(tx, incident_id):
        if role is not None and role not in it.roles:
            continue
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=KIND, subject=f"INC-{incident_id}", ukey=deadline(it.id), due_at=tx.now,
            payload={"handover": it.id},
        )  # fmt: skip


def end(tx: Tx, ended: Handover) -> Handover:
    """Store what became of an offer. Raises Conflict when it was answered before."""
    done = tx.execute(_SAVE, {"b_id": ended.id, **_row(ended)})
    if done.rowcount != 1:
        raise Conflict(f"{ended.key} was answered meanwhile; look at incidentd handovers INC-{ended.incident_id}")
    tx.execute(_SAVE_ROLES, {"b_id": ended.id, "state": ended.state.value})
    return ended


def get(tx: Tx, handover_id: int) -> Handover:
    """Read an offer, with its incident locked. Raises NotFound."""
    number = tx.execute(_INCIDENT_OF, {"b_id": handover_id}).scalar()
    if number is None:
        raise NotFound(f"there is no HO-{handover_id}")
    locks.subject(tx, f"INC-{number}")
    return load(tx.execute(_BODY, {"b_id": handover_id}).scalar_one(), Handover)


def of_incident(tx: Tx, incident_id: int) -> list[Handover]:
    """List the offers of an incident, the first one first."""
    return [load(body, Handover) for body in tx.execute(_OF, {"of": incident_id}).scalars()]


def waiting(tx: Tx, incident_id: int) -> list[Handover]:
    """List the offers of an incident that wait for an answer."""
    return [load(body, Handover) for body in tx.execute(_WAITING, {"of": incident_id}).scalars()]


def waiting_for(tx: Tx, incident_id: int, role: Role) -> Handover | None:
    """Find the offer of a role that waits for an answer."""
    return next((one for one in waiting(tx, incident_id) if role in one.roles), None)


def _row(it: Handover) -> dict[str, Any]:
    return {"incident_id": it.incident_id, "state": it.state.value, "ended_at": it.ended_at, "body": dump(it)}
