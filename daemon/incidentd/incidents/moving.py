"""Moving an incident by the table: what is refused and in which words, and what each move stamps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.errors import Conflict, NotAllowed
from incidentd.incidents import guards
from incidentd.incidents.incident import Incident
from incidentd.incidents.standing import NOTHING, SYSTEM, Known, Standing
from incidentd.incidents.states import ACTIVE, Status
from incidentd.incidents.table import MOVES, Transition, Who, allowed
from incidentd.roles import Assignment, Role, released
from incidentd.text import plain


def move(
    incident: Incident, to: Status, now: datetime, *, who: Standing = SYSTEM, known: Known = NOTHING
) -> Incident:  # fmt: skip
    """Move an incident to another state and stamp the clocks that belong to it.

    Raises Conflict with the moves that are allowed when the table does not list it, or with what is missing; NotAllowed
    with those who may; and BadRequest when a word is missing that only the caller can give.
    """
    row = MOVES.get((incident.status, to))
    if row is None:
        raise Conflict(f"{incident.key} is {incident.status}; it cannot become {to} ({ways_on(incident)})")
    refuse_who_may_not(incident, row, who)
    guards.look(row.guard, incident, now, who, known)
    return replace(_stamped(incident, row, now, known), version=incident.version + 1)


def ways_on(incident: Incident) -> str:
    """Say what an incident may become next: `allowed from here: mitigated, resolved`."""
    return f"allowed from here: {', '.join(allowed(incident.status)) or 'none'}"


def refuse_who_may_not(incident: Incident, row: Transition, who: Standing) -> None:
    """Raise NotAllowed, saying who may, unless somebody's standing allows a move."""
    if who.system:
        may = Who.SYSTEM in row.who
    elif who.manager or not who.counts:
        may = row.who != (Who.SYSTEM,)
    else:
        may = any(_is(incident, one, who) for one in row.who)
    if not may:
        those = ", ".join(row.who)
        now = f"its Incident Commander is {incident.commander}" if incident.commander else "it has no commander"
        raise NotAllowed(
            f"{plain(who.name, 40)} may not make {incident.key} {row.to} from {row.source}: {those} may ({now}); "
            "a token with the scope admin may, too",
            authenticated=True,
        )


def refuse_strangers(incident: Incident, who: Standing) -> None:
    """Raise NotAllowed unless somebody has a role in an incident, is on call for it, or may administer."""
    roles = {a.person for a in incident.roles}
    if who.counts and not (who.system or who.manager or who.on_call or who.name in roles):
        raise NotAllowed(
            f"{plain(who.name, 40)} has no role in {incident.key} and is not on call for it; "
            f"{plain(', '.join(sorted(roles)), 200) or 'whoever is on call'} may, or a token with the scope admin",
            authenticated=True,
        )


def _is(incident: Incident, one: Who, who: Standing) -> bool:
    commands = _commands(incident, who)
    leads = {a.person for a in incident.roles if a.role is Role.OPERATIONS_LEAD and a.until is None}
    return {
        Who.COMMANDER: commands,
        Who.EITHER_COMMANDER: commands or who.commands_other,
        Who.SURVIVORS_COMMANDER: who.commands_other,
        Who.OPERATIONS_LEAD: who.name in leads or (not leads and commands),
        Who.LEAD_WITHOUT_COMMANDER: not incident.commander and who.name in leads,
        Who.ON_CALL: who.on_call,
        Who.ON_CALL_WITHOUT_COMMANDER: not incident.commander and who.on_call,
        Who.RESPONDER: True,
    }.get(one, False)


def _commands(incident: Incident, who: Standing) -> bool:
    """Say whether somebody commands; while nobody does, whoever is on call for it does (one takes the lead)."""
    return incident.commander == who.name or (not incident.commander and who.on_call)


def _stamped(incident: Incident, row: Transition, now: datetime, known: Known) -> Incident:
    moved = replace(incident, status=row.to, roles=_roles(incident, row.to, now))
    if row.to not in ACTIVE and incident.status in ACTIVE:
        moved = replace(moved, ended_at=now)
    match row.to:
        case Status.INVESTIGATING:
            return _investigated(moved, row.source, now)
        case Status.IDENTIFIED:
            return replace(moved, identified_at=now, cause=known.cause or incident.cause)
        case Status.MITIGATED:
            return replace(moved, mitigated_at=now)
        case Status.RESOLVED:
            return replace(moved, resolved_at=now, mitigated_at=incident.mitigated_at or now)
        case Status.STOOD_DOWN:
            return replace(moved, stand_down=known.code)
        case Status.POSTMORTEM | Status.CLOSED | Status.MERGED | Status.DECLARED:
            return moved


def _roles(incident: Incident, to: Status, now: datetime) -> tuple[Assignment, ...]:
    """Release everybody from what needs nobody any more."""
    over = to in (Status.STOOD_DOWN, Status.CLOSED, Status.MERGED)
    return released(incident.roles, now) if over else incident.roles


def _investigated(moved: Incident, source: Status, now: datetime) -> Incident:
    moved = replace(moved, mitigated_at=None, resolved_at=None, ended_at=None)
    match source:
        case Status.DECLARED:
            return replace(moved, acknowledged_at=moved.acknowledged_at or now)
        case Status.IDENTIFIED:
            return replace(moved, identified_at=None, cause="")
        case Status.RESOLVED | Status.POSTMORTEM | Status.STOOD_DOWN:
            again = moved.reopened + 1
            return replace(moved, reopened=again, stand_down=None, final_severity="", resolution="")
        case _:
            return moved


def reopens_alone(incident: Incident, now: datetime) -> bool:
    """Say whether an alert of its key takes an incident that is over up again, by itself."""
    if incident.status not in (Status.RESOLVED, Status.POSTMORTEM, Status.STOOD_DOWN):
        return False
    stood_down = incident.status is Status.STOOD_DOWN
    window = guards.REOPENS_WITHIN if stood_down else guards.REOPENS_ALONE_WITHIN
    return now - guards.over_since(incident) <= window


def worse(a: str, b: str, rank: dict[str, int]) -> str:
    """Give the worse of two severities."""
    return a if rank.get(a, 99) <= rank.get(b, 99) else b


def refuse_other_version(incident: Incident, expected: int | None, meanwhile: str) -> None:
    """Raise Conflict, with what changed meanwhile, unless an incident is as somebody saw it (None: however it is)."""
    if expected is not None and expected != incident.version:
        since = f" Meanwhile: {meanwhile}" if meanwhile else ""
        raise Conflict(
            f"{incident.key} was changed meanwhile: you saw version {expected}, it is {incident.version} and "
            f"{incident.status} now.{since} Look again, then repeat it if it is still right"
        )
