"""Action items on their way to Jira, as units of work: each is created once, whatever gets lost.

pending --> sent, just before the request --> done
             |-- no good answer, or a crash --> unknown --> looked for, and only then sent again
"""

from __future__ import annotations

from datetime import timedelta

from incidentd.actionitems import FINISHED, ActionItem, OutboxState, moves
from incidentd.engine.backlog.common import keep, lead_of, measure, of, say, tell
from incidentd.errors import NotFound
from incidentd.settings import Settings
from incidentd.store import Tx, items, jobs, things
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Actor

JIRA = Actor(name="incidentd", via="jira")
FILE, COMMENT, LINK = "file", "comment", "link"
"""The kinds of the jobs."""
SETTLE = timedelta(seconds=15)
"""Time given to Jira's search index before what was sent and not answered is looked for."""


def file(tx: Tx, settings: Settings, item: ActionItem) -> None:
    """Send an action item on its way to Jira; without Jira it stays here, open."""
    measure(tx, item, lambda m: m.action_items_created_total.labels(type=item.type.value, priority=item.priority).inc())
    keep(tx, item)
    send(tx, settings, item)


def send(tx: Tx, settings: Settings, item: ActionItem) -> bool:
    """Have an item filed unless that is under way, or it is one of a drill; says whether it was put on its way."""
    if settings.jira is None or item.drill or item.jira_key or jobs.live(tx, key_of(item)) is not None:
        return False
    items.put(tx, item.id)
    jobs.schedule(
        tx, queue=jobs.JIRA, kind=FILE, subject=of(item), ukey=key_of(item), due_at=tx.now, payload={"item": item.id}
    )
    return True


def key_of(item: ActionItem) -> str:
    """Name the job that files an item."""
    return f"{FILE}:{item.uuid}"


def comment_on(tx: Tx, settings: Settings, item: ActionItem, text: str, *, idem: str) -> None:
    """Say something on an action item: on its timeline, and in Jira when it is there."""
    say(tx, item, INCIDENTD, COMMENT, f"{item.key}: {plain(text)}")
    if settings.jira is not None:
        jobs.schedule(
            tx, queue=jobs.JIRA, kind=COMMENT, subject=of(item), ukey=f"{COMMENT}:{idem}", due_at=tx.now,
            payload={"item": item.id, "text": text, "idem": idem},
        )  # fmt: skip


def sending(tx: Tx, job: Job, item: ActionItem) -> bool:
    """Note that what makes the issue of this version of an item is sent now.

    False when it must not be: the lease is lost, or the item ended or was changed meanwhile.
    """
    now = things.get_item(tx, item.id)  # first: it waits for whoever ends the item, which calls the job off, too
    if not jobs.still_mine(tx, job):
        return False
    if now.state in FINISHED:
        jobs.complete(tx, job)
        return False
    if now.version != item.version:
        return False
    items.note(tx, item.id, OutboxState.SENT)
    return True


def unanswered(tx: Tx, job: Job, item_id: int, state: OutboxState) -> None:
    """Note what is known after a request that brought no issue; nothing when the lease was lost."""
    if jobs.still_mine(tx, job):
        items.note(tx, item_id, state)


def filed(
    tx: Tx, settings: Settings, job: Job, item_id: int, *, key: str, url: str, left_out: tuple[str, ...] = ()
) -> bool:  # fmt: skip
    """Take in the key that Jira gave an action item; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    item = things.get_item(tx, item_id)
    things.remember_external(tx, item.uuid, system="jira", external_id=key, url=url, subject=of(item))
    items.note(tx, item_id, OutboxState.DONE)
    item = keep(tx, moves.filed(item, key=key, url=url, now=tx.now))
    say(tx, item, JIRA, "filed", f"{item.key} is {key} in Jira: {plain(item.title, 120)}")
    link(tx, item)
    _say_left_out(tx, settings, item, left_out)
    return True


def link(tx: Tx, item: ActionItem) -> None:
    """Have the issue link back to the incident that it comes from."""
    if item.subject:
        jobs.schedule(
            tx, queue=jobs.JIRA, kind=LINK, subject=of(item), ukey=f"{LINK}:{item.uuid}", due_at=tx.now,
            payload={"item": item.id},
        )  # fmt: skip


def _say_left_out(tx: Tx, settings: Settings, item: ActionItem, left_out: tuple[str, ...]) -> None:
    """Say what Jira would not take; of an owner whom it does not know people are told, since nobody has it there."""
    if left_out:
        fields = ", ".join(plain(name, 40) for name in left_out)
        said = f"{item.jira_key} has no {fields}: Jira would not take it. Its labels and its description say it."
        say(tx, item, JIRA, "left_out", said)
    if not item.owner or item.by == "":
        return
    person = settings.roster.people.get(item.owner)
    if "assignee" in left_out or person is None or not person.jira:
        why = "Jira does not know the account" if person is not None and person.jira else "no `jira:` account is set"
        body = (
            f"{item.key} of {plain(item.owner, 60)} is {item.jira_key} in Jira, where nobody has it: {why}. Correct "
            f"`jira:` of the person in the documents of `kind: people`, and assign the issue by hand."
        )
        title = f"{item.jira_key} needs an owner: {plain(item.title, 100)}"
        tell(tx, settings, item, (item.owner, lead_of(settings, item)), title=title, body=body, key="needs-owner")
        say(tx, item, JIRA, "needs_owner", f"{item.jira_key} needs an owner in Jira: {why}.")


def stuck(tx: Tx, settings: Settings, job: Job, item_id: int, why: str) -> bool:
    """Keep an action item that Jira refused, with what has to be changed; False when the lease was lost.

    What it said before is not said again.
    """
    if not jobs.bury(tx, job, why):
        return False
    try:
        before = things.get_item(tx, item_id)
    except NotFound:
        return True
    item = keep(tx, moves.stuck(before, why))
    if before.trouble != why:
        if item.jira_key:
            said = f"{item.key} ({item.jira_key}): Jira refused something about it: {plain(why)}"
        else:
            said = f"{item.key} is not in Jira and is kept here: {plain(why)}"
        say(tx, item, JIRA, "stuck", said)
        title = f"{item.key} is not in Jira" if not item.jira_key else f"{item.jira_key}: Jira refused something"
        body = f"{plain(why)}\nThen: incidentd item retry {item.key}"
        tell(tx, settings, item, (item.owner,), title=title, body=body, key=f"stuck/{int(tx.now.timestamp())}")
    return True
