"""Learning as units of work: the postmortem's draft, and action items on their way to the backlog."""

from __future__ import annotations

from dataclasses import replace

from incidentd import postmortem
from incidentd.actionitems import ActionItem, ItemState
from incidentd.errors import NotFound
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts, jobs, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import instant, plain
from incidentd.timeline import INCIDENTD, SYSTEM, Actor, Draft

JIRA = Actor(name="incidentd", via="jira")


def draft(tx: Tx, settings: Settings, subject: str) -> None:
    """Draft the postmortem of a resolved incident from what is known of it."""
    incident = subjects.get_incident(tx, int(subject.removeprefix("INC-")))
    severity = settings.severities.get(incident.severity)
    resolved_at = incident.resolved_at or tx.now
    due_at = postmortem.due_for(severity, resolved_at) if severity else None
    known = facts.incident_facts(tx, settings, incident.id)
    text = postmortem.draft(known, owner=incident.commander, due=due_at)
    if things.save_postmortem(tx, incident.id, owner=incident.commander, due_at=due_at, markdown=text):
        by = f", due {instant(due_at)}" if due_at else ""
        said = f"Postmortem drafted for {incident.commander or 'nobody yet'}{by}."
        chain.append(tx, subject, INCIDENTD, [Draft("postmortem.drafted", said)])


def file(tx: Tx, settings: Settings, item: ActionItem) -> None:
    """Send an action item on its way to Jira; without Jira it stays here, open."""
    tx.count(lambda m: m.action_items_created_total.labels(type=item.type.value, priority=item.priority).inc())
    if settings.jira is not None:
        jobs.schedule(
            tx, queue=jobs.JIRA, kind="file", subject=item.subject or SYSTEM, ukey=f"file:{item.uuid}", due_at=tx.now,
            payload={"item": item.id},
        )  # fmt: skip


def comment_on(tx: Tx, settings: Settings, item: ActionItem, text: str, *, idem: str) -> None:
    """Say something on an action item: on its timeline, and in Jira when it is there."""
    chain.append(tx, item.subject or SYSTEM, INCIDENTD, [Draft("item.comment", f"{item.key}: {plain(text)}")])
    if settings.jira is not None:
        jobs.schedule(
            tx, queue=jobs.JIRA, kind="comment", subject=item.subject or SYSTEM, ukey=f"comment:{idem}", due_at=tx.now,
            payload={"item": item.id, "text": text, "idem": idem},
        )  # fmt: skip


def filed(tx: Tx, job: Job, item_id: int, *, key: str, url: str) -> bool:
    """Take in the key that Jira gave an action item; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    item = things.get_item(tx, item_id)
    things.remember_external(tx, item.uuid, system="jira", external_id=key, url=url, subject=item.subject or SYSTEM)
    things.save_item(tx, replace(item, state=ItemState.FILED, jira_key=key, jira_url=url, trouble=""))
    text = f"{item.key} is {key} in Jira: {plain(item.title, 120)}"
    chain.append(tx, item.subject or SYSTEM, JIRA, [Draft("item.filed", text, {"item": item.key, "jira": key})])
    return True


def stuck(tx: Tx, job: Job, item_id: int, why: str) -> bool:
    """Keep an action item that Jira refused, with what has to be changed; False when the lease was lost."""
    if not jobs.bury(tx, job, why):
        return False
    try:
        item = things.get_item(tx, item_id)
    except NotFound:
        return True
    things.save_item(tx, replace(item, state=ItemState.STUCK if not item.jira_key else item.state, trouble=why))
    text = f"{item.key} is not in Jira and is kept here: {plain(why)}"
    chain.append(tx, item.subject or SYSTEM, JIRA, [Draft("item.stuck", text, {"item": item.key})])
    return True
