"""What people say about roles: assign, accept, decline, take command; page a team, join, let somebody go."""

from __future__ import annotations

from dataclasses import dataclass

from incidentd.engine import chains, paging
from incidentd.engine.overtaken import refuse_overtaken
from incidentd.engine.roles.asking import accept as accept_offer
from incidentd.engine.roles.asking import answerer, ask, hand_over
from incidentd.engine.roles.asking import decline as decline_offer
from incidentd.engine.roles.callout import CALLOUT, expect
from incidentd.engine.roles.holding import change, end_offer, refuse_over, release, relieved
from incidentd.engine.roles.people import came, present, released, went
from incidentd.engine.roles.vacancy import VACANT, attend
from incidentd.engine.roles.worrying import TIRED, look
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict, NotAllowed, NotFound
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.pages import Errand, Page
from incidentd.roles import Offer, OfferState, Participant, Role, held_by
from incidentd.roles import holder as own_holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, role_handovers, subjects, things
from incidentd.store import roles as stored
from incidentd.text import clock, plain
from incidentd.timeline import Actor, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it: the role is theirs, or they are asked."""

    incident: Incident
    offer: Offer | None = None


def assign(
    tx: Tx, settings: Settings, incident_id: int, role: Role, person: str, *, actor: Actor, because: str = "",
    admin: bool = False, expected_version: int | None = None,
) -> Done:  # fmt: skip
    """Give a role to somebody. Whoever takes one for themselves has it at once; anybody else is asked first.

    The commander assigns roles, and whoever has one hands on their own; a role that nobody has is anybody's to take.
    Raises NotFound, NotAllowed and Conflict, also for an incident that is not as its caller saw it.
    """
    incident = _seen(tx, incident_id, expected_version)
    refuse_over(incident)
    person = _person(settings, person)
    because = _said(because)
    _refuse_assigning(settings, incident, role, person, actor=actor, admin=admin)
    if person == actor.name or not settings.roster.people:
        return Done(incident=hand_over(tx, settings, incident, role, person, actor=actor, because=because))
    offer = ask(tx, settings, incident, role, person, actor=actor, because=because)
    return Done(incident=incident, offer=offer)


def _refuse_assigning(
    settings: Settings, incident: Incident, role: Role, person: str, *, actor: Actor, admin: bool
) -> None:  # fmt: skip
    own, lead = own_holder(role, incident.roles), incident.commander
    free = not own and (person == actor.name or not lead)
    if admin or free or not settings.roster.people or actor.name in {own, lead}:
        return
    command = role is Role.INCIDENT_COMMANDER and person == actor.name
    hint = f"ask for it: incidentd take-command {incident.key}" if command else f"{lead or 'its commander'} may"
    raise NotAllowed(
        f"{plain(actor.name, 40)} may not assign the {role.title} of {incident.key}, which "
        f"{own or 'nobody'} has: {hint}; a token with the scope admin may, too",
        authenticated=True,
    )


def accept(tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, role: Role | None = None) -> Incident:
    """Take the role that one was offered in an incident, or let go of the one that somebody asks for."""
    return accept_offer(tx, settings, _offer_to(tx, incident_id, actor, role), actor=actor)


def decline(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, role: Role | None = None, reason: str = ""
) -> Offer:  # fmt: skip
    """Say no to the role that one was offered in an incident, or keep the one that somebody asks for."""
    return decline_offer(tx, settings, _offer_to(tx, incident_id, actor, role), actor=actor, reason=_said(reason))


def _offer_to(tx: Tx, incident_id: int, actor: Actor, role: Role | None) -> Offer:
    incident = subjects.get_incident(tx, incident_id)
    mine = [
        one for one in stored.offers(tx, incident_id)
        if one.state is OfferState.ASKED and answerer(incident, one) == actor.name and role in (None, one.role)
    ]  # fmt: skip
    if not mine:
        last = [one for one in stored.offers(tx, incident_id) if one.person == actor.name and role in (None, one.role)]
        became = _became(incident, last[-1]) if last else ""
        raise Conflict(f"nothing of {incident.key} waits for an answer of {plain(actor.name, 40)}{became}")
    if len(mine) > 1:
        said = ", ".join(one.role.short for one in mine)
        raise Conflict(f"{incident.key} asks {actor.name} about several roles: say which, one of {said}")
    return mine[0]


def _became(incident: Incident, last: Offer) -> str:
    """Say what became of a question, and who has the role that it was about."""
    when = f" at {clock(last.answered_at)}" if last.answered_at else ""
    now = f"{own_holder(last.role, incident.roles) or 'nobody'} is {last.role.title} now"
    return f"; the last question, {last.role.title}, is {last.state.value}{when}, and {now}"


def take_command(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, because: str = "",
    expected_version: int | None = None,
) -> Done:  # fmt: skip
    """Ask to command an incident: it changes when its commander lets go, or does not answer for two minutes.

    Where nobody commands it is theirs at once. Raises NotFound, and Conflict when it is theirs, over, or changed.
    """
    incident = _seen(tx, incident_id, expected_version)
    refuse_over(incident)
    role, because = Role.INCIDENT_COMMANDER, _said(because)
    if incident.commander == actor.name:
        raise Conflict(f"{actor.name} is {role.title} of {incident.key} already")
    known = settings.roster.people
    if not incident.commander or incident.commander not in known:
        return Done(incident=hand_over(tx, settings, incident, role, actor.name, actor=actor, because=because))
    waiting = stored.asked(tx, incident_id, role)
    if waiting is not None and waiting.person == actor.name:
        if waiting.by == actor.name:
            raise Conflict(f"{incident.commander} was asked for it already, by {waiting.key}; wait for the answer")
        return Done(incident=accept_offer(tx, settings, waiting, actor=actor))
    return Done(incident=incident, offer=ask(tx, settings, incident, role, actor.name, actor=actor, because=because))


def step_back(
    tx: Tx, settings: Settings, incident_id: int, role: Role, *, actor: Actor, because: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Give a role that is no longer needed back to the commander. Raises NotFound, NotAllowed and Conflict."""
    incident = _seen(tx, incident_id, expected_version)
    own = own_holder(role, incident.roles)
    if not (admin or not settings.roster.people or actor.name in {own, incident.commander}):
        raise NotAllowed(f"{own or 'nobody'} has the {role.title} of {incident.key}", authenticated=True)
    return release(tx, settings, incident, role, actor=actor, because=_said(because))


def page_team(
    tx: Tx, settings: Settings, incident_id: int, team: str, *, actor: Actor, asked: str
) -> Page:  # fmt: skip
    """Call a team into an incident, by its own escalation. Raises NotFound, BadRequest without words, and Conflict."""
    incident = subjects.get_incident(tx, incident_id)
    if incident.status not in ACTIVE:
        raise Conflict(f"{incident.key} is {incident.status}; nobody is called for it any more")
    if team not in settings.roster.teams:
        raise NotFound(f"there is no team {plain(team, 40)!r}; there are {', '.join(settings.roster.teams) or 'none'}")
    asked = plain(checked(asked, "what they are asked for", LONGEST_TEXT), 500)
    urgency = incident.urgency if incident.urgency != "ticket" else "urgent"
    errand = Errand(team=team, asked=asked, by=actor.name)
    before = {page.id for page in things.pages_of(tx, incident.key)}
    # before the page that follows from it; when there is none, none of this is kept
    text = f"{actor.name} calls team {team}: {asked}"
    chain.append(tx, incident.key, actor, [Draft("people.called", text, {"team": team})])
    page = paging.start(
        tx, settings, subject=incident.key, policy=chains.of_team(settings, team), urgency=urgency,
        title=f"{team} is needed: {asked} ({incident.title})", drill=incident.drill, errand=errand,
    )  # fmt: skip
    if page is None or page.id in before:
        raise Conflict(f"{team} is being paged for that already")
    return page


def join(tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, text: str = "") -> Participant:
    """Say that one works on an incident. Raises NotFound, and Conflict when it is over or one does already."""
    incident = subjects.get_incident(tx, incident_id)
    refuse_over(incident)
    person = _person(settings, actor.name)
    if person in present(tx, incident):
        raise Conflict(f"{person} works on {incident.key} already")
    said = f": {plain(text, 500)}" if text else "."
    made = came(tx, incident, person, asked=_said(text))
    chain.append(tx, incident.key, actor, [Draft("people.joined", f"{person} joins{said}", {"person": person})])
    look(tx, settings, incident_id)
    return made


def let_go(
    tx: Tx, settings: Settings, incident_id: int, person: str, *, actor: Actor, because: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Let somebody go: their roles and pages go back to the commander. Raises NotFound, NotAllowed and Conflict."""
    incident = _seen(tx, incident_id, expected_version)
    refuse_over(incident)
    if not (admin or actor.name in {person, incident.commander} or not settings.roster.people):
        raise NotAllowed(
            f"{incident.commander or 'the commander'} lets people of {incident.key} go", authenticated=True
        )
    if person == incident.commander:
        raise Conflict(f"{person} commands {incident.key}; it needs another commander first")
    if not went(tx, incident, person, by=actor):
        raise NotFound(f"{plain(person, 40)} does not work on {incident.key}")
    for role in held_by(person, incident.roles):
        incident = release(tx, settings, incident, role, actor=actor, because="let go")
    said = f": {plain(_said(because), 500)}" if because else "."
    text = f"{person} is let go{said}"
    drafts = [Draft("people.released", text, {"person": person}), *relieved(tx, incident, person)]
    chain.append(tx, incident.key, actor, drafts)
    return incident


def acknowledged(tx: Tx, settings: Settings, page: Page, *, by: str, actor: Actor) -> None:
    """Take that somebody answered a page of an incident: they work on it, with the role that it called for.

    While nobody commands, whoever answers does.
    """
    incident = subjects.get_incident(tx, int(page.subject.removeprefix("INC-")))
    if incident.status in (Status.CLOSED, Status.MERGED, Status.STOOD_DOWN):
        return
    called = Participant(
        id=0, incident_id=incident.id, person=by, paged_at=page.started_at if by in page.paged else None,
        acked_at=tx.now,
    )  # fmt: skip
    came(tx, incident, by, team=page.errand.team, asked=page.errand.asked, by=page.errand.by, called=called)
    role = _called_for(settings, incident, page, by)
    if role is not None:
        because = f"answered {page.key}" if page.errand.role else "answered first"
        incident = change(tx, settings, incident, role, by, actor=actor, because=because)
    look(tx, settings, incident.id, given=by if role else "")
    attend(tx, settings, incident)
    expect(tx, settings, incident)


def _called_for(settings: Settings, incident: Incident, page: Page, by: str) -> Role | None:
    """Say which role comes with an answer: the one that a page called for, else the command that nobody has."""
    if settings.roster.people and by not in settings.roster.people:
        return None
    if page.errand.role:
        role = Role(page.errand.role)
        return role if _free_since(incident, role, page) else None
    return Role.INCIDENT_COMMANDER if not incident.commander and incident.status in ACTIVE else None


def _free_since(incident: Incident, role: Role, page: Page) -> bool:
    """Say whether a role is as it was when a page began to call for it: nobody's own, or the commander's of then.

    Whoever commands because they answered first, meanwhile, was given it by nobody, and makes room.
    """
    given = next((one for one in incident.roles if one.role is role and one.until is None), None)
    if given is None:
        return True
    return given.person == incident.commander and (not given.by or given.since <= page.counts_from)


def over(tx: Tx, incident: Incident) -> None:
    """End the questions of an incident that needs nobody any more, and let everybody go."""
    for role in Role:
        end_offer(tx, incident, role, OfferState.VOID)
    role_handovers.overtaken(tx, incident.id)
    for kind in (TIRED, VACANT, CALLOUT):
        jobs.cancel(tx, f"{kind}:{incident.key}")
    released(tx, incident)


def _seen(tx: Tx, incident_id: int, expected_version: int | None) -> Incident:
    """Read an incident whose people are about to change; Conflict, with what changed, when others were first."""
    incident = subjects.get_incident(tx, incident_id)
    refuse_overtaken(tx, incident, expected_version)
    return incident


def _person(settings: Settings, handle: str) -> str:
    handle = handle.strip().removeprefix("@")
    if not handle:
        raise BadRequest("name one person")
    if settings.roster.people and handle not in settings.roster.people:
        raise NotFound(f"there is no {plain(handle, 40)!r} among the people")
    return handle


def _said(text: str) -> str:
    return checked(text, "the text", LONGEST_TEXT) if text.strip() else ""
