"""Promises of updates as units of work: made when it is declared, kept in view by a deadline each, and called in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.engine import communication
from incidentd.engine.updates.common import facts, goes_unapproved, lead, on_call, outlived, tell
from incidentd.engine.updates.sending import goes_out
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.roles import Role, effective_holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, subjects
from incidentd.store import updates as stored
from incidentd.store.jobs import Job
from incidentd.text import near, plain
from incidentd.timeline import INCIDENTD, Actor, Draft
from incidentd.updates import (
    Audience,
    Phase,
    Promise,
    Reminders,
    State,
    Update,
    first_words,
    joined,
    longest,
    phase_of,
    raised,
    started,
)

KIND = "stakeholder_update"
"""The kind of the deadlines."""
NAG_AFTER = timedelta(minutes=5)
"""After the first reminder the next one, which the Incident Commander gets as well, and then the one to the others."""
NAG_EVERY = timedelta(minutes=15)
LAST_WITHIN = timedelta(minutes=30)
"""How long after its end people may wait to be told of it."""
_SHOWN = 2000


def begin(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Promise the first update to each audience that the severity owes one, unless it was promised before.

    Of a drill nobody is told.
    """
    if incident.drill:
        return
    known = stored.promises(tx, incident.id)
    made = []
    for audience, plan in settings.updates.audiences.items():
        cadence = plan.cadence(incident.severity)
        if cadence is not None and audience not in known:
            made.append(started(incident.id, audience, cadence, incident.declared_at))
    for promise in made:
        _keep(tx, incident, promise)
    if made:
        due = ", ".join(f"{it.audience} by {near(it.due_at, tx.now)}" for it in made if it.due_at)
        chain.append(tx, incident.key, INCIDENTD, [Draft("updates.promised", f"Updates are promised: {due}.")])


def changed(tx: Tx, settings: Settings, before: Incident, after: Incident, *, actor: Actor = INCIDENTD) -> None:
    """Take that an incident changed: its severity, its state. Whoever saves such a change calls it.

    A severity that rises tightens every promise now; one that falls does so only with the next update.
    """
    communication.changed(tx, settings, after)
    rank = {name: it.rank for name, it in settings.severities.items()}
    if after.status in ACTIVE:
        if rank.get(after.severity, 99) < rank.get(before.severity, 99):
            _tighten(tx, settings, after)
        if before.status not in ACTIVE or after.severity != before.severity:
            _revive(tx, settings, after)
    if after.status is not before.status:
        _state_changed(tx, settings, before, after, actor)


def take_over(
    tx: Tx, settings: Settings, gone: Incident, root: Incident, promised: Mapping[Audience, Promise]
) -> None:  # fmt: skip
    """Let what was `promised` for an incident that is part of another one now hold there: the earlier of both."""
    known = stored.promises(tx, root.id)
    sooner = []
    for audience, theirs in promised.items():
        if theirs.due_at is None or audience not in settings.updates.audiences:
            continue
        mine = known.get(audience) or Promise(incident_id=root.id, audience=audience, due_at=None)
        both = joined(mine, theirs)
        if both == mine:
            continue
        _keep(tx, root, both)
        if both.due_at is not None and both.due_at != mine.due_at:
            sooner.append(f"{audience} by {near(both.due_at, tx.now)}")
    if sooner:
        text = f"What was promised of {gone.key} is owed here: {', '.join(sooner)}."
        chain.append(tx, root.key, INCIDENTD, [Draft("updates.taken_over", text)])
    _give_up_waiting(tx, settings, gone, root)


def _give_up_waiting(tx: Tx, settings: Settings, gone: Incident, root: Incident) -> None:
    """Let no text wait for approval any more that was written for what is part of another incident now.

    It speaks of the other one, and the survivor may have one waiting: whoever leads that is told, to write it anew.
    """
    for audience in Audience:
        waits = stored.waiting(tx, gone.id, audience)
        if waits is None:
            continue
        stored.save(tx, replace(waits, state=State.REPLACED))
        what = f"{waits.key} to {audience} by {waits.by}, written for {gone.key}, waited for approval and was not sent"
        data = {"update": waits.key}
        for_gone = Draft("update.replaced", f"{what}: {gone.key} is part of {root.key} now.", data)
        chain.append(tx, gone.key, INCIDENTD, [for_gone])
        people = [lead(root)] if lead(root) else on_call(tx, settings, root)
        asked = ", ".join(people) or "Nobody, since nobody is on call,"
        text = f"{what}. {asked} is asked to write it anew for {root.key}: {plain(waits.text, _SHOWN)}"
        chain.append(tx, root.key, INCIDENTD, [Draft("update.replaced", text, data)])
        command = f"incidentd update {root.key} --audience {audience}"
        body = f"{plain(waits.text, _SHOWN)}\n\n{gone.key} is part of {root.key} now. Write it anew: {command}"
        title = f"{waits.key} to {audience} was not sent: write it anew for {root.key}"
        tell(tx, settings, root, people, title=title, body=body, key=f"{waits.key}/merged/{root.id}")


def _tighten(tx: Tx, settings: Settings, incident: Incident) -> None:
    for audience, promise in stored.promises(tx, incident.id).items():
        plan = settings.updates.audiences.get(audience)
        cadence = plan.cadence(incident.severity) if plan else None
        if cadence is None or promise.due_at is None:
            continue
        sooner = raised(promise, cadence, declared_at=incident.declared_at, now=tx.now)
        _keep(tx, incident, sooner)
        if sooner.due_at != promise.due_at and sooner.due_at is not None:
            due = near(sooner.due_at, tx.now)
            text = f"The next {audience} update is due at {due} already: it is {incident.severity} now."
            chain.append(tx, incident.key, INCIDENTD, [Draft("updates.tightened", text)])


def _revive(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Promise anew what was let go, and what the severity did not owe until now."""
    begin(tx, settings, replace(incident, declared_at=tx.now))
    for audience, promise in stored.promises(tx, incident.id).items():
        plan = settings.updates.audiences.get(audience)
        cadence = plan.cadence(incident.severity) if plan else None
        if cadence is not None and promise.due_at is None:
            _keep(tx, incident, replace(promise, due_at=tx.now + (cadence.then if promise.sent else cadence.first)))


def _state_changed(tx: Tx, settings: Settings, before: Incident, after: Incident, actor: Actor) -> None:
    promises = [it for it in stored.promises(tx, after.id).values() if it.due_at is not None]
    if after.status not in ACTIVE:
        for promise in promises:
            _keep(tx, after, replace(promise, due_at=_last_due(promise, after, tx.now)))
        promises = [it for it in promises if _last_due(it, after, tx.now)]
    told = [it.audience.value for it in promises if it.sent]
    if not told or phase_of(after.status) is phase_of(before.status):
        return
    who = lead(after) or lead(before)  # what is stood down has let everybody go already
    state = phase_of(after.status).value.replace("_", " ")
    text = f"{after.key} is {state}; not told yet: {', '.join(told)}. {who or 'Somebody'} is asked to say so."
    chain.append(tx, after.key, INCIDENTD, [Draft("updates.asked", text)])
    if who and who != actor.name:
        key = f"{after.key}/updates/{state}/{after.version}"
        body = f"incidentd update {after.key} --draft --audience {told[0]} writes a draft."
        tell(tx, settings, after, [who], title=text, body=body, key=key)


def _last_due(promise: Promise, incident: Incident, now: datetime) -> datetime | None:
    """Say when an audience has to know how it ended: nobody who was never told, and nobody of a merged one."""
    if not promise.sent or promise.due_at is None or incident.status in (Status.MERGED, Status.CLOSED):
        return None
    return min(promise.due_at, now + LAST_WITHIN)


def _keep(tx: Tx, incident: Incident, promise: Promise) -> None:
    """Store a promise, with its deadline."""
    stored.save_promise(tx, promise)
    deadline(tx, incident, promise)


def deadline(tx: Tx, incident: Incident, promise: Promise) -> None:
    """Make, move or cancel the deadline of a promise. Of one that is overdue already the reminders go on."""
    key = f"{incident.key}/update/{promise.audience}"
    if promise.due_at is None:
        jobs.cancel(tx, key)
        return
    of, before = promise.due_at.isoformat(), jobs.live(tx, key)
    if before is not None and before.payload.get("of") == of:
        return
    reminded = promise.reminded()
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=incident.key, ukey=key,
        due_at=_next(reminded) if reminded else promise.due_at,
        payload={"audience": promise.audience.value, "of": of},
    )  # fmt: skip


def _next(last: Reminders) -> datetime:
    return last.last_at + (NAG_AFTER if last.count <= 2 else NAG_EVERY)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Call in a promise that is due: send the first words where they may go by themselves, else remind and escalate."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    audience = Audience(job.payload["audience"])
    promise = stored.promises(tx, incident.id).get(audience)
    if promise is None or promise.due_at is None:
        return
    plan = settings.updates.audiences.get(audience)
    if plan is None:
        stored.save_promise(tx, replace(promise, due_at=None))
        text = f"The files name no {audience} audience any more, so nothing is owed to it."
        chain.append(tx, incident.key, INCIDENTD, [Draft("updates.dropped", text)])
    elif not promise.sent and _first_words_hold(incident) and plan.begins_by_itself(incident.severity):
        _send_first(tx, settings, incident, promise)
    else:
        _nag(tx, settings, incident, promise)


def _first_words_hold(incident: Incident) -> bool:
    """Say whether what the first words say is true: not once the cause is named, or the impact stopped."""
    return phase_of(incident.status) is Phase.INVESTIGATING


def _send_first(tx: Tx, settings: Settings, incident: Incident, promise: Promise) -> None:
    plan = settings.updates.audiences[promise.audience]
    text = first_words(facts(tx, settings, incident), promise.audience, tx.now)
    wait = longest(promise, plan.cadence(incident.severity), declared_at=incident.declared_at, now=tx.now)
    new = Update(
        id=0, incident_id=incident.id, audience=promise.audience, state=State.WAITING, phase=Phase.INVESTIGATING,
        text=text, by=INCIDENTD.name, at=tx.now, next_in=wait,
    )  # fmt: skip
    late = replace(promise, due_at=None) if not _is_late(promise, tx.now) else promise
    _, kept = goes_out(tx, settings, incident, late, new, actor=INCIDENTD)
    deadline(tx, incident, kept)


def _is_late(promise: Promise, now: datetime) -> bool:
    """Say whether the first words come late: those that nobody has to write have a minute after they are due."""
    return promise.due_at is not None and now - promise.due_at > timedelta(minutes=1)


def _nag(tx: Tx, settings: Settings, incident: Incident, promise: Promise) -> None:
    due, before = promise.due_at or tx.now, promise.reminded()
    nags = before.count if before else 0
    waits = stored.waiting(tx, incident.id, promise.audience)
    if waits is not None and outlived(incident, waits):
        waits = None  # it can go out no more: another one has to be written
    approval = waits is not None and not goes_unapproved(incident)
    people, urgent = _whom(tx, settings, incident, nags, approval)
    late = f", {about(tx.now - due)} ago" if tx.now - due >= timedelta(minutes=1) else ""
    why = " for the Incident Commander's approval" if approval else ""
    asked = f"; {waits.key} waits{why}" if waits else ""
    told = ", ".join(people) or "nobody, since nobody is on call"
    text = f"The {promise.audience} update of {incident.key} was promised for {near(due, tx.now)}{late}{asked}."
    word = "Escalated to" if urgent else "Reminded"
    data = {"audience": promise.audience.value, "nag": nags}
    chain.append(tx, incident.key, INCIDENTD, [Draft("updates.overdue", f"{text} {word}: {told}.", data)])
    body = f"{plain(incident.title, 120)}\n{_to_do(incident, promise, waits)}"
    tell(
        tx, settings, incident, people, title=text, body=body,
        key=f"{incident.key}/update/{promise.audience}/{due.isoformat()}/{nags}", urgent=urgent,
    )  # fmt: skip
    again = replace(promise, reminders=Reminders(of=due, count=nags + 1, last_at=tx.now))
    _keep(tx, incident, again)


def _to_do(incident: Incident, promise: Promise, waits: Update | None) -> str:
    if waits is not None:
        return f"Let it go out: incidentd approve-update {waits.key}"
    command = f"incidentd update {incident.key} --audience {promise.audience}"
    return f"Send it: {command}; --draft writes one, and --skip REASON leaves it out."


def _whom(tx: Tx, settings: Settings, incident: Incident, nags: int, waits: bool) -> tuple[list[str], bool]:
    """Say who is reminded, looked up as it falls due, and whether that is an escalation."""
    commander = incident.commander
    who = commander if waits else lead(incident)
    match nags:
        case 0 if who:
            return [who], False
        case 1 if who:
            return list(dict.fromkeys([who, commander])), False
        case _:
            chief = effective_holder(Role.OPERATIONS_LEAD, incident.roles)
            everyone = [who, commander, chief, *on_call(tx, settings, incident)]
            return [it for it in dict.fromkeys(everyone) if it], bool(who) or nags > 0
