"""What people ask for about action items, as units of work: put down, decided, changed, ended, filed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from incidentd.actionitems import (
    PRIORITIES,
    SEVERAL_OWNERS,
    UNFILED,
    ActionItem,
    ItemSource,
    ItemState,
    OutboxState,
    moves,
)
from incidentd.actionitems.moves import Changes
from incidentd.durations import REACH, in_reach
from incidentd.engine.backlog import filing
from incidentd.engine.backlog.common import keep, measure, say
from incidentd.engine.worded import LONGEST_TEXT, LONGEST_TITLE, checked
from incidentd.errors import BadRequest, Conflict
from incidentd.incidents import Incident
from incidentd.postmortem.findings import Finding, Level
from incidentd.postmortem.items import Proposal, quality
from incidentd.settings import Settings
from incidentd.store import Tx, items, jobs, subjects, things
from incidentd.text import count, plain
from incidentd.timeline import Actor

_MAY_BE_THERE = (OutboxState.SENT, OutboxState.UNKNOWN)
MOST = 200
"""Items that an incident may have; more than ten are not done anyway."""
_LIMITS = {"title": LONGEST_TITLE, "team": 100, "service": 200, "owner": 100, "priority": 10}


def propose(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, title: str,
    source: ItemSource = ItemSource.PERSON, changes: Changes | None = None,
) -> ActionItem:  # fmt: skip
    """Put down an idea of what to change after an incident; nobody decided on it yet.

    Raises NotFound, BadRequest for what is missing or wrong, and Conflict when there are too many.
    """
    incident = subjects.get_incident(tx, incident_id)
    name = next_name(tx, incident)
    return proposed(tx, settings, incident, title=title, source=source, name=name, actor=actor, changes=changes)


def next_name(tx: Tx, incident: Incident) -> str:
    """Give what the uuid of an incident's next item is made of. Raises Conflict when there are too many."""
    there = len(things.items_of(tx, incident.key))
    if there >= MOST:
        raise Conflict(f"{incident.key} has {MOST} action items; that is the most")
    return f"{incident.key}/{there}/{tx.now.isoformat()}"


def proposed(
    tx: Tx, settings: Settings, incident: Incident, *, title: str, source: ItemSource, name: str, actor: Actor,
    changes: Changes | None = None,
) -> ActionItem:  # fmt: skip
    """Store a proposal; `name` is the same over every try, and makes its uuid."""
    new = ActionItem(
        id=0, uuid=str(uuid5(NAMESPACE_URL, name)), subject=incident.key, state=ItemState.PROPOSED, source=source,
        title=plain(checked(title, "the title", LONGEST_TITLE), LONGEST_TITLE), severity=incident.severity,
        team=next(iter(incident.teams), ""), service=incident.service, drill=incident.drill, created_at=tx.now,
        by=actor.name,
    )  # fmt: skip
    wanted = acceptable(settings, changes or {})
    if wanted and any(getattr(new, field) != value for field, value in wanted.items()):
        new = replace(moves.edited(new, wanted), version=1)
    item = keep(tx, things.insert_item(tx, new))
    said = f"{item.key} is proposed: {plain(item.title)} ({item.type}, {item.priority})"
    say(tx, item, actor, "proposed", said)
    return item


def decide(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, why: str = "", changes: Changes | None = None,
    expected_version: int | None = None,
) -> tuple[ActionItem, tuple[Finding, ...]]:  # fmt: skip
    """Make a proposal an item of the backlog, with what is still open of it; gives what to look at, too.

    Raises NotFound, BadRequest for what keeps it from being done (no owner, several, people instead of the system),
    or too early without a word why, and Conflict for what is no proposal.
    """
    item = before = _current(tx, item_id, expected_version)
    wanted = acceptable(settings, changes or {})
    if wanted and any(getattr(item, field) != value for field, value in wanted.items()):
        item = moves.edited(item, wanted)
    why = checked(why, "the reason", LONGEST_TEXT) if why.strip() else ""
    decided = replace(moves.decided(item, by=actor.name, now=tx.now, why=why), version=before.version + 1)
    found = _look_at(decided)
    early = f" It could not wait: {plain(why)}." if why else ""
    said = (
        f"{decided.key} is decided: {plain(decided.title)} ({decided.type}, {decided.priority}), "
        f"{decided.owner} until {decided.due}.{early}"
    )
    decided = keep(tx, decided)
    say(tx, decided, actor, "opened", said)
    filing.file(tx, settings, decided)
    return decided, found


def edit(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, changes: Changes, expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """Change what an item says. Raises NotFound, BadRequest, and Conflict for what is over, or is or may be in Jira."""
    before = _current(tx, item_id, expected_version)
    item = moves.edited(before, acceptable(settings, changes))
    if set(changes) - {"evidence"}:
        _refuse_what_may_be_there(tx, settings, before, "change")
    keep(tx, item)
    named = ", ".join(f"{name} {plain(str(value), 60)}" for name, value in sorted(changes.items()))
    say(tx, item, actor, "edited", f"{item.key} is changed: {named}.")
    return item


def decline(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, reason: str, expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """Say that nobody will do it, and why. Raises NotFound, BadRequest without a reason, and Conflict when over."""
    before = _current(tx, item_id, expected_version)
    reason = checked(reason, "the reason", LONGEST_TEXT)
    item = moves.declined(before, reason)
    _stop_filing(tx, settings, before)
    keep(tx, item)
    say(tx, item, actor, "declined", f"{item.key} is declined: {plain(reason)}")
    return item


def begin(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """Say that somebody is at it; of an item in Jira, Jira says so. Raises NotFound and Conflict."""
    item = moves.started(_current(tx, item_id, expected_version))
    _refuse_with_jira(settings, item)
    say(tx, keep(tx, item), actor, "in_progress", f"{item.key} is in progress: {plain(item.title)}")
    return item


def done(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, evidence: str = "", expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """Say that it is done, with evidence. Raises NotFound, and Conflict for what is over, only proposed, or in Jira."""
    before = _current(tx, item_id, expected_version)
    evidence = checked(evidence, "the evidence", LONGEST_TEXT) if evidence.strip() else ""
    item = moves.done(before, now=tx.now, evidence=evidence)
    _stop_filing(tx, settings, before)
    keep(tx, item)
    by = f": {plain(item.evidence)}" if item.evidence else ""
    say(tx, item, actor, "done", f"{item.key} is done{by}")
    took = (tx.now - (item.decided_at or item.created_at)).total_seconds()
    measure(tx, item, lambda m: m.action_item_closure_seconds.labels(priority=item.priority).observe(took))
    return item


def reopen(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """Take up again what was over. Raises NotFound, and Conflict for what is not, or is in Jira."""
    item = keep(tx, moves.reopened(_current(tx, item_id, expected_version)))
    say(tx, item, actor, "reopened", f"{item.key} is {item.state} again: {plain(item.title)}")
    if item.state is ItemState.OPEN:
        filing.send(tx, settings, item)
    return item


def retry(
    tx: Tx, settings: Settings, item_id: int, *, actor: Actor, expected_version: int | None = None
) -> ActionItem:  # fmt: skip
    """File an item now that is not in Jira yet. Raises NotFound, and Conflict for what is, or cannot be."""
    item = _current(tx, item_id, expected_version)
    if item.jira_key or item.state not in UNFILED:
        raise Conflict(f"{item.key} is {item.jira_key + ' in Jira' if item.jira_key else item.state}; nothing is to do")
    if settings.jira is None:
        raise Conflict(f"there is no `jira` in the configuration, so {item.key} is kept here, open")
    if item.drill:
        raise Conflict(f"{item.key} is of a drill, which goes to no backlog")
    live = jobs.live(tx, filing.key_of(item))
    if live is not None and live.leased_by is not None:
        raise Conflict(f"{item.key} is on its way to Jira at this moment; look again")
    if live is not None:
        jobs.put_off(tx, live.id, tx.now)
        tx.wake(jobs.JIRA)
    else:
        filing.send(tx, settings, item)
    say(tx, item, actor, "retried", f"{actor.name} has {item.key} filed now.")
    return item


def _stop_filing(tx: Tx, settings: Settings, item: ActionItem) -> None:
    """Let an item not be filed any more. Raises Conflict while its issue may be being made, or may be there."""
    _refuse_what_may_be_there(tx, settings, item, "end")
    live = jobs.live(tx, filing.key_of(item))
    if live is not None and live.leased_by is not None:
        raise Conflict(f"{item.key} is on its way to Jira at this moment; look again in a minute")
    jobs.cancel(tx, filing.key_of(item))


def _refuse_what_may_be_there(tx: Tx, settings: Settings, item: ActionItem, what: str) -> None:
    """Raise Conflict while an item may have an issue that nothing is known of here: Jira would never hear of it."""
    live = jobs.live(tx, filing.key_of(item))
    if live is None and settings.jira is None:
        return  # nobody looks for it any more, so all that is known of the item is here
    known = items.noted(tx, item.id)
    if known.state not in _MAY_BE_THERE if known is not None else live is None:
        return
    if live is not None:
        raise Conflict(
            f"{item.key} is on its way to Jira and may be there already; look again in a minute, and {what} it there"
        )
    raise Conflict(
        f"{item.key} may be in Jira already, since no good answer came when it was filed: have it looked for by "
        f"`incidentd item retry {item.key}`, then {what} it there"
    )


def _refuse_with_jira(settings: Settings, item: ActionItem) -> None:
    if settings.jira is not None and not item.drill:
        raise Conflict(f"{item.key} is on its way to Jira: begin with it there; it is known here ten minutes later")


def _current(tx: Tx, item_id: int, expected: int | None) -> ActionItem:
    item = things.get_item(tx, item_id)
    if expected is not None and expected != item.version:
        raise Conflict(
            f"{item.key} was changed meanwhile: it is version {item.version}, and you saw {expected}; look again"
        )
    return item


def acceptable(settings: Settings, changes: Changes) -> Changes:
    """Check what somebody wants of an item. Raises BadRequest, with what is wrong."""
    given: Mapping[str, Any] = changes
    for name, value in given.items():
        if isinstance(value, str) and name != "priority" and len(value) > _LIMITS.get(name, LONGEST_TEXT):
            raise BadRequest(f"`{name}` has {len(value)} characters; the most is {_LIMITS.get(name, LONGEST_TEXT)}")
    if "title" in changes:
        changes["title"] = plain(checked(changes["title"], "the title", LONGEST_TITLE), LONGEST_TITLE)
    if "owner" in changes:
        changes["owner"] = _person(settings, changes["owner"])
    if changes.get("team") and settings.roster.teams and changes["team"] not in settings.roster.teams:
        raise BadRequest(f"there is no team {plain(changes['team'], 40)!r}")
    if "due" in changes and not in_reach(changes["due"]):
        raise BadRequest(f"`due` is a day {REACH}")
    if "priority" in changes and changes["priority"] not in PRIORITIES:
        raise BadRequest(f"the priority is one of {', '.join(PRIORITIES)}, not {plain(changes['priority'], 20)!r}")
    return changes


def _person(settings: Settings, handle: str) -> str:
    handle = handle.strip().removeprefix("@")
    people = settings.roster.people
    if not handle.isprintable():
        raise BadRequest("the owner is a name of printable characters")
    if people and handle and handle not in people:
        raise BadRequest(
            f"there is nobody called {plain(handle, 40)!r}; people stand in the documents of `kind: people`"
        )
    if SEVERAL_OWNERS.search(handle):
        raise BadRequest(f"the owner is one person, not {plain(handle, 60)!r}")
    return handle


def _look_at(item: ActionItem) -> tuple[Finding, ...]:
    """Give what there is to look at of a decided item. Raises BadRequest for what keeps it from being done."""
    found = tuple(
        quality(
            Proposal(
                title=item.title, owner=item.owner, priority=item.priority, due=str(item.due or ""),
                end_state=f"{item.end_state}\n{item.description}",
            )
        )
    )  # fmt: skip
    wrong = [it for it in found if it.level is Level.ERROR]
    if wrong:
        said = " ".join(f"{it.rule}: {it.reason} {it.instead}" for it in wrong)
        raise BadRequest(f"{item.key} cannot be decided, for {count(len(wrong), 'reason')}. {said}")
    return found
