"""Asking somebody to take a role: the question, its answers, and what follows when there is none."""

from __future__ import annotations

from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.engine import chains, paging
from incidentd.engine.roles.commanding import has_command
from incidentd.engine.roles.holding import change, end_offer, refuse_over
from incidentd.engine.roles.people import present
from incidentd.engine.roles.telling import quiet_channels, tell
from incidentd.engine.roles.worrying import look
from incidentd.errors import Conflict, NotAllowed, NotFound
from incidentd.incidents import Incident
from incidentd.pages import Errand, PageState
from incidentd.roles import OFFERED, Offer, OfferState, Role, effective_holder
from incidentd.roles import holder as own_holder
from incidentd.settings import Settings, schedules_paged
from incidentd.store import Tx, chain, jobs, subjects, things
from incidentd.store import roles as stored
from incidentd.store.jobs import Job
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Actor, Draft

COMMAND_WITHIN = timedelta(minutes=2)
"""How long a commander has to say no when somebody asks to take command (process D.2)."""


def ask(
    tx: Tx, settings: Settings, incident: Incident, role: Role, person: str, *, actor: Actor, because: str = ""
) -> Offer:  # fmt: skip
    """Ask somebody to take a role, in time: whoever has it stays accountable until they accept.

    When they ask for it themselves, whoever has it is asked to let it go. Raises NotFound for a stranger, and Conflict
    when it is theirs already, or the incident has no roles any more.
    """
    refuse_over(incident)
    if person not in settings.roster.people:
        raise NotFound(f"there is no {plain(person, 40)!r} among the people")
    if own_holder(role, incident.roles) == person:
        raise Conflict(f"{person} is {role.title} of {incident.key} already")
    earlier = end_offer(tx, incident, role, OfferState.VOID)
    takes = actor.name == person
    within = COMMAND_WITHIN if takes else settings.roles.accept_within
    by = "" if actor == INCIDENTD else actor.name
    new = Offer(
        id=0, incident_id=incident.id, role=role, person=person, asked_at=tx.now, because=plain(because, 500), by=by
    )
    offer = stored.ask(tx, new)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=OFFERED, subject=incident.key, ukey=f"{OFFERED}:{offer.id}", due_at=tx.now + within,
        payload={"offer": offer.id},
    )  # fmt: skip
    _say_asked(tx, incident, offer, earlier, until=clock(tx.now + within))
    _put(tx, settings, incident, offer)
    return offer


def _say_asked(tx: Tx, incident: Incident, offer: Offer, earlier: Offer | None, *, until: str) -> None:
    why = f": {offer.because}" if offer.because else ""
    instead = f" {earlier.person} is not asked any more." if earlier and earlier.person != offer.person else ""
    if takes_command(offer):
        lead = own_holder(offer.role, incident.roles)
        text = f"{offer.person} asks {lead} for the role of {offer.role.title}{why}"
        text += f"; it is theirs at {until} unless {lead} says no."
    else:
        text = f"{offer.person} is asked to be {offer.role.title}{why}; to be accepted by {until}.{instead}"
    facts = {"role": offer.role.value, "person": offer.person, "offer": offer.key}
    actor = Actor(name=offer.by, via="api") if offer.by else INCIDENTD
    chain.append(tx, incident.key, actor, [Draft("role.asked", text, facts)])


def takes_command(offer: Offer) -> bool:
    """Say whether somebody asks for a role that another one has, who may say no."""
    return offer.by == offer.person


def answerer(incident: Incident, offer: Offer) -> str:
    """Say who has to answer: whoever was asked, or whoever has the role that somebody else asks for."""
    return effective_holder(offer.role, incident.roles) if takes_command(offer) else offer.person


def _put(tx: Tx, settings: Settings, incident: Incident, offer: Offer) -> None:
    """Put the question into the outbox. Its words, and the link to answer, are written when it is sent."""
    handle = answerer(incident, offer)
    for channel in quiet_channels(settings.roster.people.get(handle)):
        jobs.schedule(
            tx, queue=jobs.NOTIFY, kind=OFFERED, subject=incident.key, ukey=f"{offer.key}/{channel.name}",
            due_at=tx.now, give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
            payload={"offer": offer.id, "person": handle, "channel": channel.name, "purpose": "page"},
        )  # fmt: skip


def accept(tx: Tx, settings: Settings, offer: Offer, *, actor: Actor) -> Incident:
    """Take the role that was offered, or let go of the one that was asked for.

    Raises NotAllowed for somebody who was not asked, and Conflict, with what became of it, for what was answered.
    """
    incident = _answerable(tx, offer, actor)
    because = offer.because
    if takes_command(offer):
        because = f"{actor.name} lets go"
    return hand_over(tx, settings, incident, offer.role, offer.person, actor=actor, because=because)


def decline(tx: Tx, settings: Settings, offer: Offer, *, actor: Actor, reason: str = "") -> Offer:
    """Say no. What was offered goes to the people behind; what was asked for stays where it is. Raises as `accept`."""
    incident = _answerable(tx, offer, actor)
    jobs.cancel(tx, f"{OFFERED}:{offer.id}")
    done = stored.answer(tx, offer, OfferState.DECLINED)
    why = f": {plain(reason, 500)}." if reason else "."
    if takes_command(offer):
        text = f"{actor.name} stays {offer.role.title}{why}"
    else:
        text = f"{actor.name} does not take the role of {offer.role.title}{why}"
    facts = {"role": offer.role.value, "person": offer.person, "offer": offer.key}
    chain.append(tx, incident.key, actor, [Draft("role.declined", text, facts)])
    if takes_command(offer):
        said = f"{actor.name} stays {offer.role.title} of {incident.key}{why}"
        tell(tx, settings, incident, offer.person, title=said, key=f"{offer.key}/declined")
    else:
        _go_on(tx, settings, incident, done, "declined")
    return done


def _answerable(tx: Tx, offer: Offer, actor: Actor) -> Incident:
    incident = subjects.get_incident(tx, offer.incident_id)
    if offer.state is not OfferState.ASKED:
        lead = own_holder(offer.role, incident.roles) or "nobody"
        when = f" at {clock(offer.answered_at)}" if offer.answered_at else ""
        became = offer.state.value.replace("_", " ")
        raise Conflict(f"{offer.key} is {became}{when}; {lead} is {offer.role.title} of {incident.key}")
    whose = answerer(incident, offer)
    if actor.name != whose:
        raise NotAllowed(f"{offer.key} is for {whose} to answer, not for {plain(actor.name, 40)}", authenticated=True)
    return incident


def hand_over(
    tx: Tx, settings: Settings, incident: Incident, role: Role, person: str, *, actor: Actor, because: str
) -> Incident:  # fmt: skip
    """Give a role to somebody; a commander who is relieved goes on as Operations Lead where nobody else is.

    But not one who never answered, while somebody else is called to lead operations.
    """
    before = own_holder(role, incident.roles)
    after = change(tx, settings, incident, role, person, actor=actor, because=because)
    lead = Role.OPERATIONS_LEAD
    relieved = role is Role.INCIDENT_COMMANDER and before not in ("", person)
    if relieved and own_holder(lead, after.roles) in ("", person) and not _called_instead(tx, after, lead, before):
        after = change(tx, settings, after, lead, before, actor=actor, because=f"{person} commands from here")
    if role is Role.INCIDENT_COMMANDER:
        after = has_command(tx, settings, after, actor=actor, before=before)
    look(tx, settings, incident.id, given=person)
    return after


def _called_instead(tx: Tx, incident: Incident, role: Role, person: str) -> bool:
    """Say whether a page calls for a role while this person shows no sign of being there: it goes on."""
    calls = any(
        page.state is PageState.OPEN and page.errand.role == role.value for page in things.pages_of(tx, incident.key)
    )
    return calls and person not in present(tx, incident)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Go on when somebody did not answer in time."""
    offer = stored.get_offer(tx, int(job.payload["offer"]))
    if offer.state is not OfferState.ASKED:
        return
    incident = subjects.get_incident(tx, offer.incident_id)
    waited = about(tx.now - offer.asked_at)
    if takes_command(offer):
        lead = own_holder(offer.role, incident.roles)
        actor = Actor(name=offer.person, via="api")
        hand_over(
            tx, settings, incident, offer.role, offer.person, actor=actor, because=f"{lead} did not answer for {waited}"
        )
        return
    done = stored.answer(tx, offer, OfferState.TIMED_OUT)
    facts = {"role": offer.role.value, "person": offer.person, "offer": offer.key}
    text = f"{offer.person} did not say within {waited} whether they take the role of {offer.role.title}."
    chain.append(tx, incident.key, INCIDENTD, [Draft("role.timed_out", text, facts)])
    _go_on(tx, settings, incident, done, "did not answer")


def _go_on(tx: Tx, settings: Settings, incident: Incident, offer: Offer, what: str) -> None:
    """Page the people behind a role that somebody did not take, and say so to whoever answers for it meanwhile."""
    policy = _policy_of(settings, incident, offer.role)
    title = f"{incident.key} needs its {offer.role.title}: {incident.title}"
    errand = Errand(role=offer.role.value, asked=f"be {offer.role.title}", by=offer.by)
    page = paging.start(
        tx, settings, subject=incident.key, policy=policy, urgency=incident.urgency, title=title, drill=incident.drill,
        errand=errand,
    )  # fmt: skip
    lead = effective_holder(offer.role, incident.roles)
    next_ = f"{policy} is paged for it" if page is not None else "nobody else is paged"
    if lead:
        said = f"{offer.person} {what}: {next_}, and you answer for the role of {offer.role.title} in {incident.key}."
        tell(tx, settings, incident, lead, title=said, key=f"{offer.key}/{offer.state.value}")


def call_again(tx: Tx, settings: Settings, incident: Incident, *, since: datetime) -> None:
    """Page anew for roles that nobody has, when the page that called for one ended since then without an answer.

    For what is about to end by itself nobody is called, unless a person had asked for the role.
    """
    ended = {
        page.errand.role: page for page in things.pages_of(tx, incident.key)
        if page.errand.role and page.state is PageState.RESOLVED and (page.closed_at or page.started_at) >= since
    }  # fmt: skip
    for role, page in ended.items():
        if not own_holder(Role(role), incident.roles) and not paging.pauses(tx, page):
            paging.start(
                tx, settings, subject=incident.key, policy=page.policy, urgency=incident.urgency, title=page.title,
                drill=incident.drill, errand=page.errand,
            )  # fmt: skip


def _policy_of(settings: Settings, incident: Incident, role: Role) -> str:
    """Name the policy that is paged for a role; '' where those it would call have it already."""
    source = settings.roles.sources.get(role)
    if source is not None:
        own = source.escalation or (chains.of_team(settings, source.ask.team) if source.ask.team else "")
        paging_it = (name for name, paged in schedules_paged(settings.escalations) if source.ask.on_call in paged)
        return own or next(paging_it if source.ask.on_call else iter(()), "")
    team = next((name for name in incident.teams if name in settings.roster.teams), "")
    if role is Role.OPERATIONS_LEAD and team:
        return chains.of_team(settings, team)
    return "" if incident.commander else incident.page_policy
