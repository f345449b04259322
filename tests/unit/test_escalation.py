"""Whom to page next, and when: steps, downtimes, people and channels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.escalation import (
    LAST_RESORT,
    MOST_LOOPS,
    Step,
    after_lapse,
    begins_at,
    breach_at,
    channels_for,
    choose,
    due,
    is_unstaffed,
    kinds_so_far,
    next_reachable,
    occasion_of,
    reading_along,
    recipients,
    sent_as,
    step_at,
    steps,
    whom,
)
from incidentd.oncall import (
    FOREVER,
    Channel,
    ChannelKind,
    Layer,
    Override,
    Person,
    Roster,
    Schedule,
    Shadow,
    Target,
    Team,
)
from incidentd.pages import (
    Chain,
    Exhausted,
    Level,
    Occasion,
    Page,
    PageState,
    QuietHours,
    answers_count,
    lapse,
)
from incidentd.redaction import Secret

PUSH, SMS, CALL, MAIL, CHAT = ChannelKind.PUSH, ChannelKind.SMS, ChannelKind.CALL, ChannelKind.MAIL, ChannelKind.CHAT
FIVE, THIRTY = timedelta(minutes=5), timedelta(minutes=30)
START = datetime(2026, 1, 6, 12, 0, tzinfo=UTC)  # a Tuesday in the first week of the rotation
NOW, BEFORE, TEAM = Target(on_call="payments"), Target(on_call="payments", previous=True), Target(team="payments")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


BUSINESS_CRITICAL = Chain(
    levels=(
        Level(
            after=minutes(0), page=NOW,
            by=((minutes(0), (PUSH, CHAT, MAIL)), (minutes(1), (SMS,)), (minutes(2), (CALL,)), (minutes(3), (CALL,))),
        ),
        Level(after=minutes(5), page=BEFORE, by=((minutes(0), (PUSH, SMS)),)),
        Level(after=minutes(10), page=TEAM),
    ),
    loops=3, exhausted=Exhausted(page=TEAM, every=FIVE),
)  # fmt: skip
URGENT = Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=minutes(30), page=BEFORE)), loops=3)


def page(
    chain: Chain = BUSINESS_CRITICAL, within: timedelta = FIVE, step: int = 0, paged: tuple[str, ...] = ()
) -> Page:
    return Page(
        id=9, subject="INC-12", policy="payments", urgency="business_critical", respond_within=within,
        state=PageState.OPEN, title="checkout is down", started_at=START, chain=chain, step=step, paged=paged,
    )  # fmt: skip


def somebody(handle: str, *kinds: ChannelKind) -> Person:
    channels = tuple(Channel(name=f"{handle}/{kind}", kind=kind, url=Secret(f"json://{handle}")) for kind in kinds)
    return Person(handle=handle, name=handle.title(), channels=channels)


def roster(*overrides: Override, people: tuple[str, ...] = ("ana", "ben", "cho"), fallback: str = "") -> Roster:
    layer = Layer(
        name="primary", people=people, turn=timedelta(weeks=1), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 1, 5),
    )  # fmt: skip
    schedule = Schedule(
        name="payments", time_zone="UTC", layers=(layer,), overrides=overrides,
        fallback=Target(team=fallback) if fallback else None,
    )  # fmt: skip
    return Roster(
        people={name: somebody(name, PUSH, MAIL) for name in ("ana", "ben", "cho", "dia")},
        teams={"payments": Team(name="payments", people=people), "rescue": Team(name="rescue", people=("ana", "dia"))},
        schedules={"payments": schedule},
    )


def handles(people: tuple[Person, ...]) -> list[str]:
    return [person.handle for person in people]


def told(chain: Chain, within: timedelta, number: int) -> list[tuple[float, int, int, bool]]:
    """Say of the first steps: minute, level, loop, and whether it turns to another level."""
    return [(s.at / minutes(1), s.level, s.loop, s.is_escalation) for s in islice(steps(chain, within), number)]


# --- the row of steps -----------------------------------------------------------------------------------------------


def test_a_level_goes_through_its_channels_before_the_next_one_begins() -> None:
    first = list(islice(steps(BUSINESS_CRITICAL, FIVE), 6))
    assert [(step.at / minutes(1), step.kinds) for step in first] == [
        (0, (PUSH, CHAT, MAIL)), (1, (SMS,)), (2, (CALL,)), (3, (CALL,)), (5, (PUSH, SMS)), (10, ()),
    ]  # fmt: skip
    assert [step.target for step in first[3:]] == [NOW, BEFORE, TEAM]


def test_the_channels_used_so_far_are_those_of_the_steps_taken() -> None:
    started = page(BUSINESS_CRITICAL, FIVE)
    assert kinds_so_far(replace(started, step=1)) == (PUSH, CHAT, MAIL)
    assert kinds_so_far(replace(started, step=2)) == (PUSH, CHAT, MAIL, SMS)
    no_kinds = page(Chain(levels=(Level(after=timedelta(0), page=NOW),)), FIVE)
    assert kinds_so_far(replace(no_kinds, step=1)) == ()  # every channel there is
    assert kinds_so_far(replace(started, step=10_000)) == ()  # the last resort uses them all


def test_the_loops_go_on_where_the_last_level_would_have_had_its_time() -> None:
    assert told(BUSINESS_CRITICAL, FIVE, 8)[5:] == [(10, 3, 1, True), (15, 1, 2, True), (16, 1, 2, False)]


def test_after_the_last_loop_the_last_resort_is_paged_again_and_again() -> None:
    assert told(BUSINESS_CRITICAL, FIVE, 21)[17:] == [
        (40, 3, 3, True),
        (45, 4, 1, True),
        (50, 4, 2, False),
        (55, 4, 3, False),
    ]


def test_a_chain_that_names_no_last_resort_ends_with_everybody_every_fifteen_minutes() -> None:
    assert told(URGENT, THIRTY, 8)[5:] == [(150, 2, 3, True), (180, 3, 1, True), (195, 3, 2, False)]
    assert step_at(URGENT, THIRTY, 6).target == LAST_RESORT.page == Target(team="*")


def test_a_chain_of_one_level_repeats_after_the_response_time_and_calls_that_no_escalation() -> None:
    one = Chain(levels=(Level(after=minutes(0), page=NOW),), loops=2)
    assert told(one, FIVE, 3) == [(0, 1, 1, False), (5, 1, 2, False), (10, 2, 1, True)]


def test_a_chain_without_levels_pages_everybody_at_once() -> None:
    assert told(Chain(levels=()), FIVE, 2) == [(0, 1, 1, False), (15, 1, 2, False)]


def test_levels_whose_channels_overlap_are_merged_in_order_of_time() -> None:
    slow = Level(after=minutes(0), page=NOW, by=((minutes(12), (CALL,)), (minutes(0), (PUSH,))))
    chain = Chain(levels=(slow, Level(after=minutes(5), page=BEFORE)), loops=2)
    assert told(chain, FIVE, 7) == [
        (0, 1, 1, False), (5, 2, 1, True), (10, 1, 2, True), (12, 1, 1, False), (15, 2, 2, True), (22, 1, 2, False),
        (22, 3, 1, True),
    ]  # fmt: skip


def test_levels_at_the_same_time_still_take_time() -> None:
    chain = Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=minutes(0), page=BEFORE)), loops=2)
    assert [minute for minute, *_ in told(chain, FIVE, 5)] == [0, 0, 5, 5, 10]


def test_a_file_cannot_ask_for_a_flood() -> None:
    chain = Chain(
        levels=(Level(after=minutes(0), page=NOW),), loops=10**9, exhausted=Exhausted(page=TEAM, every=minutes(0))
    )
    assert step_at(chain, timedelta(0), MOST_LOOPS).level == 2
    assert step_at(chain, timedelta(0), 10_000).at == minutes(10_000)


@pytest.mark.parametrize("chain", [BUSINESS_CRITICAL, URGENT, Chain(levels=())], ids=["critical", "urgent", "empty"])
def test_steps_are_numbered_without_a_gap_and_never_go_back_in_time(chain: Chain) -> None:
    row = list(islice(steps(chain, FIVE), 500))
    assert [step.number for step in row] == list(range(500))
    assert all(one.at <= other.at for one, other in pairwise(row))
    assert row[499] == step_at(chain, FIVE, 499)


short = st.integers(0, 40).map(minutes)
parts = st.lists(
    st.tuples(short, st.sampled_from([(PUSH,), (SMS, CALL), ()])), max_size=3, unique_by=lambda part: part[0]
)
levels = st.builds(Level, after=short, page=st.sampled_from([NOW, BEFORE, TEAM]), by=parts.map(tuple))
chains = st.builds(
    Chain, levels=st.lists(levels, max_size=4).map(lambda found: tuple(sorted(found, key=lambda level: level.after))),
    loops=st.integers(0, 5), exhausted=st.one_of(st.none(), st.builds(Exhausted, page=st.just(TEAM), every=short)),
)  # fmt: skip


@given(chain=chains, within=short, look_at=st.lists(st.integers(0, 3000).map(minutes), max_size=6).map(sorted))
def test_whatever_the_chain_and_the_downtimes_time_goes_forward_and_no_step_comes_twice(
    chain: Chain, within: timedelta, look_at: list[timedelta]
) -> None:
    assert all(one.at <= other.at for one, other in pairwise(islice(steps(chain, within), 60)))
    current, last = page(chain, within), -1
    for elapsed in look_at:
        found, next_at = due(current, START + elapsed)
        numbers = [step.number for step in found]
        assert numbers == sorted(numbers)
        assert all(number > last for number in numbers)
        assert len(found) <= 4
        last = numbers[-1] if numbers else last
        assert next_at == START + step_at(chain, within, last + 1).at > START + elapsed
        current = replace(current, step=last + 1)


# --- what is due ----------------------------------------------------------------------------------------------------


def test_the_first_step_is_due_when_the_page_starts() -> None:
    found, next_at = due(page(), START)
    assert [step.number for step in found] == [0]
    assert next_at == START + minutes(1)


def test_nothing_is_due_before_its_time() -> None:
    assert due(page(step=4), START + minutes(4.9)) == ((), START + minutes(5))


def test_walking_from_deadline_to_deadline_meets_every_step_once() -> None:
    current, now, seen = page(), START, []
    for _ in range(30):
        found, next_at = due(current, now)
        seen += [step.number for step in found]
        current, now = replace(current, step=found[-1].number + 1), next_at
    assert seen == list(range(30))


def test_after_a_downtime_each_target_is_paged_once_with_all_the_channels_it_missed() -> None:
    found, next_at = due(page(), START + minutes(12))
    assert [(step.number, step.target, step.kinds) for step in found] == [
        (3, NOW, (PUSH, CHAT, MAIL, SMS, CALL)), (4, BEFORE, (PUSH, SMS)), (5, TEAM, ()),
    ]  # fmt: skip
    assert next_at == START + minutes(15)


@pytest.mark.parametrize("down", [timedelta(hours=6), timedelta(days=400)], ids=["six hours", "a year"])
def test_a_long_downtime_is_one_message_for_each_target_however_long_it_was(down: timedelta) -> None:
    found, next_at = due(page(step=1), START + down + minutes(1))
    assert {step.target for step in found} == {NOW, BEFORE, TEAM}
    assert len(found) == 3
    assert found[-1].is_escalation
    assert next_at == START + down + minutes(5)
    assert step_at(BUSINESS_CRITICAL, FIVE, found[-1].number + 1).at == next_at - START


@pytest.mark.parametrize("state", [PageState.ACKED, PageState.RESOLVED])
def test_a_page_that_is_answered_or_over_has_nothing_due(state: PageState) -> None:
    assert due(replace(page(), state=state), START + minutes(60)) == ((), FOREVER)


def test_the_response_time_counts_from_the_start_of_the_page() -> None:
    assert breach_at(page(within=THIRTY)) == START + THIRTY


# --- people ---------------------------------------------------------------------------------------------------------


def opening(chain: Chain, level: int) -> Step:
    return next(step for step in steps(chain, FIVE) if step.level == level)


def test_the_second_level_is_the_one_of_the_turn_before() -> None:
    assert handles(whom(page(), step_at(BUSINESS_CRITICAL, FIVE, 0), roster(), START)) == ["ana"]
    assert handles(whom(page(step=4, paged=("ana",)), opening(BUSINESS_CRITICAL, 2), roster(), START + FIVE)) == ["cho"]


def test_b5_05_a_handoff_in_the_middle_of_a_page_takes_it_from_nobody() -> None:
    started = datetime(2026, 1, 12, 8, 58, tzinfo=UTC)  # ben takes over from ana at 09:00
    current = replace(page(step=3, paged=("ana",)), started_at=started)
    later = started + minutes(3)
    assert handles(whom(current, step_at(BUSINESS_CRITICAL, FIVE, 3), roster(), later)) == ["ana"]
    assert handles(whom(current, step_at(BUSINESS_CRITICAL, FIVE, 6), roster(), later)) == ["ana"]


def test_a_level_that_is_reached_after_a_handoff_finds_the_next_distinct_person() -> None:
    started = datetime(2026, 1, 12, 8, 58, tzinfo=UTC)
    current = replace(page(step=4, paged=("ana",)), started_at=started)
    # the turn before ben's is ana's, who is paged already; the one before hers is cho's
    assert handles(whom(current, opening(BUSINESS_CRITICAL, 2), roster(), started + FIVE)) == ["cho"]


def test_a_page_that_was_late_stays_with_those_whom_it_found_late() -> None:
    started = datetime(2026, 1, 12, 8, 58, tzinfo=UTC)
    late = started + minutes(3)
    first = replace(page(), started_at=started)
    assert handles(whom(first, step_at(BUSINESS_CRITICAL, FIVE, 3), roster(), late)) == ["ben"]
    current = replace(first, step=4, paged=("ben",))
    assert handles(whom(current, step_at(BUSINESS_CRITICAL, FIVE, 6), roster(), late + FIVE)) == ["ben"]


def test_a_replacement_on_a_level_keeps_it_through_every_loop() -> None:
    same = Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=minutes(5), page=NOW)), loops=3)
    current = page(same, step=2, paged=("ana", "cho"))
    assert handles(whom(current, step_at(same, FIVE, 2), roster(), START + minutes(10))) == ["ana"]
    assert handles(whom(current, step_at(same, FIVE, 3), roster(), START + minutes(15))) == ["cho"]


def test_a_level_of_several_people_pages_all_of_them() -> None:
    assert handles(whom(page(step=5, paged=("ana", "cho")), opening(BUSINESS_CRITICAL, 3), roster(), START)) == [
        "ana",
        "ben",
        "cho",
    ]


def test_b5_06_the_same_person_on_two_levels_is_skipped_for_the_next_distinct_one() -> None:
    second = opening(Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=FIVE, page=NOW))), 2)
    assert handles(choose(second, roster(), ("ana",), START)) == ["cho"]
    assert handles(choose(second, roster(), ("ana", "cho"), START)) == ["ben"]


def test_when_the_rotation_has_nobody_else_the_fallback_is_paged() -> None:
    second = opening(Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=FIVE, page=BEFORE))), 2)
    assert handles(choose(second, roster(people=("ana",), fallback="rescue"), ("ana", "dia"), START)) == ["ana", "dia"]
    again = replace(second, target=NOW)
    assert handles(choose(again, roster(people=("ana",), fallback="rescue"), ("ana",), START)) == ["dia"]


def test_when_there_is_nobody_else_at_all_the_same_person_is_paged_again() -> None:
    second = opening(Chain(levels=(Level(after=minutes(0), page=NOW), Level(after=FIVE, page=NOW))), 2)
    assert handles(choose(second, roster(people=("ana",)), ("ana",), START)) == ["ana"]
    named = replace(second, target=Target(person="ana"))
    assert handles(choose(named, roster(), ("ana",), START)) == ["ana"]


def test_another_channel_of_the_same_level_goes_to_the_same_person() -> None:
    assert handles(choose(step_at(BUSINESS_CRITICAL, FIVE, 1), roster(), ("ana",), START + minutes(1))) == ["ana"]


def test_a_whole_team_is_its_people_and_its_lead() -> None:
    known = replace(roster(), teams={"payments": Team(name="payments", people=("ana", "ben"), lead="dia")})
    assert handles(choose(opening(BUSINESS_CRITICAL, 3), known, (), START)) == ["ana", "ben", "dia"]


# --- what moves on at once, comes back, waits -----------------------------------------------------------------------


def test_b5_07_whoever_has_no_channel_that_works_is_passed_over() -> None:
    dead = replace(page(step=1, paged=("ana",)), unreachable=("ana/push", "ana/mail"))
    following = next_reachable(dead, roster(), START)
    assert following is not None
    assert (following.number, following.target) == (4, BEFORE)
    everybody = tuple(f"{handle}/{kind}" for handle in ("ana", "ben", "cho", "dia") for kind in (PUSH, MAIL))
    assert next_reachable(replace(dead, unreachable=everybody), roster(), START) is None


def test_b5_21_a_rotation_that_names_nobody_is_passed_over_unless_it_has_a_fallback() -> None:
    first = opening(BUSINESS_CRITICAL, 1)
    assert is_unstaffed(first, roster(people=()), START)
    assert is_unstaffed(first, Roster(), START)
    assert not is_unstaffed(first, roster(people=(), fallback="rescue"), START)
    assert not is_unstaffed(first, roster(), START)
    assert not is_unstaffed(opening(BUSINESS_CRITICAL, 3), Roster(), START)
    late = roster(people=())
    found = next_reachable(page(), replace(late, teams={"payments": Team(name="payments", people=("dia",))}), START)
    assert found is not None
    assert found.target == TEAM


def test_an_answer_that_expired_calls_whoever_gave_it_and_then_goes_on_as_before() -> None:
    again = lapse(replace(page(step=2, paged=("ana",)), state=PageState.ACKED, owner="ana", acked_by="ana"),
                  after_lapse(BUSINESS_CRITICAL, "ana"), START + minutes(20))  # fmt: skip
    steps_now, following = due(again, START + minutes(20))
    assert [step.target for step in steps_now] == [Target(person="ana")]
    assert following == START + minutes(25)
    sent = recipients(again, steps_now[0], roster(), START + minutes(20))
    assert [it.key for it in sent] == ["PAGE-9/2/ana/push", "PAGE-9/2/ana/mail"]
    assert sent_as(again, 2) == steps_now[0]
    assert occasion_of(again, steps_now[0]) is Occasion.AGAIN


NIGHT = QuietHours(start=time(22), end=time(7), time_zone="Europe/Madrid")


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-01-06T20:59:59+00:00", "2026-01-06T20:59:59+00:00"),
        ("2026-01-06T21:00:00+00:00", "2026-01-07T06:00:00+00:00"),
        ("2026-01-07T05:59:59+00:00", "2026-01-07T06:00:00+00:00"),
        ("2026-01-07T06:00:00+00:00", "2026-01-07T06:00:00+00:00"),
        ("2026-03-28T22:00:00+00:00", "2026-03-29T05:00:00+00:00"),  # the night that has one hour less
    ],
)
def test_b5_15_quiet_hours_are_kept_only_where_they_were_chosen(now: str, begins: str) -> None:
    at = datetime.fromisoformat(now)
    assert begins_at(replace(URGENT, quiet_hours=NIGHT), at) == datetime.fromisoformat(begins)
    assert begins_at(URGENT, at) == at
    noon = replace(NIGHT, start=time(12), end=time(14))
    assert begins_at(replace(URGENT, quiet_hours=noon), START) == START + minutes(60)


LONG_AGO, FAR_AHEAD = START - timedelta(days=30), START + timedelta(days=30)


def shadowed(*who: Shadow) -> Roster:
    known = roster()
    people = {**known.people, "fay": somebody("fay", PUSH, SMS), "eli": Person(handle="eli", name="Eli")}
    schedule = replace(known.schedules["payments"], shadows=who)
    return replace(known, people=people, schedules={"payments": schedule})


def test_a_shadow_gets_copies_and_nobody_waits_for_their_answer() -> None:
    first = step_at(BUSINESS_CRITICAL, FIVE, 0)
    known = shadowed(*(Shadow(person=one, start=LONG_AGO, end=FAR_AHEAD) for one in ("fay", "ana")))
    sent = recipients(page(), first, known, START)
    assert [(it.person, it.channel) for it in sent if it.copy] == [("fay", "fay/push")]
    assert [(it.person, it.channel) for it in sent if not it.copy] == [("ana", "ana/push"), ("ana", "ana/mail")]
    assert reading_along(page(), known, START) == {"fay"}
    assert reading_along(page(paged=("ana", "fay")), known, START) == frozenset()  # called by a later level


def test_a_level_that_names_a_team_has_no_shadows() -> None:
    known = shadowed(Shadow(person="fay", start=LONG_AGO, end=FAR_AHEAD))
    sent = recipients(page(), opening(BUSINESS_CRITICAL, 3), known, START)
    assert {it.person for it in sent} == {"ana", "ben", "cho"}


def test_in_reverse_who_learns_is_called_first_and_who_is_on_call_follows() -> None:
    known = shadowed(Shadow(person="fay", start=LONG_AGO, end=FAR_AHEAD, reverse=True, delay=minutes(3)))
    sent = recipients(page(), step_at(BUSINESS_CRITICAL, FIVE, 0), known, START)
    assert [(it.channel, it.after, it.copy) for it in sent] == [
        ("fay/push", minutes(0), False), ("ana/push", minutes(3), False), ("ana/mail", minutes(3), False),
    ]  # fmt: skip
    assert reading_along(page(), known, START) == frozenset()


def test_who_learns_and_cannot_be_reached_keeps_nobody_waiting() -> None:
    known = shadowed(Shadow(person="eli", start=LONG_AGO, end=FAR_AHEAD, reverse=True))
    sent = recipients(page(), step_at(BUSINESS_CRITICAL, FIVE, 0), known, START)
    assert [(it.channel, it.after) for it in sent] == [("ana/push", minutes(0)), ("ana/mail", minutes(0))]


@pytest.mark.parametrize(("by", "rooms", "counts"), [("ana", False, True), ("eli", False, False), ("eli", True, True)])
def test_an_answer_counts_from_those_who_were_called(by: str, rooms: bool, counts: bool) -> None:
    assert answers_count(page(paged=("ana", "fay")), by, rooms=rooms) is counts


def test_the_last_resort_is_whoever_it_is_now() -> None:
    assert handles(whom(page(step=18), step_at(BUSINESS_CRITICAL, FIVE, 18), roster(), START)) == ["ana", "ben", "cho"]
    assert handles(whom(page(URGENT, step=6), step_at(URGENT, THIRTY, 6), roster(), START)) == [
        "ana",
        "ben",
        "cho",
        "dia",
    ]


# --- channels -------------------------------------------------------------------------------------------------------


def test_a_step_uses_the_channels_of_its_kinds_that_a_person_has() -> None:
    ana = somebody("ana", PUSH, SMS, MAIL)
    assert [channel.name for channel in channels_for(ana, (MAIL, PUSH, CHAT))] == ["ana/push", "ana/mail"]


def test_without_kinds_or_without_such_channels_every_channel_is_used() -> None:
    ana = somebody("ana", PUSH, MAIL)
    assert channels_for(ana, ()) == ana.channels
    assert channels_for(ana, (CALL,)) == ana.channels
    assert channels_for(somebody("ben"), (CALL,)) == ()


def test_each_channel_of_each_person_gets_its_own_key() -> None:
    found = recipients(page(), step_at(BUSINESS_CRITICAL, FIVE, 0), roster(), START)
    assert [(one.person, one.channel, one.key) for one in found] == [
        ("ana", "ana/push", "PAGE-9/0/ana/push"),
        ("ana", "ana/mail", "PAGE-9/0/ana/mail"),
    ]


def test_a_channel_can_be_a_target_itself() -> None:
    step = replace(step_at(BUSINESS_CRITICAL, FIVE, 0), target=Target(channel="ops-chat"))
    found = recipients(page(), step, roster(), START)
    assert [(one.person, one.channel, one.key) for one in found] == [("", "ops-chat", "PAGE-9/0/ops-chat")]


def test_what_reaches_nobody_goes_to_the_log() -> None:
    step = step_at(BUSINESS_CRITICAL, FIVE, 0)
    bare = replace(roster(), people={"ana": somebody("ana")})
    assert [(one.channel, one.key) for one in recipients(page(), step, bare, START)] == [("log", "PAGE-9/0/ana/log")]
    assert [(one.channel, one.key) for one in recipients(page(), step, Roster(), START)] == [("log", "PAGE-9/0/log")]


def test_a_message_knows_whether_it_is_the_first_an_escalation_or_a_repeat() -> None:
    paged = page(step=1, paged=("ana",))
    assert occasion_of(page(), step_at(BUSINESS_CRITICAL, FIVE, 0)) is Occasion.FIRST
    assert occasion_of(page(), step_at(BUSINESS_CRITICAL, FIVE, 4)) is Occasion.FIRST
    assert occasion_of(paged, step_at(BUSINESS_CRITICAL, FIVE, 1)) is Occasion.AGAIN
    assert occasion_of(paged, step_at(BUSINESS_CRITICAL, FIVE, 4)) is Occasion.ESCALATION
