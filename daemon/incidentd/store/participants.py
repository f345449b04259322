"""Who works on an incident: stored, saved, found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from incidentd.pages import Page
from incidentd.roles import Participant
from incidentd.store import locks, things
from incidentd.store.base import Tx, dump, load, new_id
from incidentd.store.tables import participant

_it = participant.c
_SAVE = update(participant).where(_it.id == bindparam("b_id"))
_OF = select(_it.body).where(_it.incident_id == bindparam("of")).order_by(_it.id)
_HERE = select(_it.body).where(
    _it.incident_id == bindparam("of"), _it.person == bindparam("of_person"), _it.released_at.is_(None)
)


def insert(tx: Tx, new: Participant) -> Participant:
    """Store that somebody works on an incident from here."""
    made = replace(new, id=new_id(tx, participant, _row(new)))
    save(tx, made)
    return made


def save(tx: Tx, changed: Participant) -> None:
    """Store what became of somebody's part."""
    tx.execute(_SAVE, {"b_id": changed.id, **_row(changed)})


def here(tx: Tx, incident_id: int, person: str) -> Participant | None:
    """Find the part that somebody has in an incident now; None when they have none."""
    locks.subject(tx, f"INC-{incident_id}")
    body = tx.execute(_HERE, {"of": incident_id, "of_person": person}).scalar()
    return None if body is None else load(body, Participant)


def of_incident(tx: Tx, incident_id: int) -> list[Participant]:
    """List everybody who works or worked on an incident, in the order in which they came."""
    return [load(body, Participant) for body in tx.execute(_OF, {"of": incident_id}).scalars()]


def everybody(tx: Tx, incident_id: int) -> list[Participant]:
    """List everybody who was called or came: those who were paged and did not come yet stand at the end."""
    found = of_incident(tx, incident_id)
    first: dict[str, Participant] = {}
    pages = things.pages_of(tx, f"INC-{incident_id}")
    for page in pages:
        for person in page.paged:
            first[person] = _called(first.get(person), incident_id, person, page)
    came = {one.person for one in found}
    known, went = [], dict[str, datetime | None]()
    for one in found:
        known.append(replace(one, paged_at=one.paged_at or _paged_at(pages, one.person, went.get(one.person))))
        went[one.person] = one.released_at
    return [*known, *(one for person, one in first.items() if person not in came)]


def _paged_at(pages: Sequence[Page], person: str, since: datetime | None) -> datetime | None:
    """Say when somebody was first called; `since` they were let go, for whoever came back."""
    called = (page.started_at for page in pages if person in page.paged)
    return next((at for at in called if since is None or at >= since), None)


def _called(known: Participant | None, incident_id: int, person: str, page: Page) -> Participant:
    """Take that a page called somebody: the first one says when, and the first with an errand for what."""
    errand = page.errand
    if known is None:
        known = Participant(id=0, incident_id=incident_id, person=person, paged_at=page.started_at)
    if known.asked:
        return known
    return replace(known, team=errand.team, asked=errand.asked, by=errand.by)


def _row(it: Participant) -> dict[str, Any]:
    return {"incident_id": it.incident_id, "person": it.person, "released_at": it.released_at, "body": dump(it)}
