"""Roles that nobody has: who could command is asked until somebody does, and who commands hears what else is missing.

Whoever has a page of an incident is called by that, and hears nothing else until it is answered; this is for what would
lie there unseen. Once the impact is over nobody is asked: what is left then is for whoever resolves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from incidentd import oncall
from incidentd.engine import chains, paging
from incidentd.engine.roles.people import awaited
from incidentd.engine.roles.telling import tell
from incidentd.engine.roles.worrying import NOT_APART
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.oncall import Person
from incidentd.roles import Role, vacant
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects
from incidentd.store import roles as stored
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, Draft

VACANT = "role_vacant"
"""The kind of the deadline at which somebody is asked to command."""
_MISSING = "role.missing"
_HURTS = ACTIVE - {Status.MITIGATED}
_EVERY = timedelta(minutes=2)
"""How long an incident may be without a commander before somebody hears of it, and again (process D.1)."""
_MOST = 5
"""So many times; after them the stale guard asks, more seldom."""
_APART = {Role.OPERATIONS_LEAD: 2, Role.COMMUNICATIONS_LEAD: 1}
"""Down to which rank of severity a role is to be somebody else's than the commander's (process A.1)."""


def attend(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Set the clock of an incident that goes on and has not all the roles that it needs.

    Where no people are known it has none.
    """
    lacks = not incident.commander or _missing(tx, settings, incident)
    if incident.status in _HURTS and lacks and settings.roster.people:
        _look(tx, incident, asked=0)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Ask for a commander, unless there is one, or somebody has that question or a page to answer.

    What waits for a page looks again once that is answered; see `attend`.
    """
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    if incident.status not in _HURTS or awaited(tx, incident):
        return
    if incident.commander:
        _tell_commander(tx, settings, incident)
        return
    asked = int(job.payload.get("asked", 0))
    waits = stored.asked(tx, incident.id, Role.INCIDENT_COMMANDER) is not None
    if not waits and paging.goes_on(tx, incident.key):  # not while it may be about to end by itself
        asked += 1
        _ask(tx, settings, incident, asked)
    if asked < _MOST:
        _look(tx, incident, asked=asked)


def _look(tx: Tx, incident: Incident, *, asked: int) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=VACANT, subject=incident.key, ukey=f"{VACANT}:{incident.key}",
        due_at=tx.now + _EVERY, payload={"asked": asked},
    )  # fmt: skip


def _ask(tx: Tx, settings: Settings, incident: Incident, number: int) -> None:
    whom = _whom(tx, settings, incident, number)
    how = f"incidentd take-command {incident.key}"
    said = f"Nobody commands it, and no page calls anybody; asking {', '.join(whom) or 'nobody, since nobody is there'}"
    facts = {"role": Role.INCIDENT_COMMANDER.value, "asked": whom}
    chain.append(tx, incident.key, INCIDENTD, [Draft("role.vacant", f"{said}: `{how}`.", facts)])
    title = f"{incident.key} has no {Role.INCIDENT_COMMANDER.title}, and no page calls anybody: {how}"
    key = f"{incident.key}/{VACANT}/{int(tx.now.timestamp())}"
    for person in whom:
        tell(tx, settings, incident, person, title=title, key=key)


def _missing(tx: Tx, settings: Settings, incident: Incident) -> list[Role]:
    """Name the roles that the severity wants to be somebody's own, and that nobody has or was ever asked to take."""
    known = settings.severities.get(incident.severity)
    rank = known.rank if known else 1
    asked = {one.role for one in stored.offers(tx, incident.id)}
    free = set(vacant(incident.roles)) - asked
    return [role for role, down_to in _APART.items() if rank <= down_to and role in free]


def _tell_commander(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Say to whoever commands what nobody else was asked to do, once, and what they did not hear before."""
    missing, lead = _missing(tx, settings, incident), incident.commander
    told = {entry.kind for entry in chain.entries(tx, incident.key)}
    if NOT_APART in told:
        missing = [role for role in missing if role is not Role.OPERATIONS_LEAD]
    if not missing or _MISSING in told:
        return
    what = " and ".join(role.title for role in missing)
    how = f"incidentd assign {incident.key} {missing[0].short} PERSON"
    text = f"Nobody was asked to be {what}; {lead} answers for it: `{how}`."
    facts = {"roles": [role.value for role in missing], "person": lead}
    chain.append(tx, incident.key, INCIDENTD, [Draft(_MISSING, text, facts)])
    title = f"{incident.key}: nobody was asked to be {what}, so you answer for it: {how}"
    tell(tx, settings, incident, lead, title=title, key=f"{incident.key}/{_MISSING}")


def _whom(tx: Tx, settings: Settings, incident: Incident, steps: int) -> list[str]:
    """Name who is on call to command, then level by level whom its escalation calls; in the end everybody."""
    roster = rota.current(tx, settings.roster)
    source = settings.roles.sources.get(Role.INCIDENT_COMMANDER)
    levels = chains.chain_of(settings, incident.page_policy, incident.urgency).levels
    targets = [*([source.ask] if source else []), *(level.page for level in levels)]
    each = [_may_be_asked(oncall.resolve(target, roster, tx.now), incident) for target in targets]
    found = [people for people in each if people][:steps]
    asked = [name for people in found for name in people] or _may_be_asked(roster.people.values(), incident)
    return list(dict.fromkeys(asked))


def _may_be_asked(people: Iterable[Person], incident: Incident) -> list[str]:
    return [one.handle for one in people if one.drills or not incident.drill]
