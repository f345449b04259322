"""Saying aloud what is not well about who has which role: once on the timeline, and to whom it is about."""

from __future__ import annotations

from incidentd.durations import about
from incidentd.engine.roles.people import present
from incidentd.engine.roles.telling import tell
from incidentd.incidents import ACTIVE, Incident
from incidentd.roles import TIRED_AFTER, not_apart, sub_teams, tired, tires_at
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, participants, subjects
from incidentd.store import roles as stored
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, Draft

TIRED = "role_fatigue"
"""The kind of the deadline at which somebody has had a role for too long."""
NOT_APART = "role.not_apart"
"""The kind of entry that says that a commander leads operations, too."""
_SEVERAL = "role.several"
_MANY = "role.span"


def look(tx: Tx, settings: Settings, incident_id: int, *, given: str = "") -> None:
    """Look after roles or people of an incident changed; `given` is who was given a role just now."""
    incident = subjects.get_incident(tx, incident_id)
    if incident.status not in ACTIVE:
        return
    watch(tx, incident)
    _apart(tx, settings, incident)
    _many(tx, settings, incident)
    if given:
        _several(tx, incident, given)


def watch(tx: Tx, incident: Incident) -> None:
    """Set the clock for whoever has had a role for too long next."""
    at = tires_at(incident.roles, tx.now)
    if at is None:
        jobs.cancel(tx, f"{TIRED}:{incident.key}")
        return
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=TIRED, subject=incident.key, ukey=f"{TIRED}:{incident.key}", due_at=at,
    )  # fmt: skip


def _apart(tx: Tx, settings: Settings, incident: Incident) -> None:
    known = settings.severities.get(incident.severity)
    here = present(tx, incident)
    person = not_apart(incident.roles, here, known.rank if known else 1)
    if not person or any(entry.kind == NOT_APART for entry in chain.entries(tx, incident.key)):
        return
    others = [one for one in here if one != person]
    text = (
        f"{person} commands and leads operations although others are here: `incidentd assign {incident.key} ol PERSON`."
    )
    chain.append(tx, incident.key, INCIDENTD, [Draft(NOT_APART, text, {"person": person})])
    title = f"{incident.key}: you command and lead operations although others are there: {', '.join(others[:5])}"
    tell(tx, settings, incident, person, title=title, key=f"{incident.key}/{NOT_APART}")


def _many(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Suggest sub-teams to the commander of too many people, once."""
    parts = [one for one in participants.of_incident(tx, incident.id) if one.released_at is None]
    found = sub_teams({one.person: one.team for one in parts}, incident.commander)
    if not found or any(entry.kind == _MANY for entry in chain.entries(tx, incident.key)):
        return
    count = sum(len(people) for people in found.values())
    teams = ", ".join(f"{name} ({', '.join(people)})" for name, people in found.items())
    lead = incident.commander
    text = (
        f"{count} people work on it under {lead or 'nobody'}, more than one can lead: make sub-teams whose leaders "
        f"report, for instance {teams}."
    )
    chain.append(tx, incident.key, INCIDENTD, [Draft(_MANY, text, {"person": lead, "people": count})])
    title = f"{incident.key}: {count} people report to you; make sub-teams with a leader each: {teams}"
    tell(tx, settings, incident, lead, title=title, key=f"{incident.key}/{_MANY}")


def _several(tx: Tx, incident: Incident, person: str) -> None:
    others = [f"INC-{number} ({role.short})" for number, role, _ in stored.held_by(tx, person) if number != incident.id]
    if others:
        text = f"{person} has roles in other incidents, too: {', '.join(others[:5])}."
        chain.append(tx, incident.key, INCIDENTD, [Draft(_SEVERAL, text, {"person": person})])


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Ask whoever has had a role for too long to hand it over."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    if incident.status not in ACTIVE:
        return
    for one in tired(incident.roles, tx.now):
        if one.since + TIRED_AFTER < job.due_at:
            continue  # they were asked when their time came
        long = about(tx.now - one.since)
        text = f"{one.person} is {one.role.title} for {long}: time to hand it over."
        facts = {"role": one.role.value, "person": one.person}
        chain.append(tx, incident.key, INCIDENTD, [Draft("role.fatigue", text, facts)])
        how = f"incidentd assign {incident.key} {one.role.short} PERSON"
        title = f"{incident.key}: you are {one.role.title} for {long}; hand it over: {how}"
        key = f"{incident.key}/{TIRED}/{one.role.short}/{one.since.isoformat()}"
        tell(tx, settings, incident, one.person, title=title, key=key)
    watch(tx, incident)
