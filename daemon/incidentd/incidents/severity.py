"""Changing the severity of an incident: up by evidence or by people, down only by its commander and with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.incidents.incident import Incident, SeverityChange
from incidentd.incidents.moving import worse
from incidentd.incidents.standing import Standing
from incidentd.incidents.states import ACTIVE, Status


def change_severity(
    incident: Incident, to: str, ranks: Mapping[str, int], now: datetime, *, who: Standing, reason: str
) -> Incident:  # fmt: skip
    """Raise or lower the severity of an active incident; the peak keeps the worst that it ever had.

    Raises Conflict when it is over or has that severity, BadRequest when it falls without a reason, and NotAllowed when
    somebody else than its commander lowers it: severity never falls by itself.
    """
    if incident.status not in ACTIVE:
        raise Conflict(f"{incident.key} is {incident.status}; its severity changes no more")
    if to == incident.severity:
        raise Conflict(f"{incident.key} is {to} already")
    if ranks[to] > ranks.get(incident.severity, 0):
        _refuse_fall(incident, who, reason)
    change = SeverityChange(at=now, by=who.name, was=incident.severity, to=to, reason=reason)
    return replace(
        incident, severity=to, peak_severity=worse(to, incident.peak_severity, dict(ranks)),
        severity_changes=(*incident.severity_changes, change), version=incident.version + 1,
    )  # fmt: skip


def say_final(incident: Incident, to: str, *, who: Standing) -> Incident:
    """Say what a resolved incident was in the end.

    Raises Conflict for any other state, and NotAllowed for others than its commander.
    """
    if incident.status not in (Status.RESOLVED, Status.POSTMORTEM):
        raise Conflict(f"{incident.key} is {incident.status}; its final severity is said between resolve and close")
    _refuse_others(incident, who)
    return replace(incident, final_severity=to, version=incident.version + 1)


def _refuse_fall(incident: Incident, who: Standing, reason: str) -> None:
    if who.system:
        raise Conflict(f"{incident.key} is {incident.severity}; severity never falls by itself")
    _refuse_others(incident, who)
    if not reason:
        raise BadRequest("lowering a severity needs a reason")


def _refuse_others(incident: Incident, who: Standing) -> None:
    commander = incident.commander
    may = who.manager or not who.counts or (commander == who.name if commander else who.on_call)
    if not may:
        whose = (
            f"its Incident Commander, {commander},"
            if commander
            else "whoever is on call for it, while nobody commands,"
        )
        raise NotAllowed(
            f"the severity of {incident.key} is lowered by {whose} or by a token with the scope admin",
            authenticated=True,
        )
