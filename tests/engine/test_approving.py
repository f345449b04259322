"""Who lets playbooks act in an active incident: whoever leads its operations or commands it, while anybody does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incidentd.engine import answering, commands, lifecycle, merging, roles
from incidentd.errors import NotAllowed
from incidentd.incidents import Incident, StandDown
from incidentd.links import Claim, LinkAction
from incidentd.playbooks import Mode, Run, RunState
from incidentd.playbooks.waiting import waiting
from incidentd.roles import Role
from incidentd.rules import CATCH_ALL, Decide
from incidentd.settings import Automation, Settings
from incidentd.store import Tx, subjects, things
from incidentd.timeline import Actor
from tests.engine.test_automation import RULE, playbook
from tests.engine.test_questions import ACT, asking
from tests.engine.world import Making, World, policy, roster

ANA, BEN, CHO, DIA = (Actor(name=name, via="api") for name in ("ana", "ben", "cho", "dia"))
IC, OL = Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD


def settings(*steps: dict[str, Any], mode: Mode = Mode.APPROVE, decide: Decide = Decide.DECLARE) -> Settings:
    book = playbook(steps=[*steps] or [ACT])
    return Settings(
        external_url="http://incidentd.example.org", rules=(replace(RULE, decide=decide), CATCH_ALL),
        playbooks={book.name: book}, roster=roster("ana", "ben", "cho", "dia"),
        escalations=policy("platform", (0, "ana"), (30, "ben")), automation=Automation(mode=mode),
    )  # fmt: skip


def _change(tx: Tx, settings: Settings, role: Role, person: str) -> Incident:
    incident = subjects.get_incident(tx, 1)
    return roles.change(tx, settings, incident, role, person, actor=ANA, because="")


async def begun(world: Making, *steps: dict[str, Any], mode: Mode = Mode.APPROVE) -> World:
    """Declare what pages ana, whose playbook waits for approval or asks in its first step."""
    w = await world(settings(*steps, mode=mode))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert (await w.incident()).hold_id is None
    return w


async def led(world: Making, *steps: dict[str, Any], mode: Mode = Mode.APPROVE) -> World:
    """Have ana command it, and ben lead its operations."""
    w = await begun(world, *steps, mode=mode)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(_change, OL, "ben")
    return w


async def run_of(w: World) -> Run:
    return await w.store.read(things.get_run, 1)


async def test_while_nobody_leads_whoever_may_approve_runs_does_as_ever(world: Making) -> None:
    w = await begun(world)
    assert "Let RUN-1 run" in w.post.sent[0].body
    await w.do(commands.approve_run, 1, actor=CHO)
    assert w.hands.done[:1] == ["act"]


async def test_only_who_leads_the_operations_or_commands_lets_a_run_begin(world: Making) -> None:
    w = await led(world)
    said = (
        r"while INC-1 is active, ben \(Operations Lead of INC-1\) or ana \(Incident Commander of INC-1\) lets "
        r"playbooks act there, and cho does not: ask them to type `incidentd approve RUN-1`; a token with the scope "
        r"admin may, too"
    )
    with pytest.raises(NotAllowed, match=said):
        await w.do(commands.approve_run, 1, actor=CHO)
    assert (await run_of(w)).state is RunState.PROPOSED
    who = waiting(await run_of(w))
    assert who is not None
    assert who.who.startswith("the Operations Lead or the Incident Commander of INC-1; while it has neither, ")
    await w.do(commands.approve_run, 1, actor=BEN)
    assert w.hands.done[:1] == ["act"]


async def test_who_has_both_roles_is_named_once(world: Making) -> None:
    w = await begun(world)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(_change, OL, "ana")
    with pytest.raises(NotAllowed, match=r"active, ana \(Operations Lead of INC-1\) lets playbooks act there, and cho"):
        await w.do(commands.approve_run, 1, actor=CHO)


@pytest.mark.parametrize(("actor", "admin"), [(ANA, False), (CHO, True)])
async def test_the_commander_may_too_and_an_admin_whatever_their_role(
    world: Making, actor: Actor, admin: bool
) -> None:  # fmt: skip
    w = await led(world)
    await w.do(commands.approve_run, 1, actor=actor, admin=admin)
    assert w.hands.done[:1] == ["act"]


async def test_whoever_comes_to_lead_the_operations_is_asked_and_who_was_paged_is_not_asked_twice(
    world: Making,
) -> None:
    w = await begun(world)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    assert not any(title.startswith("May RUN-1") for title in w.post.to("ana/mail")), "the page had the link"
    await w.do(_change, OL, "ben")
    assert w.post.to("ben/mail") == ["May RUN-1 begin? restart-worker on w-3 (INC-1)"]
    body = next(one.body for one in w.post.sent if one.channel == "ben/mail")
    assert "Restart a worker (risk: low), on w-3, for INC-1." in body
    assert "It begins when you say so: `incidentd approve RUN-1`." in body
    assert "Or here: http://incidentd.example.org/a/v1." in body
    await w.do(commands.approve_run, 1, actor=BEN)
    await w.do(_change, OL, "cho")
    assert w.post.to("cho/mail") == [], "nothing waits any more"


async def test_a_question_to_nobody_by_name_goes_to_who_leads_and_only_they_answer(world: Making) -> None:
    w = await led(world, {"name": "settle", "wait": "3m"}, asking(who=None, expires="1h"), ACT, mode=Mode.AUTO)
    await w.at(4)
    assert w.post.to("ben/mail") == ["RUN-1 asks: Restart w-3?"]
    assert not any(title.startswith("RUN-1 asks") for title in w.post.to("ana/mail"))
    story = await w.story("INC-1")
    assert any(
        text.startswith("RUN-1 asks ben (Operations Lead of INC-1) or ana (Incident Commander of INC-1): Restart w-3?")
        for text in story
    )
    with pytest.raises(NotAllowed, match="and cho does not"):
        await w.do(commands.approve_run, 1, actor=CHO, answer="yes")
    await w.do(_change, OL, "dia")
    assert w.post.to("dia/mail") == ["RUN-1 asks: Restart w-3?"]
    with pytest.raises(NotAllowed, match=r"dia \(Operations Lead of INC-1\) or ana .* and ben does not"):
        await w.do(commands.approve_run, 1, actor=BEN, answer="yes")
    await w.do(commands.approve_run, 1, actor=DIA, answer="yes")
    assert w.hands.done[:1] == ["act"]


async def test_those_whom_a_question_names_answer_it_whatever_roles_there_are(world: Making) -> None:
    step = asking(who={"people": ["cho"]}, expires="1h")
    w = await led(world, {"name": "settle", "wait": "3m"}, step, ACT, mode=Mode.AUTO)
    await w.at(4)
    assert w.post.to("cho/mail") == ["RUN-1 asks: Restart w-3?"]
    with pytest.raises(NotAllowed, match="RUN-1 asks cho, and ben is not among them"):
        await w.do(commands.approve_run, 1, actor=BEN, answer="yes")
    await w.do(commands.approve_run, 1, actor=CHO, answer="yes")
    assert w.hands.done[:1] == ["act"]


async def test_a_run_of_a_hold_waits_for_who_leads_the_incident_that_it_became(world: Making) -> None:
    w = await world(settings(decide=Decide.HOLD))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.do(commands.declare_hold, 1, actor=BEN, reason="it spreads")
    await w.do(_change, OL, "cho")
    assert w.post.to("cho/mail")[-1] == "May RUN-1 begin? restart-worker on w-3 (INC-1)"
    with pytest.raises(NotAllowed, match=r"cho \(Operations Lead of INC-1\)"):
        await w.do(commands.approve_run, 1, actor=DIA)
    await w.do(commands.approve_run, 1, actor=CHO)
    assert w.hands.done[:1] == ["act"]


async def test_after_a_merge_it_is_who_leads_the_incident_that_goes_on(world: Making) -> None:
    w = await led(world)
    other = await w.do(commands.declare_incident, actor=CHO, title="All is slow", severity="sev2", service="shop")
    await w.do(merging.merge, 1, into=other.id, actor=ANA)
    with pytest.raises(NotAllowed, match=r"while INC-2 is active, cho \(Incident Commander of INC-2\) lets"):
        await w.do(commands.approve_run, 1, actor=BEN)
    await w.do(commands.approve_run, 1, actor=CHO)


@pytest.mark.parametrize("waits", ["approval", "question"])
async def test_who_leads_what_takes_an_incident_in_is_asked_about_its_runs_and_who_led_it_when_it_is_taken_out(
    world: Making, *, waits: str
) -> None:
    if waits == "approval":
        w, said = await led(world), "May RUN-1 begin? restart-worker on w-3 (INC-{})"
    else:
        w, said = await led(world, asking(who=None, expires="1h"), ACT, mode=Mode.AUTO), "RUN-1 asks: Restart w-3?"
    await w.do(commands.declare_incident, actor=CHO, title="All is slow", severity="sev2", service="shop")
    before = w.post.to("ben/mail").count(said.format(1))
    await w.do(merging.merge, 1, into=2, actor=ANA)
    assert [title for title in w.post.to("cho/mail") if title == said.format(2)] == [said.format(2)]
    with pytest.raises(NotAllowed, match="and ben does not"):
        await w.do(commands.approve_run, 1, actor=BEN, answer="" if waits == "approval" else "yes")
    await w.do(merging.unmerge, 1, actor=ANA, admin=True)
    assert w.post.to("ben/mail").count(said.format(1)) == before + 1
    assert w.post.to("cho/mail").count(said.format(2)) == 1
    await w.do(commands.approve_run, 1, actor=BEN, answer="" if waits == "approval" else "yes")
    assert w.hands.done[:1] == ["act"]


async def test_a_merge_asks_nobody_twice(world: Making) -> None:
    """Neither about what the survivor waits for itself, nor who was paged for what it takes in."""
    w = await led(world)
    await w.do(commands.declare_incident, actor=CHO, title="All is slow", severity="sev2", service="shop")
    asked = "May RUN-1 begin? restart-worker on w-3 (INC-1)"
    assert w.post.to("ben/mail").count(asked) == 1
    await w.do(merging.merge, 2, into=1, actor=CHO, admin=True)
    assert w.post.to("ben/mail").count(asked) == 1
    other = await w.do(commands.declare_incident, actor=ANA, title="All stands", severity="sev2", service="shop")
    await w.do(merging.merge, 1, into=other.id, actor=ANA)
    assert not [title for title in w.post.to("ana/mail") if title.startswith("May RUN-1")], "the page had the link"


async def test_when_the_incident_is_over_its_roles_keep_nobody_from_approving(world: Making) -> None:
    w = await led(world)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code=StandDown.DUPLICATE, text="seen before")
    await w.do(commands.approve_run, 1, actor=CHO)
    assert w.hands.done[:1] == ["act"]


async def test_a_link_of_somebody_who_has_no_say_by_now_says_who_has(world: Making) -> None:
    w = await led(world)
    claim = Claim(
        action=LinkAction.APPROVE, subject="RUN-1", person="cho", nonce="n", expires=w.now, kid="k"
    )  # fmt: skip
    shown = await w.store.read(answering.look, w.settings, claim, b"key")
    assert shown.over is not None
    assert shown.over[0] == "This is for others to say"
    assert shown.over[1].startswith("While INC-1 is active, ben (Operations Lead of INC-1) or ana")
    assert (await w.store.read(answering.look, w.settings, replace(claim, person="ben"), b"key")).over is None
