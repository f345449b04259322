"""Everything that is known of an incident, gathered for its document, its postmortem and its boards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from incidentd.board import Due, Known
from incidentd.document import AlertLine, GraphLine, IncidentFacts, Pointer, as_of, records_of_version, span_of
from incidentd.handover import titles
from incidentd.holds import Hold
from incidentd.incidents import ACTIVE, Incident
from incidentd.playbooks import Run, RunState
from incidentd.roles import OFFERED, OfferState, Participant, Role
from incidentd.rules import SEVERITIES
from incidentd.settings import Settings
from incidentd.store import (
    chain,
    followers,
    graphs,
    inbox,
    jobs,
    merged,
    participants,
    records,
    role_handovers,
    roles,
    subjects,
    things,
    updates,
)
from incidentd.store.around import pointers, similar
from incidentd.store.base import Tx
from incidentd.text import labels_line
from incidentd.updates import Promise


def incident_facts(tx: Tx, settings: Settings, incident_id: int) -> IncidentFacts:
    """Gather what is known of an incident, and of the hold that it was before. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    hold_key = f"HOLD-{incident.hold_id}" if incident.hold_id is not None else ""
    rows = alerts_of(tx, incident.key)
    own = chain.entries(tx, incident.key)
    before = chain.entries(tx, hold_key) if hold_key else ()
    severity = settings.severities.get(incident.severity)
    keys = [key for key in (hold_key, incident.key) if key]
    known = IncidentFacts(
        incident=incident,
        entries=tuple(sorted((*before, *own), key=lambda entry: (entry.at, entry.subject != hold_key, entry.seq))),
        alerts=_alerts(rows),
        pages=tuple(page for key in keys for page in things.pages_of(tx, key)),
        runs=tuple(run for key in keys for run in things.runs_of(tx, key)),
        items=tuple(merged.items_of(tx, incident)),
        parts=merged.parts(tx, incident),
        records=records.records_of(tx, incident_id),
        graphs=_graphs(tx, incident.key, settings.external_url),
        people=tuple(_with_team(settings, incident, one) for one in participants.everybody(tx, incident_id)),
        next_commander=_next_commander(tx, incident),
        promises=_promises(tx, settings, incident),
        rooms=tuple(name for name, it in followers.of(tx, incident.key).items() if it.is_on),
        rank=_rank(settings, incident),
        severity_means=severity.means if severity else "",
        external_url=settings.external_url,
        head_hash=own[-1].hash if own else "",
    )
    return replace(
        known, pointers=pointers(tx, settings, incident, known.span, rows), alike=similar(tx, incident)
    )  # fmt: skip


def _with_team(settings: Settings, incident: Incident, one: Participant) -> Participant:
    """Say of which team somebody is who came without being called for one: one of the incident's, if they are in it."""
    teams = settings.roster.teams
    of = [name for name in (*incident.teams, *teams) if name in teams and one.person in teams[name].people]
    return one if one.team or not of else replace(one, team=of[0])


def _next_commander(tx: Tx, incident: Incident) -> str:
    role = Role.INCIDENT_COMMANDER
    handed = (it.receiver for it in role_handovers.waiting(tx, incident.id) if role in it.roles)
    asked = (
        it.person for it in roles.offers(tx, incident.id) if it.state is OfferState.ASKED and it.role is role
    )  # fmt: skip
    return next(iter([*handed, *asked]), "")


def _promises(tx: Tx, settings: Settings, incident: Incident) -> tuple[Promise, ...]:
    found = updates.promises(tx, incident.id).values()
    return tuple(it for it in found if it.due_at is not None and it.audience in settings.updates.audiences)


def facts_at(tx: Tx, settings: Settings, incident_id: int, version: int) -> IncidentFacts:
    """Gather what was known of an incident at a version of its document. Raises NotFound."""
    known = incident_facts(tx, settings, incident_id)
    then = records.records_then(tx, incident_id, records_of_version(known, version))
    it = known.incident
    at = next(entry.at for entry in known.entries if (entry.subject, entry.seq) == (it.key, version))
    parts = merged.parts_then(tx, it, version, at)  # some may be part of it no more, or again since later
    known = replace(known, parts=parts, items=tuple(merged.items_among(tx, (it.key, *parts))))
    stood = as_of(
        known, then, version, respond_within={name: it.respond_within for name, it in settings.urgencies.items()}
    )
    severity = settings.severities.get(stood.incident.severity)
    return replace(
        stood, severity_means=severity.means if severity else "", rank=_rank(settings, stood.incident)
    )  # fmt: skip


def _graphs(tx: Tx, subject: str, base: str) -> tuple[GraphLine, ...]:
    return tuple(
        GraphLine(number=it.number, title=it.title, at=it.at, link=f"{base}/incidents/{subject}/graphs/{it.number}")
        for it in graphs.of(tx, subject)
    )


def board_facts(tx: Tx, incident_id: int, settings: Settings | None = None) -> Known:
    """Gather what the roles of an incident have to see. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    keys = [f"HOLD-{incident.hold_id}", incident.key] if incident.hold_id is not None else [incident.key]
    members = subjects.members(tx, incident.key)
    return Known(
        incident=incident,
        records=records.records_of(tx, incident_id),
        pages=tuple(page for key in keys for page in things.pages_of(tx, key)),
        runs=(*(run for key in keys for run in things.runs_of(tx, key)), *_beside(tx, incident)),
        firing=sum(member.firing for member in members),
        alerts=len(members),
        others=_of_roles(tx, incident),
        rank=_rank(settings, incident),
        here=_here(participants.of_incident(tx, incident_id)),
    )


def _beside(tx: Tx, incident: Incident) -> Iterable[Run]:
    """Find the runs for other alerts of its service that wait for whoever leads it."""
    if incident.status not in ACTIVE:
        return ()
    return [
        run for run in things.waiting_runs(tx)
        if run.incident == incident.key and run.subject != incident.key and run.state is RunState.PROPOSED
    ]  # fmt: skip


def alerts_of(tx: Tx, subject: str) -> list[Row[Any]]:
    """Read the alerts of a hold or incident as they stand."""
    return [
        row
        for member in subjects.members(tx, subject)
        for row in inbox.alerts_of(tx, member.source, [member.fingerprint])
    ]


def pointers_of(tx: Tx, settings: Settings, about: Incident | Hold) -> tuple[Pointer, ...]:
    """List where to look at a hold or incident now, with its time in the links."""
    return pointers(tx, settings, about, span_of(about, tx.now), alerts_of(tx, about.key))


def _alerts(rows: Iterable[Row[Any]]) -> tuple[AlertLine, ...]:
    return tuple(
        AlertLine(
            title=labels_line(row.labels), status=row.status, starts_at=row.starts_at, ends_at=row.ends_at,
            link=row.generator_url,
        )
        for row in rows
    )  # fmt: skip


def _rank(settings: Settings | None, incident: Incident) -> int:
    known = settings.severities.get(incident.severity) if settings else SEVERITIES.get(incident.severity)
    return known.rank if known else 1


def _here(people: Iterable[Participant]) -> tuple[str, ...]:
    return tuple(one.person for one in people if one.joined_at is not None and one.released_at is None)


def _of_roles(tx: Tx, incident: Incident) -> tuple[Due, ...]:
    """List the questions about roles that wait for an answer, and that nobody commands."""
    found = []
    for one in roles.offers(tx, incident.id):
        if one.state is OfferState.ASKED:
            deadline = jobs.live(tx, f"{OFFERED}:{one.id}")
            due_at = deadline.due_at if deadline is not None else one.asked_at
            what = f"{one.role.title}: accept or decline"
            who = incident.commander if one.by == one.person else one.person
            found.append(Due(at=due_at, kind="role", id=one.key, what=what, who=who))
    for it in role_handovers.waiting(tx, incident.id):
        what = f"{titles(it.roles)}, from {it.sender}: accept or decline"
        found.append(Due(at=it.answer_by, kind="role", id=it.key, what=what, who=it.receiver))
    if not incident.commander:
        what = f"{Role.INCIDENT_COMMANDER.title}: nobody has it"
        found.append(Due(at=None, kind="role", id=Role.INCIDENT_COMMANDER.short, what=what, who=""))
    return tuple(found)
