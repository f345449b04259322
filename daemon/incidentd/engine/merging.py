"""Merging and unmerging incidents, as units of work: what of one goes to the other, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from incidentd import incidents
from incidentd.engine import approving, communication, course, records, roles, stale, updates
from incidentd.engine.lifecycle import Asked, look
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import Incident, Merge, Standing, Status
from incidentd.oncall import RINGING
from incidentd.pages import Ending, PageState
from incidentd.roles import Assignment, Role, holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, subjects, things
from incidentd.store import updates as stored
from incidentd.text import count, near, plain
from incidentd.timeline import INCIDENTD, Actor, Draft, Entry

_COPIES = 500
"""So many entries of a timeline are copied; the rest is counted, and stays where it is."""


def merge(
    tx: Tx, settings: Settings, incident_id: int, *, into: int | None = None, actor: Actor, with_: int | None = None,
    reason: str = "", admin: bool = False, expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Merge an incident into another, `into`; or with another, `with_`, the more severe or else older one surviving.

    Merging into what was merged goes to where that went. Gives the survivor. Raises NotFound, BadRequest, NotAllowed,
    and Conflict for what is over, circles, and what changed meanwhile.
    """
    other = into if into is not None else with_
    if other is None:
        raise BadRequest("say which incident it goes into, or which it is merged with")
    first, second = sorted((incident_id, other))
    subjects.get_incident(tx, first)  # locks are taken in the order of their numbers, whichever survives
    subjects.get_incident(tx, second)
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    target = subjects.get_incident(tx, other)
    gone, root = asked.incident, course.root_of(tx, target)
    incidents.refuse_merge(gone, target, root=root)
    if into is None:
        ranks = {name: known.rank for name, known in settings.severities.items()}
        root, gone = incidents.survivor_of(root, gone, ranks)
        incidents.refuse_merge(gone, root, root=root)  # the survivor may be the other one now, and over
    who = replace(asked.who, commands_other=actor.name in (root.commander, gone.commander))
    return _merge(tx, settings, gone, root, who=who, actor=actor, reason=reason)


def _merge(
    tx: Tx, settings: Settings, gone: Incident, root: Incident, *, who: Standing, actor: Actor, reason: str
) -> Incident:  # fmt: skip
    moved = incidents.move(gone, Status.MERGED, tx.now, who=who)
    kept = {(it.source, it.fingerprint) for it in subjects.members(tx, root.key)}
    mine = [(it.source, it.fingerprint) for it in subjects.members(tx, gone.key)]
    shared = tuple(it for it in mine if it in kept)
    unasked = approving.unasked(tx, gone, root)  # before its pages go along: they say who knows of what waits
    pages = _take_pages(tx, gone, root)
    carried = records.carry(tx, settings, gone, root, actor=actor)
    promised = stored.promises(tx, gone.id)
    rooms = communication.followed_in(tx, settings, gone.id)
    record = Merge(
        into=root.id, at=tx.now, by=actor.name, was=gone.status, pages=pages, shared=shared, records=carried
    )  # fmt: skip
    subjects.save_incident(tx, replace(moved, merge=record))
    why = f": {plain(reason)}" if reason else "."
    chain.append(tx, gone.key, actor, [Draft("incident.merged", f"Merged into {root.key} by {actor.name}{why}")])
    before = subjects.firing(tx, root.key)
    subjects.copy_members(tx, of=gone.key, to=root.key)
    roles.came_along(tx, gone, root)
    course.follow_no_more(tx, settings, moved, ending=Ending.MERGED)
    updates.changed(tx, settings, gone, moved, actor=actor)
    course.finished(tx, gone, Status.MERGED)
    course.measure(tx, gone, lambda m: m.incident_merges_total.inc())
    taken = f"{gone.key} ({plain(gone.title, 120)}) is part of this from here, says {actor.name}{why}"
    facts = {"merged": gone.key, "alerts": len(mine)}
    chain.append(tx, root.key, actor, [Draft("incident.took_in", taken, facts), *_copies(tx, gone, root)])
    updates.take_over(tx, settings, gone, root, promised)  # before a severity that rises promises anything anew
    root = course.as_severe(
        tx, settings, replace(root, version=root.version + 1), severity=gone.severity, peak=gone.peak_severity,
        of=gone.key, actor=actor,
    )  # fmt: skip
    subjects.save_incident(tx, root)
    came = communication.come_along(tx, settings, rooms, root, actor=actor)
    if came:
        left = subjects.get_incident(tx, gone.id)
        subjects.save_incident(tx, replace(left, merge=replace(record, rooms=came)))
    _fires_still(tx, settings, root, before, brought=len(mine))
    _tell_commander(tx, settings, gone, root)
    after = subjects.get_incident(tx, root.id)
    approving.ask_anew(tx, settings, gone, after, unasked)
    return after


def _take_pages(tx: Tx, gone: Incident, root: Incident) -> tuple[int, ...]:
    """Let unanswered pages go along, unless the same people were paged for the survivor as urgently.

    One that calls for a role which somebody has there ends here: whoever answered would get in their way.
    """
    known = {
        (page.policy, page.urgency) for page in things.pages_of(tx, root.key) if page.state is not PageState.RESOLVED
    }
    taken = []
    for page in things.pages_of(tx, gone.key):
        needless = page.errand.role and holder(Role(page.errand.role), root.roles)
        if page.state is PageState.OPEN and not needless and (page.policy, page.urgency) not in known:
            _move_page(tx, page.id, of=gone.key, to=root.key)
            taken.append(page.id)
    return tuple(taken)


def _move_page(tx: Tx, page_id: int, *, of: str, to: str) -> None:
    page = replace(things.get_page(tx, page_id), subject=to)
    things.save_page(tx, page)
    jobs.move_page(tx, page_id, of=of, to=to)
    chain.append(tx, to, INCIDENTD, [Draft("page.moved", f"{page.key} of {of} goes on here.", {"page": page.key})])


def _copies(tx: Tx, gone: Incident, root: Incident) -> list[Draft]:
    """Copy what happened until now, but for what was copied when the two were one before."""
    there = {
        entry.data.get("seq", 0)
        for entry in chain.entries(tx, root.key)
        if entry.kind == "copied" and entry.data.get("from") == gone.key
    }
    after = max(there, default=0)
    # a note that was written while they were one stands there already
    entries = [it for it in chain.entries(tx, gone.key) if it.seq > after and it.data.get("also") != root.key]
    copies = [
        Draft(
            "copied",
            f"from {gone.key}, {near(entry.at, tx.now)}, {plain(entry.actor.name, 60)}: {entry.text}",
            {"from": gone.key, "seq": entry.seq, **_first(entry)},
        )
        for entry in entries[-_COPIES:]
    ]
    more = len(entries) - len(copies)
    if more:
        text = f"from {gone.key}: {count(more, 'earlier one')} more on its own timeline."
        copies.insert(0, Draft("copied", text, {"from": gone.key}))
    return copies


def _first(entry: Entry) -> dict[str, str]:
    """Say what an entry was at first: its kind and instant, of a note which incident it was written to."""
    data = {"at": entry.at.isoformat(), "kind": entry.kind}
    if entry.kind == "copied":  # of what was part of it
        data |= {name: str(entry.data[name]) for name in data if name in entry.data}
    if "merged" in entry.data:  # what it took in or gave back
        data["merged"] = str(entry.data["merged"])
    of = entry.data.get("of") or entry.data.get("from")
    return {**data, "of": str(of)} if of and entry.kind in ("note", "copied") else data


def _fires_still(tx: Tx, settings: Settings, root: Incident, before: int, *, brought: int) -> None:
    """Let the survivor act on the alerts `brought` along: mitigated, it is back when they fire.

    So many fired there `before`; people knew of those when they called it mitigated. Where nothing fires the quiet
    time begins that ended with the other one.
    """
    firing = subjects.firing(tx, root.key)
    if firing > before and root.status is Status.MITIGATED:
        text = f"{count(firing - before, 'alert')} of what was taken in fire: the impact is back."
        course.relapsed(tx, settings, root, text, INCIDENTD)
    elif firing:
        jobs.cancel(tx, f"quiet:{root.key}")
    elif brought and root.status is not Status.MITIGATED:  # of that the clock runs already by which it is resolved
        course.members_changed(tx, settings, root.key, refired=0, joined=0)


def _tell_commander(tx: Tx, settings: Settings, gone: Incident, root: Incident) -> None:
    """Tell whoever commanded what is part of another one now, by channels that ring nobody."""
    person = settings.roster.people.get(gone.commander)
    if person is None or gone.commander == root.commander:
        return
    lead = root.commander or "nobody yet"
    text = f"{gone.key} is part of {root.key} now; you investigate there, and {lead} is Incident Commander."
    for channel in person.channels:
        if channel.kind not in RINGING and (person.drills or not gone.drill):
            key = f"{gone.key}/merged/{root.id}/{int(tx.now.timestamp())}/{channel.name}"
            course.tell(
                tx, settings, root, channel=channel.name, purpose="update",
                title=f"{gone.key} is part of {root.key}: {plain(root.title, 100)}", body=text, key=key,
            )  # fmt: skip
    said = f"{gone.commander}, who commanded {gone.key}, investigates here; told so."
    chain.append(tx, root.key, INCIDENTD, [Draft("people.joined", said, {"person": gone.commander})])


def unmerge(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, reason: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Take an incident out of its survivor again, within a day: alerts, pages and what is open go back, copies stay.

    Raises NotFound, NotAllowed, and Conflict for what was not merged, is too late, or whose key is taken.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    gone, record = asked.incident, asked.incident.merge
    if gone.status is not Status.MERGED or record is None:
        raise Conflict(f"{gone.key} is {gone.status}; it is part of no other incident ({incidents.ways_on(gone)})")
    survivor = subjects.get_incident(tx, record.into)
    root = course.root_of(tx, survivor)
    if gone.correlation_key and subjects.open_by_keys(tx, gone.source, [gone.correlation_key]):
        raise Conflict(f"something else of the correlation key of {gone.key} is open; merge the two instead")
    back = _unmerged(tx, asked, root)
    why = f": {plain(reason)}" if reason else "."
    chain.append(tx, gone.key, actor, [Draft("incident.unmerged", f"Taken out of {root.key} by {actor.name}{why}")])
    firing = _give_back(tx, back, root, record)
    records.bring_back(tx, settings, back, record, actor=actor)
    text = f"{gone.key} is no part of this any more, says {actor.name}{why}"
    for through in _way(tx, record, root):  # each has copies of it, and may be taken out of the next one by itself
        chain.append(tx, through.key, actor, [Draft("incident.gave_back", text, {"merged": gone.key})])
    _rooms_go_back(tx, settings, root, record, actor)
    updates.changed(tx, settings, asked.incident, back, actor=actor)
    stale.watch(tx, settings, back)
    roles.again(tx, gone, back)
    roles.went_back(tx, gone, root)
    roles.watch(tx, back)
    roles.attend(tx, settings, back)
    if firing:
        course.page(tx, settings, back)
    elif subjects.members(tx, back.key):  # all of it resolved while it was part of the other one
        course.members_changed(tx, settings, back.key, refired=0, joined=0)
    roles.call_again(tx, settings, back, since=record.at)  # those pages ended with the merge, or in the survivor
    _goes_on(tx, settings, root.id)
    after = subjects.get_incident(tx, back.id)
    approving.ask_anew(tx, settings, root, after)
    return after


def _way(tx: Tx, record: Merge, root: Incident) -> Iterator[Incident]:
    """Give every incident that one went through, from what it was merged into to its survivor."""
    step: Merge | None = record
    while step is not None:
        through = subjects.get_incident(tx, step.into)
        yield through
        step = through.merge if through.id != root.id else None  # what that one went into may be pruned


def _unmerged(tx: Tx, asked: Asked, root: Incident) -> Incident:
    who = replace(asked.who, commands_other=root.commander == asked.who.name)
    moved = incidents.move(asked.incident, Status.INVESTIGATING, tx.now, who=who)
    back = replace(moved, merge=None, roles=_taken_up(asked.incident, tx.now))
    subjects.save_incident(tx, back)
    return back


def _taken_up(gone: Incident, now: datetime) -> tuple[Assignment, ...]:
    """Give the roles back to those who had them until it was merged."""
    ended = [one for one in gone.roles if gone.merge is not None and one.until == gone.merge.at]
    last = {one.role: one for one in ended}  # of several at one instant the last had it
    again = (replace(one, since=now, until=None, because="taken out again") for one in last.values())
    return (*gone.roles, *again)


def _give_back(tx: Tx, back: Incident, root: Incident, record: Merge) -> int:
    """Give alerts back that came along, as they stand now, and pages that nobody answered meanwhile."""
    mine = [(it.source, it.fingerprint) for it in subjects.members(tx, back.key)]
    firing = subjects.take_up_members(tx, back.key)
    _leave(tx, mine, root, record)
    way = {through.key for through in _way(tx, record, root)}  # where the next one needed none it ended before
    for page_id in record.pages:
        of = things.get_page(tx, page_id).subject
        if of in way:
            _move_page(tx, page_id, of=of, to=back.key)
    return firing


def _leave(tx: Tx, alerts: Sequence[tuple[str, str]], root: Incident, record: Merge) -> None:
    """Take alerts out of every incident that they went through, but from where one has them otherwise they stay."""
    step: Merge | None = record
    while step is not None:
        through = subjects.get_incident(tx, step.into)
        alerts = _without(alerts, step.shared)
        alerts = _without(alerts, _kept_by_parts(tx, through, alerts))
        subjects.leave(tx, through.key, alerts)
        step = through.merge if through.id != root.id else None  # what that one went into may be pruned


def _kept_by_parts(tx: Tx, through: Incident, alerts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the alerts that another part of an incident has as well: from here they are there because of that part."""
    left = list(alerts)
    kept: list[tuple[str, str]] = []
    for part, merged in _parts(tx, through):
        if not left:
            break
        has = {(it.source, it.fingerprint) for it in subjects.members(tx, part.key)}
        found = [one for one in left if one in has]
        if found:
            shared = tuple(_without(merged.shared, found))
            subjects.save_incident(tx, replace(part, merge=replace(merged, shared=shared)))
        left, kept = _without(left, found), kept + found
    return kept


def _rooms_go_back(tx: Tx, settings: Settings, root: Incident, record: Merge, actor: Actor) -> None:
    """Have channels that came along follow none of the incidents any more that they went through.

    But where another part is followed too they stay, from here on because of that part.
    """
    rooms, step = record.rooms, record
    while rooms:
        through = subjects.get_incident(tx, step.into)
        for part, merged in _parts(tx, through):
            both = tuple(name for name in communication.followed_in(tx, settings, part.id) if name in rooms)
            if both:
                subjects.save_incident(tx, replace(part, merge=replace(merged, rooms=(*merged.rooms, *both))))
                rooms = tuple(name for name in rooms if name not in both)
        went = communication.go_back(tx, settings, rooms, through, since=step.at, actor=actor)
        if through.merge is None or through.id == root.id:
            return
        step = through.merge
        rooms = tuple(name for name in went if name in step.rooms)


def _parts(tx: Tx, through: Incident) -> Iterator[tuple[Incident, Merge]]:
    """Give what an incident took in and has still, each with how it went into it."""
    for key in [str(it.data["merged"]) for it in chain.entries(tx, through.key) if it.kind == "incident.took_in"]:
        part = _part(tx, key, through)
        if part is not None and part.merge is not None:
            yield part, part.merge


def _part(tx: Tx, key: str, through: Incident) -> Incident | None:
    """Read what an incident took in; None when that was a hold, was taken out again or is pruned."""
    if not key.startswith("INC-"):
        return None
    try:
        it = subjects.get_incident(tx, int(key.removeprefix("INC-")))
    except NotFound:
        return None
    return it if it.status is Status.MERGED and it.merge is not None and it.merge.into == through.id else None


def _goes_on(tx: Tx, settings: Settings, root_id: int) -> None:
    """Let the survivor act on the alerts that it keeps; without any it does not end by itself."""
    root = subjects.get_incident(tx, root_id)
    if root.status is Status.MITIGATED:  # of that the clock runs already by which it is resolved
        left = min(root.still_firing, subjects.firing(tx, root.key))
        subjects.save_incident(tx, replace(root, still_firing=left))
    elif subjects.members(tx, root.key):
        course.members_changed(tx, settings, root.key, refired=0, joined=0)
    else:
        jobs.cancel(tx, f"quiet:{root.key}")


def _without(
    alerts: Sequence[tuple[str, str]], kept: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:  # fmt: skip
    stays = set(kept)
    return [one for one in alerts if one not in stays]
