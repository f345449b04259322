"""Who works on an incident: when they were called, came and went, also as it ends and begins again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from incidentd.incidents import Incident
from incidentd.pages import PageState
from incidentd.roles import Participant
from incidentd.store import Tx, participants, things
from incidentd.timeline import INCIDENTD, Actor

_AT_IT_STILL = timedelta(minutes=60)
"""Whoever worked on what begins again so soon works on it still; it is how long an alert takes it up by itself."""


def came(
    tx: Tx, incident: Incident, person: str, *, team: str = "", asked: str = "", by: str = "",
    called: Participant | None = None,
) -> Participant:  # fmt: skip
    """Take that somebody works on an incident from here; what they were asked before stays. `called` says when."""
    known = participants.here(tx, incident.id, person)
    if known is None:
        new = called or Participant(id=0, incident_id=incident.id, person=person)
        new = replace(new, team=team, asked=asked, by=by, joined_at=tx.now)
        return participants.insert(tx, new)
    merged = replace(known, team=known.team or team, asked=known.asked or asked, by=known.by or by)
    if called is not None:
        merged = replace(
            merged, paged_at=known.paged_at or called.paged_at, acked_at=known.acked_at or called.acked_at
        )  # fmt: skip
    if merged != known:
        participants.save(tx, merged)
    return merged


def went(tx: Tx, incident: Incident, person: str, *, by: Actor) -> bool:
    """Take that somebody is let go; False when they do not work on it."""
    known = participants.here(tx, incident.id, person)
    if known is None:
        return False
    participants.save(tx, replace(known, released_at=tx.now, released_by=by.name))
    return True


def present(tx: Tx, incident: Incident) -> Sequence[str]:
    """Name everybody who works on an incident now."""
    return [one.person for one in participants.of_incident(tx, incident.id) if one.released_at is None]


def awaited(tx: Tx, incident: Incident) -> bool:
    """Say whether a page is still to bring whoever commands: it calls them, or calls others while they are away."""
    lead = incident.commander
    waiting = [page for page in things.pages_of(tx, incident.key) if page.state is PageState.OPEN]
    return any(lead in page.paged for page in waiting) or (bool(waiting) and lead not in present(tx, incident))


def came_along(tx: Tx, gone: Incident, root: Incident) -> None:
    """Take that whoever works on an incident works on the one that it went into."""
    for one in participants.of_incident(tx, gone.id):
        if one.released_at is None:
            came(tx, root, one.person, team=one.team, asked=one.asked or f"came with {gone.key}", by=one.by)


def released(tx: Tx, incident: Incident) -> None:
    """Let everybody go from an incident that is over."""
    for one in participants.of_incident(tx, incident.id):
        if one.released_at is None:
            participants.save(tx, replace(one, released_at=tx.now, released_by=INCIDENTD.name))


def again(tx: Tx, before: Incident, back: Incident) -> None:
    """Take that an incident goes on: who has a role works on it and, when it had just ended, whoever did then.

    What was merged and is taken out has all its people back.
    """
    soon = before.merge is not None or (before.ended_at is not None and tx.now - before.ended_at <= _AT_IT_STILL)
    has_role = {one.person for one in back.roles if one.until is None}
    for one in participants.of_incident(tx, back.id):
        till_the_end = one.released_at == before.ended_at and one.released_by == INCIDENTD.name
        if till_the_end and (soon or one.person in has_role):
            came(tx, back, one.person, team=one.team, asked=one.asked, by=one.by)
    if back.commander:
        came(tx, back, back.commander)


def went_back(tx: Tx, gone: Incident, root: Incident) -> None:
    """Let those go who came along with an incident that is taken out again, unless they have a role here."""
    if gone.merge is None:
        return
    theirs = {one.person for one in participants.of_incident(tx, gone.id)}
    theirs -= {one.person for one in root.roles if one.until is None}
    for one in participants.of_incident(tx, root.id):
        if one.released_at is None and one.joined_at == gone.merge.at and one.person in theirs:
            participants.save(tx, replace(one, released_at=tx.now, released_by=INCIDENTD.name))
