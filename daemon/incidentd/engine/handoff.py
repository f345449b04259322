"""Handoff reports as units of work: one deadline at each schedule's next shift change, and what is sent then.

The deadline is a row like any other: a restart forgets none, and one that passed meanwhile is reported late. It is
taken once, in the transaction that puts the messages into the outbox, so each change is reported exactly once. The
words are written when a message is sent, from what is true then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from incidentd import handoff
from incidentd.engine import measuring, paging
from incidentd.errors import NotFound
from incidentd.handoff import Change, Known, Silence
from incidentd.oncall import FOREVER, Override, Roster, Schedule, on_call, shifts_between
from incidentd.settings import Settings
from incidentd.store import Tx, chain, handovers, jobs, rota
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

KIND = "handoff"
"""The kind of the deadlines, and of the messages."""
PROMPT = "handover_prompt"
"""The kind of the deadlines before a shift change, at which whoever leaves is asked to hand over roles (`shiftend`)."""
_PROMPTS = (timedelta(minutes=60), timedelta(minutes=15))
"""How long before: an hour to find somebody, and once more when there is just time to brief them (SRE book, 14)."""
_AHEAD = timedelta(days=28)
"""Overrides that begin later than this are not worth a line yet."""
_LONGEST_SHIFT = timedelta(days=31)
"""What was paged is told of this stretch at most."""
_FARTHEST = timedelta(weeks=26)
_MOMENT = timedelta(microseconds=1)
_People = Collection[str] | None


def begin(tx: Tx, settings: Settings) -> None:
    """Set the clock of every schedule; one that ran out is left to be reported, late.

    Whatever moves an edge of a shift calls it: a reload, an override, shifts that are published anew.
    """
    roster = _roster(tx, settings, tx.now)
    for schedule in roster.schedules.values():
        job = jobs.live(tx, _key(schedule.name))
        if job is None or job.due_at > tx.now:
            _schedule(tx, schedule, roster.people, tx.now)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Report a shift change, and wait for the next one."""
    edge = datetime.fromisoformat(job.payload["edge"])
    roster = _roster(tx, settings, edge)
    schedule = roster.schedules.get(str(job.payload["schedule"]))
    if schedule is None:
        return  # the configuration has it no longer
    # of changes that passed while nobody ran, the last one says it all
    last = last_edge(schedule, edge, tx.now, roster.people)
    change = change_at(schedule, max(edge, last), roster.people)
    if change.leaving != change.coming:
        _send(tx, roster, change)
        if change.leaving:
            measuring.shift_over(tx, change)
    _schedule(tx, schedule, roster.people, tx.now, late=True)


def _roster(tx: Tx, settings: Settings, at: datetime) -> Roster:
    """Give the roster with the overrides and published shifts from a shift before `at` to what is told of ahead."""
    return rota.between(tx, settings.roster, at - _LONGEST_SHIFT, tx.now + _AHEAD)


def last_edge(schedule: Schedule, edge: datetime, now: datetime, people: _People = None) -> datetime:
    """Give the last shift change up to now, from one that is known; edges at which nobody changes are no changes.

    Here and below, whoever is not among the `people` has no pager, although a published shift names them.
    """
    last = edge
    while (duty := on_call(schedule, edge, people)).until <= now:
        edge = duty.until
        if on_call(schedule, edge, people).person != duty.person:
            last = edge
    return last


def next_edge(schedule: Schedule, now: datetime, people: _People = None) -> datetime | None:
    """Give the next shift change at which somebody else comes; None when there is none within half a year."""
    person = on_call(schedule, now, people).person
    ahead = shifts_between(schedule, now, now + _FARTHEST, people)
    return next((shift.start for shift in ahead if shift.person != person), None)


def change_at(schedule: Schedule, at: datetime, people: _People = None) -> Change:
    """Say who hands over to whom at an instant, and since when whoever leaves had the pager."""
    leaving, began = "", at - _LONGEST_SHIFT
    for shift in shifts_between(schedule, began, at, people):
        if shift.person != leaving:
            leaving, began = shift.person, shift.start
    coming = on_call(schedule, at, people).person
    return Change(schedule=schedule.name, at=at, leaving=leaving, coming=coming, began=min(began, at))


def _schedule(tx: Tx, schedule: Schedule, people: _People, now: datetime, *, late: bool = False) -> None:
    edge = on_call(schedule, now, people).until
    _schedule_prompts(tx, schedule, edge, now, late=late)
    if edge >= FOREVER:
        jobs.cancel(tx, _key(schedule.name))
        return
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=SYSTEM, ukey=_key(schedule.name), due_at=edge,
        payload={"schedule": schedule.name, "edge": edge.isoformat()},
    )  # fmt: skip


def _schedule_prompts(tx: Tx, schedule: Schedule, edge: datetime, now: datetime, *, late: bool) -> None:
    """Ask before a shift change; one of which we learn after the hour before it began is asked about at once.

    A start within that hour asks nobody again: what was due before it is a row still, or was asked.
    """
    due = [(ahead, edge - ahead) for ahead in _PROMPTS]
    for ahead, at in due:
        key = f"{PROMPT}:{schedule.name}:{ahead // timedelta(minutes=1)}"
        missed = late and at <= now and all(other <= at or other > now for _, other in due)
        if edge >= FOREVER:
            jobs.cancel(tx, key)
        elif at > now or missed:
            jobs.schedule(
                tx, queue=jobs.TIMER, kind=PROMPT, subject=SYSTEM, ukey=key, due_at=max(at, now),
                payload={"schedule": schedule.name, "edge": edge.isoformat()},
            )  # fmt: skip


def _send(tx: Tx, roster: Roster, change: Change) -> None:
    people = [roster.people[name] for name in (change.leaving, change.coming) if name in roster.people]
    for person in people:
        for channel in handoff.channels_for(person):
            payload = {
                "person": person.handle, "channel": channel.name, "purpose": "update", "schedule": change.schedule,
                "at": change.at.isoformat(),
            }  # fmt: skip
            key = f"handoff/{change.schedule}/{change.at.isoformat()}/{channel.name}"
            jobs.schedule(
                tx, queue=jobs.NOTIFY, kind=KIND, subject=SYSTEM, ukey=key, due_at=tx.now, payload=payload,
                give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
            )  # fmt: skip
    told = ", ".join(person.handle for person in people) or "nobody"
    text = (
        f"{change.coming or 'nobody'} has the pager of {plain(change.schedule, 60)}, after "
        f"{change.leaving or 'nobody'}; the report goes to {told}."
    )
    data = {"schedule": change.schedule, "from": change.leaving, "to": change.coming}
    chain.append(tx, SYSTEM, INCIDENTD, [Draft("oncall.handoff", text, data)])


def _key(schedule: str) -> str:
    return f"handoff:{schedule}"


# -- what a report tells ---------------------------------------------------------------------------------------------


def known(tx: Tx, settings: Settings, name: str, at: datetime | None, silences: Sequence[Silence] | None) -> Known:
    """Read what a report tells: of the change at an instant, or of the shift that runs. Raises NotFound."""
    roster = _roster(tx, settings, at or tx.now)
    schedule = roster.schedules.get(name)
    if schedule is None:
        raise NotFound(f"there is no schedule {plain(name, 60)!r}")
    if at is not None:
        next_at, change = None, change_at(schedule, at, roster.people)
    else:
        next_at = next_edge(schedule, tx.now, roster.people)
        change = _running(schedule, tx.now, next_at, roster.people)
    incidents, holds = handovers.open_now(tx)
    return Known(
        change=change, incidents=incidents, holds=holds, pages=handovers.paged_between(tx, change.began, change.at),
        flapping=handovers.flapped_between(tx, change.began, change.at), silences=silences,
        overrides=_ahead(schedule, tx.now), preview=at is None, next_at=next_at,
    )  # fmt: skip


def _running(schedule: Schedule, now: datetime, next_at: datetime | None, people: _People) -> Change:
    """Make a change of handing over right now to whoever comes next."""
    so_far = change_at(schedule, now + _MOMENT, people)
    following = on_call(schedule, next_at, people).person if next_at else ""
    return Change(schedule=schedule.name, at=now, leaving=so_far.leaving, coming=following, began=so_far.began)


def _ahead(schedule: Schedule, now: datetime) -> list[Override]:
    ahead = [it for it in schedule.overrides if it.end > now and it.start < now + _AHEAD]
    return sorted(ahead, key=lambda it: it.start)
