"""Who has and who had which role in an incident, and who was asked to take one.

An incident carries the intervals of its roles itself; whatever saves it keeps the rows in step (`keep`), and the table
sees to it that a role never has two holders and finds what one person holds everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from incidentd.errors import Conflict, NotFound
from incidentd.roles import Assignment, Offer, OfferState, Role
from incidentd.store import locks
from incidentd.store.base import Tx, both, new_id
from incidentd.store.tables import incident, role_assignment

_it = role_assignment.c
_KEEP = both(
    lambda insert: (new := insert(role_assignment)).on_conflict_do_update(
        index_elements=["incident_id", "number"],
        set_={name: new.excluded[name] for name in ("role", "person", "since", "until", "because", "by")},
    )
)
_HISTORY = (
    select(role_assignment).where(_it.incident_id == bindparam("of"), _it.state == "accepted").order_by(_it.number)
)
_OFFERS = (
    select(role_assignment).where(_it.incident_id == bindparam("of"), _it.number.is_(None)).order_by(_it.id)
)  # fmt: skip
_OFFER = select(role_assignment).where(_it.id == bindparam("b_id"), _it.number.is_(None))
_ANSWER = update(role_assignment).where(_it.id == bindparam("b_id"), _it.state == "asked")
_HELD_BY = (
    select(_it.incident_id, _it.role, _it.since)
    .join_from(role_assignment, incident, _it.incident_id == incident.c.id)
    .where(
        _it.person == bindparam("of_person"), _it.until.is_(None), _it.state == "accepted", incident.c.open.is_(True)
    )
    .order_by(_it.incident_id, _it.id)
)


def keep(tx: Tx, incident_id: int, roles: Sequence[Assignment]) -> None:
    """Write down the intervals of an incident as it has them; what stands there already is written again."""
    for number, one in enumerate(roles):
        row = {
            "incident_id": incident_id, "number": number, "role": one.role.value, "person": one.person,
            "since": one.since, "until": one.until, "state": "accepted", "because": one.because, "by": one.by,
        }  # fmt: skip
        tx.later(role_assignment, _KEEP[tx.dialect], (incident_id, number), row)


def assignments(tx: Tx, incident_id: int) -> tuple[Assignment, ...]:
    """Read who had which role from when to when, the first one first; nothing of it is ever removed."""
    return tuple(
        Assignment(
            role=Role(row.role), person=row.person, since=row.since, until=row.until, because=row.because, by=row.by
        )
        for row in tx.execute(_HISTORY, {"of": incident_id})
    )


def held_by(tx: Tx, person: str) -> list[tuple[int, Role, datetime]]:
    """List what somebody holds in incidents that go on: (incident, role, since)."""
    return [(row.incident_id, Role(row.role), row.since) for row in tx.execute(_HELD_BY, {"of_person": person})]


def ask(tx: Tx, new: Offer) -> Offer:
    """Store that somebody is asked to take a role, and give the question its id."""
    row = {
        "incident_id": new.incident_id, "number": None, "role": new.role.value, "person": new.person,
        "since": new.asked_at, "until": None, "state": new.state.value, "because": new.because, "by": new.by,
    }  # fmt: skip
    locks.subject(tx, f"INC-{new.incident_id}")
    return replace(new, id=new_id(tx, role_assignment, row))


def offers(tx: Tx, incident_id: int) -> list[Offer]:
    """List the questions of an incident, the first one first."""
    return [_offer(row) for row in tx.execute(_OFFERS, {"of": incident_id})]


def asked(tx: Tx, incident_id: int, role: Role) -> Offer | None:
    """Find the question about a role that waits for an answer."""
    locks.subject(tx, f"INC-{incident_id}")
    waiting = (one for one in offers(tx, incident_id) if one.state is OfferState.ASKED)
    return next((one for one in waiting if one.role is role), None)


def get_offer(tx: Tx, offer_id: int) -> Offer:
    """Read a question, with its incident locked. Raises NotFound."""
    row = tx.execute(_OFFER, {"b_id": offer_id}).first()
    if row is None:
        raise NotFound(f"there is no OFFER-{offer_id}")
    locks.subject(tx, f"INC-{row.incident_id}")
    return _offer(tx.execute(_OFFER, {"b_id": offer_id}).one())


def answer(tx: Tx, offer: Offer, became: OfferState) -> Offer:
    """Store what became of a question. Raises Conflict when it was answered meanwhile."""
    done = tx.execute(_ANSWER, {"b_id": offer.id, "state": became.value, "until": tx.now})
    if done.rowcount != 1:
        raise Conflict(f"{offer.key} was answered meanwhile; look at `incidentd roles INC-{offer.incident_id}`")
    return replace(offer, state=became, answered_at=tx.now)


def _offer(row: Row[Any]) -> Offer:
    return Offer(
        id=row.id, incident_id=row.incident_id, role=Role(row.role), person=row.person, asked_at=row.since,
        answered_at=row.until, state=OfferState(row.state), because=row.because, by=row.by,
    )  # fmt: skip
