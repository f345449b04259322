"""Schedules in the store: published shifts that edits do not change, overrides, swaps, and whom a page finds."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from incidentd import oncall
from incidentd.engine import overriding
from incidentd.engine import rota as publishing
from incidentd.errors import BadRequest, Conflict, IncidentdError, NotAllowed, NotFound
from incidentd.matchers import parse_matcher
from incidentd.oncall import Layer, Roster, Schedule, Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.rehearsal.world import START, World
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Retention, Settings
from incidentd.store import Tx, jobs, retention, rota
from incidentd.store.tables import oncall_shift
from incidentd.timeline import SYSTEM, Actor, Entry
from tests.engine.world import Making, make_world, minutes, roster

ANA, BEN, CHO = (Actor(name=name, via="api") for name in ("ana", "ben", "cho"))
PEOPLE = ("ana", "ben", "cho", "dia", "eli", "fay")
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

DOWN = SeverityRule(
    name="down", match=(parse_matcher('alertname="Down"'),), decide=Decide.DECLARE, severity="sev1",
    urgency="business_critical", page="payments", because="It is down.",
)  # fmt: skip


def weekly(*people: str, name: str = "payments", **more: Any) -> Schedule:
    layer = Layer(
        name="primary", people=people or PEOPLE, turn=WEEK, handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 11, 23),
    )  # fmt: skip
    return Schedule(name=name, time_zone="Europe/Madrid", layers=(layer,), **more)


def settings(*schedules: Schedule, people: tuple[str, ...] = PEOPLE, levels: tuple[Target, ...] = ()) -> Settings:
    made = tuple(
        Level(after=minutes(5 * number), page=target)
        for number, target in enumerate(levels or (Target(on_call="payments"), Target(team="*")))
    )
    chains = dict.fromkeys(("urgent", "business_critical"), Chain(levels=made))
    return Settings(
        rules=(DOWN, CATCH_ALL),
        roster=replace(roster(*people), schedules={one.name: one for one in schedules or (weekly(),)}),
        escalations={name: EscalationPolicy(name=name, chains=chains) for name in ("payments", "default")},
    )


async def plan(w: World, weeks: int = 12) -> Roster:
    return await w.store.read(rota.between, w.settings.roster, w.now - WEEK, w.now + weeks * WEEK)


async def turns(w: World, weeks: int = 8) -> list[str]:
    """Say who is on call in each of the coming weeks."""
    schedule = (await plan(w)).schedules["payments"]
    known = w.settings.roster.people
    return [oncall.on_call(schedule, w.now + number * WEEK, known).person for number in range(weeks)]


async def begun(w: World, new: Settings | None = None) -> None:
    if new is not None:
        w.settings = new
    await w.engine.begin()


async def swap(w: World, actor: Actor = ANA, **more: Any) -> overriding.Made:
    asked: dict[str, Any] = {
        "schedule": "payments", "person": "ana", "other": "ben", "at": None, "other_at": None, "because": "", **more
    }  # fmt: skip
    made: overriding.Made = await w.do(overriding.swap, actor=actor, **asked)
    return made


async def override(w: World, person: str, start: datetime, end: datetime, **more: Any) -> overriding.Made:
    asked: dict[str, Any] = {"schedule": "payments", "because": "", "actor": ANA, **more}
    made: overriding.Made = await w.do(overriding.override, person=person, start=start, end=end, **asked)
    return made


async def said(w: World) -> list[Entry]:
    """Read what the timeline says of the schedules."""
    return [entry for entry in await w.entries(SYSTEM) if entry.kind.startswith("oncall.")]


async def refused(kind: type[IncidentdError], doing: Any) -> str:
    with pytest.raises(kind) as error:
        await doing
    return str(error.value)


# --- published shifts -----------------------------------------------------------------------------------------------


async def test_an_edit_of_the_file_changes_only_the_shifts_after_the_published_ones(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    before = await turns(w)
    assert before[:7] == [*PEOPLE, "ana"]

    await begun(w, settings(weekly("gil", *PEOPLE), people=(*PEOPLE, "gil")))
    after = await turns(w)
    assert after[:5] == before[:5]
    assert after != before
    assert "gil" in after[5:]


@pytest.mark.slow
async def test_what_is_published_goes_on_with_time_and_a_restart_publishes_nothing_twice(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    shifts = await w.store.read(rota.shifts_ending_after, w.now)
    await w.store.write(publishing.begin, w.settings)
    assert await w.store.read(rota.shifts_ending_after, w.now) == shifts
    assert len(shifts) == 5

    await w.until(w.now + 2 * WEEK)
    later = await w.store.read(rota.shifts_ending_after, START)
    assert [one.shift for one in later[:5]] == [one.shift for one in shifts]
    assert len(later) == 7


SUN = (("london", "Europe/London"), ("west", "America/Los_Angeles"), ("east", "Asia/Singapore"))


def around(*people: str) -> Schedule:
    """Follow the sun: each site has the pager in its own day, from 9 to 17, and one is there all the time."""
    day = (oncall.Hours(days=(0, 1, 2, 3, 4, 5, 6), start=time(9), end=time(17)),)
    layers = [
        replace(weekly(who).layers[0], name=name, time_zone=zone, turn=DAY, handoff_weekday=None, hours=day)
        for who, (name, zone) in zip(people, SUN, strict=True)
    ]
    return Schedule(name="payments", time_zone="UTC", layers=tuple(layers), horizon=WEEK)


async def test_shifts_that_begin_at_the_same_hour_of_their_own_zones_are_all_published(world: Making) -> None:
    w = await world(settings(around("ana", "ben", "cho")))
    await begun(w)
    shifts = [one.shift for one in await w.store.read(rota.shifts_ending_after, w.now)]
    planned = list(oncall.to_publish(around("ana", "ben", "cho"), w.now, w.now + WEEK))
    assert shifts == planned
    assert Counter(one.layer for one in shifts) == {"london": 8, "west": 7, "east": 7}

    night = datetime.fromisoformat("2026-11-26T18:00:00+00:00")  # ten in the morning in San Francisco
    await begun(w, settings(around("dia", "eli", "fay")))
    assert oncall.on_call((await plan(w)).schedules["payments"], night, w.settings.roster.people).person == "ben"


@pytest.mark.slow
@pytest.mark.needs("postgres")
async def test_two_replicas_that_start_at_once_publish_each_shift_once(postgres_store: str) -> None:
    one = await make_world(postgres_store, settings())
    other = await make_world(postgres_store, settings(), clock=one.clock, me="other")
    try:
        await asyncio.gather(begun(one), begun(other))
        shifts = await one.store.read(rota.shifts_ending_after, one.now)
        assert len(shifts) == len({shift.start_wall for shift in shifts}) == 5
    finally:
        await other.store.close()
        await one.store.close()


async def test_a_commander_lets_an_edit_count_at_once_and_it_is_on_the_timeline(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await begun(w, settings(weekly(*reversed(PEOPLE))))
    assert (await turns(w))[0] == "ana"
    await w.do(publishing.publish_now, "payments", actor=ANA)
    assert (await turns(w))[:6] == list(reversed(PEOPLE))
    assert (await w.kinds(SYSTEM))[-1] == "oncall.published"
    assert "nothere" in await refused(NotFound, w.do(publishing.publish_now, "nothere", actor=ANA))


async def test_a_schedule_with_an_immediate_rollout_is_what_its_file_says(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await begun(w, settings(weekly(*reversed(PEOPLE), rollout_immediate=True)))
    assert (await turns(w))[:6] == list(reversed(PEOPLE))


async def test_somebody_who_left_is_found_in_no_published_shift(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    stay = PEOPLE[1:]
    await begun(w, settings(weekly(*stay), people=stay))
    assert "ana" not in await turns(w)
    assert all(await turns(w))
    await w.send(w.firing("Down"))
    assert "ana" not in (await w.page()).paged


async def test_a_page_calls_whoever_has_the_pager_of_somebody_who_left(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    stay = PEOPLE[1:]
    await begun(w, settings(weekly(*stay), people=stay))
    await w.send(w.firing("Down"))
    assert (await w.page()).paged == ("ben",)
    assert "page.nobody" not in await w.kinds("INC-1")


async def test_b5_17_a_change_of_a_zones_rules_moves_future_shifts_and_says_so(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    known = await w.store.read(rota.shifts_ending_after, w.now)
    await w.store.write(_an_hour_early, [one.id for one in known[1:]])
    moved = (await w.store.read(rota.shifts_ending_after, w.now))[2]
    assert moved.shift.start == known[2].shift.start - HOUR

    await w.until(w.now + publishing.EVERY)
    after = await w.store.read(rota.shifts_ending_after, w.now)
    assert [one.shift for one in after[:5]] == [one.shift for one in known]
    said = [text for text in await w.story(SYSTEM) if text.startswith("The rules of Europe/Madrid changed")]
    assert len(said) == 4
    assert "the shift of ben in payments is now from 2026-11-30 08:00:00 UTC" in said[0]
    assert "Your shift in payments moved" in w.post.to("ben/mail")


def _an_hour_early(tx: Tx, ids: list[int]) -> None:
    """Have shifts as they were published by rules of the zone that are not known any more."""
    for row in tx.conn.execute(oncall_shift.select().where(oncall_shift.c.id.in_(ids))).all():
        early = {"start_at": row.start_at - HOUR, "end_at": row.end_at - HOUR}
        tx.conn.execute(update(oncall_shift).where(oncall_shift.c.id == row.id).values(**early))


# --- overrides ------------------------------------------------------------------------------------------------------


async def test_an_override_has_the_page_and_is_on_the_timeline_with_who_and_why(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    made = await override(w, "eli", w.now - HOUR, w.now + 2 * HOUR, because="commute of ana")
    assert made.overrides[0].start == w.now  # what has passed is left out
    entry = (await said(w))[-1]
    assert (entry.kind, entry.actor.name) == ("oncall.override", "ana")
    assert "eli has the pager of payments" in entry.text
    assert "commute of ana" in entry.text
    assert "You have the pager of payments" in w.post.to("eli/mail")

    await w.send(w.firing("Down"))
    assert (await w.page()).paged == ("eli",)


async def test_the_override_made_last_wins_and_says_over_which(world: Making) -> None:
    w = await world(settings())
    first = await override(w, "eli", w.now, w.now + DAY)
    second = await override(w, "fay", w.now + HOUR, w.now + 2 * HOUR, actor=BEN)
    assert first.conflicts == ()
    assert [one.key for one in second.conflicts] == ["OVR-1"]
    assert (await said(w))[-1].text.endswith("It wins over OVR-1.")
    schedule = (await plan(w)).schedules["payments"]
    shifts = oncall.joined(oncall.shifts_between(schedule, w.now, w.now + 3 * HOUR))
    assert [shift.person for shift in shifts] == ["eli", "fay", "eli"]


async def test_an_override_that_is_withdrawn_gives_the_pager_back_and_what_has_passed_stays(world: Making) -> None:
    w = await world(settings())
    start = w.now
    await override(w, "eli", start, start + 4 * HOUR)
    await override(w, "fay", start + DAY, start + 2 * DAY)
    await w.until(start + HOUR)
    await w.do(overriding.withdraw, 1, reason="back early", actor=ANA)
    await w.do(overriding.withdraw, 2, reason="", actor=ANA)
    schedule = (await plan(w)).schedules["payments"]
    shifts = oncall.joined(oncall.shifts_between(schedule, start, start + 2 * DAY))
    assert [shift.person for shift in shifts] == ["eli", "ana"]
    assert "withdrawn by ana: back early" in (await said(w))[-2].text
    assert "over" in await refused(Conflict, w.do(overriding.withdraw, 1, reason="", actor=ANA))
    assert "before" in await refused(Conflict, w.do(overriding.withdraw, 2, reason="", actor=ANA))
    assert "OVR-9" in await refused(NotFound, w.do(overriding.withdraw, 9, reason="", actor=ANA))


async def test_only_those_whom_an_override_concerns_withdraw_it_or_an_admin(world: Making) -> None:
    w = await world(settings())
    for _ in range(4):  # eli has some hours of ben's week, as cho arranged
        await override(w, "eli", w.now + WEEK, w.now + WEEK + HOUR, actor=CHO)
    dia, eli = (Actor(name=name, via="api") for name in ("dia", "eli"))
    refusal = await refused(NotAllowed, w.do(overriding.withdraw, 1, reason="", actor=dia))
    assert refusal.startswith("OVR-1 concerns cho, eli, ben, and you are dia")
    for number, who in enumerate((CHO, eli, BEN), start=1):
        await w.do(overriding.withdraw, number, reason="", actor=who)
    await w.do(overriding.withdraw, 4, reason="", actor=dia, admin=True)
    assert {one.state for one in await w.store.read(rota.overrides_ending_after, w.now)} == {"withdrawn"}


async def test_nobody_is_made_first_and_second_at_once_and_the_refusal_says_why(world: Making) -> None:
    backup = weekly("ben", name="backup")
    both = settings(weekly(), backup, levels=(Target(on_call="payments"), Target(on_call="backup")))
    w = await world(both)
    said = await refused(Conflict, override(w, "ben", w.now, w.now + DAY))
    assert "ben has the pager of backup" in said
    assert "policy payments pages payments and backup" in said
    assert "ana" in await refused(Conflict, override(w, "ana", w.now, w.now + DAY, schedule="backup"))
    await override(w, "cho", w.now, w.now + DAY)


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        (NotFound, {"schedule": "nothere"}, "there are payments"),
        (BadRequest, {"person": "nobody"}, "there is nobody called 'nobody'"),
        (BadRequest, {"end": START - DAY}, "not after its start"),
        (BadRequest, {"start": START + DAY, "end": START + HOUR}, "not after its start"),
        (BadRequest, {"end": START + 100 * DAY}, "at most 92 days"),
        (BadRequest, {"start": START + 800 * DAY, "end": START + 801 * DAY}, "more than two years"),
        (BadRequest, {"because": "x" * 501}, "500 characters"),
    ],
)
async def test_an_override_that_cannot_be_meant_is_refused(
    world: Making, kind: type[IncidentdError], changed: dict[str, Any], words: str
) -> None:
    w = await world(settings())
    asked: dict[str, Any] = {"person": "eli", "start": w.now, "end": w.now + DAY, **changed}
    assert words in await refused(kind, override(w, **asked))
    assert await w.kinds(SYSTEM) == []


async def test_somebody_takes_the_pager_for_a_while_or_to_the_end_of_the_shift(world: Making) -> None:
    w = await world(settings())
    asked: dict[str, Any] = {"schedule": "payments", "person": "", "because": ""}
    made = await w.do(overriding.take, length=2 * HOUR, actor=CHO, **asked)
    assert (made.overrides[0].person, made.overrides[0].end) == ("cho", w.now + 2 * HOUR)
    await w.until(w.now + 3 * HOUR)
    made = await w.do(overriding.take, length=None, actor=CHO, **asked)
    assert made.overrides[0].end == datetime.fromisoformat("2026-11-30T08:00:00+00:00")
    stranger = Actor(name="ci-token", via="api")
    assert "'ci-token'" in await refused(BadRequest, w.do(overriding.take, length=None, actor=stranger, **asked))


# --- swaps ----------------------------------------------------------------------------------------------------------


async def test_a_swap_counts_once_the_other_one_accepts_and_both_halves_at_once(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    before = await turns(w)
    made = await swap(w, at=w.now + 6 * WEEK)
    assert [half.person for half in made.overrides] == ["ben", "ana"]
    assert await turns(w) == before
    assert "ana asks you to swap shifts" in w.post.to("ben/mail")

    done = await w.do(overriding.accept, "SWAP-1", actor=BEN)
    assert [half.state for half in done.overrides] == ["active", "active"]
    after = await turns(w)
    assert (before[1], before[6]) == ("ben", "ana")
    assert (after[1], after[6]) == ("ana", "ben")
    assert sorted(after) == sorted(before)
    assert (await said(w))[-1].kind == "oncall.swap_accepted"
    assert "ben accepted your swap" in w.post.to("ana/mail")
    assert "accepted before" in await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=BEN))


async def test_only_one_of_the_two_proposes_and_only_the_other_one_accepts(world: Making) -> None:
    w = await world(settings())
    assert "proposed by one of the two" in await refused(BadRequest, swap(w, CHO))
    assert "between two people" in await refused(BadRequest, swap(w, other="ana"))
    await swap(w, BEN)
    assert "for ana to accept" in await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=BEN))
    assert "for ana to accept" in await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=CHO))
    assert "SWAP-7" in await refused(NotFound, w.do(overriding.accept, "SWAP-7", actor=CHO))
    await w.do(overriding.accept, "SWAP-1", actor=ANA)
    assert (await turns(w))[:2] == ["ben", "ana"]


@pytest.mark.slow
async def test_a_swap_of_a_shift_that_is_over_or_is_not_theirs_any_more_is_refused(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await swap(w)
    await swap(w, at=w.now + 6 * WEEK)
    await override(w, "fay", w.now + WEEK, w.now + WEEK + DAY)
    await override(w, "fay", w.now + 6 * DAY, w.now + 8 * DAY)
    await w.until(w.now + WEEK)
    assert "is over" in await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=BEN))
    assert "not ben's any more" in await refused(Conflict, w.do(overriding.accept, "SWAP-3", actor=BEN))


async def test_a_swap_is_withdrawn_with_both_halves(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    before = await turns(w)
    await swap(w, at=w.now + 6 * WEEK)
    await w.do(overriding.accept, "SWAP-1", actor=BEN)
    assert "concerns ana, ben" in await refused(NotAllowed, w.do(overriding.withdraw, 2, reason="", actor=CHO))
    await w.do(overriding.withdraw, 2, reason="plans changed", actor=ANA)
    assert await turns(w) == before
    assert "SWAP-1 was withdrawn" in w.post.to("ben/mail")
    await swap(w, at=w.now + 6 * WEEK)
    done = await w.do(overriding.withdraw_swap, "SWAP-3", reason="", actor=BEN, admin=False)
    assert [half.state for half in done.overrides] == ["withdrawn", "withdrawn"]
    by_name = w.do(overriding.withdraw_swap, "SWAP-2", reason="", actor=BEN, admin=False)
    assert "there is no SWAP-2" in await refused(NotFound, by_name)


async def test_a_swap_that_is_proposed_twice_is_refused_and_names_the_first(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await swap(w)
    w.clock[0] += HOUR  # the shift that runs begins later by now
    for again in (swap(w), swap(w, BEN), swap(w, BEN, person="ben", other="ana")):
        assert "SWAP-1 by ana proposes that already" in await refused(Conflict, again)
    await swap(w, other="cho")
    await w.do(overriding.withdraw_swap, "SWAP-1", reason="", actor=BEN, admin=False)
    await swap(w)
    await w.do(overriding.accept, "SWAP-3", actor=CHO)
    assert "is not ana's any more" in await refused(Conflict, w.do(overriding.accept, "SWAP-5", actor=BEN))


@pytest.mark.slow
async def test_a_swap_of_which_half_is_over_unanswered_keeps_nobody_from_a_new_one_and_is_withdrawn(
    world: Making,
) -> None:
    w = await world(settings())
    await begun(w)
    await swap(w)
    await w.until(w.now + WEEK)
    assert "comes too late" in await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=BEN))
    assert (await asyncio.wait_for(swap(w), 10)).overrides[0].swap == "SWAP-3"
    assert "SWAP-3 by ana proposes that already" in await refused(Conflict, swap(w))
    done = await w.do(overriding.withdraw_swap, "SWAP-1", reason="", actor=ANA, admin=False)
    assert [half.state for half in done.overrides] == ["withdrawn", "withdrawn"]
    await w.do(overriding.accept, "SWAP-3", actor=BEN)
    assert (await turns(w, 1)) == ["ana"]
    await w.until(w.now + WEEK)
    late = w.do(overriding.withdraw_swap, "SWAP-3", reason="", actor=ANA, admin=False)
    assert "half of it is" in await refused(Conflict, late)


@pytest.mark.slow
@pytest.mark.needs("postgres")
async def test_of_two_swaps_of_one_shift_that_are_accepted_at_once_on_two_replicas_one_counts(
    postgres_store: str,
) -> None:
    one = await make_world(postgres_store, settings())
    other = await make_world(postgres_store, settings(), clock=one.clock, me="other")
    try:
        await swap(one)
        await swap(one, other="cho")
        done = await asyncio.gather(
            one.store.write(overriding.accept, one.settings, "SWAP-1", actor=BEN),
            other.store.write(overriding.accept, other.settings, "SWAP-3", actor=CHO),
            return_exceptions=True,
        )
        assert sorted(type(it).__name__ for it in done) == ["Conflict", "Made"], done
    finally:
        await other.store.close()
        await one.store.close()


async def test_a_swap_gives_nothing_that_somebody_else_has_by_then(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await swap(w, at=w.now + 6 * WEEK)
    await override(w, "fay", w.now + WEEK, w.now + WEEK + HOUR)
    refusal = await refused(Conflict, w.do(overriding.accept, "SWAP-1", actor=BEN))
    assert "is not all ben's any more: fay has 2026-12-01 14:00:00 UTC to 2026-12-01 15:00:00 UTC (OVR-3)" in refusal


async def test_a_shift_that_is_cut_is_swapped_in_parts_that_are_named_and_said_to_be_parts(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    dentist = w.now + WEEK, w.now + WEEK + HOUR
    await override(w, "eli", *dentist, because="dentist")
    refusal = await refused(BadRequest, swap(w))
    for words in (
        "ben has only a part of the shift 2026-11-30 08:00:00 UTC to 2026-12-07 08:00:00 UTC",
        "eli has 2026-12-01 14:00:00 UTC to 2026-12-01 15:00:00 UTC (OVR-1: dentist)",
        "`with_at`, --with-at on the command line",
        "2026-11-30 08:00:00 UTC to 2026-12-01 14:00:00 UTC, or 2026-12-01 15:00:00 UTC to 2026-12-07 08:00:00 UTC",
    ):
        assert words in refusal
    assert "--at on the" in await refused(BadRequest, swap(w, BEN, person="ben", other="ana", at=dentist[0]))
    made = await swap(w, other_at=dentist[1])
    assert [(half.person, half.start) for half in made.overrides] == [("ben", w.now), ("ana", dentist[1])]
    [note] = made.notes
    assert note.startswith("ben has only a part of the shift")
    assert note in (await said(w))[-1].text
    assert any(note in sent.body for sent in w.post.sent if sent.channel == "ben/mail")
    # and hours that somebody took over are not their next shift
    made = await swap(w, person="ana", other="eli")
    assert made.overrides[1].start == datetime.fromisoformat("2026-12-21T08:00:00+00:00")
    assert made.notes == ()


# --- pages by the schedule ------------------------------------------------------------------------------------------


async def test_b5_15_the_hour_of_the_night_and_a_holiday_change_nothing_about_how_soon_a_page_goes_out(
    world: Making,
) -> None:
    site = oncall.Site(
        name="madrid", time_zone="Europe/Madrid", holidays=(oncall.Holiday(name="Quiet day", month=11, day=25),)
    )
    w = await world(settings(weekly(sites={"ana": site})))
    await w.until(datetime.fromisoformat("2026-11-25T02:30:00+00:00"))
    await w.send(w.firing("Down"))
    assert (await w.page()).paged == ("ben",)  # the holiday changed the person
    assert w.post.when[-1] == w.now  # and nothing else
    await w.until(w.now + minutes(5))
    assert set((await w.page()).paged) == set(PEOPLE)


async def test_b5_21_a_rotation_with_nobody_now_pages_the_fallback_at_once_and_the_metrics_say_so(
    world: Making,
) -> None:
    office = replace(
        weekly("ana", "ben").layers[0],
        hours=(oncall.Hours(days=(0, 1, 2, 3, 4), start=time(8), end=time(20)),),
    )
    lonely = Schedule(name="payments", time_zone="Europe/Madrid", layers=(office,), fallback=Target(person="fay"))
    w = await world(settings(lonely))
    await begun(w)
    staffed, gaps = await w.store.read(rota.coverage, w.settings.roster)
    assert staffed == {"payments": True}
    assert gaps["payments"] == pytest.approx((4 * 168 - 4 * 60) * 3600)
    await w.until(datetime.fromisoformat("2026-11-25T02:30:00+00:00"))
    staffed, _ = await w.store.read(rota.coverage, w.settings.roster)
    assert staffed == {"payments": False}
    await w.send(w.firing("Down"))
    assert (await w.page()).paged == ("fay",)
    assert w.post.when[-1] == w.now


async def test_pages_are_counted_for_those_whom_they_came_to(world: Making) -> None:
    w = await world(settings())
    await w.send(w.firing("Down"))
    await w.until(w.now + minutes(6))
    counted = await w.store.read(rota.pages_by_person, START, w.now + HOUR)
    assert counted == dict.fromkeys(PEOPLE, 1)


async def test_shifts_and_overrides_that_are_long_over_are_removed(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    await override(w, "eli", w.now, w.now + HOUR)
    w.clock[0] += timedelta(days=500)
    await w.store.write(retention.prune, Retention())
    assert await w.store.read(rota.shifts_ending_after, START) == []
    assert await w.store.read(rota.overrides_ending_after, START) == []


async def test_without_schedules_there_is_nothing_to_publish(world: Making) -> None:
    w = await world(settings())
    await begun(w)
    assert await w.store.read(jobs.live, publishing.KIND) is not None
    await begun(w, replace(w.settings, roster=roster("ana")))
    assert await w.store.read(jobs.live, publishing.KIND) is None
