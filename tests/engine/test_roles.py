"""Who has which role in an incident: given, taken, released, and what is kept of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from incidentd.board import Surface, board
from incidentd.document import render
from incidentd.engine import Engine, commands, lifecycle, merging, roles
from incidentd.engine.updates.common import on_call
from incidentd.errors import Conflict, NotAllowed, NotFound, StoreUnavailable
from incidentd.incidents import Incident
from incidentd.oncall import Layer, Schedule, Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.roles import Assignment, Role, effective_holder
from incidentd.settings import Settings
from incidentd.store import Tx, facts, subjects
from incidentd.store import roles as stored
from incidentd.store.tables import role_assignment
from incidentd.store.views.counts import state_counts
from tests.engine.test_lifecycle import ANA, BEN, CHO, PEOPLE, SMALL, begun
from tests.engine.world import Making, World, minutes

IC, OL, CL = Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.COMMUNICATIONS_LEAD


def _change(tx: Tx, settings: Settings, role: Role, person: str, **how: Any) -> Incident:
    return roles.change(tx, settings, subjects.get_incident(tx, 1), role, person, **how)


async def change(w: World, role: Role, person: str, *, actor: Any = ANA, because: str = "") -> Incident:
    after: Incident = await w.do(_change, role, person, actor=actor, because=because)
    return after


async def history(w: World, number: int = 1) -> tuple[Assignment, ...]:
    return await w.store.read(stored.assignments, number)


async def test_a_role_changes_hands_and_its_history_is_intervals_without_gap(world: Making) -> None:
    w = await begun(world)
    await w.at(4)
    await change(w, OL, "ben", because="he knows the shop")
    await w.at(9)
    incident = await change(w, OL, "cho", because="ben sleeps")
    found = await history(w)
    assert found == incident.roles
    assert [(one.role, one.person, one.by) for one in found] == [
        (IC, "ana", ""),
        (OL, "ben", "ana"),
        (OL, "cho", "ana"),
    ]
    assert found[1].until == found[2].since == w.now
    assert effective_holder(CL, found) == "ana"
    assert "cho is Operations Lead after ben: ben sleeps." in await w.story("INC-1")


async def test_who_has_a_role_keeps_it_and_a_stranger_gets_none(world: Making) -> None:
    w = await begun(world)
    before = await w.incident()
    assert await change(w, IC, "ana") == before
    with pytest.raises(NotFound, match="there is no 'nobody<b>' among the people"):
        await change(w, OL, "nobody<b>")


async def test_the_store_refuses_a_second_holder(world: Making) -> None:
    w = await begun(world)

    def second(tx: Tx, _settings: Any) -> None:
        row = {"incident_id": 1, "number": 7, "role": IC.value, "person": "ben", "since": tx.now, "state": "accepted"}
        tx.execute(insert(role_assignment), {**row, "until": None, "because": "", "by": ""})

    with pytest.raises(StoreUnavailable, match=r"(?i)unique"):
        await w.do(second)


async def test_what_is_called_off_has_no_roles_and_keeps_who_had_them(world: Making) -> None:
    w = await begun(world)
    await change(w, OL, "ben")
    await w.at(3)
    incident = await w.do(lifecycle.stand_down, 1, actor=ANA, code="duplicate")
    assert [one.until for one in await history(w)] == [w.now, w.now]
    assert incident.commander == ""
    with pytest.raises(Conflict, match="has no roles any more"):
        await change(w, OL, "cho")


async def test_what_somebody_has_is_found_over_all_incidents_that_go_on(world: Making) -> None:
    w = await begun(world)
    await w.do(commands.declare_incident, actor=BEN, title="another", severity="sev3")
    await change(w, OL, "ben")
    assert [(number, role) for number, role, _ in await w.store.read(stored.held_by, "ben")] == [(1, OL), (2, IC)]
    await w.do(lifecycle.stand_down, 2, actor=BEN, code="duplicate")
    assert [number for number, _, _ in await w.store.read(stored.held_by, "ben")] == [1]


async def test_who_commands_and_investigates_is_told_once_that_others_are_there(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.join, 1, actor=BEN)
    await w.do(roles.join, 1, actor=CHO)
    kinds = await w.kinds("INC-1")
    assert kinds.count("role.not_apart") == 1
    assert [(it.channel, it.title) for it in w.post.sent if "lead operations" in it.title] == [
        ("ana/mail", "INC-1: you command and lead operations although others are there: ben")
    ]
    known = await w.store.read(facts.board_facts, 1, w.settings)
    assert board(known, Surface.IC, w.now).warnings == (
        "ana commands and leads operations although others are here.",
    )  # fmt: skip
    page = render(await w.store.read(facts.incident_facts, w.settings, 1))
    assert "**ana commands and leads operations although others are here.**" in page
    await change(w, OL, "ben")
    known = await w.store.read(facts.board_facts, 1, w.settings)
    assert board(known, Surface.IC, w.now).warnings == ()


@pytest.mark.slow
async def test_after_four_hours_in_a_role_somebody_is_asked_to_hand_it_over_once(world: Making) -> None:
    w = await begun(world)
    await w.at(120)
    await w.do(roles.assign, 1, OL, "ben", actor=BEN)
    await w.at(239)
    assert "role.fatigue" not in await w.kinds("INC-1")
    w.engine = Engine(
        w.store, settings=lambda: w.settings, now=lambda: w.clock[0], metrics=w.metrics, me="next", doors=w.doors
    )
    await w.at(300)
    story = await w.story("INC-1")
    assert story.count("ana is Incident Commander for 4h: time to hand it over.") == 1
    await w.at(361)
    assert "ben is Operations Lead for 4h: time to hand it over." in await w.story("INC-1")
    told = [one.title for one in w.post.sent if "hand it over" in one.title]
    assert told == [
        "INC-1: you are Incident Commander for 4h; hand it over: incidentd assign INC-1 ic PERSON",
        "INC-1: you are Operations Lead for 4h; hand it over: incidentd assign INC-1 ol PERSON",
    ]


async def test_roles_in_several_incidents_are_said_and_what_nobody_has_is_counted(world: Making) -> None:
    w = await begun(world)
    await w.do(commands.declare_incident, actor=BEN, title="another", severity="sev3")
    await w.do(roles.assign, 1, OL, "ben", actor=BEN)
    assert "ben has roles in other incidents, too: INC-2 (ic)." in await w.story("INC-1")
    counted = (await w.store.read(state_counts)).roles_vacant
    assert counted == {
        ("ic", "sev1"): 0, ("ol", "sev1"): 0, ("cl", "sev1"): 1,
        ("ic", "sev3"): 0, ("ol", "sev3"): 1, ("cl", "sev3"): 1,
    }  # fmt: skip


async def test_what_was_merged_and_taken_out_has_its_people_back(world: Making) -> None:
    w = await begun(world)
    await change(w, OL, "cho")
    await w.do(commands.declare_incident, actor=BEN, title="the same", severity="sev1")
    await w.at(5)
    await w.do(merging.merge, 1, into=2, actor=BEN)
    assert (await w.incident(1)).commander == ""
    await w.at(9)
    await w.do(merging.unmerge, 1, actor=BEN)
    back = await w.incident(1)
    assert (back.commander, effective_holder(OL, back.roles)) == ("ana", "cho")
    assert await history(w) == back.roles


async def test_what_is_reopened_is_commanded_by_whoever_takes_it_up(world: Making) -> None:
    w = await begun(world)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="duplicate")
    await w.at(5)
    back = await w.do(lifecycle.reopen, 1, actor=BEN, reason="it was none", admin=True)
    assert back.commander == "ben"


async def test_of_two_who_take_a_role_at_once_one_has_it_and_both_stand_in_the_history(world: Making) -> None:
    w = await begun(world)
    done = await asyncio.gather(
        *(w.store.write(roles.assign, w.settings, 1, OL, who.name, actor=who) for who in (BEN, CHO)),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, NotAllowed)]
    assert len(refused) == 1
    assert [one.role for one in await history(w) if one.until is None] == [IC, OL]


def by_urgency() -> Settings:
    """Have sre called for what is critical, and the day's engineers for what is urgent."""

    def one(name: str, *people: str) -> Schedule:
        layer = Layer(
            name="main", people=people, start=date(2026, 11, 23), turn=timedelta(weeks=1), handoff_time=time(9),
            handoff_weekday=0,
        )  # fmt: skip
        return Schedule(name=name, time_zone="UTC", layers=(layer,))

    def calls(name: str) -> Chain:
        return Chain(levels=(Level(after=minutes(0), page=Target(on_call=name)),))

    chains = {"business_critical": calls("sre"), "urgent": calls("day")}
    people = replace(PEOPLE.roster, schedules={"sre": one("sre", "ana"), "day": one("day", "ben")})
    return replace(
        PEOPLE, roster=people, rules=(replace(SMALL, page="payments"),),
        escalations={"payments": EscalationPolicy(name="payments", chains=chains)},
    )  # fmt: skip


async def test_whoever_is_called_for_its_urgency_commands_an_incident_that_an_alert_declares(world: Making) -> None:
    w = await world(by_urgency())
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert ((await w.incident()).commander, (await w.page()).paged) == ("ben", ("ben",))


async def test_whoever_is_called_for_its_urgency_is_who_is_on_call_for_its_updates_and_handovers(world: Making) -> None:
    w = await world(by_urgency())
    await w.send(w.firing("CheckoutDown", service="shop"))

    def whom(tx: Tx, settings: Settings) -> list[str]:
        return on_call(tx, settings, subjects.get_incident(tx, 1))

    assert await w.do(whom) == ["ben"]
