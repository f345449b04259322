"""Who is asked to take the roles of an incident as it is declared."""

from __future__ import annotations

from collections.abc import Iterator

from incidentd import oncall
from incidentd.engine import chains, paging
from incidentd.engine.roles.asking import ask
from incidentd.incidents import Incident
from incidentd.oncall import Roster, Target
from incidentd.pages import Errand
from incidentd.roles import MAIN, Role, holder
from incidentd.settings import Settings
from incidentd.store import Tx, rota, things
from incidentd.store import roles as stored
from incidentd.timeline import INCIDENTD

_ASKS_DOWN_TO = 2
"""Down to this rank of severity the roles are separate people; below, whoever is on call has them until more come."""

_COMMANDS = Role.INCIDENT_COMMANDER


def fill(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Ask for each role of a serious incident whoever is on call for it; whoever commands has it until they accept."""
    known = settings.severities.get(incident.severity)
    if known is None or known.rank > _ASKS_DOWN_TO or not settings.roster.people:
        return
    roster = rota.current(tx, settings.roster)
    busy = {incident.commander} - {""}
    asked = {one.role for one in stored.offers(tx, incident.id)}
    for role, target in _targets(settings, incident):
        # whoever declared it commands until it is handed over
        has = holder(role, incident.roles)
        if role in asked or (has and (role is not _COMMANDS or incident.declared_by == has)):
            continue
        person = _first(tx, settings, roster, incident, target)
        if person and person not in busy and (settings.roster.people[person].drills or not incident.drill):
            busy.add(person)
            ask(tx, settings, incident, role, person, actor=INCIDENTD, because=str(target))


def bring(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Page the teams that a rule names, or whoever declared it, each by its own escalation.

    A team that only a label names owns it, and is asked to lead operations. Who is called already, by the incident's
    own page or for that role, is not called twice.
    """
    lead = any(one.role is Role.OPERATIONS_LEAD for one in stored.offers(tx, incident.id))
    owner = _owner(settings, incident)
    roster = rota.current(tx, settings.roster)
    called = {person for page in things.pages_of(tx, incident.key) for person in page.paged} | {incident.commander}
    by_rule = next((rule.teams for rule in settings.rules if rule.name == incident.rule), ())
    for name in by_rule if incident.rule else incident.teams:
        team = settings.roster.teams.get(name)
        if team is None or team.escalation in ("", incident.page_policy) or (lead and name == owner):
            continue
        if _first(tx, settings, roster, incident, Target(team=name)) in called:
            continue  # by another name they are called already
        errand = Errand(team=name, asked="help, as the rule says" if incident.rule else "help")
        paging.start(
            tx, settings, subject=incident.key, policy=team.escalation, urgency=incident.urgency,
            title=f"{name} is needed: {incident.title}", drill=incident.drill, errand=errand,
        )  # fmt: skip


def _owner(settings: Settings, incident: Incident) -> str:
    return next((name for name in incident.teams if name in settings.roster.teams), "")


def _targets(settings: Settings, incident: Incident) -> Iterator[tuple[Role, Target]]:
    for role in (*MAIN, Role.DEPUTY, Role.SCRIBE, Role.PLANNING):
        source = settings.roles.sources.get(role)
        if source is not None:
            yield role, source.ask
        elif role is Role.OPERATIONS_LEAD:
            team = _owner(settings, incident)
            if team:
                yield role, Target(team=team)


def _first(tx: Tx, settings: Settings, roster: Roster, incident: Incident, target: Target) -> str:
    """Name the one person whom a target means; of a team that is who is on call for it. '' for nobody or several."""
    if target.team:
        policy = chains.of_team(settings, target.team)
        levels = chains.chain_of(settings, policy, incident.urgency).levels
        target = next((level.page for level in levels if level.page.on_call or level.page.person), target)
    people = oncall.resolve(target, roster, tx.now)
    return people[0].handle if len(people) == 1 and people[0].handle in settings.roster.people else ""
