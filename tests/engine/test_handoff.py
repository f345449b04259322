"""Shift changes over days: each is reported once, to both people, after a restart too."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from incidentd.engine import handoff
from incidentd.errors import TemporaryError
from incidentd.handoff import Silence
from incidentd.oncall import Layer, Override, Roster, Schedule
from incidentd.settings import AlertmanagerSettings, Settings, Source
from tests.engine.world import Making, World, make_world, person, policy

WEEKLY = Layer(
    name="primary", people=("ana", "ben", "cho"), turn=timedelta(days=7), handoff_weekday=0, handoff_time=time(9),
    start=date(2026, 1, 5),
)  # fmt: skip
SCHEDULE = Schedule(name="main", time_zone="Europe/Madrid", layers=(WEEKLY,))
EDGE = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)  # Monday, 09:00 in Madrid
SECOND = timedelta(seconds=1)


def settings(schedule: Schedule = SCHEDULE, **more: object) -> Settings:
    people = {handle: person(handle) for handle in ("ana", "ben", "cho", "dia")}
    roster = Roster(people=people, schedules={schedule.name: schedule})
    return Settings(
        roster=roster, escalations=policy("default", (0, "ana")), external_url="https://x.example", **more  # type: ignore[arg-type]
    )  # fmt: skip


def reports(w: World) -> list[tuple[datetime, str, str]]:
    return [(at, n.channel, n.title) for at, n in w.post.dated() if n.key.startswith("handoff/")]


async def test_both_people_get_the_report_at_the_shift_change_and_once(world: Making) -> None:
    w = await world(settings())
    await w.engine.begin()
    await w.until(EDGE - SECOND)
    assert reports(w) == []
    await w.until(EDGE + timedelta(days=1))
    sent = reports(w)
    leaving, coming = handoff.change_at(SCHEDULE, EDGE).leaving, handoff.change_at(SCHEDULE, EDGE).coming
    assert leaving != coming
    assert {(at, channel) for at, channel, _ in sent} == {(EDGE, f"{leaving}/mail"), (EDGE, f"{coming}/mail")}
    assert len(sent) == 2
    assert {n.purpose for n in w.post.sent} == {"update"}
    assert (await w.kinds("SYSTEM")).count("oncall.handoff") == 1
    await w.until(EDGE + timedelta(days=22))
    assert len(reports(w)) == 8


async def test_the_report_tells_what_happened_during_the_shift(world: Making) -> None:
    source = Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))
    dias = Override(person="dia", start=EDGE + timedelta(days=1), end=EDGE + timedelta(days=2), because="dentist")
    w = await world(settings(replace(SCHEDULE, overrides=(dias,)), sources={"default": source}))
    w.peer.silenced.append(Silence(matchers='{env="test"}', ends_at=EDGE + SECOND, by="cho", comment="a new disk"))
    w.clock[0] = EDGE - timedelta(minutes=3)
    await w.engine.begin()
    for _ in range(3):
        alert = w.firing("Flaps")
        w.peer.knows(alert)
        await w.send(alert)
        w.clock[0] += timedelta(seconds=20)
        w.peer.forgets(alert)
        await w.send(alert | {"status": "resolved", "endsAt": w.now.isoformat()})
        w.clock[0] += timedelta(seconds=20)
    await w.until(EDGE)
    [body, _] = [n.body for n in w.post.sent if n.key.startswith("handoff/")]
    for words in ("PAGE-1 about", "Flaps: fired 3 times", '{env="test"} until', "dia from", "(dentist)"):
        assert words in body, body


async def test_an_alertmanager_that_does_not_answer_leaves_silences_unknown(world: Making) -> None:
    source = Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))
    w = await world(settings(sources={"default": source}))
    w.peer.failure = TemporaryError("nobody there")
    w.clock[0] = EDGE - timedelta(minutes=1)
    await w.engine.begin()
    await w.until(EDGE)
    assert all("Silences: unknown" in n.body for n in w.post.sent if n.key.startswith("handoff/"))
    assert len(reports(w)) == 2


async def test_a_change_that_passed_while_nobody_ran_is_reported_late_and_once(store_url: str) -> None:
    w = await make_world(store_url, settings())
    await w.engine.begin()
    await w.store.close()
    w.clock[0] = EDGE + timedelta(hours=5)
    again = await make_world(store_url, settings(), me="again", clock=w.clock)
    await again.engine.begin()
    await again.settle()
    await again.settle()
    assert len(reports(again)) == 2
    assert reports(again)[0][2].startswith("Handoff of main:")
    assert all(n.late_by == timedelta(0) for n in again.post.sent)
    await again.until(EDGE + timedelta(days=6))
    assert len(reports(again)) == 2
    await again.store.close()


async def test_an_override_is_a_shift_change_at_both_its_ends(world: Making) -> None:
    dias = Override(person="dia", start=EDGE + timedelta(days=1), end=EDGE + timedelta(days=2))
    w = await world(settings(replace(SCHEDULE, overrides=(dias,))))
    w.clock[0] = EDGE + timedelta(hours=1)
    await w.engine.begin()
    await w.until(EDGE + timedelta(days=3))
    told = [(at, channel) for at, channel, _ in reports(w)]
    person_of_week = handoff.change_at(SCHEDULE, EDGE).coming
    assert sorted(told) == sorted([
        (dias.start, f"{person_of_week}/mail"), (dias.start, "dia/mail"),
        (dias.end, "dia/mail"), (dias.end, f"{person_of_week}/mail"),
    ])  # fmt: skip


async def test_a_reload_moves_the_deadline_and_a_schedule_that_is_gone_is_silent(world: Making) -> None:
    w = await world(settings())
    await w.engine.begin()
    sooner = replace(WEEKLY, handoff_weekday=3)
    # published shifts would stay as people know them
    w.settings = settings(replace(SCHEDULE, layers=(sooner,), rollout_immediate=True))
    await w.engine.begin()
    await w.until(datetime(2026, 11, 26, 8, 0, tzinfo=UTC))
    assert len(reports(w)) == 2
    w.settings = Settings(roster=Roster(people=w.settings.roster.people))
    await w.engine.begin()
    await w.until(EDGE + timedelta(days=14))
    assert len(reports(w)) == 2


async def test_somebody_who_left_neither_comes_nor_leaves_although_their_shift_is_published(world: Making) -> None:
    w = await world(settings())
    await w.engine.begin()
    assert handoff.change_at(SCHEDULE, EDGE).coming == "cho"
    instead = settings(replace(SCHEDULE, layers=(replace(WEEKLY, people=("ana", "ben", "dia")),)))
    people = {handle: one for handle, one in instead.roster.people.items() if handle != "cho"}
    w.settings = replace(instead, roster=replace(instead.roster, people=people))
    await w.engine.begin()
    ahead = await w.store.read(handoff.known, w.settings, "main", None, None)
    assert (ahead.change.leaving, ahead.change.coming, ahead.next_at) == ("ben", "dia", EDGE)
    await w.until(EDGE)
    assert {channel for _, channel, _ in reports(w)} == {"ben/mail", "dia/mail"}
    assert "dia has the pager of main, after ben; the report goes to ben, dia." in await w.story("SYSTEM")
    await w.until(EDGE + timedelta(days=7))
    assert {channel for at, channel, _ in reports(w) if at > EDGE} == {"dia/mail", "ana/mail"}


async def test_a_change_that_passed_unseen_is_that_of_the_people_there_are(store_url: str) -> None:
    w = await make_world(store_url, settings())
    await w.engine.begin()
    await w.store.close()
    w.clock[0] = EDGE + timedelta(days=7, hours=5)
    stay = settings(replace(SCHEDULE, layers=(replace(WEEKLY, people=("ben", "dia")),)))  # ben's the week of cho
    people = {handle: one for handle, one in stay.roster.people.items() if handle not in ("ana", "cho")}
    stay = replace(stay, roster=replace(stay.roster, people=people))
    again = await make_world(store_url, stay, me="again", clock=w.clock)
    await again.engine.begin()
    await again.settle()
    await again.settle()
    assert {channel for _, channel, _ in reports(again)} == {"dia/mail", "ben/mail"}
    await again.store.close()
