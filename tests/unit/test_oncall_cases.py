"""The edge cases on which naive rotations break, each a test of its name; and layers, holidays, shadows, reports."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest

from incidentd.oncall import (
    FOREVER,
    Holiday,
    Hours,
    Layer,
    Override,
    Person,
    Published,
    Roster,
    Schedule,
    Shadow,
    Shift,
    Site,
    Target,
    Team,
    fairness,
    first_instant,
    gaps,
    instant_of,
    joined,
    last_instant,
    on_call,
    on_time,
    overlapping,
    partners,
    previous,
    resolve,
    shadows,
    shifts_between,
    to_publish,
    uncovered,
    wall_of,
)
from tests.unit.test_oncall import CAST, MINUTE, ZONES, cover, handles, jumps, layer, roster, rota, utc

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
EVERY_DAY = tuple(range(7))
LONDON, SYDNEY = "Europe/London", "Australia/Sydney"


def on_duty(
    name: str, zone: str, start: str, end: str, *people: str, days: tuple[int, ...] = EVERY_DAY, turn: int = 7
) -> Layer:
    """Make a layer that is on duty only in some hours."""
    hours = (Hours(days=days, start=time.fromisoformat(start), end=time.fromisoformat(end)),)
    return Layer(
        name=name, people=people, turn=timedelta(days=turn), handoff_weekday=0 if turn == 7 else None,
        handoff_time=time.fromisoformat(start), start=date(2024, 12, 2), time_zone=zone, hours=hours,
    )  # fmt: skip


def hours_of(shifts: list[Shift]) -> dict[str, float]:
    """Add up the hours of each person."""
    found: Counter[str] = Counter()
    for shift in shifts:
        found[shift.person] += (shift.end - shift.start) // MINUTE
    return {person: minutes / 60 for person, minutes in found.items()}


# --- the edge cases by their numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [LONDON, "America/New_York", "Australia/Lord_Howe"])
def test_b5_01_handoffs_stay_at_nine_local_where_elapsed_seconds_drift(zone: str) -> None:
    shifts = list(shifts_between(rota(layer(), zone=zone), utc("2026-01-05 14:00"), utc("2027-01-10 00:00")))
    handoffs = [shift.start for shift in shifts[1:]]
    assert {f"{at.astimezone(ZoneInfo(zone)):%a %H:%M}" for at in handoffs} == {"Mon 09:00"}
    drifted = [handoffs[0] + number * timedelta(weeks=1) for number in range(len(handoffs))]
    wrong = sum(at.astimezone(ZoneInfo(zone)).hour != 9 or at.astimezone(ZoneInfo(zone)).minute != 0 for at in drifted)
    assert wrong > 20  # what a rotation by elapsed time does in these zones


def test_b5_02_a_time_that_does_not_exist_is_the_first_after_it_and_one_that_comes_twice_overlaps() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    assert first_instant(date(2026, 3, 29), time(2, 30), madrid) == utc("2026-03-29 01:00")
    assert last_instant(date(2026, 3, 29), time(2, 30), madrid) == utc("2026-03-29 01:00")
    assert first_instant(date(2026, 10, 25), time(2, 30), madrid) == utc("2026-10-25 00:30")
    assert last_instant(date(2026, 10, 25), time(2, 30), madrid) == utc("2026-10-25 01:30")


def test_b5_02_hours_that_end_and_begin_at_an_ambiguous_time_overlap_and_still_one_has_the_pager() -> None:
    madrid = "Europe/Madrid"
    day, night = on_duty("day", madrid, "02:30", "14:00", "ana"), on_duty("night", madrid, "14:00", "02:30", "ben")
    schedule = rota(day, night)
    shifts = list(shifts_between(schedule, utc("2026-10-24 22:00"), utc("2026-10-25 06:00")))
    assert [(shift.person, shift.start) for shift in shifts] == [
        ("ben", utc("2026-10-24 22:00")), ("ana", utc("2026-10-25 00:30")),
    ]  # fmt: skip
    assert gaps(rota(night, day), utc("2026-01-05 00:00"), utc("2027-01-05 00:00")) == ()


def test_b5_02_a_daily_shift_lasts_23_and_25_hours_when_the_clock_is_changed() -> None:
    schedule = rota(layer("ana", "ben", days=1, weekday=None))
    lengths = {
        shift.start.date().isoformat(): (shift.end - shift.start) // timedelta(hours=1)
        for shift in shifts_between(schedule, utc("2026-03-27 08:00"), utc("2026-10-26 08:00"))
    }
    assert (lengths["2026-03-28"], lengths["2026-10-24"], lengths["2026-07-01"]) == (23, 25, 24)


def test_b5_03_every_instant_is_utc_so_that_lengths_are_true() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    schedule = rota(layer("ana", "ben", days=1, weekday=None))
    asked = datetime(2026, 10, 25, 1, 50, tzinfo=madrid)
    duty = on_call(schedule, asked)
    assert duty.until.tzinfo is UTC
    for shift in shifts_between(schedule, asked, asked.astimezone(UTC) + timedelta(days=2)):
        assert (shift.start.tzinfo, shift.end.tzinfo) == (UTC, UTC)
    # the same question in the zone's own arithmetic is an hour wrong
    naive = duty.until.astimezone(madrid) - asked
    assert duty.until - asked.astimezone(UTC) == naive + timedelta(hours=1)


def test_b5_04_two_sites_of_fixed_local_hours_leave_392_hours_of_a_year_to_nobody() -> None:
    sun = rota(on_duty("london", LONDON, "08:00", "20:00", "ana"), on_duty("sydney", SYDNEY, "07:00", "19:00", "ben"))
    start, end = utc("2026-01-01 00:00"), utc("2027-01-01 00:00")
    assert uncovered(sun, start, end) == timedelta(hours=392)
    hours = hours_of(list(shifts_between(sun, start, end)))
    assert hours["ana"] + hours["ben"] + hours[""] == 365 * 24
    assert hours["ana"] == 365 * 12  # the first layer has the hours that both have
    assert hours["ben"] == 365 * 12 - 392


def test_b5_04_a_third_layer_fills_the_gaps_of_two_sites() -> None:
    sun = rota(
        on_duty("london", LONDON, "08:00", "20:00", "ana"), on_duty("sydney", SYDNEY, "07:00", "19:00", "ben"),
        layer("cho", start="2024-12-02"),
    )  # fmt: skip
    start, end = utc("2026-01-01 00:00"), utc("2027-01-01 00:00")
    assert gaps(sun, start, end) == ()
    assert hours_of(list(shifts_between(sun, start, end)))["cho"] == 392


def test_b5_14_a_holiday_of_a_site_changes_the_person_and_ends_with_the_local_day() -> None:
    site = Site(name="madrid", time_zone="Europe/Madrid", holidays=(Holiday(name="Christmas", month=12, day=25),))
    schedule = Schedule(
        name="payments", time_zone="Europe/Madrid", layers=(layer(),), sites={"ana": site, "ben": site, "cho": site}
    )
    whose = on_call(rota(layer()), utc("2026-12-25 12:00")).person
    assert whose == "cho"
    shifts = list(joined(shifts_between(schedule, utc("2026-12-24 12:00"), utc("2026-12-26 12:00"))))
    assert [(shift.person, shift.start) for shift in shifts] == [
        ("cho", utc("2026-12-24 12:00")), ("dia", utc("2026-12-24 23:00")), ("cho", utc("2026-12-25 23:00")),
    ]  # fmt: skip
    assert shifts[1].because == "replaces cho (Christmas)"


def test_b5_14_half_days_moved_days_and_named_replacements() -> None:
    eve = Holiday(name="Christmas Eve", year=2026, month=12, day=24, start=time(13), end=time(0))
    moved = Holiday(name="Moved", year=2026, month=12, day=28)
    site = Site(name="madrid", time_zone="Europe/Madrid", holidays=(eve, moved))
    here = Schedule(
        name="p", time_zone="Europe/Madrid", layers=(layer("ana"),), cover=("ben", "fay"), sites={"ana": site}
    )
    assert on_call(here, utc("2026-12-24 11:59")).person == "ana"
    assert on_call(here, utc("2026-12-24 11:59")).until == utc("2026-12-24 12:00")
    assert on_call(here, utc("2026-12-24 12:00")).person == "ben"
    assert on_call(here, utc("2026-12-24 23:00")).person == "ana"
    assert on_call(here, utc("2026-12-28 12:00")).person == "ben"
    assert on_call(here, utc("2027-12-24 18:00")).person == "ana"
    assert on_call(here, utc("2026-12-28 12:00"), known=("ana", "fay")).person == "fay"


def test_b5_14_a_holiday_that_everybody_has_leaves_the_pager_where_it_was() -> None:
    site = Site(name="x", time_zone="UTC", holidays=(Holiday(name="New Year", month=1, day=1),))
    all_away = Schedule(name="p", time_zone="UTC", layers=(layer("ana", "ben"),), sites={"ana": site, "ben": site})
    planned = Schedule(name="p", time_zone="UTC", layers=(layer("ana", "ben"),))
    at = utc("2027-01-01 12:00")
    assert on_call(all_away, at).person == on_call(planned, at).person != ""
    assert on_call(all_away, at).until == utc("2027-01-02 00:00")


def test_b5_14_an_override_wins_over_a_holiday() -> None:
    site = Site(name="x", time_zone="UTC", holidays=(Holiday(name="New Year", month=1, day=1),))
    swapped = Schedule(
        name="p", time_zone="UTC", layers=(layer("ana", "ben"),), sites={"ana": site},
        overrides=(cover("ana", "2027-01-01 00:00", "2027-01-02 00:00"),),
    )  # fmt: skip
    assert on_call(swapped, utc("2027-01-01 12:00")).person == "ana"


def test_b5_17_a_shift_is_set_by_the_clock_anew_when_the_rules_of_its_zone_change() -> None:
    madrid = "Europe/Madrid"
    # published when the rules had summer time in December: an hour too early by the rules that are known now
    shift = Published(
        person="ana", start=utc("2026-12-07 07:00"), end=utc("2026-12-14 07:00"), layer="primary", time_zone=madrid
    )
    walls = ("2026-12-07T09:00:00", "2026-12-14T09:00:00")
    moved = on_time(shift, *walls, utc("2026-11-24 12:00"))
    assert (moved.start, moved.end) == (utc("2026-12-07 08:00"), utc("2026-12-14 08:00"))
    assert on_time(moved, *walls, utc("2026-11-24 12:00")) == moved
    begun = on_time(shift, *walls, utc("2026-12-08 12:00"))
    assert (begun.start, begun.end) == (shift.start, utc("2026-12-14 08:00"))
    assert on_time(shift, *walls, utc("2027-01-01 00:00")) == shift


@pytest.mark.parametrize("text", ["2026-10-25 00:30", "2026-10-25 01:30", "2026-03-29 01:00", "2026-07-01 12:00"])
def test_b5_17_what_the_clock_on_the_wall_shows_leads_back_to_its_instant(text: str) -> None:
    for zone in ZONES:
        assert instant_of(wall_of(utc(text), zone), zone) == utc(text)


def test_b5_18_a_yearly_leap_day_is_a_holiday_only_in_the_years_that_have_one() -> None:
    site = Site(name="x", time_zone="UTC", holidays=(Holiday(name="Leap Day", month=2, day=29),))
    schedule = Schedule(name="p", time_zone="UTC", layers=(layer("ana"),), cover=("ben",), sites={"ana": site})
    assert [on_call(schedule, utc(f"{year}-02-28 12:00")).person for year in (2027, 2028)] == ["ana", "ana"]
    assert on_call(schedule, utc("2027-03-01 12:00")).person == "ana"
    assert on_call(schedule, utc("2028-02-29 12:00")).person == "ben"


@pytest.mark.parametrize("weekday", range(7))
def test_b5_18_a_week_begins_on_whatever_day_it_is_told_to(weekday: int) -> None:
    shifts = list(shifts_between(rota(layer(weekday=weekday)), utc("2026-01-20 00:00"), utc("2026-03-20 00:00")))
    assert {shift.start.astimezone(ZoneInfo("Europe/Madrid")).weekday() for shift in shifts[1:]} == {weekday}


def test_b5_18_a_turn_longer_than_the_look_at_it_is_one_shift() -> None:
    long = rota(layer("ana", "ben", days=364))
    assert [s.person for s in shifts_between(long, utc("2026-02-01 00:00"), utc("2026-03-01 00:00"))] == ["ana"]
    assert on_call(long, utc("2026-02-01 00:00")).until == utc("2027-01-04 08:00")


def test_b5_18_of_overlapping_overrides_the_one_created_last_wins_and_the_conflict_shows() -> None:
    first = Override(person="ben", start=utc("2026-01-06 00:00"), end=utc("2026-01-08 00:00"), id=4)
    second = Override(person="cho", start=utc("2026-01-07 00:00"), end=utc("2026-01-09 00:00"), id=5)
    schedule = rota(layer(), overrides=(first, second))
    assert on_call(schedule, utc("2026-01-07 12:00")).person == "cho"
    assert overlapping(schedule, utc("2026-01-07 00:00"), utc("2026-01-07 06:00")) == (first, second)
    assert overlapping(schedule, utc("2026-01-09 00:00"), utc("2026-01-10 00:00")) == ()


def test_b5_18_hours_and_overrides_of_no_length_and_across_a_handoff_leave_no_gap() -> None:
    none = cover("eli", "2026-01-12 08:00", "2026-01-12 08:00")
    across = cover("fay", "2026-01-11 20:00", "2026-01-12 20:00")
    shifts = list(
        joined(
            shifts_between(rota(layer(), overrides=(none, across)), utc("2026-01-11 00:00"), utc("2026-01-13 00:00"))
        )
    )
    assert [shift.person for shift in shifts] == ["ana", "fay", "ben"]


def test_b5_21_a_rotation_with_nobody_now_turns_to_its_fallback_and_then_to_the_team_at_once() -> None:
    at = utc("2026-01-06 03:00")
    office = on_duty("office", "Europe/Madrid", "08:00", "20:00", "ana", "ben")
    assert on_call(rota(office), at).person == ""
    fallback = roster(rota(office, fallback=Target(person="fay")), pay=("ana", "ben", "cho"))
    assert handles(resolve(Target(on_call="payments"), fallback, at)) == ("fay",)
    team = roster(rota(office), pay=("ana", "ben", "cho"), all=CAST)
    assert handles(resolve(Target(on_call="payments"), team, at)) == ("ana", "ben", "cho")
    assert handles(resolve(Target(on_call="payments"), roster(rota(office)), at)) == CAST


# --- turns of hours, layers and their priority ----------------------------------------------------------------------


def test_a_day_is_split_into_turns_of_twelve_hours() -> None:
    half = Layer(
        name="half", people=("ana", "ben"), turn=timedelta(hours=12), handoff_weekday=None, handoff_time=time(8),
        start=date(2026, 1, 5),
    )  # fmt: skip
    shifts = list(shifts_between(rota(half), utc("2026-03-28 19:00"), utc("2026-03-30 19:00")))
    madrid = ZoneInfo("Europe/Madrid")
    assert [f"{shift.start.astimezone(madrid):%H:%M} {shift.person}" for shift in shifts] == [
        "20:00 ben", "08:00 ana", "20:00 ben", "08:00 ana", "20:00 ben",
    ]  # fmt: skip
    assert [(s.end - s.start) // timedelta(hours=1) for s in shifts[:2]] == [11, 12]  # the spring night is short


def test_hourly_turns_go_on_through_both_changes_of_the_clock() -> None:
    hourly = Layer(
        name="hourly", people=CAST, turn=timedelta(hours=1), handoff_weekday=None, handoff_time=time(0),
        start=date(2026, 1, 5),
    )  # fmt: skip
    for night in ("2026-03-28", "2026-10-24"):
        start = utc(f"{night} 20:00")
        shifts = list(shifts_between(rota(hourly), start, start + timedelta(hours=14)))
        assert [shift.end for shift in shifts[:-1]] == [shift.start for shift in shifts[1:]]
        assert all(shift.person and shift.end > shift.start for shift in shifts)


def test_the_first_layer_on_duty_has_the_pager_and_the_others_the_rest() -> None:
    weekend = on_duty("weekend", "Europe/Madrid", "00:00", "00:00", "eli", days=(5, 6))
    shifts = list(joined(shifts_between(rota(weekend, layer()), utc("2026-01-09 12:00"), utc("2026-01-13 00:00"))))
    assert [(shift.person, shift.start) for shift in shifts] == [
        ("ana", utc("2026-01-09 12:00")), ("eli", utc("2026-01-09 23:00")), ("ana", utc("2026-01-11 23:00")),
        ("ben", utc("2026-01-12 08:00")),
    ]  # fmt: skip


def test_the_turn_before_is_of_the_layer_on_duty() -> None:
    sun = rota(
        on_duty("london", LONDON, "08:00", "20:00", "ana", "ben"),
        on_duty("sydney", SYDNEY, "06:00", "22:00", "cho", "dia"),
    )
    assert {on_call(sun, utc("2026-07-01 12:00")).person, previous(sun, utc("2026-07-01 12:00"))} == {"ana", "ben"}
    assert {on_call(sun, utc("2026-07-01 21:00")).person, previous(sun, utc("2026-07-01 21:00"))} == {"cho", "dia"}


def test_whoever_left_has_no_pager_by_override_shift_or_turn() -> None:
    shift = Published(
        person="gone", start=utc("2026-01-05 08:00"), end=utc("2026-01-12 08:00"), layer="primary", time_zone="UTC"
    )
    schedule = Schedule(
        name="payments", time_zone="Europe/Madrid", layers=(layer("gone", "ana"), layer("ben")), published=(shift,),
        overrides=(cover("gone", "2026-01-05 00:00", "2026-02-05 00:00"),),
    )  # fmt: skip
    there = roster(schedule)
    for week in range(4):
        at = utc("2026-01-06 12:00") + timedelta(weeks=week)
        found = handles(resolve(Target(on_call="payments"), there, at))
        assert found == (("ben",) if week % 2 == 0 else ("ana",))
        assert previous(schedule, at, known=there.people) != "gone"


# --- published shifts -----------------------------------------------------------------------------------------------


def published(of: Schedule, until: str = "2026-02-02 12:00") -> tuple[Published, ...]:
    return tuple(to_publish(of, utc("2026-01-05 12:00"), utc(until)))


def test_an_edit_of_the_file_does_not_change_a_published_shift() -> None:
    before = rota(layer())
    shifts = published(before)
    edited = Schedule(
        name="payments", time_zone="Europe/Madrid", layers=(layer("gil", *reversed(CAST)),), published=shifts
    )
    horizon = shifts[-1].end
    assert horizon == utc("2026-02-09 08:00")  # the shift at the horizon is published whole
    at = utc("2026-01-05 12:00")
    while at < horizon:
        assert on_call(edited, at).person == on_call(before, at).person
        at += timedelta(hours=5)
    assert on_call(edited, horizon).person == on_call(rota(layer("gil", *reversed(CAST))), horizon).person


def test_an_override_wins_over_a_published_shift_and_the_turn_before_is_as_it_was_published() -> None:
    shifts = published(rota(layer()))
    edited = Schedule(
        name="payments", time_zone="Europe/Madrid", layers=(layer("fay", "eli"),), published=shifts,
        overrides=(cover("dia", "2026-01-13 00:00", "2026-01-14 00:00"),),
    )  # fmt: skip
    assert on_call(edited, utc("2026-01-13 12:00")).person == "dia"
    assert previous(edited, utc("2026-01-15 12:00")) == "ana"


def test_a_published_row_with_a_hole_is_filled_by_the_layers() -> None:
    first, _, *rest = published(rota(layer()))
    holed = Schedule(name="p", time_zone="Europe/Madrid", layers=(layer("eli"),), published=(first, *rest))
    assert on_call(holed, utc("2026-01-13 12:00")).person == "eli"
    assert on_call(holed, utc("2026-01-13 12:00")).until == rest[0].start
    assert gaps(holed, utc("2026-01-05 12:00"), utc("2026-03-01 00:00")) == ()


def test_a_schedule_of_nobody_publishes_nothing() -> None:
    assert list(to_publish(rota(), utc("2026-01-05 12:00"), utc("2026-02-05 12:00"))) == []


# --- shadows, reports -----------------------------------------------------------------------------------------------


def test_a_shadow_is_there_while_it_lasts_and_only_beside_whom_it_is_meant_for() -> None:
    start, end = utc("2026-01-05 00:00"), utc("2026-01-20 00:00")
    everyone, of_ben = (
        Shadow(person="fay", start=start, end=end),
        Shadow(person="eli", start=start, end=end, of="ben", reverse=True),
    )
    schedule = Schedule(name="p", time_zone="UTC", layers=(layer(),), shadows=(everyone, of_ben))
    assert shadows(schedule, utc("2026-01-06 12:00")) == (everyone,)
    assert shadows(schedule, utc("2026-01-13 12:00")) == (everyone, of_ben)
    assert shadows(schedule, utc("2026-01-13 12:00"), known=("eli", "ben")) == (of_ben,)
    assert shadows(schedule, utc("2026-01-21 12:00")) == ()
    alone = Schedule(name="p", time_zone="UTC", layers=(layer("fay"),), shadows=(everyone,))
    assert shadows(alone, utc("2026-01-06 12:00")) == ()


def test_fairness_adds_up_to_the_time_that_passed_with_nights_and_weekends_by_each_ones_clock() -> None:
    people = {handle: Person(handle=handle, name=handle, time_zone="Europe/Madrid") for handle in CAST}
    start, end = utc("2026-01-05 08:00"), utc("2026-02-16 08:00")
    loads = fairness(joined(shifts_between(rota(layer()), start, end)), people)
    assert {load.person for load in loads} == set(CAST)
    assert sum((load.on_call for load in loads), timedelta(0)) == end - start
    for load in loads:
        assert load.on_call == timedelta(weeks=1)
        assert load.nights == timedelta(hours=70)
        assert load.weekends == timedelta(hours=48)
        assert load.shifts == 1


def test_fairness_counts_nights_where_the_person_lives() -> None:
    shift = Shift(person="ana", start=utc("2026-07-01 22:00"), end=utc("2026-07-02 06:00"))
    far = {"ana": Person(handle="ana", name="Ana", time_zone="Australia/Sydney")}  # 08:00 to 16:00 there
    assert fairness([shift], far)[0].nights == timedelta(0)
    assert fairness([shift], {})[0].nights == timedelta(hours=8)


def test_partners_are_the_other_schedules_of_the_same_policy() -> None:
    paged = (("payments", ("payments", "backup")), ("platform", ("platform",)), ("all", ("platform", "payments")))
    assert partners(paged, "payments") == [("payments", "backup"), ("all", "platform")]
    assert partners(paged, "lonely") == []


# --- every minute of every change of the clock ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ZONES)
def test_hours_of_duty_begin_at_the_first_and_end_at_the_last_of_two_times_in_every_zone(name: str) -> None:
    zone = ZoneInfo(name)
    for number, jump in enumerate(jumps(zone)):
        if not LONG and number % 5:
            continue
        minutes = [jump + count * MINUTE for count in range(-8 * 60, 8 * 60)]
        walls = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
        reached = list(accumulate(walls, max))
        last_shown = dict(zip(walls, minutes, strict=True))

        def first(wall: datetime, minutes: list[datetime] = minutes, reached: list[datetime] = reached) -> datetime:
            """Look for the first minute at which the clock on the wall has come so far."""
            at = bisect_left(reached, wall)
            return minutes[at] if at < len(minutes) else minutes[-1] + timedelta(days=1)

        for start in range(0, 211, 15 if LONG else 70):
            opens, closes = time(start // 60, start % 60), time((start + 45) // 60, (start + 45) % 60)
            hours = on_duty("few", name, f"{opens:%H:%M}", f"{closes:%H:%M}", "ana", turn=1)
            schedule = rota(hours, layer("ben", days=1, weekday=None, start="2024-12-01"), zone=name)
            shifts = list(shifts_between(schedule, minutes[0], minutes[-1] + MINUTE))
            assert [shift.end for shift in shifts[:-1]] == [shift.start for shift in shifts[1:]]
            windows = [
                (first(datetime.combine(day, opens)), last_shown.get(end := datetime.combine(day, closes), first(end)))
                for day in sorted({wall.date() for wall in walls})
            ]
            whose = iter(shifts)
            shift = next(whose)
            for minute in minutes:
                while minute >= shift.end:
                    shift = next(whose)
                inside = any(start <= minute < end for start, end in windows)
                assert shift.person == ("ana" if inside else "ben"), (name, opens, minute)


@pytest.mark.parametrize("name", ZONES)
def test_published_shifts_turns_of_hours_and_overrides_leave_exactly_one_in_every_minute(name: str) -> None:
    zone = ZoneInfo(name)
    for number, jump in enumerate(jumps(zone)):
        if not LONG and number % 5:
            continue
        for hours in (1, 5, 8, 12, 36):
            turns = Layer(
                name="turns", people=("ana", "ben", "cho"), turn=timedelta(hours=hours), handoff_weekday=None,
                handoff_time=time(number % 4, 30), start=date(2024, 12, 1),
            )  # fmt: skip
            start, end = jump - timedelta(hours=20), jump + timedelta(hours=20)
            plan = rota(turns, zone=name)
            held = Schedule(
                name="p", time_zone=name, layers=(layer("dia", days=1, weekday=None, start="2024-12-01"),),
                published=tuple(to_publish(plan, start, jump)),
                overrides=(Override(person="eli", start=jump - 7 * MINUTE, end=jump + 11 * MINUTE),),
            )  # fmt: skip
            for schedule in (plan, held):
                shifts = list(shifts_between(schedule, start, end))
                assert (shifts[0].start, shifts[-1].end) == (start, end)
                assert [shift.end for shift in shifts[:-1]] == [shift.start for shift in shifts[1:]]
                assert all(shift.person and shift.end > shift.start for shift in shifts)
            for minute in range(-30, 30, 1 if LONG else 13):
                at = jump + minute * MINUTE
                expected = "eli" if -7 <= minute < 11 else on_call(plan, at).person if minute < 0 else None
                assert expected in (None, on_call(held, at).person)


def test_nobody_for_ever_is_said_once() -> None:
    assert gaps(rota(), utc("2026-01-01 00:00"), utc("2027-01-01 00:00")) == (
        Shift(
            person="", start=utc("2026-01-01 00:00"), end=utc("2027-01-01 00:00"),
            because="no override and no layer names anybody",
        ),
    )  # fmt: skip
    assert on_call(rota(), utc("2026-01-01 00:00")).until == FOREVER


def test_the_smallest_team_that_has_all_of_a_schedule_is_its_team() -> None:
    teams = {
        "big": Team(name="big", people=CAST), "small": Team(name="small", people=("ana", "ben")),
        "half": Team(name="half", people=("ana",)),
    }  # fmt: skip
    there = Roster(
        people={handle: Person(handle=handle, name=handle) for handle in CAST}, teams=teams,
        schedules={"payments": rota(layer("ana", "ben", start="2027-01-01"))},
    )  # fmt: skip
    assert handles(resolve(Target(on_call="payments"), there, utc("2026-01-06 12:00"))) == ("ana", "ben")
