"""What people ask for, as units of work: each one checked, done and on the timeline in one transaction."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import NAMESPACE_URL, uuid5

from incidentd import holds, pages
from incidentd.actionitems import ActionItem, ItemState, ItemType, default_due
from incidentd.actionitems.moves import Changes
from incidentd.durations import format_duration
from incidentd.engine import automation, course, joined, owning, paging, roles
from incidentd.engine.backlog import commands as backlog
from incidentd.engine.backlog import filing
from incidentd.engine.worded import LONGEST_TEXT, LONGEST_TITLE, checked, number_of
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.holds import Hold
from incidentd.incidents import Incident, Status, Trigger
from incidentd.pages import Page, PageState
from incidentd.playbooks import Run
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things
from incidentd.text import plain
from incidentd.timeline import Actor, Draft


def ack_page(tx: Tx, settings: Settings, page_id: int, *, by: str, actor: Actor, nonce: str = "") -> Page:
    """Take a page: it stops escalating, and what it is about has somebody from here.

    Raises NotFound, and Conflict when somebody else was first, it called others, the name is nobody's, it is over, or
    the link was used before.
    """
    page = things.get_page(tx, page_id)
    owning.refuse_if_not_asked(tx, page, settings, by)
    acked = pages.acknowledge(page, by, tx.now)
    if acked == page:
        return page
    if nonce:
        things.use_link(tx, nonce)
    return _has_it(tx, settings, page, acked, actor=actor, how="was acknowledged by")


def take_page(tx: Tx, settings: Settings, page_id: int, *, by: str, actor: Actor, nonce: str = "") -> Page:
    """Make somebody the one who has a page, whether it called them or not, and whoever has it now.

    Raises NotFound, and Conflict when it is over, the name is nobody's, or the link was used before.
    """
    page = things.get_page(tx, page_id)
    owning.refuse_nobody(settings, page, by)
    taken = pages.take(page, by, tx.now)
    if taken == page:
        return page
    if nonce:
        things.use_link(tx, nonce)
    return _has_it(tx, settings, page, taken, actor=actor, how="was taken by")


def help_with_page(
    tx: Tx, settings: Settings, page_id: int, *, by: str, actor: Actor, text: str = "", nonce: str = ""
) -> Page:  # fmt: skip
    """Say that somebody helps; the page goes on until somebody owns it.

    Raises NotFound, BadRequest for a text that is too long, and Conflict when it is over, or the link was used before.
    """
    page = things.get_page(tx, page_id)
    if page.state is PageState.RESOLVED:
        raise Conflict(f"{page.key} is over; there is nothing to help with")
    if nonce:
        things.use_link(tx, nonce)
    said = f": {plain(checked(text, 'the text', LONGEST_TEXT))}" if text else ""
    has_it = f"{page.held_by} has it" if page.held_by else "it still waits for an answer"
    words = f"{by} is helping with {page.key}{said} ({has_it})."
    chain.append(tx, page.subject, actor, [Draft("page.helping", words, {"page": page.key, "by": by})])
    return page


def _has_it(tx: Tx, settings: Settings, page: Page, owned: Page, *, actor: Actor, how: str) -> Page:
    """Carry out that somebody has a page from here, and what it is about with it."""
    by = owned.owner
    owning.has_it(tx, owned, before=page, actor=actor, how=how)
    if page.subject.startswith("INC-"):
        incident = subjects.get_incident(tx, number_of(page.subject))
        course.engaged(tx, incident, by=by, actor=actor)
        roles.acknowledged(tx, settings, owned, by=by, actor=actor)
    elif page.is_summary:
        joined.have_followed(tx, owned, actor)
    else:
        _hold_acked(tx, settings, page, by, actor)
    return owned


def _hold_acked(tx: Tx, settings: Settings, page: Page, by: str, actor: Actor) -> None:
    hold = subjects.get_hold(tx, number_of(page.subject))
    course.carry_out(tx, settings, hold, holds.acknowledged(hold, by=by, now=tx.now), actor)


def escalate_page(tx: Tx, settings: Settings, page_id: int, *, actor: Actor) -> Page:
    """Page the next level now instead of when it is due. Raises NotFound, and Conflict when the page is over."""
    page = things.get_page(tx, page_id)
    if page.state is not PageState.OPEN:
        who = f"answered by {page.held_by}" if page.state is PageState.ACKED else "over"
        raise Conflict(f"{page.key} is {who}, so nobody else is paged for it")
    text = f"{actor.name} asks to page the next level of {page.key} now."
    chain.append(tx, page.subject, actor, [Draft("page.hurried", text, {"page": page.key, "by": actor.name})])
    return paging.advance(tx, settings, page, reason=paging.Reason.ASKED)


def add_note(
    tx: Tx, settings: Settings, subject: str, *, actor: Actor, text: str, customer: bool = False
) -> str:  # fmt: skip
    """Write a note on the timeline of a hold or incident; on a hold it may count as progress.

    Of an incident that is part of another one now it stands with that one as well, where people work on it. Gives the
    key of what it is read with. `customer` says that a customer noticed it: a hold is declared then, unless its rule
    leaves that out.
    Raises NotFound, and BadRequest for an empty note or one that is too long.
    """
    text = checked(text, "the note", LONGEST_TEXT)
    if subject.startswith("HOLD-"):
        hold = subjects.get_hold(tx, number_of(subject))
        take = holds.customer_reported if customer else holds.note_progress
        turn = take(hold, by=actor.name, text=text, now=tx.now)
        course.carry_out(tx, settings, hold, turn, actor, asked=customer)  # a person's word needs no other
        return hold.key
    if not subject.startswith("INC-"):
        raise NotFound(f"there is no {plain(subject, 40)}; a note goes to a hold (HOLD-7) or an incident (INC-12)")
    incident = subjects.get_incident(tx, number_of(subject))
    root = course.root_of(tx, incident)
    if root.id == incident.id:
        chain.append(tx, incident.key, actor, [Draft("note", f"{actor.name}: {text}")])
        return incident.key
    # on its own timeline too, where it is read should the two be taken apart again
    chain.append(tx, incident.key, actor, [Draft("note", f"{actor.name}: {text}", {"also": root.key})])
    said = f"{actor.name}: from {incident.key}: {text}"
    chain.append(tx, root.key, actor, [Draft("note", said, {"from": incident.key})])
    return root.key


def declare_incident(
    tx: Tx,
    settings: Settings,
    *,
    actor: Actor,
    title: str,
    severity: str,
    reason: str = "",
    service: str = "",
    teams: tuple[str, ...] = (),
    page: str = "default",
    drill: bool = False,
) -> Incident:
    """Declare an incident by hand, or a drill. Raises BadRequest for an unknown severity, team or escalation policy."""
    known = settings.severities.get(severity)
    if known is None:
        raise BadRequest(f"there is no severity {plain(severity, 40)!r}; there are {', '.join(settings.severities)}")
    for team in teams:
        if team not in settings.roster.teams:
            raise BadRequest(f"there is no team {plain(team, 40)!r}")
    if page not in settings.escalations and page != "default":
        raise BadRequest(f"there is no escalation policy {plain(page, 40)!r}")
    title = f"{'DRILL: ' if drill else ''}{plain(checked(title, 'the title', LONGEST_TITLE))}"
    why = f": {checked(reason, 'the reason', LONGEST_TEXT)}" if reason else "."
    new = Incident(
        id=0, title=title, status=Status.DECLARED, severity=severity,
        declared_severity=severity, peak_severity=severity, urgency=known.urgency, trigger=Trigger.MANUAL,
        reason=f"Declared by {actor.name}{plain(why)}", service=service, teams=teams, page_policy=page,
        impact_started_at=tx.now, detected_at=tx.now, declared_at=tx.now, declared_by=actor.name,
        drill=drill,
    )  # fmt: skip
    return course.declare(tx, settings, new, actor=actor)


def declare_hold(tx: Tx, settings: Settings, hold_id: int, *, actor: Actor, reason: str = "") -> Incident:
    """Declare a hold now. Raises NotFound, and Conflict when it is over."""
    hold = _open_hold(tx, hold_id)
    turn = holds.declare_by_hand(hold, by=actor.name, reason=reason, now=tx.now)
    incident = course.carry_out(tx, settings, hold, turn, actor)
    if incident is None:
        raise Conflict(f"{hold.key} could not be declared; look at its timeline")
    return incident


def stand_down_hold(tx: Tx, settings: Settings, hold_id: int, *, actor: Actor, reason: str) -> Hold:
    """End a hold without an incident; the reason stays. Raises NotFound, BadRequest without one, Conflict when over."""
    reason = checked(reason, "the reason", LONGEST_TEXT)
    hold = _open_hold(tx, hold_id)
    turn = holds.stand_down(hold, by=actor.name, reason=reason, now=tx.now)
    course.carry_out(tx, settings, hold, turn, actor)
    return turn.hold


def extend_hold(
    tx: Tx, settings: Settings, hold_id: int, *, actor: Actor, length: timedelta, approver: str, reason: str
) -> Hold:  # fmt: skip
    """Give a hold more time, once: at most as long as its cap, with a reason, and approved by somebody else.

    Raises NotFound, BadRequest for what is missing or too long, and Conflict when it is over or was extended before.
    """
    hold = _open_hold(tx, hold_id)
    reason = checked(reason, "the reason", LONGEST_TEXT)
    approver = checked(approver, "the approver", LONGEST_TITLE)
    people = settings.roster.people
    if people and approver not in people:
        raise BadRequest(f"there is nobody called {plain(approver, 40)!r} who could approve it")
    if approver == actor.name:
        raise BadRequest(f"somebody else than {plain(approver, 40)}, who asks for it, has to approve it")
    most = hold.policy.hard_cap
    if not timedelta(0) < length <= most:
        raise BadRequest(f"a hold is extended by more than nothing and at most {format_duration(most)}, its hard cap")
    if hold.extended_by:
        raise Conflict(f"{hold.key} was extended once, by {hold.extended_by}; declare it or stand it down")
    turn = holds.extend(hold, by=actor.name, approver=approver, reason=reason, length=length, now=tx.now)
    course.carry_out(tx, settings, hold, turn, actor)
    return turn.hold


def _open_hold(tx: Tx, hold_id: int) -> Hold:
    hold = subjects.get_hold(tx, hold_id)
    if hold.state not in holds.OPEN:
        became = subjects.incident_of_hold(tx, hold_id)
        more = f"; it became {became.key}" if became else ""
        raise Conflict(f"{hold.key} is {hold.state} ({hold.outcome}){more}")
    return hold


def add_action_item(
    tx: Tx,
    settings: Settings,
    incident_id: int,
    *,
    actor: Actor,
    title: str,
    description: str = "",
    type: ItemType = ItemType.REPAIR,
    priority: str = "P2",
    owner: str = "",
    team: str = "",
    due: date | None = None,
) -> ActionItem:
    """Decide on an action item of an incident and send it to the backlog.

    Raises NotFound, BadRequest for what is missing or wrong, and Conflict when there are too many.
    """
    incident = subjects.get_incident(tx, incident_id)
    due = due or default_due(priority, incident.severity, tx.now.date())
    given = Changes(
        title=title, description=description, type=type, priority=priority, owner=owner, team=team, due=due
    )  # fmt: skip
    wanted = backlog.acceptable(settings, given)
    item = things.insert_item(
        tx,
        ActionItem(
            id=0, uuid=str(uuid5(NAMESPACE_URL, backlog.next_name(tx, incident))), subject=incident.key,
            title=wanted["title"], description=description, type=type, priority=priority, owner=wanted["owner"],
            team=team or next(iter(incident.teams), ""), due=due, state=ItemState.OPEN,
            severity=incident.severity, service=incident.service, drill=incident.drill, created_at=tx.now,
            by=actor.name, decided_by=actor.name, decided_at=tx.now,
        ),
    )  # fmt: skip
    text = f"{item.key}: {plain(item.title)} ({item.type}, {item.priority})"
    chain.append(tx, incident.key, actor, [Draft("item.opened", text, {"item": item.key})])
    filing.file(tx, settings, item)
    return item


def approve_run(
    tx: Tx, settings: Settings, run_id: int, *, actor: Actor, answer: str = "", admin: bool = False
) -> Run:  # fmt: skip
    """Let a proposed playbook run begin, or answer one that asks.

    Raises NotFound, Conflict when it may not, and NotAllowed for who is not asked.
    """
    return automation.approve(tx, settings, run_id, actor=actor, answer=answer, admin=admin)
