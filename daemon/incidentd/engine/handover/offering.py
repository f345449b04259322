"""Offering roles to somebody: nothing goes out while a human line is missing."""

from __future__ import annotations

from collections.abc import Sequence

from incidentd.engine.handover.drafting import facts_of, sender_of
from incidentd.engine.handover.telling import send_offer
from incidentd.engine.records.common import person
from incidentd.engine.roles.holding import refuse_over
from incidentd.engine.updates import Asking
from incidentd.errors import BadRequest, Conflict
from incidentd.handover import ANSWER_WITHIN, Handover, draft, gaps, refusal, titles
from incidentd.incidents import Incident
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, role_handovers, subjects
from incidentd.store import roles as stored
from incidentd.text import clock, plain
from incidentd.timeline import Actor, Draft


def offer(
    tx: Tx, settings: Settings, incident_id: int, *, roles: Sequence[Role], receiver: str, asking: Asking
) -> Handover:  # fmt: skip
    """Offer roles of an incident to somebody, with the message of how it stands; the sender has them until they accept.

    Raises NotFound, BadRequest for nobody, and Conflict when a human line is missing or too old, the caller has no say,
    the roles are on offer already, or the incident has no roles any more.
    """
    incident = subjects.get_incident(tx, incident_id)
    refuse_over(incident)
    roles = tuple(dict.fromkeys(roles))
    if not roles:
        raise BadRequest("say which role is handed over: ic, ol, cl, or several with commas between them")
    sender = sender_of(tx, incident, roles)
    receiver = person(settings, receiver, "the receiver")
    check_say(incident, sender, asking, "hands it over")
    if receiver == sender:
        raise Conflict(f"{sender} has {titles(roles)} of {incident.key} already")
    facts = facts_of(tx, settings, incident, roles, sender=sender, receiver=receiver)
    if missing := gaps(facts, tx.now):
        raise Conflict(refusal(facts, missing))
    made = role_handovers.add(
        tx,
        Handover(
            id=0, incident_id=incident.id, roles=roles, sender=sender, receiver=receiver, message=draft(facts, tx.now),
            offered_by=asking.actor.name, offered_at=tx.now, answer_by=tx.now + ANSWER_WITHIN,
        ),
    )  # fmt: skip
    _say(tx, incident, made, asking.actor)
    send_offer(tx, settings, made)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=role_handovers.KIND, subject=incident.key, ukey=role_handovers.deadline(made.id),
        due_at=made.answer_by, payload={"handover": made.id},
    )  # fmt: skip
    return made


def check_say(incident: Incident, sender: str, asking: Asking, what: str) -> None:
    """Refuse whoever neither has the roles, nor commands, nor is an admin. Raises Conflict."""
    allowed = dict.fromkeys(it for it in (sender, incident.commander) if it)
    if not asking.admin and asking.actor.name not in allowed:
        raise Conflict(
            f"{plain(asking.actor.name, 60)} has no such role in {incident.key}: {' or '.join(allowed)} {what}"
        )


def open_roles(tx: Tx, name: str) -> dict[int, tuple[Role, ...]]:
    """List what somebody has in incidents that go on: the roles by incident."""
    found: dict[int, list[Role]] = {}
    for incident_id, role, _ in stored.held_by(tx, name):
        found.setdefault(incident_id, []).append(role)
    return {number: tuple(roles) for number, roles in found.items()}


def _say(tx: Tx, incident: Incident, it: Handover, actor: Actor) -> None:
    text = (
        f"{it.key}: {plain(it.sender, 60)} offers {titles(it.roles)} to {it.receiver}, who answers by "
        f"{clock(it.answer_by)}; until then {plain(it.sender, 60)} answers for it."
    )
    data = {
        "handover": it.key, "roles": [role.value for role in it.roles], "from": it.sender, "to": it.receiver
    }  # fmt: skip
    chain.append(tx, incident.key, actor, [Draft("handover.offered", text, data)])
