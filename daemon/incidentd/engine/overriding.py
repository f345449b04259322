"""What people ask of the schedules, as units of work: overrides, swaps, and taking the pager."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import oncall
from incidentd.engine import handoff
from incidentd.engine import rota as publishing
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.oncall import Held, Override, Roster, Schedule, Shift
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
    notes: tuple[str, ...] = ()
    """What a proposed swap leaves out: shifts that are cut, and by what."""


def override(
    tx: Tx, settings: Settings, *, schedule: str, person: str, start: datetime, end: datetime, because: str,
    actor: Actor,
) -> Made:  # fmt: skip
    """Give somebody the pager for a while; what has passed of that time is left out.

    Raises NotFound, BadRequest, and Conflict when the same person would be paged first and second.
    """
    rota.alone(tx)
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
    rota.alone(tx)
    because = _reason(because) or f"swap of {person} and {other}"
    roster = rota.between(tx, settings.roster, tx.now - _LONGEST_SHIFT, tx.now + FARTHEST)
    of = roster.schedules[publishing.known(settings, schedule).name]
    found = _Looking(schedule=of, known=roster.people, now=tx.now)
    gives, takes = found.shift_of(person, at, "at"), found.shift_of(other, other_at, "with_at")
    wanted = [replace(part, person=who) for who, (part, _) in ((other, gives), (person, takes))]
    _refuse_again(tx, schedule, wanted)
    for half in wanted:
        _checked(tx, settings, schedule, half)
        _refuse_twice(settings, roster, schedule, half)
    asked = other if actor.name == person else person
    notes = tuple(note for _, note in (gives, takes) if note)
    halves = _propose(
        tx, settings, schedule=schedule, wanted=wanted, asked=asked, because=because, notes=notes, actor=actor
    )
    return Made(overrides=halves, notes=notes)


def _propose(
    tx: Tx, settings: Settings, *, schedule: str, wanted: Sequence[Shift], asked: str, because: str,
    notes: Sequence[str], actor: Actor,
) -> tuple[StoredOverride, ...]:  # fmt: skip
    """Store both halves of a swap, and ask the other one."""
    stored = [
        rota.add_override(
            tx, schedule=schedule, person=half.person, start=half.start, end=half.end, because=because, by=actor.name,
            state=OverrideState.PROPOSED,
        )
        for half in wanted
    ]  # fmt: skip
    name = rota.name_swap(tx, stored)
    halves = rota.get_swap(tx, name)
    text = f"{name}: {actor.name} proposes a swap in {schedule}: {_halves(halves)}. {asked} has to accept it."
    text = " ".join([text, *notes])
    chain.append(tx, SYSTEM, actor, [Draft("oncall.swap_proposed", text, {"swap": name, "schedule": schedule})])
    advice = f"{text}\n\nAccept it with: incidentd oncall accept {name}"
    publishing.tell(
        tx, settings, [asked], title=f"{actor.name} asks you to swap shifts", body=advice, key=f"oncall/{name}/asked"
    )
    return tuple(halves)


def accept(tx: Tx, settings: Settings, name: str, *, actor: Actor) -> Made:
    """Accept a swap: both halves count from here. Raises NotFound, and Conflict when that is not possible any more."""
    rota.alone(tx)
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
        wanted = Shift(person=half.person, start=max(half.start, tx.now), end=half.end)
        _refuse_lost(of, giver, wanted, roster)
        _refuse_twice(settings, roster, schedule, wanted)
    done = rota.set_state(tx, halves, OverrideState.ACTIVE)
    text = f"{name} in {schedule} counts: {_halves(done)}."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.swap_accepted", text, {"swap": name, "schedule": schedule})])
    handoff.begin(tx, settings)
    publishing.tell(
        tx, settings, [made_by], title=f"{actor.name} accepted your swap", body=text, key=f"oncall/{name}/accepted"
    )
    return Made(overrides=tuple(done))


def withdraw_swap(tx: Tx, settings: Settings, name: str, *, reason: str, actor: Actor, admin: bool) -> Made:
    """Take a swap back, as `withdraw` does."""
    first = rota.get_swap(tx, name)[0]
    return withdraw(tx, settings, first.id, reason=reason, actor=actor, admin=admin)


def withdraw(
    tx: Tx, settings: Settings, override_id: int, *, reason: str, actor: Actor, admin: bool = False
) -> Made:  # fmt: skip
    """Take an override back; of a swap both halves. Whoever the schedule names has the pager again at once.

    Of one that runs, what has passed stays as it was. Raises NotFound, NotAllowed for anybody whom it does not concern
    (`admin` may all the same), and Conflict when it counted and is over.
    """
    rota.alone(tx)
    one = rota.get_override(tx, override_id)
    all_of = rota.get_swap(tx, one.swap) if one.swap else [one]
    concerned = _concerned(tx, settings, all_of)
    if not admin and actor.name not in concerned:
        raise NotAllowed(
            f"{one.swap or one.key} concerns {', '.join(concerned)}, and you are {plain(actor.name, 60)}; one of them "
            "may withdraw it, or an admin",
            authenticated=True,
        )
    if one.state is OverrideState.WITHDRAWN:
        raise Conflict(f"{one.key} was withdrawn before")
    if any(half.end <= tx.now and half.state is not OverrideState.PROPOSED for half in all_of):
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


def _refuse_again(tx: Tx, schedule: str, wanted: Sequence[Shift]) -> None:
    """Refuse to propose a swap twice: accepting one would take the ground from the other. Raises Conflict."""
    for name, halves in rota.proposed(tx, schedule).items():
        # one of which half is over cannot be accepted any more, so it is in nobody's way
        if len(halves) == len(wanted) and all(_meets(half, wanted) for half in halves):
            made_by = halves[0].made_by
            asked = next(half.person for half in halves if half.person != made_by)
            raise Conflict(
                f"{name} by {made_by} proposes that already: {_halves(halves)}. {asked} accepts it with "
                f"`incidentd oncall accept {name}`; to propose another one, withdraw {name} first"
            )


def _meets(half: StoredOverride, wanted: Sequence[Shift]) -> bool:
    return any(half.person == one.person and half.start < one.end and one.start < half.end for one in wanted)


def _refuse_lost(schedule: Schedule, giver: str, wanted: Shift, roster: Roster) -> None:
    """Refuse to give away what is not the giver's any more, or not all of it. Raises Conflict."""
    pieces = oncall.joined(oncall.shifts_between(schedule, wanted.start, wanted.end, roster.people))
    lost = next((piece for piece in pieces if piece.person != giver), None)
    if lost is not None:
        whose = f"not {giver}'s any more" if lost.start == wanted.start else f"not all {giver}'s any more"
        raise Conflict(f"the shift from {instant(wanted.start)} is {whose}: {_cut(schedule, lost)}; propose a new swap")


def _concerned(tx: Tx, settings: Settings, overrides: Sequence[StoredOverride]) -> list[str]:
    """Name who made overrides, who has the pager by them, and whose shifts they are."""
    found = [overrides[0].made_by, *(one.person for one in overrides)]
    for one in overrides:
        roster = rota.between(tx, settings.roster, one.start, one.end)
        if one.schedule in roster.schedules:
            turns = oncall.planned_between(roster.schedules[one.schedule], one.start, one.end, roster.people)
            found += [turn.person for turn in turns if turn.person]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    """Looks for the shifts that are meant."""

    schedule: Schedule
    known: Collection[str]
    now: datetime

    def shift_of(self, person: str, at: datetime | None, key: str) -> tuple[Shift, str]:
        """Find somebody's shift at an instant, or the first one after it; and say what cuts it, '' when nothing does.

        Raises BadRequest when there is none, and when several parts are left of it and the instant is in none of them.
        """
        since = max(at or self.now, self.now)
        start, end = max(since - _LONGEST_SHIFT, self.now), since + _LOOKING_FOR
        held = [
            one
            for one in oncall.held_between(self.schedule, person, start, end, self.known)
            if any(part.end > since for part in one.parts)
        ]
        for one in held if at else ():
            for part in one.parts:
                if part.start <= since < part.end:
                    return part, self._note(one, person)
        # a few hours that somebody took over are nobody's next shift, while there is a shift of their own
        own = [one for one in held if not one.cuts or one.shift.person == person]
        meant = next(iter(own or held), None)
        if meant is None:
            half_year = f"the half year from {instant(since)}"
            raise BadRequest(f"{plain(person, 60)} has no shift in {self.schedule.name} in {half_year}")
        if len(meant.parts) > 1:
            raise BadRequest(
                f"{self._note(meant, person)} Say with a time in it (`{key}`, --{key.replace('_', '-')} on the "
                f"command line) which part is meant: {', or '.join(_span(part) for part in meant.parts)}"
            )
        return meant.parts[0], self._note(meant, person)

    def _note(self, held: Held, person: str) -> str:
        if not held.cuts:
            return ""
        cuts = ", ".join(_cut(self.schedule, cut) for cut in held.cuts)
        return f"{person} has only a part of the shift {_span(held.shift)}: {cuts}."


def _cut(schedule: Schedule, cut: Shift) -> str:
    """Say who has a stretch instead, and by what."""
    over = [one for one in schedule.overrides if one.start <= cut.start < one.end and one.person == cut.person]
    because = f": {over[-1].because}" if over and over[-1].because else ""
    why = plain(f"{over[-1].key}{because}" if over else cut.because, 100)
    return f"{cut.person or 'nobody'} has {_span(cut)} ({why})"


def _span(shift: Shift) -> str:
    return f"{instant(shift.start)} to {instant(shift.end)}"


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
