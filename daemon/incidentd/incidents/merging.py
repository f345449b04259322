"""Merging incidents: which one survives, and that nothing goes round in a circle."""

from __future__ import annotations

from collections.abc import Mapping

from incidentd.errors import Conflict
from incidentd.incidents.incident import Incident
from incidentd.incidents.states import ACTIVE


def survivor_of(a: Incident, b: Incident, ranks: Mapping[str, int]) -> tuple[Incident, Incident]:
    """Order two incidents as (survivor, merged) when nobody chose: the more severe survives, else the older."""
    first, second = sorted((a, b), key=lambda it: (ranks.get(it.severity, 99), it.declared_at, it.id))
    return first, second


def refuse_merge(incident: Incident, into: Incident, *, root: Incident) -> None:
    """Raise Conflict unless an incident may go into another, of which `root` is what became of it."""
    if incident.id == into.id:
        raise Conflict(f"{incident.key} cannot be merged into itself")
    if root.id == incident.id:
        raise Conflict(f"{into.key} is part of {incident.key} already; merged the other way round they would be none")
    if root.status not in ACTIVE:
        through = f" (that is where {into.key} went)" if root.id != into.id else ""
        raise Conflict(f"{root.key}{through} is {root.status}; only an active incident takes another in")
    if root.drill != incident.drill:
        raise Conflict("a drill and an incident that is none stay apart")
