"""What follows when somebody has an incident: it is under investigation, and its own pages are theirs."""

from __future__ import annotations

from incidentd import incidents, pages
from incidentd.engine import owning
from incidentd.engine.roles.callout import expect
from incidentd.engine.roles.people import came
from incidentd.engine.roles.vacancy import attend
from incidentd.incidents import Incident, Status
from incidentd.pages import NO_ERRAND, PageState
from incidentd.roles import Participant
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things
from incidentd.timeline import Actor, Draft


def has_command(tx: Tx, settings: Settings, incident: Incident, *, actor: Actor, before: str) -> Incident:
    """Take that whoever commands from here has it: a declared incident is investigated, and its page was answered.

    Whoever commanded `before` as well may have others called: those go on being called.
    """
    if incident.status is Status.DECLARED:
        incident = _investigated(tx, incident, actor)
    has_pages(tx, settings, incident, incident.commander, actor=actor, called=incident.commander == before)
    return incident


def has_pages(
    tx: Tx, settings: Settings, incident: Incident, by: str, *, actor: Actor, called: bool = False
) -> None:  # fmt: skip
    """Take that somebody has the pages that still call for an incident, or with `called` those that called them.

    A page for a team or a role goes on, since that is somebody else's errand; so does one for other people that came
    with what is part of this; and what is nobody has no page.
    """
    people = settings.roster.people
    if people and by not in people:
        return
    waiting = [
        page for page in things.pages_of(tx, incident.key)
        if page.state is PageState.OPEN and page.errand == NO_ERRAND
        and (by in page.paged or (page.policy == incident.page_policy and not called))
    ]  # fmt: skip
    for page in waiting:
        owning.has_it(tx, pages.take(page, by, tx.now), before=page, actor=actor, how="was taken by")
        paged_at = page.started_at if by in page.paged else None
        answered = Participant(id=0, incident_id=incident.id, person=by, paged_at=paged_at, acked_at=tx.now)
        came(tx, incident, by, called=answered)
    if waiting:
        attend(tx, settings, incident)
        expect(tx, settings, incident)


def _investigated(tx: Tx, incident: Incident, actor: Actor) -> Incident:
    moved = incidents.move(incident, Status.INVESTIGATING, tx.now)
    subjects.save_incident(tx, moved)
    said = f"{moved.commander} has it; investigating."
    chain.append(tx, moved.key, actor, [Draft("incident.acknowledged", said)])
    return moved
