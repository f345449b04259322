"""What may become of an action item: each move is checked and gives the next version of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TypedDict

from incidentd.actionitems.due import default_due, soaked_at
from incidentd.actionitems.item import (
    FINISHED,
    PRIORITIES,
    SEVERAL_OWNERS,
    ActionItem,
    ItemSource,
    ItemState,
    ItemType,
    Seen,
)
from incidentd.errors import BadRequest, Conflict
from incidentd.text import instant, plain

_NOT_DONE = frozenset({"won't do", "wont do", "won't fix", "wont fix", "wontfix", "declined", "rejected"})
"""Resolutions of Jira that say that nobody will do it."""
_BEGUN_OR_OVER = FINISHED | {ItemState.IN_PROGRESS}
_BY_CATEGORY = {"new": ItemState.FILED, "indeterminate": ItemState.IN_PROGRESS, "done": ItemState.DONE}


class Changes(TypedDict, total=False):
    """What of an item somebody wants otherwise; what is not there stays."""

    title: str
    description: str
    end_state: str
    evidence: str
    type: ItemType
    priority: str
    owner: str
    team: str
    service: str
    due: date


def edited(item: ActionItem, changes: Changes) -> ActionItem:
    """Change what an item says. Raises Conflict for one that is over or in Jira, where it is changed instead."""
    if item.state in FINISHED:
        raise Conflict(f"{item.key} is {item.state}; nothing of it changes any more")
    if item.jira_key and set(changes) - {"evidence"}:
        raise Conflict(f"{item.key} is {item.jira_key} in Jira: change it there; only its evidence is kept here")
    if "priority" in changes and changes["priority"] not in PRIORITIES:
        wrong = plain(changes["priority"], 20)
        raise BadRequest(f"the priority is one of {', '.join(PRIORITIES)}, not {wrong!r}")
    if "owner" in changes and SEVERAL_OWNERS.search(changes["owner"]):
        raise BadRequest(f"the owner is one person, not {plain(changes['owner'], 60)!r}")
    new = replace(item, **changes)
    if new == item:
        raise Conflict(f"{item.key} says that already")
    # of another day nobody was reminded yet; of the same one they were, whatever else is changed with it
    reminded = item.reminded if new.due == item.due else ()
    return replace(new, reminded=reminded, version=item.version + 1)


def decided(item: ActionItem, *, by: str, now: datetime, why: str = "") -> ActionItem:
    """Make a proposal an item; one without a day gets the default of its priority.

    Raises Conflict for what is no proposal, and BadRequest without an owner, or too early without a word why.
    """
    if item.state is not ItemState.PROPOSED:
        raise Conflict(f"{item.key} is {item.state}, not proposed; it was decided before")
    if not item.owner:
        raise BadRequest(f"{item.key} has no owner: name one person")
    soaked = soaked_at(item)
    if now < soaked and not why.strip():
        raise BadRequest(
            f"{item.key} is an idea since {instant(item.created_at)}; let it soak for two working days, until "
            f"{instant(soaked)}, or say why it cannot wait"
        )
    due = item.due or default_due(item.priority, item.severity, now.date())
    return replace(
        item, state=ItemState.OPEN, due=due, decided_by=by, decided_at=now, version=item.version + 1
    )  # fmt: skip


def declined(item: ActionItem, reason: str) -> ActionItem:
    """Say that nobody will do it, and why. Raises Conflict for what is over or in Jira."""
    _ours(item, "decline")
    return replace(item, state=ItemState.DECLINED, reason=reason, trouble="", version=item.version + 1)


def started(item: ActionItem) -> ActionItem:
    """Say that its owner is at it. Raises Conflict for what is no open item of ours."""
    _ours(item, "begin")
    if item.state not in (ItemState.OPEN, ItemState.STUCK):
        raise Conflict(f"{item.key} is {item.state}; only what is open can be begun")
    return replace(item, state=ItemState.IN_PROGRESS, version=item.version + 1)


def done(item: ActionItem, *, now: datetime, evidence: str = "") -> ActionItem:
    """Say that it is done. Raises Conflict for what is over, only proposed, or in Jira."""
    _ours(item, "end")
    if item.state is ItemState.PROPOSED:
        raise Conflict(f"{item.key} is only proposed: decide it first, or decline it")
    kept = evidence or item.evidence
    return replace(item, state=ItemState.DONE, done_at=now, evidence=kept, trouble="", version=item.version + 1)


def reopened(item: ActionItem) -> ActionItem:
    """Take an item up again that was over. Raises Conflict for one that is not, or is in Jira."""
    if item.jira_key:
        raise Conflict(f"{item.key} is {item.jira_key} in Jira: reopen it there; it is known here ten minutes later")
    if item.state not in FINISHED:
        raise Conflict(f"{item.key} is {item.state}; only what is over can be reopened")
    # a rule decides by filing its ticket: there is no moment of its own at which somebody did
    decided = item.decided_at or item.source is ItemSource.RULE or item.state is ItemState.DONE
    was = ItemState.OPEN if decided else ItemState.PROPOSED
    return replace(item, state=was, done_at=None, reason="", effect=None, version=item.version + 1)


def filed(item: ActionItem, *, key: str, url: str, now: datetime) -> ActionItem:
    """Take in which issue it is; what was begun or ended here meanwhile stays as it is."""
    state = item.state if item.state in _BEGUN_OR_OVER else ItemState.FILED
    return replace(
        item, state=state, jira_key=key, jira_url=url, filed_at=now, seen_at=now, trouble="", version=item.version + 1
    )


def stuck(item: ActionItem, why: str) -> ActionItem:
    """Keep what Jira refused, with what has to be changed."""
    state = item.state if item.jira_key or item.state in FINISHED else ItemState.STUCK
    return replace(item, state=state, trouble=why, version=item.version + 1)


def gone(item: ActionItem) -> ActionItem:
    """Take in that its issue is not in Jira any more; it is kept here, and may be filed anew."""
    why = (
        f"{item.jira_key} is not in Jira any more, or the token's user may not see it: give that user Browse Projects, "
        f"then `incidentd item retry {item.key}` files it anew, or decline it"
    )
    state = item.state if item.state in FINISHED else ItemState.STUCK
    return replace(
        item, state=state, trouble=why, jira_key="", jira_url="", jira_status="", version=item.version + 1
    )  # fmt: skip


def seen(item: ActionItem, said: Seen, *, url: str, now: datetime) -> ActionItem:
    """Take in how its issue stands in Jira, which knows better than we do: reopened there is reopened here.

    An issue that was moved to another project has another key. A category that is not known is no news, and neither is
    that nobody touched the issue of what was begun here before it was filed.
    """
    state = _BY_CATEGORY.get(said.category, item.state)
    if state is ItemState.FILED and item.state is ItemState.IN_PROGRESS and item.jira_status in ("", said.status):
        state = item.state
    if state is ItemState.DONE and said.resolution.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower() in _NOT_DONE:
        state = ItemState.DECLINED
    over = state in FINISHED
    due = said.due or item.due
    new = replace(
        item, state=state, jira_key=said.key, jira_url=url, jira_status=said.status or item.jira_status,
        filed_at=item.filed_at or now, trouble="",
        done_at=(item.done_at or now) if state is ItemState.DONE else None,
        reason=(item.reason or f"{said.resolution} in Jira") if state is ItemState.DECLINED else "",
        effect=item.effect if over else None, due=due, reminded=item.reminded if due == item.due else (),
    )  # fmt: skip
    version = item.version + (new != item)
    return replace(new, seen_at=now, version=version)


def _ours(item: ActionItem, what: str) -> None:
    if item.state in FINISHED:
        raise Conflict(f"{item.key} is {item.state} already")
    if item.jira_key:
        raise Conflict(f"{item.key} is {item.jira_key} in Jira: {what} it there; it is known here ten minutes later")
