"""Automatic playbooks on a service that people work on: whoever leads that incident is asked first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incidentd.board import Surface, board
from incidentd.engine import commands, lifecycle, roles
from incidentd.errors import NotAllowed
from incidentd.incidents import Incident, StandDown
from incidentd.playbooks import Mode, Run, RunState
from incidentd.roles import Role
from incidentd.rules import CATCH_ALL, Decide
from incidentd.settings import Automation, Settings
from incidentd.store import Tx, facts, subjects, things
from incidentd.timeline import Actor
from tests.engine.test_automation import RULE, playbook
from tests.engine.test_questions import ACT
from tests.engine.world import Making, World, policy, roster

ANA, BEN, CHO, DIA = (Actor(name=name, via="api") for name in ("ana", "ben", "cho", "dia"))
OL = Role.OPERATIONS_LEAD


def settings(*, decide: Decide = Decide.HOLD, **book: Any) -> Settings:
    one = playbook(steps=[ACT], **book)
    return Settings(
        external_url="http://incidentd.example.org", rules=(replace(RULE, decide=decide), CATCH_ALL),
        playbooks={one.name: one}, roster=roster("ana", "ben", "cho", "dia"),
        escalations=policy("platform", (0, "ana")), automation=Automation(mode=Mode.AUTO),
    )  # fmt: skip


def _lead(tx: Tx, settings: Settings, number: int, person: str) -> Incident:
    incident = subjects.get_incident(tx, number)
    return roles.change(tx, settings, incident, OL, person, actor=BEN, because="")


async def at_work(world: Making, *, drill: bool = False, **how: Any) -> World:
    """Have ben command an incident about the shop, and cho lead its operations."""
    w = await world(settings(**how))
    await w.do(
        commands.declare_incident, actor=BEN, title="Nobody can pay", severity="sev2", service="shop", drill=drill
    )
    await w.do(_lead, 1, "cho")
    return w


async def run_of(w: World, number: int = 1) -> Run:
    return await w.store.read(things.get_run, number)


async def test_whoever_leads_the_incident_is_asked_before_a_playbook_acts_on_its_service(world: Making) -> None:
    w = await at_work(world)
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    run = await run_of(w)
    assert (run.state, run.mode, run.incident, w.hands.done) == (RunState.PROPOSED, Mode.APPROVE, "INC-1", [])
    assert (
        "RUN-1: playbook restart-worker fits w-3 and waits for approval of cho (Operations Lead of INC-1) or ben "
        "(Incident Commander of INC-1): INC-1 is active about the same service (safe_during_incident)."
    ) in await w.story("HOLD-1")
    assert w.post.to("cho/mail")[-1] == "May RUN-1 begin? restart-worker on w-3 (INC-1)"
    asked = next(one for one in w.post.sent if one.channel == "cho/mail" and one.title.startswith("May RUN-1"))
    assert "for HOLD-1.\nIt would act on a service of INC-1, which is active." in asked.body
    paged = next(one for one in w.post.sent if one.channel == "ana/mail" and one.page)
    assert "Let RUN-1 run" not in paged.body, "whoever is on call for the hold has no say in that incident"

    with pytest.raises(NotAllowed, match=r"while INC-1 is active, cho .* and ana does not"):
        await w.do(commands.approve_run, 1, actor=ANA)
    await w.do(commands.approve_run, 1, actor=CHO)
    assert w.hands.done[:1] == ["act"]


async def test_the_board_of_the_incident_has_the_run_as_long_as_it_waits(world: Making) -> None:
    w = await at_work(world)
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    seen = board(await w.store.read(facts.board_facts, 1), Surface.OL, w.now)
    [due] = [it for it in seen.due if it.kind == "run"]
    assert (due.id, due.who, due.what) == ("RUN-1", "cho", "let restart-worker run on w-3, or stop it")
    assert [run.key for run in seen.runs] == ["RUN-1"]

    await w.do(commands.approve_run, 1, actor=CHO)
    assert board(await w.store.read(facts.board_facts, 1), Surface.OL, w.now).runs == (), "it is the hold's from here"


async def test_whoever_comes_to_lead_the_incident_is_asked_then(world: Making) -> None:
    w = await at_work(world)
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    await w.do(_lead, 1, "dia")
    assert w.post.to("dia/mail")[-1] == "May RUN-1 begin? restart-worker on w-3 (INC-1)"
    with pytest.raises(NotAllowed, match="and cho does not"):
        await w.do(commands.approve_run, 1, actor=CHO)
    await w.do(commands.approve_run, 1, actor=DIA)
    assert w.hands.done[:1] == ["act"]


async def test_when_that_incident_is_over_whoever_may_approve_runs_does(world: Making) -> None:
    w = await at_work(world)
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    await w.do(lifecycle.stand_down, 1, actor=BEN, code=StandDown.FALSE_POSITIVE, text="the eye was wrong")
    await w.do(commands.approve_run, 1, actor=ANA)
    assert w.hands.done[:1] == ["act"]


async def test_what_a_guard_refuses_nobody_is_asked_about(world: Making) -> None:
    w = await at_work(world)
    w.settings = replace(w.settings, automation=replace(w.settings.automation, protected=("w-.*",)))
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    assert any("w-3 is protected" in text for text in await w.story("HOLD-1"))
    assert not any(title.startswith("May RUN") for title in w.post.to("cho/mail"))


@pytest.mark.parametrize(
    ("how", "service"),
    [
        ({"safe_during_incident": True}, "shop"),
        ({"drill": True}, "shop"),
        ({}, "search"),
        ({}, ""),
    ],
    ids=["it is safe", "a drill", "another service", "no service"],
)
async def test_it_begins_by_itself_where_nobody_is_in_its_way(
    world: Making, how: dict[str, Any], service: str
) -> None:  # fmt: skip
    w = await at_work(world, **how)
    await w.send(w.firing("WorkerStuck", instance="w-3", service=service))
    assert (await run_of(w)).state is RunState.VERIFYING
    assert w.hands.done[:1] == ["act"]


async def test_the_playbook_of_an_incident_itself_begins_as_its_mode_says(world: Making) -> None:
    w = await world(settings(decide=Decide.DECLARE))
    await w.send(w.firing("WorkerStuck", instance="w-3", service="shop"))
    assert (await w.incident()).service == "shop"
    assert w.hands.done[:1] == ["act"]

    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.send(w.firing("WorkerStuck", instance="w-4", service="shop", alertgroup="b"))
    assert w.hands.done.count("act") == 1, "what else fires there joins it, or asks ana"


async def test_the_services_of_all_alerts_of_an_incident_count(world: Making) -> None:
    w = await world(settings(decide=Decide.DECLARE))
    w.settings = replace(
        w.settings, rules=(replace(w.settings.rules[0], correlate_by=("cluster",)), CATCH_ALL)
    )  # fmt: skip
    await w.send(
        w.firing("WorkerStuck", instance="w-1", cluster="a", service="shop"),
        w.firing("WorkerStuck", instance="w-2", cluster="a", service="search"),
    )
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(20)
    await w.send(w.firing("WorkerStuck", instance="w-5", cluster="b", service="search"))
    assert (await run_of(w, 2)).incident == "INC-1"
