"""Before a shift ends: whoever has roles in incidents that go on is asked to hand them over, and told to whom.

The deadlines are rows of each schedule, made with the clock of its next shift change; what moves that moves them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.engine.handoff import change_at
from incidentd.engine.handover import candidates, open_roles
from incidentd.engine.updates.common import tell
from incidentd.handoff import Change
from incidentd.incidents import Incident
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, role_handovers, rota, subjects
from incidentd.store.jobs import Job
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Draft

_REACH = timedelta(days=1)
_Open = tuple[Incident, tuple[Role, ...]]


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Ask whoever is about to leave, if somebody else comes then; nobody who holds nothing, or has offered it all."""
    edge = datetime.fromisoformat(job.payload["edge"])
    roster = rota.between(tx, settings.roster, tx.now - _REACH, edge + _REACH)
    schedule = roster.schedules.get(str(job.payload["schedule"]))
    if schedule is None or tx.now >= edge:
        return
    change = change_at(schedule, edge, roster.people)
    if not change.leaving or change.leaving == change.coming:
        return
    found = [(subjects.get_incident(tx, number), roles) for number, roles in open_roles(tx, change.leaving).items()]
    waiting = [one for one in ((it, _unoffered(tx, it, roles)) for it, roles in found) if one[1]]
    for incident, roles in waiting:
        _say(tx, settings, change, incident, roles)
    if waiting:
        _tell(tx, settings, change, waiting)


def _unoffered(tx: Tx, incident: Incident, roles: tuple[Role, ...]) -> tuple[Role, ...]:
    offered = {role for it in role_handovers.waiting(tx, incident.id) for role in it.roles}
    return tuple(role for role in roles if role not in offered)


def _asked(tx: Tx, settings: Settings, change: Change, incident: Incident, roles: tuple[Role, ...]) -> list[str]:
    """Say who could be asked: whoever comes next on this very schedule, then others who are on call then."""
    others = candidates(tx, settings, incident, change.leaving, roles=roles, at=change.at)
    return list(dict.fromkeys(it for it in [change.coming, *others] if it in settings.roster.people))


def _say(tx: Tx, settings: Settings, change: Change, incident: Incident, roles: tuple[Role, ...]) -> None:
    names = ", ".join(role.title for role in roles)
    asked = ", ".join(_asked(tx, settings, change, incident, roles)) or "nobody is known"
    text = (
        f"The shift of {change.leaving} in {plain(change.schedule, 60)} ends at {clock(change.at)}, in "
        f"{about(change.at - tx.now)}; still with {change.leaving}: {names}. Could be asked: {asked}."
    )
    data = {"person": change.leaving, "roles": [role.value for role in roles], "until": change.at.isoformat()}
    chain.append(tx, incident.key, INCIDENTD, [Draft("handover.due", text, data)])


def _tell(tx: Tx, settings: Settings, change: Change, waiting: list[_Open]) -> None:
    """Write one message about all that somebody has."""
    first, *_ = waiting
    lines = [
        f"Your shift in {plain(change.schedule, 60)} ends at {clock(change.at)}. Until somebody accepts, you have:"
    ]
    for incident, roles in waiting:
        asked = _asked(tx, settings, change, incident, roles)
        short, whom = ",".join(role.short for role in roles), asked[0] if asked else "PERSON"
        lines += [
            f"- {incident.key} {plain(incident.title, 120)}: {', '.join(role.title for role in roles)}",
            f"  could be asked: {', '.join(asked) or 'nobody is known'}",
            f"  incidentd handover {incident.key} {short} {whom} --now '...' --risks '...' --escalate-if '...'",
        ]
    if len(waiting) > 1:
        lines.append(
            f"All in one go, once each says how it stands: incidentd handover --all --to {change.coming or 'PERSON'}"
        )
    left = about(change.at - tx.now)
    key = f"handover/{change.schedule}/{change.at.isoformat()}/{left}"
    title = f"Your shift ends in {left}: hand over {', '.join(it.key for it, _ in waiting[:5])}"
    tell(tx, settings, first[0], [change.leaving], title=title, body="\n".join(lines), key=key, urgent=True)
