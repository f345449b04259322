"""Whatever a schedule says: time is cut into shifts without a gap, and a page always finds somebody who is there."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.oncall import (
    Holiday,
    Hours,
    Layer,
    Override,
    Person,
    Published,
    Roster,
    Schedule,
    Site,
    Target,
    fairness,
    on_call,
    previous,
    resolve,
    shifts_between,
    uncovered,
)
from tests.unit.test_oncall import CAST, ZONES, utc

pytestmark = pytest.mark.slow

STARTS = tuple(utc(text) for text in ("2026-03-28 00:00", "2026-10-24 00:00", "2026-04-04 00:00", "2026-12-30 00:00"))
people = st.lists(st.sampled_from(CAST), min_size=1, max_size=4).map(tuple)
clock = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
hours = st.builds(
    Hours, days=st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(tuple), start=clock, end=clock
)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    turn = timedelta(hours=draw(st.sampled_from((1, 5, 8, 12, 24, 36, 48, 168, 336))))
    return Layer(
        name=draw(st.sampled_from(("first", "second", "third"))), people=draw(people), turn=turn,
        handoff_weekday=draw(st.integers(0, 6)) if turn % timedelta(weeks=1) == timedelta(0) else None,
        handoff_time=draw(clock), start=draw(st.dates(date(2026, 1, 1), date(2026, 12, 31))),
        time_zone=draw(st.sampled_from(("", *ZONES))),
        hours=tuple(draw(st.lists(hours, max_size=2))),
    )  # fmt: skip


@st.composite
def overrides(draw: st.DrawFn, around: datetime) -> Override:
    start = around + timedelta(minutes=draw(st.integers(-3000, 6000)))
    end = start + timedelta(minutes=draw(st.integers(0, 3000)))
    return Override(person=draw(st.sampled_from((*CAST, "gone"))), start=start, end=end)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    around = draw(st.sampled_from(STARTS))
    day = (around + timedelta(days=draw(st.integers(0, 2)))).date()
    off = Holiday(name="off", month=day.month, day=day.day, start=draw(clock), end=draw(clock))
    site = Site(name="site", time_zone=draw(st.sampled_from(ZONES)), holidays=(off,))
    published = [
        Published(
            person=one.person, start=one.start, end=one.end, layer="first", time_zone="UTC",
        )
        for one in draw(st.lists(overrides(around), max_size=3))
    ]  # fmt: skip
    schedule = Schedule(
        name="payments", time_zone=draw(st.sampled_from(ZONES)),
        layers=tuple(draw(st.lists(layers(), max_size=3))),
        overrides=tuple(draw(st.lists(overrides(around), max_size=3))),
        sites={person: site for person in draw(people)}, cover=draw(st.one_of(st.just(()), people)),
        published=tuple(sorted(published, key=lambda one: one.start)),
    )  # fmt: skip
    return schedule, around


@given(asked=schedules(), known=st.sets(st.sampled_from(CAST), min_size=1))
def test_time_is_cut_into_shifts_and_everybody_asked_gets_the_same_answer(
    asked: tuple[Schedule, datetime], known: set[str]
) -> None:
    schedule, start = asked
    end = start + timedelta(days=3)
    shifts = list(shifts_between(schedule, start, end, known))
    assert (shifts[0].start, shifts[-1].end) == (start, end)
    assert [shift.end for shift in shifts[:-1]] == [shift.start for shift in shifts[1:]]
    for shift in shifts:
        assert shift.start < shift.end
        assert shift.person in known | {""}
        for at in (shift.start, shift.start + (shift.end - shift.start) / 2, shift.end - timedelta(microseconds=1)):
            assert on_call(schedule, at, known).person == shift.person
            assert previous(schedule, at, known=known) != (shift.person or None)
    carried = sum((load.on_call for load in fairness(shifts, {})), timedelta(0))
    assert carried + uncovered(schedule, start, end, known) == end - start


@given(asked=schedules(), known=st.sets(st.sampled_from(CAST), min_size=1), minute=st.integers(0, 4320))
def test_a_page_always_finds_somebody_who_is_there(
    asked: tuple[Schedule, datetime], known: set[str], minute: int
) -> None:
    schedule, start = asked
    there = Roster(
        people={handle: Person(handle=handle, name=handle) for handle in known}, schedules={schedule.name: schedule}
    )
    for target in (Target(on_call="payments"), Target(on_call="payments", previous=True)):
        found = resolve(target, there, start + timedelta(minutes=minute))
        assert found
        assert {person.handle for person in found} <= known
