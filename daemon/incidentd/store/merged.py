"""What is part of an incident: what was merged into it and not taken out again, and its action items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from incidentd.actionitems import ActionItem
from incidentd.incidents import Incident, Status
from incidentd.store import things
from incidentd.store.base import Tx, load
from incidentd.store.tables import incident, timeline

_TOOK_IN = select(timeline.c.data).where(
    timeline.c.subject == bindparam("of"), timeline.c.kind == "incident.took_in"
)  # fmt: skip
_MOVES = (
    select(timeline.c.seq, timeline.c.at, timeline.c.kind, timeline.c.data)
    .where(timeline.c.subject == bindparam("of"))
    .where(timeline.c.kind.in_(("incident.took_in", "incident.gave_back")))
    .order_by(timeline.c.seq)
)
MERGED = (
    select(incident.c.body)
    .where(incident.c.id.in_(bindparam("numbers", expanding=True)), incident.c.status == Status.MERGED.value)
    .order_by(incident.c.id)
)
"""The incidents of these `numbers` that are part of another one now."""


def parts(tx: Tx, it: Incident) -> dict[str, datetime]:
    """Say what is part of an incident now, directly or through another part, and since when; nothing is locked."""
    found: dict[str, datetime] = {}
    wholes = [(it.id, it.declared_at)]
    while wholes:
        number, since = wholes.pop()
        for one in _taken_in(tx, number):
            if one.merge is not None and one.merge.into == number and one.key not in found:
                found[one.key] = max(since, one.merge.at)
                wholes.append((one.id, found[one.key]))
    return found


def parts_then(tx: Tx, it: Incident, version: int, at: datetime) -> dict[str, datetime]:
    """Say what was part of an incident, and since when, at entry `version` of its timeline, which was written `at`.

    Parts that are pruned are named, too.
    """
    found: dict[str, datetime] = {}
    own = [row for row in _moves(tx, it.key) if row.seq <= version]
    wholes = [(own, it.declared_at, dict[str, datetime]())]
    while wholes:
        rows, since, above = wholes.pop()
        has: dict[str, datetime] = {}
        left = dict(above)
        for row in rows:
            key = str(row.data.get("merged", ""))
            if row.kind == "incident.took_in":
                has[key] = row.at
            else:
                has.pop(key, None)
                left[key] = row.at
        for key, came in has.items():
            # on older timelines only the survivor's tells that what came through another one was taken out
            if key.startswith("INC-") and key not in found and (key not in left or left[key] <= came):
                found[key] = max(since, came)
                wholes.append(([row for row in _moves(tx, key) if row.at <= at], found[key], left))
    return found


def _moves(tx: Tx, key: str) -> Sequence[Any]:
    """Read the entries of what an incident took in and gave back, oldest first."""
    return tx.conn.execute(_MOVES, {"of": key}).all()


def _taken_in(tx: Tx, number: int) -> list[Incident]:
    """Read what an incident took in at some time and is merged now; holds, and what is pruned, are left out."""
    keys = {str(data.get("merged", "")) for data in tx.conn.execute(_TOOK_IN, {"of": f"INC-{number}"}).scalars()}
    numbers = [int(key.removeprefix("INC-")) for key in keys if key.startswith("INC-")]
    if not numbers:
        return []
    return [load(body, Incident) for body in tx.conn.execute(MERGED, {"numbers": numbers}).scalars()]


def items_of(tx: Tx, it: Incident) -> list[ActionItem]:
    """List the action items of an incident and of what is part of it now, oldest first."""
    return items_among(tx, (it.key, *parts(tx, it)))


def items_among(tx: Tx, keys: Iterable[str]) -> list[ActionItem]:
    """List the action items of several incidents, oldest first."""
    found = [item for key in keys for item in things.items_of(tx, key)]
    return sorted(found, key=lambda item: item.id)
