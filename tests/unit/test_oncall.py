"""Who is on call: rotations in wall-clock time, overrides, fallbacks, and nobody never."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from incidentd.oncall import (
    FOREVER,
    Layer,
    Override,
    Person,
    Roster,
    Schedule,
    Target,
    Team,
    first_instant,
    on_call,
    previous,
    resolve,
    shifts_between,
)

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
CAST = ("ana", "ben", "cho", "dia", "eli", "fay")
MINUTE = timedelta(minutes=1)
# Jumps at midnight, at 02:00, at 02:45, by half an hour, four times a year, and on the hour before midnight.
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Europe/London",
    "Europe/Madrid",
    "Pacific/Chatham",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def layer(*people: str, days: int = 7, weekday: int | None = 0, at: str = "09:00", start: str = "2026-01-05") -> Layer:
    return Layer(
        name="primary", people=people or CAST, turn=timedelta(days=days), handoff_weekday=weekday,
        handoff_time=time.fromisoformat(at), start=date.fromisoformat(start),
    )  # fmt: skip


def rota(
    *layers: Layer, zone: str = "Europe/Madrid", overrides: tuple[Override, ...] = (), fallback: Target | None = None
) -> Schedule:
    return Schedule(name="payments", time_zone=zone, layers=layers, overrides=overrides, fallback=fallback)


def cover(person: str, start: str, end: str, because: str = "") -> Override:
    return Override(person=person, start=utc(start), end=utc(end), because=because)


def roster(*schedules: Schedule, people: tuple[str, ...] = CAST, **teams: tuple[str, ...]) -> Roster:
    return Roster(
        people={handle: Person(handle=handle, name=handle.title()) for handle in people},
        teams={name: Team(name=name, people=members) for name, members in teams.items()},
        schedules={schedule.name: schedule for schedule in schedules},
    )


def handles(people: tuple[Person, ...]) -> tuple[str, ...]:
    return tuple(person.handle for person in people)


# --- the rotation ---------------------------------------------------------------------------------------------------


def test_people_take_turns_in_the_order_of_the_file() -> None:
    weeks = [on_call(rota(layer()), utc("2026-01-05 12:00") + timedelta(weeks=week)).person for week in range(8)]
    assert weeks == [*CAST, "ana", "ben"]


def test_the_pager_changes_hands_at_the_handoff_and_not_a_second_before() -> None:
    schedule = rota(layer())
    assert on_call(schedule, utc("2026-01-12 07:59:59")).person == "ana"
    assert on_call(schedule, utc("2026-01-12 08:00:00")).person == "ben"
    assert on_call(schedule, utc("2026-01-11 08:00")).until == utc("2026-01-12 08:00")


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Lord_Howe"])
def test_monday_nine_o_clock_stays_nine_o_clock_all_year(zone: str) -> None:
    shifts = list(shifts_between(rota(layer(), zone=zone), utc("2026-01-05 14:00"), utc("2027-01-05 14:00")))
    local = {f"{shift.start.astimezone(ZoneInfo(zone)):%a %H:%M}" for shift in shifts[1:]}
    assert len(shifts) == 53
    assert local == {"Mon 09:00"}


def test_the_first_turn_begins_at_the_first_handoff_on_or_after_the_start_day() -> None:
    schedule = rota(layer(start="2026-01-07"))
    assert on_call(schedule, utc("2026-01-12 07:59")).person == ""
    assert on_call(schedule, utc("2026-01-12 07:59")).until == utc("2026-01-12 08:00")
    assert on_call(schedule, utc("2026-01-12 08:00")).person == "ana"


def test_a_layer_that_has_not_begun_leaves_the_pager_to_the_next_one() -> None:
    schedule = rota(layer("eli", start="2026-06-01"), layer("ana", "ben"))
    assert on_call(schedule, utc("2026-05-31 12:00")).person in {"ana", "ben"}
    assert on_call(schedule, utc("2026-06-01 07:00")).person == "eli"
    assert on_call(schedule, utc("2026-05-31 12:00")).until == utc("2026-06-01 07:00")


def test_a_layer_without_people_is_passed_over() -> None:
    empty = Layer(
        name="empty", people=(), turn=timedelta(days=7), handoff_weekday=0, handoff_time=time(9), start=date(2026, 1, 5)
    )
    assert on_call(rota(empty, layer("cho")), utc("2026-02-01 12:00")).person == "cho"


def test_a_schedule_without_anybody_says_so_for_ever() -> None:
    duty = on_call(rota(), utc("2026-02-01 12:00"))
    assert (duty.person, duty.until) == ("", FOREVER)
    assert "nobody" not in duty.because
    assert "no layer" in duty.because
    assert duty.until.astimezone(ZoneInfo("Pacific/Kiritimati")).year == 9999


# --- overrides ------------------------------------------------------------------------------------------------------


def test_an_override_has_the_pager_from_its_start_to_its_end() -> None:
    schedule = rota(layer(), overrides=(cover("ben", "2026-01-06 10:00", "2026-01-07 10:00", "swap with ana"),))
    assert on_call(schedule, utc("2026-01-06 09:59")).person == "ana"
    assert on_call(schedule, utc("2026-01-06 09:59")).until == utc("2026-01-06 10:00")
    duty = on_call(schedule, utc("2026-01-06 10:00"))
    assert (duty.person, duty.until, duty.because) == ("ben", utc("2026-01-07 10:00"), "override (swap with ana)")
    assert on_call(schedule, utc("2026-01-07 10:00")).person == "ana"


def test_of_overlapping_overrides_the_last_in_the_file_wins() -> None:
    long, short = (
        cover("ben", "2026-01-06 10:00", "2026-01-08 10:00"),
        cover("cho", "2026-01-07 00:00", "2026-01-07 12:00"),
    )
    shifts = shifts_between(rota(layer(), overrides=(long, short)), utc("2026-01-06 00:00"), utc("2026-01-09 00:00"))
    assert [shift.person for shift in shifts] == ["ana", "ben", "cho", "ben", "ana"]


def test_an_override_goes_on_across_a_handoff() -> None:
    schedule = rota(layer(), overrides=(cover("eli", "2026-01-11 00:00", "2026-01-13 00:00"),))
    assert on_call(schedule, utc("2026-01-12 08:00")).person == "eli"
    assert on_call(schedule, utc("2026-01-13 00:00")).person == "ben"


def test_an_override_of_no_length_changes_nothing() -> None:
    schedule = rota(layer(), overrides=(cover("eli", "2026-01-06 10:00", "2026-01-06 10:00"),))
    assert on_call(schedule, utc("2026-01-06 10:00")).person == "ana"


# --- the turn before ------------------------------------------------------------------------------------------------


def test_the_one_of_the_turn_before_had_the_pager_last_week() -> None:
    schedule = rota(layer())
    assert previous(schedule, utc("2026-01-13 12:00")) == "ana"
    assert previous(schedule, utc("2026-01-06 12:00")) == "fay"


def test_the_turn_before_skips_whoever_has_the_pager_now() -> None:
    schedule = rota(layer(), overrides=(cover("ana", "2026-01-12 00:00", "2026-01-14 00:00"),))
    assert previous(schedule, utc("2026-01-13 12:00")) == "fay"


def test_the_turn_before_never_names_the_one_who_is_covered() -> None:
    schedule = rota(layer("ana", "fay"), overrides=(cover("fay", "2026-01-06 00:00", "2026-01-07 00:00"),))
    assert previous(schedule, utc("2026-01-06 12:00")) == ""
    twice = rota(layer("ana", "ben", "ana"), overrides=(cover("cho", "2026-01-06 00:00", "2026-01-07 00:00"),))
    assert previous(twice, utc("2026-01-06 12:00")) == "ben"


def test_a_person_alone_has_no_turn_before() -> None:
    assert previous(rota(layer("ana")), utc("2026-01-06 12:00")) == ""
    assert previous(rota(layer("ana", "ana", "ben")), utc("2026-01-13 12:00")) == "ben"


# --- finding people -------------------------------------------------------------------------------------------------


def test_a_target_finds_the_person_on_call() -> None:
    assert handles(resolve(Target(on_call="payments"), roster(rota(layer())), utc("2026-01-06 12:00"))) == ("ana",)


def test_a_target_finds_the_person_of_the_turn_before() -> None:
    target = Target(on_call="payments", previous=True)
    assert handles(resolve(target, roster(rota(layer())), utc("2026-01-06 12:00"))) == ("fay",)


def test_a_team_is_all_of_its_people() -> None:
    assert handles(resolve(Target(team="pay"), roster(pay=("ben", "cho")), utc("2026-01-06 12:00"))) == ("ben", "cho")


def test_a_star_is_everybody() -> None:
    assert handles(resolve(Target(team="*"), roster(), utc("2026-01-06 12:00"))) == CAST


def test_a_channel_is_no_person() -> None:
    assert resolve(Target(channel="ops-chat"), roster(), utc("2026-01-06 12:00")) == ()


def test_a_schedule_with_nobody_falls_back_to_its_team() -> None:
    found = resolve(
        Target(on_call="payments"), roster(rota(fallback=Target(team="pay")), pay=("dia",)), utc("2026-01-06 12:00")
    )
    assert handles(found) == ("dia",)


def test_an_override_by_somebody_who_left_leaves_the_pager_with_the_layer() -> None:
    schedule = rota(layer(), overrides=(cover("gone", "2026-01-06 00:00", "2026-01-07 00:00"),))
    assert handles(resolve(Target(on_call="payments"), roster(schedule), utc("2026-01-06 12:00"))) == ("ana",)


@pytest.mark.parametrize(
    "target",
    [
        Target(on_call="unknown"),
        Target(on_call="payments"),
        Target(on_call="payments", previous=True),
        Target(team="unknown"),
        Target(team="empty"),
        Target(team="left"),
        Target(person="gone"),
    ],
    ids=str,
)
def test_what_names_nobody_finds_everybody(target: Target) -> None:
    assert handles(resolve(target, roster(rota(), empty=(), left=("gone",)), utc("2026-01-06 12:00"))) == CAST


def test_schedules_that_fall_back_to_each_other_find_everybody() -> None:
    one = Schedule(name="one", time_zone="UTC", layers=(), fallback=Target(on_call="two"))
    two = Schedule(name="two", time_zone="UTC", layers=(), fallback=Target(on_call="one"))
    assert handles(resolve(Target(on_call="one"), roster(one, two), utc("2026-01-06 12:00"))) == CAST


def test_only_an_empty_roster_finds_nobody() -> None:
    assert resolve(Target(on_call="payments"), Roster(), utc("2026-01-06 12:00")) == ()


# --- nights on which the clock is changed ---------------------------------------------------------------------------


def test_a_time_that_does_not_exist_is_the_first_instant_after_it() -> None:
    madrid, chatham = ZoneInfo("Europe/Madrid"), ZoneInfo("Pacific/Chatham")
    assert first_instant(date(2026, 3, 29), time(2, 30), madrid) == utc("2026-03-29 01:00")
    assert first_instant(date(2026, 3, 29), time(3, 0), madrid) == utc("2026-03-29 01:00")
    assert first_instant(date(2026, 9, 27), time(3, 44, 59), chatham) == utc("2026-09-26 14:00")


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    assert first_instant(date(2026, 10, 25), time(2, 30), ZoneInfo("Europe/Madrid")) == utc("2026-10-25 00:30")


def test_a_clock_set_back_across_midnight_gives_the_pager_to_nobody_twice() -> None:
    # St. John's, 2010: at 00:01 on the 7th it was 23:01 on the 6th again, so the 7th began twice
    schedule = rota(layer("ana", "ben", days=1, weekday=None, at="00:00", start="2010-11-06"), zone="America/St_Johns")
    shifts = list(shifts_between(schedule, utc("2010-11-06 12:00"), utc("2010-11-08 12:00")))
    assert [(shift.person, shift.end) for shift in shifts] == [
        ("ana", utc("2010-11-07 02:30")),
        ("ben", utc("2010-11-08 03:30")),
        ("ana", utc("2010-11-08 12:00")),
    ]
    assert on_call(schedule, utc("2010-11-07 03:00")).person == "ben"


def test_a_day_that_a_zone_skipped_has_its_handoffs_when_the_next_day_begins() -> None:
    schedule = rota(layer(days=1, weekday=None, start="2011-12-01"), zone="Pacific/Apia")  # 2011-12-30 never came
    shifts = list(shifts_between(schedule, utc("2011-12-29 20:00"), utc("2012-01-01 12:00")))
    assert [(shift.person, shift.start) for shift in shifts[1:]] == [
        ("fay", utc("2011-12-30 10:00")),
        ("ana", utc("2011-12-30 19:00")),
        ("ben", utc("2011-12-31 19:00")),
    ]


def jumps(zone: ZoneInfo) -> Iterator[datetime]:
    """Find the instants, to the minute, at which a zone's offset changes from 2025 to 2035."""
    day = utc("2025-01-01 00:00")
    while day < utc("2036-01-01 00:00"):
        low, high = day, day + timedelta(days=1)
        day = high
        if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            continue
        before = low.astimezone(zone).utcoffset()
        while high - low > MINUTE:
            middle = low + (high - low) // (2 * MINUTE) * MINUTE
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
        yield high


def walls(zone: ZoneInfo, around: datetime) -> list[tuple[datetime, datetime]]:
    """List each minute of a night with the latest wall-clock time that was seen up to it."""
    minutes = []
    latest = (around - timedelta(hours=9)).astimezone(zone).replace(tzinfo=None)
    for number in range(-8 * 60, 8 * 60):
        minute = around + number * MINUTE
        latest = max(latest, minute.astimezone(zone).replace(tzinfo=None))
        minutes.append((minute, latest))
    return minutes


@pytest.mark.parametrize("name", ZONES)
def test_every_minute_of_every_clock_change_has_exactly_the_one_person_on_call(name: str) -> None:
    zone = ZoneInfo(name)
    nights = [walls(zone, jump) for jump in jumps(zone)]
    assert len(nights) >= 20
    for minute_of_day in range(0, 211, 5 if LONG else 15):
        handoff = time(minute_of_day // 60, minute_of_day % 60)
        turns = layer("ana", "ben", "cho", days=1, weekday=None, at=f"{handoff:%H:%M}", start="2024-12-01")
        schedule = rota(turns, zone=name)
        first = datetime.combine(date(2024, 12, 1), handoff)
        for night in nights:
            shifts = list(shifts_between(schedule, night[0][0], night[-1][0] + MINUTE))
            assert [shift.end for shift in shifts[:-1]] == [shift.start for shift in shifts[1:]]
            assert (shifts[0].start, shifts[-1].end) == (night[0][0], night[-1][0] + MINUTE)
            check = iter(shifts)
            shift = next(check)
            for count, (minute, wall) in enumerate(night):
                if minute >= shift.end:
                    shift = next(check)
                expected = ("ana", "ben", "cho")[(wall - first).days % 3]
                assert shift.person == expected, (name, handoff, minute)
                if LONG or count % 97 == 0:
                    assert on_call(schedule, minute).person == expected, (name, handoff, minute)
