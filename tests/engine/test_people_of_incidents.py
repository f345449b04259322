"""Who works on an incident: let go as it ends, back as it goes on, too many for one, and nobody at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest

from incidentd.document import render
from incidentd.engine import Engine, commands, lifecycle, merging, roles
from incidentd.incidents import StandDown, Status
from incidentd.oncall import Layer, Roster, Schedule, Target, Team
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.roles import Participant, Role
from incidentd.settings import RoleSettings, RoleSource, Settings
from incidentd.store import facts, participants
from incidentd.timeline import Actor
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.test_holds_and_incidents import MONEY
from tests.engine.test_lifecycle import ANA, BEN, CHO, FAY, PEOPLE, begun
from tests.engine.world import Making, World, minutes, person, policy

OL = Role.OPERATIONS_LEAD
DESK = Actor(name="desk", via="api")
"""Somebody who declares and is nobody on call."""


async def parts(w: World, number: int = 1) -> list[Participant]:
    return await w.store.read(participants.of_incident, number)


async def here(w: World, number: int = 1) -> list[str]:
    return [one.person for one in await parts(w, number) if one.released_at is None]


async def joined(world: Making) -> World:
    """Have ana command INC-1, ben lead operations and cho help."""
    w = await begun(world)
    await w.do(roles.assign, 1, OL, "ben", actor=BEN)
    await w.do(roles.join, 1, actor=CHO, text="read the logs")
    await w.at(10)
    return w


def again(w: World) -> None:
    """Begin anew on the same store, as after a crash."""
    w.engine = Engine(
        w.store, settings=lambda: w.settings, now=lambda: w.clock[0], metrics=w.metrics, me="next", doors=w.doors
    )


@pytest.mark.parametrize(
    ("end", "how"),
    [(lifecycle.resolve, {"note": "done"}), (lifecycle.stand_down, {"code": StandDown.FALSE_POSITIVE.value})],
)
async def test_everybody_is_let_go_when_an_incident_ends(world: Making, end: Any, how: dict[str, str]) -> None:
    w = await joined(world)
    assert await here(w) == ["ana", "ben", "cho"]
    await w.do(end, 1, actor=ANA, **how)
    assert {(one.released_at, one.released_by) for one in await parts(w)} == {(w.now, "incidentd")}
    page = render(await w.store.read(facts.incident_facts, w.settings, 1))
    row = next(line for line in page.split("\n") if line.startswith("| cho |"))
    assert row.endswith("| 2026-11-24 14:10:00 UTC |")


async def test_who_was_let_go_before_is_not_let_go_twice(world: Making) -> None:
    w = await joined(world)
    await w.do(roles.let_go, 1, "cho", actor=ANA)
    gone = w.now
    await w.at(20)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert {one.person: one.released_at for one in await parts(w)} == {"ana": w.now, "ben": w.now, "cho": gone}
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=FAY, reason="back", admin=True)
    assert await here(w) == ["ana", "ben"]


async def test_what_is_reopened_at_once_has_its_people_back_with_what_they_were_asked(world: Making) -> None:
    w = await joined(world)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    ended = w.now
    again(w)
    await w.at(60)
    await w.do(lifecycle.reopen, 1, actor=FAY, reason="it is back", admin=True)
    assert await here(w) == ["ana", "ben", "cho"]
    cho = [one for one in await parts(w) if one.person == "cho"]
    assert [(one.joined_at, one.released_at) for one in cho] == [(w.start, ended), (w.now, None)]
    assert cho[1].asked == "read the logs"
    await w.at(70)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert await here(w) == []


async def test_what_is_reopened_much_later_has_back_who_has_a_role(world: Making) -> None:
    w = await joined(world)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.at(80)
    await w.do(lifecycle.reopen, 1, actor=FAY, reason="it is back", admin=True)
    assert await here(w) == ["ana", "ben"]


async def test_who_takes_up_what_was_called_off_works_on_it(world: Making) -> None:
    w = await joined(world)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="duplicate")
    await w.at(200)
    await w.do(lifecycle.reopen, 1, actor=FAY, reason="it was none", admin=True)
    assert await here(w) == ["fay"]


@pytest.mark.slow
async def test_who_came_along_with_what_is_merged_goes_back_with_it(world: Making) -> None:
    w = await joined(world)
    await w.do(commands.declare_incident, actor=FAY, title="the same", severity="sev1")
    await w.do(merging.merge, 1, into=2, actor=FAY)
    assert (await here(w), await here(w, 2)) == ([], ["fay", "ana", "ben", "cho"])
    await w.do(roles.assign, 2, OL, "cho", actor=CHO)
    await w.at(200)
    await w.do(merging.unmerge, 1, actor=FAY)
    assert (await here(w), await here(w, 2)) == (["ana", "ben", "cho"], ["fay", "cho"])


# -- too many for one ------------------------------------------------------------------------------------------------

MANY = tuple("abcdefghi")


def crowd() -> Settings:
    people = {name: person(name) for name in ("ana", *MANY)}
    return replace(PEOPLE, roster=Roster(people=people))


async def test_sub_teams_are_suggested_once_when_more_than_seven_work_under_one(world: Making) -> None:
    w = await begun(world, crowd())
    for name in MANY[:7]:
        await w.do(roles.join, 1, actor=Actor(name=name, via="api"))
    assert "role.span" not in await w.kinds("INC-1")
    again(w)
    await w.do(roles.join, 1, actor=Actor(name="h", via="api"))
    await w.do(roles.join, 1, actor=Actor(name="i", via="api"))
    assert (await w.kinds("INC-1")).count("role.span") == 1
    assert (
        "8 people work on it under ana, more than one can lead: make sub-teams whose leaders report, for instance "
        "alpha (a, b, c, d), bravo (e, f, g, h)." in await w.story("INC-1")
    )
    told = [it for it in w.post.sent if "make sub-teams" in it.title]
    assert [(it.channel, it.title) for it in told] == [
        ("ana/mail", "INC-1: 8 people report to you; make sub-teams with a leader each: alpha (a, b, c, d), "
                     "bravo (e, f, g, h)")
    ]  # fmt: skip


async def test_who_was_let_go_does_not_count(world: Making) -> None:
    w = await begun(world, crowd())
    for name in MANY[:7]:
        await w.do(roles.join, 1, actor=Actor(name=name, via="api"))
    await w.do(roles.let_go, 1, "a", actor=ANA)
    await w.do(roles.join, 1, actor=Actor(name="h", via="api"))
    assert "role.span" not in await w.kinds("INC-1")


# -- nobody at all ---------------------------------------------------------------------------------------------------

SHOP = replace(
    PEOPLE, escalations={**policy("default", (0, "ben"), (600, "cho"))},
    roster=replace(PEOPLE.roster, teams={"shop": Team(name="shop", people=("cho",))}),
)  # fmt: skip


async def unattended(world: Making, settings: Settings = SHOP, **how: Any) -> World:
    """Declare an incident that nobody commands and that, by its urgency, pages nobody."""
    quiet = {name: replace(it, urgency="ticket") for name, it in settings.severities.items()}
    w = await world(replace(settings, severities=quiet))
    await w.do(commands.declare_incident, actor=DESK, title="Invoices look odd", severity="sev3", **how)
    assert (await w.incident()).commander == ""
    return w


async def test_whoever_is_on_call_hears_after_two_minutes_that_nobody_commands(world: Making) -> None:
    w = await unattended(world)
    await w.at(1.9)
    assert "role.vacant" not in await w.kinds("INC-1")
    again(w)
    await w.at(2)
    how = "incidentd take-command INC-1"
    assert f"Nobody commands it, and no page calls anybody; asking ben: `{how}`." in await w.story("INC-1")
    (mail,) = [it for it in w.post.sent if how in it.title]
    assert (mail.channel, mail.title) == (
        "ben/mail", f"INC-1 has no Incident Commander, and no page calls anybody: {how}",
    )  # fmt: skip
    await w.do(roles.take_command, 1, actor=BEN)
    await w.at(30)
    assert (await w.kinds("INC-1")).count("role.vacant") == 1


async def test_while_nobody_takes_it_more_of_them_are_asked_and_then_no_more(world: Making) -> None:
    w = await unattended(world)
    await w.at(60)
    asked = [entry.data["asked"] for entry in await w.entries("INC-1") if entry.kind == "role.vacant"]
    assert asked == [["ben"], *[["ben", "cho"]] * 4]


async def test_who_is_on_call_to_command_is_asked_first(world: Making) -> None:
    sources = {Role.INCIDENT_COMMANDER: RoleSource(ask=Target(person="fay"))}
    w = await unattended(world, replace(SHOP, roles=RoleSettings(sources=sources)))
    await w.at(4)
    asked = [entry.data["asked"] for entry in await w.entries("INC-1") if entry.kind == "role.vacant"]
    assert asked == [["fay"], ["fay", "ben"]]


async def test_a_page_that_calls_somebody_is_enough_until_it_is_over(world: Making) -> None:
    w = await world(SHOP)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.at(9)
    assert "role.vacant" not in await w.kinds("INC-1")


async def test_nobody_is_asked_to_command_what_is_over_by_itself_until_it_is_back(world: Making) -> None:
    quiet = tuple(replace(it, urgency="ticket") if it.name == MONEY.name else it for it in SHOP.rules)
    w = await world(replace(SHOP, rules=quiet))
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.at(1)
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(40)
    assert (await w.incident()).status is Status.MITIGATED
    before = (await w.kinds("INC-1")).count("role.vacant")
    again(w)
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert (await w.incident()).status is Status.INVESTIGATING
    await w.at(42)
    assert [before, (await w.kinds("INC-1")).count("role.vacant")] == [0, 1]


async def test_a_drill_asks_only_those_who_take_part_in_drills(world: Making) -> None:
    takes = {**SHOP.roster.people, "cho": replace(SHOP.roster.people["cho"], drills=True)}
    w = await unattended(world, replace(SHOP, roster=replace(SHOP.roster, people=takes)), drill=True)
    await w.at(4)
    asked = [entry.data["asked"] for entry in await w.entries("INC-1") if entry.kind == "role.vacant"]
    assert asked == [["cho"], ["cho"]]


async def test_what_is_over_asks_nobody(world: Making) -> None:
    w = await unattended(world)
    await w.do(lifecycle.stand_down, 1, actor=BEN, code="duplicate", admin=True)
    await w.at(10)
    assert "role.vacant" not in await w.kinds("INC-1")


# -- what nobody was asked to do, and what nobody has time to ask ----------------------------------------------------


def sent(w: World, words: str) -> list[tuple[str, str]]:
    return [(it.channel, it.title) for it in w.post.sent if words in it.title]


async def test_the_commander_hears_once_which_roles_nobody_was_asked_to_take(world: Making) -> None:
    w = await begun(world)
    await w.at(1.9)
    assert "role.missing" not in await w.kinds("INC-1")
    again(w)
    await w.at(8)
    how = "incidentd assign INC-1 ol PERSON"
    assert sent(w, "nobody was asked to be") == [(
        "ana/mail", "INC-1: nobody was asked to be Operations Lead and Communications Lead, so you answer for it: "
        + how,
    )]  # fmt: skip
    assert (
        f"Nobody was asked to be Operations Lead and Communications Lead; ana answers for it: `{how}`."
        in await w.story("INC-1")
    )


@pytest.fixture
def scheduled() -> Settings:
    """Have ana on call and so in command of what is declared, and pages that turn to ben after five minutes."""
    layer = Layer(
        name="primary", people=("ana",), turn=timedelta(weeks=1), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 11, 2),
    )  # fmt: skip
    schedules = {"shop": Schedule(name="shop", time_zone="UTC", layers=(layer,))}
    levels = (Level(after=minutes(0), page=Target(on_call="shop")), Level(after=minutes(5), page=Target(person="ben")))
    chains = {"business_critical": Chain(levels=levels)}
    found = {name: EscalationPolicy(name=name, chains=chains) for name in PEOPLE.escalations}
    return replace(PEOPLE, escalations=found, roster=replace(PEOPLE.roster, schedules=schedules))


async def test_who_commands_by_a_schedule_hears_nothing_of_roles_before_their_page_is_answered(
    world: Making, scheduled: Settings
) -> None:
    w = await world(scheduled)
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert (await w.incident()).commander == "ana"
    await w.at(15)
    assert {"role.missing", "incident.callout"}.isdisjoint(await w.kinds("INC-1"))
    assert {it.purpose for it in w.post.sent if it.channel == "ana/mail"} == {"page", "escalation"}
    again(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(16.9)
    assert [it.title for it in w.post.sent if it.purpose == "update"] == []
    await w.at(17)
    assert len(sent(w, "nobody was asked to be")) == 1
    assert sent(w, "still right") == [("ana/mail", "INC-1 goes on for 17m: is sev1 still right?")]
    await w.at(30)
    kinds = await w.kinds("INC-1")
    assert (kinds.count("role.missing"), kinds.count("incident.callout")) == (1, 1)


async def test_who_commands_and_is_there_hears_it_while_a_page_calls_others(world: Making) -> None:
    w = await world(SHOP)
    await w.do(commands.declare_incident, actor=ANA, title="Down", severity="sev1", page="default")
    await w.at(2)
    assert (await w.page()).paged == ("ben",)
    assert len(sent(w, "nobody was asked to be")) == 1


async def test_what_somebody_heard_of_the_lead_of_operations_is_not_said_again(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.join, 1, actor=BEN)
    await w.at(4)
    assert len(sent(w, "you command and lead operations")) == 1
    (missing,) = [entry for entry in await w.entries("INC-1") if entry.kind == "role.missing"]
    assert missing.data["roles"] == ["communications_lead"]


@pytest.mark.parametrize(("severity", "missing"), [("sev2", ["operations_lead"]), ("sev3", None)])
async def test_a_lesser_severity_needs_fewer_people(world: Making, severity: str, missing: list[str] | None) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Slow", severity=severity)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(5)
    found = [entry.data["roles"] for entry in await w.entries("INC-1") if entry.kind == "role.missing"]
    assert found == ([missing] if missing else [])


async def test_what_somebody_has_or_was_asked_to_take_is_not_missing(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.assign, 1, OL, "ben", actor=BEN)
    await w.do(roles.assign, 1, Role.COMMUNICATIONS_LEAD, "cho", actor=ANA)
    await w.at(4)
    assert "role.missing" not in await w.kinds("INC-1")


async def test_ten_minutes_in_the_commander_is_asked_once_whether_the_severity_is_right(world: Making) -> None:
    plans = {it: AudiencePlan(cadences=CADENCES[it]) for it in (Audience.INTERNAL, Audience.EXTERNAL)}
    w = await begun(world, replace(PEOPLE, updates=UpdateSettings(audiences=plans)))
    await w.at(9.9)
    assert "incident.callout" not in await w.kinds("INC-1")
    again(w)
    await w.at(25)
    text = "is sev1 still right? Nothing was said yet to: external, internal."
    assert sent(w, "still right") == [("ana/mail", f"INC-1 goes on for 10m: {text}")]
    assert f"It goes on for 10m. ana, {text}" in await w.story("INC-1")
    assert (await w.kinds("INC-1")).count("incident.callout") == 1


async def test_nobody_is_asked_about_a_severity_once_the_impact_is_over(world: Making) -> None:
    w = await begun(world)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="warmed")
    await w.at(20)
    assert "incident.callout" not in await w.kinds("INC-1")


async def test_a_small_incident_is_not_called_out(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Slow", severity="sev3")
    await w.at(20)
    assert "incident.callout" not in await w.kinds("INC-1")
