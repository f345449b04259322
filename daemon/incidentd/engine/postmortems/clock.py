"""The clock of postmortems as units of work: reminders of the date, and copies for reviewers before the meeting."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.durations import about
from incidentd.engine.postmortems.common import COPIES, KIND, clock_key, copies_key, stop, tell
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.postmortem import OUT, Postmortem, State
from incidentd.postmortem.policy import reminded, reminder_at, reminder_now
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, postmortems, subjects
from incidentd.store.jobs import Job
from incidentd.text import instant, plain
from incidentd.timeline import INCIDENTD, Draft


def start(tx: Tx, incident: Incident, it: Postmortem) -> None:
    """Make, move or cancel the deadline of the next reminder; a drill has none, nor what goes on or was merged."""
    if it.due_at is None or it.state in OUT or incident.drill or _rests(incident):
        jobs.cancel(tx, clock_key(incident))
        return
    _schedule(tx, incident, it, max(reminder_now(_since(incident, it), it.due_at, tx.now) + 1, 0))


def _rests(incident: Incident) -> bool:
    """Say whether nobody is reminded for now: a reopened incident goes on, or became part of another one."""
    return incident.status in ACTIVE or incident.status is Status.MERGED


def _schedule(tx: Tx, incident: Incident, it: Postmortem, number: int) -> None:
    if it.due_at is not None:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=KIND, subject=incident.key, ukey=clock_key(incident),
            due_at=reminder_at(number, _since(incident, it), it.due_at), payload={"number": number},
        )  # fmt: skip


def _since(incident: Incident, it: Postmortem) -> datetime:
    return incident.resolved_at or incident.ended_at or it.drafted_at or incident.declared_at


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Remind of a postmortem's date: its owner, then the Incident Commander as well, then the manager.

    After a long stop one reminder is sent, not one for each day.
    """
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    it = postmortems.find(tx, incident.id)
    if it is None or it.due_at is None or it.state in OUT or _rests(incident):
        return
    number = reminder_now(_since(incident, it), it.due_at, tx.now)
    if number >= 0 and settings.postmortems.remind:
        _remind(tx, settings, incident, it, number)
    _schedule(tx, incident, it, number + 1)


def _remind(tx: Tx, settings: Settings, incident: Incident, it: Postmortem, number: int) -> None:
    due_at = it.due_at or tx.now
    people = reminded(
        due_at, tx.now, owner=it.owner, commander=commander_of(incident), manager=manager_of(settings, incident, it)
    )
    late = tx.now - due_at
    when = f"was due {about(late)} ago" if tx.now > due_at else f"is due in {about(-late)}" if late else "is due now"
    title = f"The postmortem of {incident.key} {when}: {plain(incident.title, 100)}"
    body = (
        f"It is {it.state.value.replace('_', ' ')}, {it.owner or 'nobody'} owns it, due {instant(due_at)}.\n"
        f"What is missing: incidentd postmortem state {incident.key}"
    )
    told = tell(tx, settings, incident, people, title=title, body=body, key=f"{due_at.isoformat()}/{number}")
    said = f"The postmortem {when}. Reminded: {', '.join(told) or 'nobody, since nobody who owns it is known'}."
    chain.append(tx, incident.key, INCIDENTD, [Draft("postmortem.reminded", said, {"reminder": number})])
    postmortems.save(tx, replace(it, reminders=it.reminders + 1))


def commander_of(incident: Incident) -> str:
    """Say who commands an incident, or who did last; '' when nobody ever did."""
    held = [one.person for one in incident.roles if one.role is Role.INCIDENT_COMMANDER]
    return incident.commander or (held[-1] if held else "")


def manager_of(settings: Settings, incident: Incident, it: Postmortem) -> str:
    """Say who is told of what is long late: whom the files name, else the lead of the incident's first team.

    Without such a team, the lead of one that the owner is in; '' when there is none.
    """
    if settings.postmortems.manager:
        return settings.postmortems.manager
    teams = settings.roster.teams
    own = [team for team in teams.values() if it.owner in team.people]
    found = [*(teams[name] for name in incident.teams if name in teams), *own]
    return next((team.lead for team in found if team.lead), "")


def plan_copies(tx: Tx, settings: Settings, incident: Incident, it: Postmortem) -> None:
    """See to it that reviewers have a copy long enough before the meeting, whether it is submitted by then or not."""
    if it.meeting_at is None or it.state is not State.DRAFT:
        jobs.cancel(tx, copies_key(incident))
        return
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=COPIES, subject=incident.key, ukey=copies_key(incident),
        due_at=max(it.meeting_at - settings.postmortems.review_for, tx.now),
    )  # fmt: skip


def copies_are_due(tx: Tx, settings: Settings, job: Job) -> None:
    """Give the reviewers what there is."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    it = postmortems.find(tx, incident.id)
    if it is not None and it.state is State.DRAFT:
        send_copies(tx, settings, incident, it)


def send_copies(tx: Tx, settings: Settings, incident: Incident, it: Postmortem) -> None:
    """Tell the reviewers and the facilitator that there is something to read, and by when."""
    meeting = f"The meeting is at {instant(it.meeting_at)}. " if it.meeting_at else ""
    told = tell(
        tx, settings, incident, [*it.reviewers, *([it.facilitator] if it.facilitator else [])],
        title=f"Please review the postmortem of {incident.key}: {plain(incident.title, 100)}",
        body=f"{meeting}Read it, comment on it, and approve it:\nincidentd postmortem show {incident.key}\n"
        f"incidentd postmortem comment {incident.key} SECTION '...'\nincidentd postmortem approve {incident.key}",
        key=f"copies/{it.version}",
    )  # fmt: skip
    said = f"Copies for review went to {', '.join(told) or 'nobody, since no reviewer is known'}."
    chain.append(tx, incident.key, INCIDENTD, [Draft("postmortem.copies", said)])


def reopened(tx: Tx, incident: Incident) -> bool:
    """Make the postmortem of an incident that goes on a draft again; False when there is none.

    What was published of it stays published.
    """
    it = postmortems.find(tx, incident.id)
    if it is None:
        return False
    again = replace(
        it, state=State.DRAFT, submitted_at=None, approvals=(), met_at=None, waivers=(), version=it.version + 1
    )
    postmortems.save(tx, again)
    stop(tx, incident)
    return True
