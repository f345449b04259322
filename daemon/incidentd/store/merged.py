"""What is part of an incident: what was merged into it and not taken out again, and its action items."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from incidentd.actionitems import ActionItem
from incidentd.incidents import Incident, Status
from incidentd.store import things
from incidentd.store.base import Tx, load
from incidentd.store.tables import incident, timeline

_TOOK_IN = select(timeline.c.data).where(
    timeline.c.subject == bindparam("of"), timeline.c.kind == "incident.took_in"
)  # fmt: skip
_MERGED = (
    select(incident.c.body)
    .where(incident.c.id.in_(bindparam("numbers", expanding=True)), incident.c.status == Status.MERGED.value)
    .order_by(incident.c.id)
)


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


def _taken_in(tx: Tx, number: int) -> list[Incident]:
    """Read what an incident took in at some time and is merged now; holds, and what is pruned, are left out."""
    keys = {str(data.get("merged", "")) for data in tx.conn.execute(_TOOK_IN, {"of": f"INC-{number}"}).scalars()}
    numbers = [int(key.removeprefix("INC-")) for key in keys if key.startswith("INC-")]
    if not numbers:
        return []
    return [load(body, Incident) for body in tx.conn.execute(_MERGED, {"numbers": numbers}).scalars()]


def items_of(tx: Tx, it: Incident) -> list[ActionItem]:
    """List the action items of an incident and of what is part of it now, oldest first."""
    found = [item for key in (it.key, *parts(tx, it)) for item in things.items_of(tx, key)]
    return sorted(found, key=lambda item: item.id)
