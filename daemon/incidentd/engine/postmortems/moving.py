"""The way of a postmortem to its publication, as units of work: submitted, approved, returned, published, closed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from incidentd import postmortem
from incidentd.engine import publishing
from incidentd.engine.postmortems import clock
from incidentd.engine.postmortems.common import REVIEW, Opened, keep, opened, review_key, stop, tell
from incidentd.engine.records.common import LONGEST_LINE, told
from incidentd.engine.reviewing import people_of
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.incidents import ACTIVE
from incidentd.metrics import Metrics
from incidentd.postmortem import (
    CHECKLIST,
    EXCEPTIONS,
    RULES,
    Approval,
    Finding,
    Gate,
    Item,
    Lack,
    Postmortem,
    Seen,
    State,
    Waiver,
    following,
    lacks,
    move,
    users_affected,
)
from incidentd.postmortem.pieces import with_head
from incidentd.postmortem.rules import Part
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, merged, postmortems, subjects
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Actor, Draft

_SAID = {
    State.IN_REVIEW: "submits the postmortem for review", State.REVIEWED: "says that the postmortem is reviewed",
    State.DRAFT: "returns the postmortem", State.PUBLISHED: "publishes the postmortem",
    State.CLOSED: "closes the postmortem",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a move, what they saw, and what they say with it."""

    actor: Actor
    admin: bool = False
    expected_version: int | None = None
    reason: str = ""
    excepted: tuple[Gate, ...] = ()
    """Gates that are to be no hindrance, for the reason."""
    external: str = ""


def seen(tx: Tx, settings: Settings, known: Opened) -> tuple[Seen, list[Finding]]:
    """Gather what the gates look at, with everything that the checks found."""
    it, incident = known.it, known.incident
    text = postmortem.joined(known.pieces)
    found = postmortem.check(text, people_of(tx, settings, incident))
    plan, teams = settings.postmortems, settings.roster.teams.values()
    items = tuple(
        Item(key=one.key, state=one.state.value, priority=one.priority, external=one.jira_key)
        for one in merged.items_of(tx, incident)
    )
    handles = {it.owner, *(one.by for one in it.approvals)}
    return Seen(
        now=tx.now, findings=tuple(found), comments=postmortems.comments(tx, it), items=items,
        tracked=settings.jira is not None and not incident.drill, users_affected=users_affected(text),
        teams=incident.teams, approvals=plan.approvals, review_for=plan.review_for,
        teams_of={one: tuple(team.name for team in teams if one in team.people) for one in handles},
    ), found  # fmt: skip


def missing(tx: Tx, settings: Settings, known: Opened) -> tuple[State | None, tuple[Lack, ...]]:
    """Say which state comes next, and what is missing for it."""
    to = following(known.it.state)
    return to, () if to is None else lacks(known.it, to, seen(tx, settings, known)[0])


def go(tx: Tx, settings: Settings, incident_id: int, to: State, *, asked: Asked) -> Postmortem:
    """Move a postmortem to another state of the table.

    Raises NotFound, BadRequest, NotAllowed for an exception that is not the asker's to make, and Conflict while its
    incident goes on and with everything that is missing.
    """
    known = opened(tx, settings, incident_id, expected_version=asked.expected_version)
    if to is not State.DRAFT and known.incident.status in ACTIVE:
        raise Conflict(
            f"{known.incident.key} goes on, it is {known.incident.status}; its postmortem stays a draft until the "
            f"incident is over: incidentd resolve {known.incident.key}"
        )
    reason = checked(asked.reason, "the reason", LONGEST_TEXT) if asked.reason.strip() else ""
    if to is State.DRAFT and known.it.state is not State.DRAFT and not reason:
        raise BadRequest("say why it is returned, so that its authors know what to do")
    it, excepted = _excepted(tx, settings, known, asked, to=to, reason=reason)
    if asked.external and to is State.CLOSED:
        it = replace(it, external=checked(asked.external, "the external message", LONGEST_LINE))
    look, found = seen(tx, settings, known)
    moved = move(it, to, look)
    why = f": {plain(reason)}" if reason else "."
    drafts = [*excepted, Draft(f"postmortem.{to.value}", f"{told(asked.actor.name)} {_SAID[to]}{why}")]
    pieces = with_head(known.pieces, {"status": to.value}) if known.pieces[0].name == "head" else known.pieces
    kept = keep(tx, known, moved, asked.actor, *drafts, pieces=pieces)
    _follow(tx, settings, known, kept, asked=asked, found=found)
    return kept


def _follow(
    tx: Tx, settings: Settings, known: Opened, it: Postmortem, *, asked: Asked, found: list[Finding]
) -> None:  # fmt: skip
    """Do what follows from a move."""
    incident = known.incident
    match it.state:
        case State.IN_REVIEW:
            clock.send_copies(tx, settings, incident, it)
            clock.plan_copies(tx, settings, incident, it)
            jobs.schedule(
                tx, queue=jobs.TIMER, kind=REVIEW, subject=incident.key, ukey=review_key(incident),
                due_at=tx.now + settings.postmortems.review_for,
            )  # fmt: skip
            _count(tx, known, found)
        case State.PUBLISHED:
            stop(tx, incident)
            reason = asked.reason if it.edition > 1 else ""
            postmortems.publish(tx, it, by=asked.actor.name, reason=reason)
            if it.edition == 1 and not incident.drill and incident.resolved_at is not None:
                _took(tx, known, incident.resolved_at)
            publishing.published(tx, settings, incident, it.edition, it.markdown, tx.now)
        case State.CLOSED:
            stop(tx, incident)
        case State.DRAFT:
            jobs.cancel(tx, review_key(incident))
            clock.start(tx, incident, it)
            clock.plan_copies(tx, settings, incident, it)
        case State.REVIEWED:
            pass


def _count(tx: Tx, known: Opened, found: list[Finding]) -> None:
    """Count what the language of a text has to look at as it goes to review: by rule, never by author."""
    if known.incident.drill:
        return
    for rule, number in Counter(one.rule for one in found).items():
        if RULES[rule].part is Part.LANGUAGE or rule == "people-fix":
            tx.count(partial(_found, rule, number))


def _found(rule: str, number: int, m: Metrics) -> None:
    m.postmortem_language_findings_total.labels(rule=rule).inc(number)


def _took(tx: Tx, known: Opened, since: datetime) -> None:
    took, severity = (tx.now - since).total_seconds(), known.incident.peak_severity
    tx.count(lambda m: m.postmortem_time_to_publish_seconds.labels(severity=severity).observe(took))


def _excepted(
    tx: Tx, settings: Settings, known: Opened, asked: Asked, *, to: State, reason: str
) -> tuple[Postmortem, list[Draft]]:  # fmt: skip
    """Record the exceptions that a lead makes."""
    if not asked.excepted:
        return known.it, []
    for gate in asked.excepted:
        if gate not in EXCEPTIONS:
            raise BadRequest(f"of {gate} there is no exception; there are some of {', '.join(sorted(EXCEPTIONS))}")
    if not reason:
        raise BadRequest("an exception says why, so that whoever reads it later can tell")
    _refuse_who_may_not(settings, known, asked)
    made = [Waiver(gate=gate, by=asked.actor.name, at=tx.now, reason=reason) for gate in asked.excepted]
    named = ", ".join(one.gate.value for one in made)
    said = f"{told(asked.actor.name)} makes an exception from {named} for the postmortem: {plain(reason)}"
    data = {"gates": [one.gate.value for one in made], "to": to.value}
    return replace(known.it, waivers=(*known.it.waivers, *made)), [Draft("postmortem.excepted", said, data)]


def leads(settings: Settings) -> set[str]:
    """Name who may make exceptions: the leads of teams, the manager, and whom the files name."""
    plan = settings.postmortems
    return {*(team.lead for team in settings.roster.teams.values()), plan.manager, *plan.leads} - {""}


def _refuse_who_may_not(settings: Settings, known: Opened, asked: Asked) -> None:
    may = leads(settings)
    if asked.admin or asked.actor.name in may or (not may and asked.actor.name != known.it.owner):
        return
    who = plain(", ".join(sorted(may)), 300) or "anybody but its owner, since the files name no lead,"
    raise NotAllowed(
        f"{plain(asked.actor.name, 40)} may make no exception: {who} may, or a token with the scope admin",
        authenticated=True,
    )


def approve(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, points: tuple[str, ...] = (), note: str = "",
    expected_version: int | None = None,
) -> Postmortem:  # fmt: skip
    """Say that a postmortem may be published; when nothing else is missing, it is reviewed with that.

    `points` are what of the checklist the reviewer looked at. Raises NotFound, BadRequest, and Conflict when it is not
    in review, changed since the reviewer saw it, or is the approver's own.
    """
    known = opened(tx, settings, incident_id, expected_version=expected_version)
    if known.it.state is not State.IN_REVIEW:
        raise Conflict(
            f"the postmortem of {known.incident.key} is {known.it.state}; only what is in review is approved"
        )
    if actor.name == known.it.owner:
        raise Conflict(f"{actor.name} owns the postmortem of {known.incident.key}; it is approved by others")
    if unknown := [one for one in points if one not in CHECKLIST]:
        raise BadRequest(f"there is no {plain(unknown[0], 40)!r} on the checklist; there are {', '.join(CHECKLIST)}")
    note = checked(note, "the note", LONGEST_TEXT) if note.strip() else ""
    mine = [one for one in known.it.approvals if one.by == actor.name]
    confirmed = tuple(one for one in CHECKLIST if one in points or any(one in it.points for it in mine))
    if mine and confirmed == mine[-1].points:
        raise Conflict(f"{actor.name} approved it already")
    new = Approval(by=actor.name, at=tx.now, points=confirmed, note=note)
    it = replace(known.it, approvals=(*(one for one in known.it.approvals if one.by != actor.name), new))
    looked = f", having looked at: {', '.join(confirmed)}" if confirmed else ""
    why = f": {plain(note)}" if note else "."
    said = f"{told(actor.name)} approves the postmortem{looked}{why}"
    kept = keep(tx, known, it, actor, Draft("postmortem.approved", said))
    known = replace(known, it=kept)
    if lacks(kept, State.REVIEWED, seen(tx, settings, known)[0]):
        return kept
    return go(tx, settings, incident_id, State.REVIEWED, asked=Asked(actor=actor))


def time_is_over(tx: Tx, settings: Settings, job: Job) -> None:
    """End a review whose time is over when nothing is missing; else its owner is told what is."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    it = postmortems.find(tx, incident.id)
    if it is None or it.state is not State.IN_REVIEW or incident.status in ACTIVE:
        return
    _, lacking = missing(tx, settings, opened(tx, settings, incident.id))
    if not lacking:
        go(tx, settings, incident.id, State.REVIEWED, asked=Asked(actor=INCIDENTD))
        return
    listed = "\n".join(f"- {plain(str(one), 300)}" for one in lacking[:20])
    title = f"The postmortem of {incident.key} had its time for review: {plain(incident.title, 100)}"
    tell(
        tx, settings, incident, [it.owner], title=title, body=f"What is missing:\n{listed}", key=f"review/{it.version}"
    )
