"""What people ask of the schedules, as units of work: overrides, swaps, and taking the pager."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import oncall
from incidentd.engine import handoff
from incidentd.engine import rota as publishing
from incidentd.errors import BadRequest, Conflict
from incidentd.oncall import Override, Roster, Schedule, Shift
from incidentd.settings import Settings, schedules_paged
from incidentd.store import Tx, chain, rota
from incidentd.store.rota import OverrideState, StoredOverride
from incidentd.text import instant, plain
from incidentd.timeline import SYSTEM, Actor, Draft

LONGEST = timedelta(days=92)
"""Whoever has the pager for longer than a quarter belongs into the file."""
FARTHEST = timedelta(days=731)
LONGEST_REASON = 500
_LOOKING_FOR = timedelta(weeks=26)
_LONGEST_SHIFT = timedelta(weeks=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was stored, and which older overrides it wins over."""

    overrides: tuple[StoredOverride, ...]
    conflicts: tuple[Override, ...] = ()


def override(
    tx: Tx, settings: Settings, *, schedule: str, person: str, start: datetime, end: datetime, because: str,
    actor: Actor,
) -> Made:  # fmt: skip
    """Give somebody the pager for a while; what has passed of that time is left out.

    Raises NotFound, BadRequest, and Conflict when the same person would be paged first and second.
    """
    start = max(start, tx.now)
    wanted = Shift(person=person, start=start, end=end)
    roster = _checked(tx, settings, schedule, wanted)
    because = _reason(because)
    _refuse_twice(settings, roster, schedule, wanted)
    conflicts = oncall.overlapping(roster.schedules[schedule], start, end)
    made = rota.add_override(
        tx, schedule=schedule, person=person, start=start, end=end, because=because, by=actor.name
    )  # fmt: skip
    over = f" It wins over {', '.join(one.key for one in conflicts)}." if conflicts else ""
    why = f": {plain(because)}" if because else ""
    text = f"{made.key}: {person} has the pager of {schedule} from {instant(start)} to {instant(end)}{why}.{over}"
    chain.append(tx, SYSTEM, actor, [Draft("oncall.override", text, _facts(made))])
    handoff.begin(tx, settings)
    if person != actor.name:
        publishing.tell(
            tx, settings, [person], title=f"You have the pager of {schedule}", body=text, key=f"oncall/{made.key}"
        )
    return Made(overrides=(made,), conflicts=conflicts)


def take(
    tx: Tx, settings: Settings, *, schedule: str, person: str, length: timedelta | None, because: str, actor: Actor
) -> Made:  # fmt: skip
    """Take the pager now: for so long, else to the end of the shift that runs. Raises as `override` does."""
    found = publishing.known(settings, schedule)
    person = person or actor.name
    if length is None:
        now = rota.between(tx, settings.roster, tx.now, tx.now + _LONGEST_SHIFT).schedules[found.name]
        running = next(oncall.joined(oncall.shifts_between(now, tx.now, tx.now + _LONGEST_SHIFT)))
        length = running.end - tx.now
    end = tx.now + length
    return override(
        tx, settings, schedule=schedule, person=person, start=tx.now, end=end, because=because or "took the pager",
        actor=actor,
    )  # fmt: skip


def swap(
    tx: Tx, settings: Settings, *, schedule: str, person: str, other: str, at: datetime | None,
    other_at: datetime | None, because: str, actor: Actor,
) -> Made:  # fmt: skip
    """Propose that two people take each other's shift: those at these instants, else each one's next.

    One of the two proposes, and nothing changes until the other accepts. Raises NotFound, BadRequest, Conflict.
    """
    if person == other:
        raise BadRequest(f"a swap is between two people, and both are {person}")
    if actor.name not in (person, other):
        raise BadRequest(
            f"a swap is proposed by one of the two, {person} or {other}, and you are {plain(actor.name, 60)}; "
            "whoever else arranges it makes two overrides"
        )
    because = _reason(because) or f"swap of {person} and {other}"
    roster = rota.between(tx, settings.roster, tx.now - _LONGEST_SHIFT, tx.now + FARTHEST)
    of = roster.schedules[publishing.known(settings, schedule).name]
    gives, takes = _shift_of(of, person, at, tx.now), _shift_of(of, other, other_at, tx.now)
    halves = []
    for who, shift in ((other, gives), (person, takes)):
        wanted = replace(shift, person=who)
        _checked(tx, settings, schedule, wanted)
        _refuse_twice(settings, roster, schedule, wanted)
        halves.append(
            rota.add_override(
                tx, schedule=schedule, person=who, start=shift.start, end=shift.end, because=because, by=actor.name,
                state=OverrideState.PROPOSED,
            )
        )  # fmt: skip
    name = rota.name_swap(tx, halves)
    halves = rota.get_swap(tx, name)
    asked = other if actor.name == person else person
    text = f"{name}: {actor.name} proposes a swap in {schedule}: {_halves(halves)}. {asked} has to accept it."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.swap_proposed", text, {"swap": name, "schedule": schedule})])
    advice = f"{text}\n\nAccept it with: incidentd oncall accept {name}"
    publishing.tell(
        tx, settings, [asked], title=f"{actor.name} asks you to swap shifts", body=advice, key=f"oncall/{name}/asked"
    )
    return Made(overrides=tuple(halves))


def accept(tx: Tx, settings: Settings, name: str, *, actor: Actor) -> Made:
    """Accept a swap: both halves count from here. Raises NotFound, and Conflict when that is not possible any more."""
    halves = rota.get_swap(tx, name)
    made_by = halves[0].made_by
    asked = next(half.person for half in halves if half.person != made_by)
    if actor.name != asked:
        raise Conflict(f"{name} is for {asked} to accept, and you are {plain(actor.name, 60)}")
    _still(name, halves)
    schedule = halves[0].schedule
    roster = rota.between(tx, settings.roster, tx.now - _LONGEST_SHIFT, tx.now + FARTHEST)
    of = roster.schedules[publishing.known(settings, schedule).name]
    for half, giver in zip(halves, reversed([half.person for half in halves]), strict=True):
        if half.end <= tx.now:
            raise Conflict(f"{name} comes too late: the shift that ended at {instant(half.end)} is over")
        start = max(half.start, tx.now)
        if oncall.on_call(of, start).person != giver:
            raise Conflict(f"the shift from {instant(half.start)} is not {giver}'s any more; propose a new swap")
        _refuse_twice(settings, roster, schedule, Shift(person=half.person, start=start, end=half.end))
    done = rota.set_state(tx, halves, OverrideState.ACTIVE)
    text = f"{name} in {schedule} counts: {_halves(done)}."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.swap_accepted", text, {"swap": name, "schedule": schedule})])
    handoff.begin(tx, settings)
    publishing.tell(
        tx, settings, [made_by], title=f"{actor.name} accepted your swap", body=text, key=f"oncall/{name}/accepted"
    )
    return Made(overrides=tuple(done))


def withdraw(tx: Tx, settings: Settings, override_id: int, *, reason: str, actor: Actor) -> Made:
    """Take an override back; of a swap both halves. Whoever the schedule names has the pager again at once.

    Of one that runs, what has passed stays as it was. Raises NotFound, and Conflict when it is over.
    """
    one = rota.get_override(tx, override_id)
    all_of = rota.get_swap(tx, one.swap) if one.swap else [one]
    if one.state is OverrideState.WITHDRAWN:
        raise Conflict(f"{one.key} was withdrawn before")
    if any(half.end <= tx.now for half in all_of):
        raise Conflict(f"{one.swap or one.key} is over, or half of it is; make an override for what is ahead")
    done = []
    for half in all_of:
        if half.state is OverrideState.ACTIVE and half.start < tx.now:
            done.append(rota.end_now(tx, half))
        else:
            done += rota.set_state(tx, [half], OverrideState.WITHDRAWN)
    why = f": {plain(_reason(reason))}" if reason else ""
    text = f"{one.swap or one.key} of {one.schedule} was withdrawn by {actor.name}{why}."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.withdrawn", text, _facts(one))])
    handoff.begin(tx, settings)
    people = {half.person for half in all_of} - {actor.name}
    key = f"oncall/{one.key}/withdrawn"
    publishing.tell(tx, settings, sorted(people), title=f"{one.swap or one.key} was withdrawn", body=text, key=key)
    return Made(overrides=tuple(done))


def _still(name: str, halves: Sequence[StoredOverride]) -> None:
    state = halves[0].state
    if state is not OverrideState.PROPOSED:
        raise Conflict(f"{name} was {'accepted' if state is OverrideState.ACTIVE else 'withdrawn'} before")


def _checked(tx: Tx, settings: Settings, schedule: str, wanted: Shift) -> Roster:
    """Check who is to have the pager and when, and give the roster of that time."""
    publishing.known(settings, schedule)
    if wanted.person not in settings.roster.people:
        raise BadRequest(f"there is nobody called {plain(wanted.person, 60)!r}; a handle such as ana is meant")
    if wanted.end <= wanted.start:
        start, end = instant(wanted.start), instant(wanted.end)
        raise BadRequest(f"it ends at {end}, and that is not after its start, or after now, {start}")
    if wanted.end - wanted.start > LONGEST:
        raise BadRequest(f"an override is at most {LONGEST.days} days; write a change for longer into the file")
    if wanted.start > tx.now + FARTHEST:
        raise BadRequest(f"{instant(wanted.start)} is more than two years ahead")
    return rota.between(tx, settings.roster, wanted.start - rota.PAST, wanted.end)


def _refuse_twice(settings: Settings, roster: Roster, schedule: str, wanted: Shift) -> None:
    """Refuse what would make one person the first and the second who is paged. Raises Conflict."""
    for policy, name in oncall.partners(schedules_paged(settings.escalations), schedule):
        there = roster.schedules.get(name)
        found = oncall.with_pager(there, wanted.person, wanted.start, wanted.end) if there else None
        if found is not None:
            raise Conflict(
                f"{wanted.person} has the pager of {name} from {instant(found.start)} to {instant(found.end)}, and the "
                f"policy {policy} pages {schedule} and {name} one after the other; give one of the two to somebody "
                "else first"
            )


def _shift_of(schedule: Schedule, person: str, at: datetime | None, now: datetime) -> Shift:
    """Find somebody's shift at an instant, or the first one after it. Raises BadRequest when there is none."""
    since = max(at or now, now)
    shifts = oncall.shifts_between(schedule, max(since - _LONGEST_SHIFT, now), since + _LOOKING_FOR)
    for shift in oncall.joined(shifts):
        if shift.person == person and shift.end > since:
            return shift
    raise BadRequest(f"{plain(person, 60)} has no shift in {schedule.name} in the half year from {instant(since)}")


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON:
        raise BadRequest(f"the reason has more than {LONGEST_REASON} characters")
    return text


def _halves(halves: Sequence[StoredOverride]) -> str:
    return " and ".join(f"{half.person} from {instant(half.start)} to {instant(half.end)}" for half in halves)


def _facts(made: StoredOverride) -> dict[str, str]:
    return {
        "override": made.key, "schedule": made.schedule, "person": made.person, "swap": made.swap,
    }  # fmt: skip
