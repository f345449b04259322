"""Decisions: taken at once, or proposed, with silence as consent."""

from __future__ import annotations

from datetime import timedelta

from incidentd.engine.records.common import KEY, current, ended, keep, line, more, told, writable
from incidentd.incidents import Incident
from incidentd.records import Choice, Decision, moves
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, records, subjects
from incidentd.store.jobs import Job
from incidentd.text import clock, count
from incidentd.timeline import INCIDENTD, Actor, Draft

KIND = "decision"
"""The kind of the deadlines of proposals."""


def propose(
    tx: Tx, settings: Settings, incident_id: int, *, text: str, actor: Actor, options: str = "",
    wait: timedelta | None = None,
) -> Decision:  # fmt: skip
    """Write down a decision, or, with a `wait`, propose it: when nobody objects until then it is decided.

    Raises NotFound, BadRequest, and Conflict when the incident is final.
    """
    incident = writable(tx, incident_id)
    until = None if wait is None else moves.wait_until(wait, tx.now)
    new = Decision(
        number=0, by=actor.name, at=tx.now, text=line(text, "the decision"), decided_by=actor.name, made_at=tx.now,
        options=more(options, "what was not chosen"), waits_until=until,
        state=Choice.DECIDED if until is None else Choice.PROPOSED,
    )  # fmt: skip
    aside = f" Not taken: {ended(new.options)}" if new.options else ""
    if until is None:
        said = f"Decision {KEY} by {told(actor.name)}: {ended(new.text)}{aside}"
        return keep(tx, incident, new, actor, Draft("decision.made", said))
    said = (
        f"{told(actor.name)} proposes {KEY}: {ended(new.text)}{aside} "
        f"Strong objections? Without one it is decided at {clock(until)}."
    )
    new = keep(tx, incident, new, actor, Draft("decision.proposed", said))
    go_on(tx, incident, new)
    return new


def go_on(tx: Tx, incident: Incident, proposal: Decision) -> None:
    """Wait for objections to a proposal, unless there are some."""
    if proposal.waits_until is not None and not proposal.objections:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=KIND, subject=incident.key, ukey=_key(incident, proposal.number),
            due_at=proposal.waits_until, payload={"decision": proposal.number},
        )  # fmt: skip


def stop(tx: Tx, incident: Incident, proposal: Decision) -> None:
    """Wait for objections no longer."""
    jobs.cancel(tx, _key(incident, proposal.number))


def object_to(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, text: str, actor: Actor,
    expected_version: int | None = None,
) -> Decision:  # fmt: skip
    """Object to a proposal: it is not decided by silence any more."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Decision, number, expected_version)
    new = moves.objected(before, line(text, "the objection"), by=actor.name, now=tx.now)
    jobs.cancel(tx, _key(incident, number))
    said = f"{told(actor.name)} objects to {KEY}: {ended(new.objections[-1].text)} {told(new.decided_by)} decides."
    return keep(tx, incident, new, actor, Draft("decision.objected", said))


def decide(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, expected_version: int | None = None
) -> Decision:  # fmt: skip
    """Decide a proposal now, whatever was said against it."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Decision, number, expected_version)
    new = moves.decided(before, by=actor.name, now=tx.now)
    jobs.cancel(tx, _key(incident, number))
    against = f", against {count(len(new.objections), 'objection')}" if new.objections else ""
    return keep(
        tx,
        incident,
        new,
        actor,
        Draft("decision.made", f"{told(actor.name)} decides {KEY}{against}: {ended(new.text)}"),
    )


def withdraw(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, expected_version: int | None = None
) -> Decision:  # fmt: skip
    """Take a proposal back."""
    incident = writable(tx, incident_id)
    new = moves.withdrawn(current(tx, incident, Decision, number, expected_version), by=actor.name, now=tx.now)
    jobs.cancel(tx, _key(incident, number))
    return keep(
        tx,
        incident,
        new,
        actor,
        Draft("decision.withdrawn", f"{told(actor.name)} withdraws {KEY}: {ended(new.text)}"),
    )


def wait_is_over(tx: Tx, job: Job) -> None:
    """Decide a proposal that nobody objected to."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    found = records.find(tx, incident.id, Decision, int(job.payload["decision"]))
    new = None if found is None else moves.by_silence(found, by=INCIDENTD.name, now=tx.now)
    if new is not None:
        said = f"Nobody objected to {KEY} of {told(new.decided_by)}, so it is decided: {ended(new.text)}"
        keep(tx, incident, new, INCIDENTD, Draft("decision.made", said))


def _key(incident: Incident, number: int) -> str:
    return f"decision:{incident.key}/{number}"
