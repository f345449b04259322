"""The messages about handovers: the offer itself, with its link, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from incidentd.engine import paging
from incidentd.engine.updates.common import loud
from incidentd.errors import NotFound
from incidentd.handover import Handover, State, as_text, titles
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, role_handovers
from incidentd.store.jobs import Job
from incidentd.store.role_handovers import KIND
from incidentd.text import clock, plain

WATCH = "handover_watch"
"""The kind of the deadlines at which whoever handed over is an observer no more."""


def send_offer(tx: Tx, settings: Settings, it: Handover) -> None:
    """Put the message to the receiver into the outbox: it is written when it is sent, and asks for an answer soon."""
    person = settings.roster.people.get(it.receiver)
    for channel in loud(person) if person else ():
        payload = {"person": it.receiver, "channel": channel.name, "purpose": "escalation", "handover": it.id}
        jobs.schedule(
            tx, queue=jobs.NOTIFY, kind=KIND, subject=f"INC-{it.incident_id}", due_at=tx.now, payload=payload,
            ukey=f"{it.key}/{channel.name}", give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
        )  # fmt: skip


def known(tx: Tx, job: Job) -> Handover | None:
    """Read what a message is about; None when it is answered or over, so that nobody needs it."""
    try:
        found = role_handovers.get(tx, int(job.payload["handover"]))
    except NotFound:
        return None
    return found if found.state is State.OFFERED else None


def message(it: Handover, link: str) -> tuple[str, str]:
    """Write the message to the receiver: its title and its body; `link` is '' where none may stand."""
    sender, roles = plain(it.sender, 60), titles(it.roles)
    title = f"INC-{it.incident_id}: {sender} hands {roles} over to you, answer by {clock(it.answer_by)}"
    here = f"Accept or decline: {link}\nOr: " if link else ""
    return title, (
        f"{as_text(it.message)}\n\n"
        f"Until you accept, {sender} answers for it. Ask {sender} what is not clear. After {clock(it.answer_by)} the "
        f"offer is over.\n{here}incidentd accept {it.key}; incidentd decline {it.key} --because '...'"
    )


def announce(tx: Tx, settings: Settings, incident: Incident, it: Handover, people: Iterable[str]) -> None:
    """Tell everybody who works on an incident, and its teams' rooms, once who answers for what now."""
    who, roles = plain(it.receiver, 60), titles(it.roles)
    title = f"{incident.key}: {who} is {roles} now"
    body = (
        f"{plain(it.sender, 60)} handed {roles} of {incident.key} ({plain(incident.title, 120)}) over to {who}, who "
        f"accepted at {clock(it.ended_at or tx.now)}."
    )
    channels = [
        channel.name
        for person in (settings.roster.people.get(handle) for handle in dict.fromkeys(people))
        if person is not None
        for channel in loud(person)
    ]
    teams = (settings.roster.teams.get(name) for name in (() if incident.drill else incident.teams))
    channels += [team.channel for team in teams if team is not None and team.channel in settings.channels]
    for channel in dict.fromkeys(channels):
        paging.tell(
            tx, subject=incident.key, channel=channel, purpose="update", title=title,
            body=f"{body}\n\n{settings.external_url}/incidents/{incident.key}", key=f"{it.key}/accepted/{channel}",
        )  # fmt: skip
