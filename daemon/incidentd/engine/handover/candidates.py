"""Whom to ask to take roles over: now, or at the instant at which whoever has them leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from incidentd import oncall
from incidentd.engine import chains
from incidentd.engine.handoff import next_edge
from incidentd.engine.updates.common import on_call
from incidentd.handover import State
from incidentd.incidents import Incident
from incidentd.oncall import Roster
from incidentd.oncall import on_call as on_duty
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import Tx, role_handovers, rota

_MOST = 5
_AHEAD = timedelta(days=28)
"""Whoever is on call next after this is no help now."""
_MOMENT = timedelta(microseconds=1)


def candidates(
    tx: Tx, settings: Settings, incident: Incident, sender: str, *, roles: Iterable[Role] = (), but: str = "",
    at: datetime | None = None,
) -> list[str]:  # fmt: skip
    """Say who could be asked, the first one first: who is on call next where the sender is now, who is on call for the
    roles, who is for the incident, the rest of its teams. Whoever said no to these roles, or nothing, comes last.

    `at` asks for an instant to come: it leaves out who is not on call then, and whose own shift ends with it.
    """
    roster = rota.between(tx, settings.roster, tx.now - rota.PAST, tx.now + _AHEAD)
    wanted, when = tuple(roles), at or tx.now
    team = [*_of_teams(roster, incident)]
    if at is not None:
        there = _on_call_then(settings, roster, incident, at)
        team = [name for name in team if name in there]
    found = [
        *_next(roster, sender, tx.now),
        *_of_roles(settings, roster, wanted, when),
        *on_call(tx, settings, incident, at=when, roster=roster),
        *team,
    ]
    gone = {sender, but, *(_leaving(roster, at) if at is not None else ())}
    names = [name for name in dict.fromkeys(found) if name in roster.people and name not in gone]
    said_no = _said_no(tx, incident, wanted)
    return sorted(names, key=lambda name: name in said_no)[:_MOST]


def _next(roster: Roster, sender: str, now: datetime) -> Iterator[str]:
    """Name who has the pager next where somebody has it now."""
    for schedule in roster.schedules.values():
        if on_duty(schedule, now, roster.people).person != sender:
            continue
        if (edge := next_edge(schedule, now, roster.people)) is not None:
            yield on_duty(schedule, edge, roster.people).person


def _of_roles(settings: Settings, roster: Roster, wanted: Sequence[Role], at: datetime) -> Iterator[str]:
    """Name who is on call for roles, where the files say whom to ask."""
    for source in (settings.roles.sources.get(role) for role in wanted):
        people = oncall.resolve(source.ask, roster, at) if source is not None else ()
        if len(people) == 1:
            yield people[0].handle


def _of_teams(roster: Roster, incident: Incident) -> Iterator[str]:
    for team in (roster.teams[name] for name in incident.teams if name in roster.teams):
        yield from (*team.people, team.lead)


def _on_call_then(settings: Settings, roster: Roster, incident: Incident, at: datetime) -> set[str]:
    """Name who has a pager at an instant, and whom the incident's escalation names itself."""
    levels = chains.chain_of(settings, incident.page_policy, incident.urgency).levels
    return {level.page.person for level in levels} | _with_pager(roster, at)


def _leaving(roster: Roster, at: datetime) -> set[str]:
    """Name whose shift ends at an instant, and who has no other then."""
    return _with_pager(roster, at - _MOMENT) - _with_pager(roster, at)


def _with_pager(roster: Roster, at: datetime) -> set[str]:
    return {on_duty(schedule, at, roster.people).person for schedule in roster.schedules.values()}


def _said_no(tx: Tx, incident: Incident, wanted: Sequence[Role]) -> set[str]:
    asked = role_handovers.of_incident(tx, incident.id)
    return {
        it.receiver for it in asked if it.state in (State.DECLINED, State.TIMED_OUT) and set(wanted) & set(it.roles)
    }  # fmt: skip
