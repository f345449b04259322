"""Who has the pager: override, then holiday replacement, then layer, then fallback, and in the end everybody."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from incidentd.oncall.people import Person, Target
from incidentd.oncall.schedule import FOREVER, OnCall, Override, Roster, Schedule, Shadow, Shift
from incidentd.oncall.turns import holiday_at, in_hours, turn_at

_NEIGHBOURS = 8
"""Published shifts overlap only where a zone's rules changed, and then with the one beside them."""
Known = Collection[str] | None
"""The people whom there are; None when everybody named is there."""


def on_call(schedule: Schedule, at: datetime, known: Known = None) -> OnCall:
    """Say who has the pager: an override's person, else the turn of the first layer on duty, replaced on a holiday.

    Whoever is not `known` is passed over: somebody who left has no pager.
    """
    at = at.astimezone(UTC)
    winner, edge = _override_at(schedule, at, known)
    if winner is not None:
        why = f"override ({winner.because})" if winner.because else "override"
        return OnCall(person=winner.person, until=edge, because=why)
    duty = planned(schedule, at, known)
    duty = _on_holiday(schedule, duty, at, known) if duty.person else duty
    return replace(duty, until=min(duty.until, edge))


def planned(schedule: Schedule, at: datetime, known: Known = None) -> OnCall:
    """Say whose turn it is by the published shifts, else by the layers; overrides and holidays aside."""
    at = at.astimezone(UTC)
    begun = bisect_right(schedule.published, at, key=lambda one: one.start)
    edge = schedule.published[begun].start if begun < len(schedule.published) else FOREVER
    late = reversed(schedule.published[max(begun - _NEIGHBOURS, 0) : begun])
    shift = next((shift for shift in late if at < shift.end and _there(shift.person, known)), None)
    if shift is not None:
        until = min(edge, shift.end)
        return OnCall(person=shift.person, until=until, because=f"layer {shift.layer}", layer=shift.layer)
    duty = _of_layers(schedule, at, known)
    return replace(duty, until=min(duty.until, edge))


def _of_layers(schedule: Schedule, at: datetime, known: Known) -> OnCall:
    edge = FOREVER
    for layer in schedule.layers:
        if not layer.people:
            continue
        turn = turn_at(layer, schedule.time_zone, at)
        on_duty, until = in_hours(layer, schedule.time_zone, at)
        edge = min(edge, turn.end if on_duty or turn.number < 0 else until, until)
        if on_duty and turn.number >= 0 and _there(turn.person, known):
            return OnCall(person=turn.person, until=edge, because=f"layer {layer.name}", layer=layer.name)
    return OnCall(person="", until=edge, because="no override and no layer names anybody")


def _there(person: str, known: Known) -> bool:
    return bool(person) and (known is None or person in known)


def _on_holiday(schedule: Schedule, duty: OnCall, at: datetime, known: Known) -> OnCall:
    """Replace somebody who has a holiday, if there is anybody who has none."""
    holiday, edge = _away(schedule, duty.person, at)
    duty = replace(duty, until=min(duty.until, edge))
    if not holiday:
        return duty
    for person in _replacements(schedule, duty):
        also, until = _away(schedule, person, at)
        duty = replace(duty, until=min(duty.until, until))
        if not also and _there(person, known):
            return replace(duty, person=person, because=f"replaces {duty.person} ({holiday})")
    return duty


def _replacements(schedule: Schedule, duty: OnCall) -> Iterator[str]:
    if schedule.cover:
        yield from schedule.cover
        return
    people = next((layer.people for layer in schedule.layers if layer.name == duty.layer), ())
    place = people.index(duty.person) if duty.person in people else -1
    yield from (person for person in (*people[place + 1 :], *people[: max(place, 0)]) if person != duty.person)


def _away(schedule: Schedule, person: str, at: datetime) -> tuple[str, datetime]:
    site = schedule.sites.get(person)
    return holiday_at(site, at) if site else ("", FOREVER)


def previous(schedule: Schedule, at: datetime, passing: Collection[str] = (), known: Known = None) -> str:
    """Name the person of the turn before, going further back past whoever has the pager now; '' if there is no other.

    Whoever is covered by an override now is passed over too: that person asked not to be called. So is `passing`, and
    so is whoever has a holiday, unless nobody else is left.
    """
    at = at.astimezone(UTC)
    now = planned(schedule, at)
    busy = {now.person, on_call(schedule, at, known).person, *passing}
    free = [one for one in _before(schedule, now.layer, at) if one not in busy and _there(one, known)]
    return next((one for one in free if not _away(schedule, one, at)[0]), next(iter(free), ""))


def _before(schedule: Schedule, name: str, at: datetime) -> Iterator[str]:
    """Give who had the turns before in a layer: as they were published, and further back as the file has them."""
    of = [shift for shift in schedule.published if shift.layer == name and shift.end <= at]
    yield from (shift.person for shift in reversed(of))
    begun = [layer for layer in schedule.layers if layer.people and turn_at(layer, schedule.time_zone, at).number >= 0]
    layer = next((layer for layer in begun if layer.name == name), next(iter(begun), None))
    if layer is not None:
        number, count = turn_at(layer, schedule.time_zone, at).number, len(layer.people)
        yield from (layer.people[(number - back) % count] for back in range(1, count))


def shifts_between(schedule: Schedule, start: datetime, end: datetime, known: Known = None) -> Iterator[Shift]:
    """Cut the time from `start` to `end` into shifts, without a gap or an overlap; nobody's time has person ''."""
    at, end = start.astimezone(UTC), end.astimezone(UTC)
    while at < end:
        duty = on_call(schedule, at, known)
        until = min(duty.until, end)
        yield Shift(person=duty.person, start=at, end=until, because=duty.because)
        at = until


def planned_between(schedule: Schedule, start: datetime, end: datetime, known: Known = None) -> Iterator[Shift]:
    """Cut the time from `start` to `end` into the turns that are planned, overrides and holidays aside."""
    at, end = start.astimezone(UTC), end.astimezone(UTC)
    while at < end:
        duty = planned(schedule, at, known)
        until = min(duty.until, end)
        yield Shift(person=duty.person, start=at, end=until, because=duty.because)
        at = until


def joined(shifts: Iterator[Shift]) -> Iterator[Shift]:
    """Make one of shifts in a row of the same person for the same reason."""
    last: Shift | None = None
    for shift in shifts:
        if last is not None and (last.person, last.because) == (shift.person, shift.because):
            last = replace(last, end=shift.end)
            continue
        if last is not None:
            yield last
        last = shift
    if last is not None:
        yield last


def shadows(schedule: Schedule, at: datetime, known: Known = None) -> tuple[Shadow, ...]:
    """Say who shadows whoever is on call now; never the one on call themselves."""
    person = on_call(schedule, at, known).person
    return tuple(
        one
        for one in schedule.shadows
        if one.start <= at < one.end and one.of in ("", person) and one.person != person and _there(one.person, known)
    )


def resolve(target: Target, roster: Roster, at: datetime) -> tuple[Person, ...]:
    """Find the people behind a target: never nobody, unless the roster is empty or the target is a channel.

    What names nobody who is known (a schedule without a person now, a team without people, somebody who left) falls
    back to the schedule's fallback, and in the end to everybody. `Target(team="*")` is everybody.
    """
    if target.channel:
        return ()
    return _found(target, roster, at, frozenset()) or _teams_of(target, roster) or tuple(roster.people.values())


def fallback_people(target: Target, roster: Roster, at: datetime) -> tuple[Person, ...]:
    """Find the people of the fallback of the target's schedule; none if it has none."""
    schedule = roster.schedules.get(target.on_call)
    if schedule is None or schedule.fallback is None:
        return ()
    return _found(schedule.fallback, roster, at, frozenset({schedule.name}))


def _found(target: Target, roster: Roster, at: datetime, passed: frozenset[str]) -> tuple[Person, ...]:
    """Find known people, following fallbacks from schedule to schedule; `passed` stops two that name each other."""
    if target.person:
        return _known((target.person,), roster)
    if target.team:
        team = roster.teams.get(target.team)
        return _known(tuple(dict.fromkeys([*team.people, team.lead])), roster) if team else ()
    schedule = roster.schedules.get(target.on_call)
    if schedule is None or schedule.name in passed:
        return ()
    if target.previous:
        found = _known((previous(schedule, at, known=roster.people),), roster)
    else:
        found = _known((on_call(schedule, at, roster.people).person,), roster)
    if found or schedule.fallback is None:
        return found
    return _found(schedule.fallback, roster, at, passed | {schedule.name})


def _teams_of(target: Target, roster: Roster) -> tuple[Person, ...]:
    """Give the whole team of a schedule's people: the smallest one that has them all."""
    schedule = roster.schedules.get(target.on_call)
    people = {person for layer in schedule.layers for person in layer.people} if schedule else set()
    wide = [team for team in roster.teams.values() if people and people <= set(team.people)]
    return _known(min(wide, key=lambda team: len(team.people)).people, roster) if wide else ()


def _known(handles: tuple[str, ...], roster: Roster) -> tuple[Person, ...]:
    return tuple(roster.people[handle] for handle in handles if handle in roster.people)


def _override_at(schedule: Schedule, at: datetime, known: Known) -> tuple[Override | None, datetime]:
    """Find the override in force, and the next edge of any override after `at`."""
    winner, edge = None, FOREVER
    for override in schedule.overrides:
        if override.start <= at < override.end and _there(override.person, known):
            winner = override
        edge = min([edge, *(edge_at for edge_at in (override.start, override.end) if edge_at > at)])
    return winner, edge.astimezone(UTC)
