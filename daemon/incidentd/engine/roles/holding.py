"""Who has a role: the one place where it changes hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from incidentd import incidents, pages
from incidentd.engine import approving, paging
from incidentd.engine.roles.people import came
from incidentd.errors import Conflict, NotFound
from incidentd.incidents import Incident, Status
from incidentd.metrics import Metrics
from incidentd.pages import NO_ERRAND, Ending, Page, PageState
from incidentd.roles import OFFERED, Assignment, Offer, OfferState, Role, assigned, effective_holder, released
from incidentd.roles import holder as own_holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, role_handovers, subjects, things
from incidentd.store import roles as stored
from incidentd.text import plain
from incidentd.timeline import Actor, Draft


def holder(tx: Tx, incident: Incident, role: Role) -> str:
    """Say who answers for a role: whoever has it, else the Incident Commander; '' only while nobody commands."""
    del tx  # an incident carries its roles itself
    return effective_holder(role, incident.roles)


def change(
    tx: Tx, settings: Settings, incident: Incident, role: Role, person: str, *, actor: Actor, because: str,
    said: bool = False,
) -> Incident:  # fmt: skip
    """Give a role to somebody: ends what was before, and says so on the timeline, unless an entry of the caller's has
    `said` it. Gives the incident as it is then.

    A question that waits for an answer about this role is void from here, and a page that still calls for it is over.
    Nothing else changes when it is theirs already.
    Raises NotFound for somebody who is not among the people, and Conflict for an incident that has no roles any more.
    """
    refuse_over(incident)
    if settings.roster.people and person not in settings.roster.people:
        raise NotFound(f"there is no {plain(person, 40)!r} among the people")
    before = own_holder(role, incident.roles)
    end_offer(tx, incident, role, OfferState.TAKEN if _asked(tx, incident, role) == person else OfferState.VOID)
    ended = _end_calls(tx, incident, role, person)
    if before == person:
        chain.append(tx, incident.key, actor, ended)
        return incident
    new = Assignment(role=role, person=person, since=tx.now, because=plain(because, 500), by=actor.name)
    after = replace(incident, roles=assigned(incident.roles, new), version=incident.version + 1)
    subjects.save_incident(tx, after)
    role_handovers.overtaken(tx, incident.id, role)
    came(tx, after, person)
    was = f" after {before}" if before else ""
    why = f": {new.because}." if new.because else "."
    facts = {"role": role.value, "person": person, "was": before}
    drafts = [] if said else [Draft("role.changed", f"{person} is {role.title}{was}{why}", facts)]
    drafts += _moved(tx, _go_along(tx, after, role, before), person) if before else []
    chain.append(tx, incident.key, actor, [*drafts, *ended])
    if first(incident, role):
        count_commander(tx, incident)
    approving.ask_anew(tx, settings, incident, after)
    return after


def _end_calls(tx: Tx, incident: Incident, role: Role, person: str) -> list[Draft]:
    """End the pages that still call somebody to take a role, which nobody has to take any more."""
    calling = [
        page for page in things.pages_of(tx, incident.key)
        if page.state is PageState.OPEN and page.errand.role == role.value
    ]  # fmt: skip
    for page in calling:
        things.save_page(tx, replace(page, state=PageState.RESOLVED, closed_at=tx.now, ending=Ending.RESOLVED))
        paging.stop(tx, page)
    facts = {"ending": Ending.RESOLVED.value}
    return [
        Draft("page.resolved", f"{page.key} ended: {person} is {role.title}.", {"page": page.key, **facts})
        for page in calling
    ]


def _go_along(tx: Tx, incident: Incident, role: Role, before: str) -> list[Page]:
    """Find the pages that whoever had a role answered for it: when the answer expires, they call whoever has it now.

    The incident's own goes along with the command, or with the lead of operations when another one commands.
    """
    works = role is Role.OPERATIONS_LEAD and incident.commander != before
    main = role is Role.INCIDENT_COMMANDER or works
    return [
        page for page in things.pages_of(tx, incident.key)
        if page.held_by == before and (page.errand.role == role.value or (main and page.errand == NO_ERRAND))
    ]  # fmt: skip


def _moved(tx: Tx, found: Iterable[Page], person: str) -> list[Draft]:
    """Make somebody the one who has pages that others answered."""
    drafts = []
    for page in found:
        things.save_page(tx, pages.take(page, person, tx.now))
        drafts.append(Draft("page.moved", f"{page.key} is {person}'s from here.", {"page": page.key, "by": person}))
    return drafts


def release(
    tx: Tx, settings: Settings, incident: Incident, role: Role, *, actor: Actor, because: str
) -> Incident:  # fmt: skip
    """Give a role, with the pages of it, back to the Incident Commander.

    Raises Conflict for the commander's own: that is only handed over.
    """
    refuse_over(incident)
    before = own_holder(role, incident.roles)
    if not before:
        raise Conflict(f"nobody is {role.title} of {incident.key}")
    if role is Role.INCIDENT_COMMANDER:
        raise Conflict(f"{incident.key} is never without a commander: `incidentd assign {incident.key} ic PERSON`")
    after = replace(incident, roles=released(incident.roles, tx.now, role), version=incident.version + 1)
    subjects.save_incident(tx, after)
    role_handovers.overtaken(tx, incident.id, role)
    why = f": {plain(because, 500)}." if because else "."
    lead = effective_holder(role, after.roles)
    text = f"{before} is {role.title} no longer{why} {lead or 'Nobody'} answers for it."
    facts = {"role": role.value, "person": "", "was": before}
    found = _go_along(tx, after, role, before) if lead not in ("", before) else ()
    chain.append(tx, incident.key, actor, [Draft("role.changed", text, facts), *_moved(tx, found, lead)])
    approving.ask_anew(tx, settings, incident, after)
    return after


def relieved(tx: Tx, incident: Incident, person: str) -> list[Draft]:
    """Give the pages of somebody who is let go to the commander: nothing calls who was sent to sleep."""
    found = [page for page in things.pages_of(tx, incident.key) if page.held_by == person]
    return _moved(tx, found, incident.commander) if incident.commander else []


def taken_by(tx: Tx, incident: Incident, person: str, *, because: str) -> tuple[Incident, Draft]:
    """Make somebody the commander of an incident that has none; the caller saves it and appends the entry."""
    role = Role.INCIDENT_COMMANDER
    if first(incident, role):
        count_commander(tx, incident)
    new = Assignment(role=role, person=person, since=tx.now, because=because)
    facts = {"role": role.value, "person": person}
    draft = Draft("role.assigned", f"{person} is {role.title}: {because}.", facts)
    return replace(incident, roles=assigned(incident.roles, new)), draft


def first(incident: Incident, role: Role) -> bool:
    """Say whether nobody ever commanded, so that whoever does now is the first."""
    commands = Role.INCIDENT_COMMANDER
    return role is commands and not any(one.role is commands for one in incident.roles)


def count_commander(tx: Tx, incident: Incident) -> None:
    """Count how long it took until somebody commanded; a drill is in no metric."""
    waited = max((tx.now - incident.declared_at).total_seconds(), 0)

    def figures(m: Metrics) -> None:
        m.incident_time_to_commander_seconds.labels(severity=incident.severity).observe(waited)

    if not incident.drill:
        tx.count(figures)


def refuse_over(incident: Incident) -> None:
    """Raise Conflict for an incident whose roles are released for good."""
    if incident.status in (Status.CLOSED, Status.MERGED, Status.STOOD_DOWN):
        raise Conflict(f"{incident.key} is {incident.status} and has no roles any more ({incidents.ways_on(incident)})")


def end_offer(tx: Tx, incident: Incident, role: Role, became: OfferState) -> Offer | None:
    """End the question about a role that waits for an answer; None when there is none."""
    offer = stored.asked(tx, incident.id, role)
    if offer is None:
        return None
    jobs.cancel(tx, f"{OFFERED}:{offer.id}")
    return stored.answer(tx, offer, became)


def _asked(tx: Tx, incident: Incident, role: Role) -> str:
    offer = stored.asked(tx, incident.id, role)
    return "" if offer is None else offer.person
