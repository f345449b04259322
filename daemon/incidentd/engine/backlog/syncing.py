"""What Jira says of action items, as units of work: it knows better than we do how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidentd.actionitems import ActionItem, ItemState, Seen, moves, uuid_of
from incidentd.engine.backlog.common import keep, lead_of, measure, of, say, tell, words_of
from incidentd.engine.backlog.filing import JIRA, key_of, link
from incidentd.errors import NotFound
from incidentd.settings import Settings
from incidentd.store import Tx, items, jobs, things
from incidentd.store.jobs import Job
from incidentd.timeline import SYSTEM

SYNC, LOOK = "sync", "look"
"""The kinds of the jobs."""
EVERY = timedelta(minutes=10)
_AT_LEAST = timedelta(days=1)
_SPARE = timedelta(hours=1)
_UNSEEN_FOR = timedelta(days=1)
_LOOKS = 50
"""Items that are looked at one by one after each round, since nothing was heard of them."""


def begin(tx: Tx, settings: Settings) -> None:
    """Have Jira asked regularly, if there is one."""
    key = f"jira:{SYNC}"
    if settings.jira is None:
        jobs.cancel(tx, key)
    else:
        jobs.soon(tx, queue=jobs.JIRA, kind=SYNC, subject=SYSTEM, ukey=key, due_at=tx.now)


def window(tx: Tx) -> timedelta:
    """Say how far back Jira is asked for changes: a day, or as long as it was not asked."""
    last = items.synced_at(tx)
    return max(_AT_LEAST, tx.now - last + _SPARE) if last is not None else timedelta(days=90)


def again(tx: Tx, job: Job, why: str, at: datetime) -> None:
    """Ask later, since Jira did not say how the items stand."""
    jobs.retry(tx, job, at=max(at, tx.now + EVERY), why=why[:500], known_undone=True)


def took_in(tx: Tx, settings: Settings, job: Job, found: Sequence[Seen]) -> bool:
    """Take in how issues stand, and ask again after a while; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    if settings.jira is None:  # it was taken out of the configuration meanwhile
        return True
    for one in found:
        item = items.by_uuid(tx, uuid_of(one.labels)) if uuid_of(one.labels) else None
        if item is not None and _is_news(tx, item, one):
            _take_in(tx, settings, things.get_item(tx, item.id), one)
    items.note_synced(tx)
    for number in items.unseen(tx, tx.now - _UNSEEN_FOR, _LOOKS):
        look(tx, things.get_item(tx, number))
    jobs.schedule(
        tx, queue=jobs.JIRA, kind=SYNC, subject=SYSTEM, ukey=f"jira:{SYNC}", due_at=tx.now + EVERY
    )  # fmt: skip
    return True


def _is_news(tx: Tx, item: ActionItem, one: Seen) -> bool:
    """Say whether an issue stands otherwise than it did, or was not heard of for long: the rest need not be written."""
    same = item.jira_key == one.key and moves.seen(item, one, url=item.jira_url, now=tx.now).version == item.version
    return not (same and item.seen_at is not None and tx.now - item.seen_at < _UNSEEN_FOR / 2)


def _take_in(tx: Tx, settings: Settings, item: ActionItem, one: Seen) -> None:
    if not item.jira_key:
        # a lost answer: whoever files it finds it again; what was given up is taken in here
        if jobs.live(tx, key_of(item)) is None and item.state is ItemState.STUCK:
            _stands(tx, settings, item, one)
    elif item.jira_key == one.key:
        _stands(tx, settings, item, one)
    elif things.external_id(tx, _twin(item, one.key)) is None:
        look(tx, item, instead=one.key)  # it was moved, or somebody copied it with its labels


def look(tx: Tx, item: ActionItem, *, instead: str = "") -> None:
    """Have one issue looked at by itself; `instead` is another one that says that it is the item's."""
    if item.jira_key:
        jobs.schedule(
            tx, queue=jobs.JIRA, kind=LOOK, subject=of(item), ukey=f"{LOOK}:{item.uuid}", due_at=tx.now,
            payload={"item": item.id, "instead": instead},
        )  # fmt: skip


def noticed(tx: Tx, settings: Settings, *, key: str, labels: Sequence[str]) -> bool:
    """Look at the item that Jira says something happened to; False when it is none of ours."""
    uuid = uuid_of(labels)
    item = (items.by_uuid(tx, uuid) if uuid else None) or items.by_jira_key(tx, key)
    if item is None or settings.jira is None:
        return False
    look(tx, item)
    return True


def looked(tx: Tx, settings: Settings, job: Job, item_id: int, one: Seen | None) -> bool:
    """Take in how one issue stands, or that it is there no more; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    try:
        item = things.get_item(tx, item_id)
    except NotFound:
        return True
    if one is None:
        _gone(tx, settings, item)
        return True
    _stands(tx, settings, item, one)
    other = str(job.payload.get("instead", ""))
    if other and other != one.key:
        things.remember_external(tx, _twin(item, other), system="jira", external_id=other, url="", subject=of(item))
        said = f"{other} says that it is {item.key}, too, which is {one.key}: a copy of it. Close one of them."
        say(tx, item, JIRA, "copied", said)
    return True


def _stands(tx: Tx, settings: Settings, item: ActionItem, one: Seen) -> None:
    base = settings.jira.url.rstrip("/") if settings.jira is not None else ""
    url = f"{base}/browse/{one.key}" if base else item.jira_url
    new = moves.seen(item, one, url=url, now=tx.now)
    keep(tx, new)
    if item.jira_key != new.jira_key:
        if not item.jira_key:
            link(tx, new)
        was = f"; it was {item.jira_key}" if item.jira_key else ""
        say(tx, new, JIRA, "filed", f"{new.key} is {new.jira_key} in Jira{was}.")
    if item.state is not new.state:
        back = " again" if not item.is_open and new.is_open else ""
        how = f"{one.status}, {one.resolution}" if one.resolution else one.status
        say(tx, new, JIRA, new.state.value, f"{new.key} is {words_of(new.state)}{back} in Jira ({one.key}: {how}).")
        _count_closed(tx, new)
    if item.due != new.due:
        was = f"; it was due on {item.due}" if item.due else ""
        say(tx, new, JIRA, "edited", f"{new.key} is due on {new.due} in Jira ({one.key}){was}.")


def _count_closed(tx: Tx, item: ActionItem) -> None:
    if item.state is ItemState.DONE:
        took = (tx.now - (item.filed_at or item.created_at)).total_seconds()
        measure(tx, item, lambda m: m.action_item_closure_seconds.labels(priority=item.priority).observe(took))


def _gone(tx: Tx, settings: Settings, item: ActionItem) -> None:
    if not item.jira_key:
        return
    new = keep(tx, moves.gone(item))
    items.forget(tx, item)
    say(tx, new, JIRA, "gone", f"{item.jira_key}, the issue of {item.key}, is not in Jira any more.")
    if new.is_open:
        title = f"{item.jira_key} is gone from Jira: {item.title}"
        whom = (item.owner, lead_of(settings, item))
        tell(tx, settings, new, whom, title=title[:200], body=new.trouble, key=f"gone/{item.jira_key}")


def _twin(item: ActionItem, key: str) -> str:
    return f"{item.uuid}/also/{key}"
