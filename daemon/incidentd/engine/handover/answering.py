"""What becomes of an offer: accepted, declined, withdrawn, out of time, or overtaken by what happened meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incidentd.engine import roles as holding
from incidentd.engine.handover.candidates import candidates
from incidentd.engine.handover.drafting import workers
from incidentd.engine.handover.offering import check_say
from incidentd.engine.handover.telling import WATCH, announce
from incidentd.engine.updates import Asking
from incidentd.engine.updates.common import tell
from incidentd.engine.worded import LONGEST_TITLE, checked
from incidentd.errors import Conflict
from incidentd.handover import OBSERVES_FOR, Handover, State, titles
from incidentd.incidents import Incident, Status
from incidentd.roles import Role, effective_holder
from incidentd.roles import holder as own_holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, role_handovers, subjects
from incidentd.store.jobs import Job
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Actor, Draft

_OVER = frozenset({Status.STOOD_DOWN, Status.MERGED, Status.CLOSED})


def accept(tx: Tx, settings: Settings, handover_id: int, *, actor: Actor) -> Handover:
    """Take the roles over: from here the receiver answers for them, and everybody who works on it is told.

    Of two answers the first counts. An offer that was overtaken is ended aloud, and is not ACCEPTED in what is given.
    Raises NotFound, and Conflict when it is over already or somebody else's to answer.
    """
    it, incident = _answerable(tx, handover_id, actor)
    if why := overtaken(incident, it):
        return _ended(tx, settings, incident, it, State.VOID, actor=INCIDENTD, reason=why)
    done = _end(tx, incident, it, State.ACCEPTED, actor=actor)
    text = (
        f"{it.key} is accepted: {it.receiver} is {titles(it.roles)}, after {plain(it.sender, 60)}, who observes until "
        f"{clock(tx.now + OBSERVES_FOR)}."
    )
    _say(tx, done, actor, text, changed=_changes(incident, it))
    because = f"handed over by {it.sender} ({it.key})"
    for role in it.roles:
        incident = holding.change(
            tx, settings, incident, role, it.receiver, actor=actor, because=because, said=True
        )  # fmt: skip
    if Role.INCIDENT_COMMANDER in it.roles:
        incident = holding.has_command(tx, settings, incident, actor=actor, before=it.sender)
    holding.look(tx, settings, incident.id, given=it.receiver)
    announce(tx, settings, incident, done, [*workers(tx, incident), it.sender, it.receiver])
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=WATCH, subject=incident.key, ukey=f"{WATCH}:{it.id}", due_at=tx.now + OBSERVES_FOR,
        payload={"handover": it.id},
    )  # fmt: skip
    return done


def decline(tx: Tx, settings: Settings, handover_id: int, *, actor: Actor, reason: str = "") -> Handover:
    """Say no: the sender keeps the roles, and is told who could be asked next. Raises as `accept` does."""
    it, incident = _answerable(tx, handover_id, actor)
    why = checked(reason, "the reason", LONGEST_TITLE) if reason.strip() else ""
    return _ended(tx, settings, incident, it, State.DECLINED, actor=actor, reason=why)


def withdraw(tx: Tx, settings: Settings, handover_id: int, *, asking: Asking, reason: str = "") -> Handover:
    """Take an offer back. Raises NotFound, and Conflict when it is over or the caller has no say."""
    it = role_handovers.get(tx, handover_id)
    refuse_answered(it)
    incident = subjects.get_incident(tx, it.incident_id)
    check_say(incident, it.sender, asking, "takes it back")
    why = checked(reason, "the reason", LONGEST_TITLE) if reason.strip() else ""
    return _ended(tx, settings, incident, it, State.WITHDRAWN, actor=asking.actor, reason=why)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """End an offer that nobody answered in time, or that was overtaken."""
    it = role_handovers.get(tx, int(job.payload["handover"]))
    if it.state is not State.OFFERED:
        return
    incident = subjects.get_incident(tx, it.incident_id)
    if why := overtaken(incident, it):
        _ended(tx, settings, incident, it, State.VOID, actor=INCIDENTD, reason=why)
    elif tx.now >= it.answer_by:
        _ended(tx, settings, incident, it, State.TIMED_OUT, actor=INCIDENTD)
    else:
        jobs.schedule(
            tx, queue=job.queue, kind=job.kind, subject=job.subject, ukey=job.ukey, due_at=it.answer_by,
            payload=job.payload,
        )  # fmt: skip


def watch_ended(tx: Tx, job: Job) -> None:
    """Say that whoever handed over need not observe any longer."""
    it = role_handovers.get(tx, int(job.payload["handover"]))
    incident = subjects.get_incident(tx, it.incident_id)
    if incident.status not in _OVER:
        text = f"{plain(it.sender, 60)}, who handed {titles(it.roles)} over, need not observe any longer."
        _say(tx, it, INCIDENTD, text, kind="handover.observed")


def overtaken(incident: Incident, it: Handover) -> str:
    """Say what happened meanwhile that leaves nothing to accept; '' when nothing did."""
    if incident.status in _OVER:
        return f"{incident.key} is {incident.status.value.replace('_', ' ')}"
    for role in it.roles:
        now = effective_holder(role, incident.roles)
        if now != it.sender:
            return f"{now or 'nobody'} is {role.title} now, not {it.sender}"
    return ""


def refuse_answered(it: Handover) -> None:
    """Raise Conflict for an offer that is over, and say how it ended."""
    if it.state is State.OFFERED:
        return
    at = f" at {clock(it.ended_at)}" if it.ended_at else ""
    by = f" by {plain(it.ended_by, 60)}" if it.ended_by and it.ended_by != INCIDENTD.name else ""
    why = f": {plain(it.reason, 200)}" if it.reason else ""
    now = f"; {it.receiver} is {titles(it.roles)}" if it.state is State.ACCEPTED else ""
    raise Conflict(f"{it.key} is {it.state.replace('_', ' ')} already{by}{at}{why}{now}")


def _answerable(tx: Tx, handover_id: int, actor: Actor) -> tuple[Handover, Incident]:
    it = role_handovers.get(tx, handover_id)
    refuse_answered(it)
    if actor.name != it.receiver:
        raise Conflict(f"{it.key} is for {it.receiver} to answer, and you are {plain(actor.name, 60)}")
    return it, subjects.get_incident(tx, it.incident_id)


def _end(
    tx: Tx, incident: Incident, it: Handover, state: State, *, actor: Actor, reason: str = ""
) -> Handover:  # fmt: skip
    done = replace(it, state=state, ended_at=tx.now, ended_by=actor.name, reason=reason)
    role_handovers.end(tx, done)
    jobs.cancel(tx, role_handovers.deadline(it.id))
    took = (tx.now - it.offered_at).total_seconds()
    for role in it.roles if not incident.drill else ():
        _count(tx, role.short, state, took)
    return done


def _count(tx: Tx, role: str, state: State, took: float) -> None:
    tx.count(lambda m: m.role_handovers_total.labels(role=role, result=state.value).inc())
    if state is State.ACCEPTED:
        tx.count(lambda m: m.role_handover_duration_seconds.labels(role=role).observe(took))


def _ended(
    tx: Tx, settings: Settings, incident: Incident, it: Handover, state: State, *, actor: Actor, reason: str = ""
) -> Handover:  # fmt: skip
    """End an offer without a handover: the sender keeps what they have, and everybody concerned is told."""
    done = _end(tx, incident, it, state, actor=actor, reason=reason)
    text = f"{it.key} is over: {_what(done, actor)}"
    if state is not State.VOID:
        text += f" {plain(it.sender, 60)} still is {titles(it.roles)}."
    if state in (State.DECLINED, State.TIMED_OUT):
        others = candidates(tx, settings, incident, it.sender, roles=it.roles, but=it.receiver)
        text += f" Next to ask: {', '.join(others) or 'nobody is known'}."
        if others:
            roles = ",".join(role.short for role in it.roles)
            text += f" incidentd handover {incident.key} {roles} {others[0]}"
    _say(tx, done, actor, text)
    title = f"{incident.key}: {titles(it.roles)} was not handed over to {it.receiver}"
    people = [who for who in (it.sender, it.receiver) if who != actor.name]
    tell(tx, settings, incident, people, title=title, body=text, key=f"{it.key}/{state}", urgent=True)
    return done


def _what(it: Handover, actor: Actor) -> str:
    why = f": {plain(it.reason, 200)}" if it.reason else ""
    match it.state:
        case State.DECLINED:
            return f"{it.receiver} declined{why}."
        case State.TIMED_OUT:
            return f"{it.receiver} did not answer by {clock(it.answer_by)}."
        case State.WITHDRAWN:
            return f"{plain(actor.name, 60)} took it back{why}."
        case State.VOID:
            return f"it was overtaken{why}; {it.receiver} takes nothing over."
        case State.OFFERED | State.ACCEPTED:
            return f"it is {it.state}."


def _changes(incident: Incident, it: Handover) -> list[dict[str, str]]:
    """Give the facts of each role that changes hands, as the entry of a change has them."""
    return [
        {"role": role.value, "person": it.receiver, "was": own_holder(role, incident.roles)} for role in it.roles
    ]  # fmt: skip


def _say(tx: Tx, it: Handover, actor: Actor, text: str, *, kind: str = "", **more: Any) -> None:
    data = {
        "handover": it.key, "roles": [role.value for role in it.roles], "from": it.sender, "to": it.receiver, **more
    }  # fmt: skip
    chain.append(tx, f"INC-{it.incident_id}", actor, [Draft(kind or f"handover.{it.state}", text, data)])
