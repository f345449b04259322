"""What the commands about updates share: who asks, who may, and how words reach people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from incidentd import oncall, postmortem
from incidentd.engine import chains, paging
from incidentd.errors import Conflict, NotFound
from incidentd.handoff import channels_for
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.oncall import RINGING, Person, Roster
from incidentd.records import Belief, Records, SectionName, Task, TaskState
from incidentd.roles import Role, effective_holder
from incidentd.settings import Settings
from incidentd.store import Tx, inbox, records, rota, subjects
from incidentd.text import plain
from incidentd.timeline import Actor
from incidentd.updates import Audience, AudiencePlan, Known, Update, phase_of

_INSIDE = ("instance", "host", "hostname", "node", "pod", "namespace", "cluster", "job", "container")
_LOOKED_AT = 20
_LONGEST_FACT = 300
"""Characters of what somebody put down that a draft takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for something, and what they saw before."""

    actor: Actor
    admin: bool = False
    """They may do it whatever their standing."""
    expected_version: int | None = None
    """How many updates the audience had when they looked; None when they do not say."""


def plan_of(settings: Settings, audience: Audience) -> AudiencePlan:
    """Give how an audience is told. Raises NotFound when the files name it nowhere."""
    plan = settings.updates.audiences.get(audience)
    if plan is None:
        named = ", ".join(settings.updates.audiences) or "none"
        raise NotFound(f"nobody is told as {audience}; write it under `updates: audiences:` (there are: {named})")
    return plan


def lead(incident: Incident) -> str:
    """Say who answers for the updates: the Communications Lead, else the Incident Commander; '' while there is none."""
    return effective_holder(Role.COMMUNICATIONS_LEAD, incident.roles)


def goes_unapproved(incident: Incident) -> bool:
    """Say whether a text needs no approval: it is over, and nobody commands it any more who could give it.

    Of what is closed nothing is owed to anybody, so what goes out then is no all-clear.
    """
    return incident.status not in (*ACTIVE, Status.CLOSED) and not incident.commander


def outlived(incident: Incident, update: Update) -> bool:
    """Say whether a text was written before its incident was over, so that it says what is not so any more."""
    return incident.status not in ACTIVE and update.phase is not phase_of(incident.status)


def check_standing(incident: Incident, asking: Asking, *, commander_only: bool = False) -> None:
    """Refuse whoever has no say here. Raises Conflict that names who has; while nobody has a role, everybody has."""
    commander_only = commander_only and not goes_unapproved(incident)
    allowed = {incident.commander} if commander_only else {incident.commander, lead(incident)}
    allowed.discard("")
    if asking.admin or asking.actor.name in allowed or not (allowed or commander_only):
        return
    who = " or ".join(sorted(allowed)) or "its Incident Commander, and there is none yet"
    what = "lets this update go out" if commander_only else "speaks for it"
    raise Conflict(f"{asking.actor.name} has no such role in {incident.key}: {who} {what}")


def facts(tx: Tx, settings: Settings, incident: Incident) -> Known:
    """Read what a draft is made of: also what people put down of the impact, the cause, and what is done now."""
    found = records.records_of(tx, incident.id)
    task = _running(found)
    return Known(
        incident=incident, public_service=settings.updates.services.get(incident.service, ""),
        firing=subjects.firing(tx, incident.key), impact=_first_paragraph(found.text_of(SectionName.IMPACT)),
        cause=plain(incident.cause or _supported(found), _LONGEST_FACT),
        action=plain(task.text, _LONGEST_FACT) if task else "", doer=task.owner if task else "",
        decided_at=task.given_at if task else None, review_by=_review_by(settings, incident),
        channel=plain(found.text_of(SectionName.CHANNEL), _LONGEST_FACT),
        status_page=plain(found.text_of(SectionName.STATUS_PAGE), _LONGEST_FACT),
    )  # fmt: skip


def _review_by(settings: Settings, incident: Incident) -> date | None:
    severity = settings.severities.get(incident.peak_severity)
    due_at = postmortem.due_for(severity, incident.resolved_at) if severity and incident.resolved_at else None
    return due_at.astimezone(UTC).date() if due_at else None


def _first_paragraph(text: str) -> str:
    return plain(" ".join(re.split(r"\n\s*\n", text.strip(), maxsplit=1)[0].split()), _LONGEST_FACT)


def _supported(found: Records) -> str:
    """Give the hypothesis that is held for the cause: of several the one that was judged last."""
    held = [one for one in found.hypotheses if one.state is Belief.SUPPORTED]
    return max(held, key=lambda one: (one.at, one.number)).text if held else ""


def _running(found: Records) -> Task | None:
    """Give the task that somebody is at: of several the one that was given last."""
    at_it = [one for one in found.tasks if one.state is TaskState.OPEN and one.acked_at is not None]
    return max(at_it, key=lambda one: (one.given_at, one.number), default=None)


def names_inside(tx: Tx, settings: Settings, incident: Incident) -> set[str]:
    """Collect the names that people outside should not read: of the service, its teams, and where its alerts are."""
    found = {incident.service, incident.rule, *incident.teams}
    for it in subjects.members(tx, incident.key)[:_LOOKED_AT]:
        for row in inbox.alerts_of(tx, it.source, [it.fingerprint]):
            found |= {row.labels[name] for name in _INSIDE if name in row.labels}
    return found - {"", *settings.updates.services.values()}


def on_call(
    tx: Tx, settings: Settings, incident: Incident, *, at: datetime | None = None, roster: Roster | None = None
) -> list[str]:  # fmt: skip
    """Name who is called first for an incident; `at` with a roster that knows that instant says for when (now)."""
    first = chains.chain_of(settings, incident.page_policy, incident.urgency).levels[:1]
    roster = roster or rota.current(tx, settings.roster)
    return [person.handle for level in first for person in oncall.resolve(level.page, roster, at or tx.now)]


def tell(
    tx: Tx, settings: Settings, incident: Incident, people: Iterable[str], *, title: str, body: str, key: str,
    urgent: bool = False,
) -> None:  # fmt: skip
    """Put a message to people into the outbox; `urgent` takes every channel that rings no telephone."""
    text = f"{body}\n\n{settings.external_url}/incidents/{incident.key}"
    for person in (settings.roster.people.get(handle) for handle in dict.fromkeys(people)):
        if person is None:
            continue
        for channel in loud(person) if urgent else channels_for(person):
            paging.tell(
                tx, subject=incident.key, channel=channel.name, purpose="escalation" if urgent else "update",
                title=title, body=text, key=f"{key}/{channel.name}",
            )  # fmt: skip


def loud(person: Person) -> tuple[oncall.Channel, ...]:
    """Choose where somebody learns of what has a deadline: every channel that rings no telephone, else the first."""
    return tuple(it for it in person.channels if it.kind not in RINGING) or person.channels[:1]
