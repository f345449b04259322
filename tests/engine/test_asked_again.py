"""Runs that waited: before they act the guards are asked once more, since the world may be another one by then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from incidentd.engine import automation, byhand, commands
from incidentd.errors import Conflict
from incidentd.playbooks import Mode, RunState
from incidentd.store import jobs, things
from incidentd.store.tables import alert
from tests.engine.test_automation import ANA, playbook, run_of, settings
from tests.engine.test_questions import asking
from tests.engine.world import Making, World

ACT: dict[str, Any] = {"name": "act", "command": ["true"]}
MORE: dict[str, Any] = {"name": "more", "command": ["true"]}
UNDO: dict[str, Any] = {"name": "undo", "command": ["true"]}


async def begun(world: Making, *steps: dict[str, Any], **more: Any) -> World:
    w = await world(settings(playbook(steps=[*steps], **more)))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    return w


async def test_an_answer_that_comes_when_its_alert_is_over_acts_on_nothing(world: Making) -> None:
    w = await begun(world, asking(expires="1h"), ACT, rollback=[UNDO])
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)

    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.REFUSED, [])
    assert run.reason == (
        "before the step `act`, the alert does not fire any more, so restart-worker has nothing to do"
    )
    assert "RUN-1: may it: `yes` by ana" in await w.story("HOLD-1")
    assert [n.title for n in w.post.sent if not n.title.startswith("RUN-1 asks")] == []  # it is over: nobody is woken


async def test_what_was_begun_before_the_question_is_left_for_a_person_as_when_a_run_is_stopped(world: Making) -> None:
    w = await begun(world, ACT, asking(expires="1h"), MORE, rollback=[UNDO])
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)

    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.REFUSED, ["act"])
    assert run.reason.endswith(
        "; what it did before stays as it is, and nothing is rolled back, since that would be acting on"
    )
    assert w.post.to("ana/mail")[-1] == "[SEV3] Look at RUN-1 (refused): WorkerStuck (HOLD-1)"


async def test_an_answer_that_comes_late_acts_while_the_alert_fires_muted_or_not(world: Making) -> None:
    w = await begun(world, asking(expires="1h"), {"name": "look", "promql": {"query": "up"}}, ACT, MORE)
    await w.at(45)
    muted = update(alert).values(status="suppressed")
    await w.store.write(lambda tx: tx.conn.execute(muted))
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)
    assert w.hands.done[:3] == ["look", "act", "more"]
    assert (await run_of(w)).vetted_at == w.now


async def test_an_answer_that_nothing_followed_for_hours_is_too_old_to_act_on(world: Making) -> None:
    w = await begun(world, asking(expires="1h"), ACT)
    await w.at(5)
    await w.store.write(commands.approve_run, w.settings, 1, actor=ANA, answer="yes")
    w.clock[0] += timedelta(hours=4)
    await w.settle()
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.REFUSED, [])
    assert "the run stood still for 4h; restart-worker acts on what was seen up to 10m before" in run.reason


async def test_where_more_broke_while_it_waited_a_run_leaves_it_to_people(world: Making) -> None:
    w = await begun(world, asking(expires="1h"), ACT, fleet=4)
    await w.send(w.firing("WorkerStuck", instance="w-4", service="4"), group="4")
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.REFUSED, [])
    assert "more than 1 alert of this name fire, of a fleet of 4" in run.reason


@pytest.mark.parametrize("resolves", [True, False])
async def test_a_long_wait_before_anything_was_changed_asks_again(world: Making, resolves: bool) -> None:
    w = await begun(world, {"name": "settle", "wait": "15m"}, ACT)
    await w.at(5)
    if resolves:
        await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(15)
    assert w.hands.done[:1] == ([] if resolves else ["act"])
    assert (await run_of(w)).state is (RunState.REFUSED if resolves else RunState.VERIFYING)


async def test_a_wait_between_two_changes_asks_nothing_since_the_first_may_have_healed_it(world: Making) -> None:
    w = await begun(world, ACT, {"name": "settle", "wait": "15m"}, MORE)
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(15)
    assert w.hands.done[:2] == ["act", "more"]


async def test_a_run_that_stood_still_between_two_changes_is_for_people(world: Making) -> None:
    w = await begun(world, ACT, {"name": "settle", "wait": "1m"}, MORE)
    w.clock[0] += timedelta(hours=4)
    await w.settle()
    assert w.hands.done == ["act"]
    assert "before the step `more`, the run stood still for" in (await run_of(w)).reason


async def test_a_step_that_may_be_repeated_is_not_when_incidentd_was_away_for_hours(world: Making) -> None:
    w = await world(settings(playbook(steps=[{**ACT, "idempotent": True}])))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    (job,) = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=timedelta(minutes=1), most=1)
    assert await w.store.write(automation.step_due, w.settings, job) is not None
    w.clock[0] += timedelta(hours=4)
    await w.settle()
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.INTERRUPTED, [])
    assert (
        "in the middle of the step `act`, and the alert began 4h ago; restart-worker acts on alerts up to" in run.reason
    )


async def test_a_run_without_an_alert_asks_the_guards_that_look_at_other_things(world: Making) -> None:
    w = await world(settings(playbook(steps=[asking(expires="2h"), ACT], mode="approve"), Mode.APPROVE))
    await w.send(w.firing("Other", instance="w-3"))
    await w.do(byhand.run, "restart-worker", subject="HOLD-1", labels={"instance": "w-3"}, actor=ANA)
    await w.at(60)
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)
    assert w.hands.done[:1] == ["act"]


async def test_no_means_that_nothing_is_rolled_back_before_anything_was_changed(world: Making) -> None:
    look = {"name": "look", "http": {"url": "http://{{ inputs.instance }}/healthz"}}
    w = await begun(world, look, asking(), ACT, rollback=[UNDO])
    await w.do(automation.take_answer, 1, answer="no", actor=ANA)
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.FAILED, ["look"])
    assert run.reason == ("the step `may it` failed: `no` by ana; nothing was changed yet, so nothing is rolled back")


async def test_no_rolls_back_what_was_changed_before_it(world: Making) -> None:
    w = await begun(world, ACT, asking(), MORE, rollback=[UNDO])
    await w.do(automation.take_answer, 1, answer="no", actor=ANA)
    assert ((await run_of(w)).state, w.hands.done) == (RunState.FAILED, ["act", "undo"])


async def test_a_run_that_is_at_work_counts_however_long_ago_it_began(world: Making) -> None:
    w = await begun(world, asking(expires="1d"), ACT, domain="{{ inputs.instance }}")
    run = await run_of(w)
    await w.store.write(things.save_run, replace(run, started_at=run.started_at - timedelta(hours=25)))
    await w.send(w.firing("WorkerStuck", instance="w-4", service="4"), group="4")
    assert any("is tried on w-3 first, and on others when" in text for text in await w.story("HOLD-2"))
    with pytest.raises(Conflict, match=r"\(canary\): restart-worker is tried on w-3 first"):
        await w.do(byhand.run, "restart-worker", subject="HOLD-2", labels={"instance": "w-4"}, actor=ANA)


@pytest.mark.parametrize("acted", [True, False])
async def test_a_run_that_was_refused_counts_for_the_guards_once_it_acted(world: Making, acted: bool) -> None:
    steps = [ACT, asking(expires="1h"), MORE] if acted else [asking(expires="1h"), MORE]
    w = await begun(world, *steps, limits={"cool_down": "1h"})
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA)
    assert (await run_of(w)).state is RunState.REFUSED
    await w.at(15)
    await w.send(w.firing("WorkerStuck", instance="w-3"))

    refused = any("a run on w-3 ended 10m ago, and 1h have to pass" in text for text in await w.story("HOLD-2"))
    assert refused is acted


@pytest.mark.parametrize("hours", [0, 30])
async def test_a_cool_down_is_kept_however_long_it_is_and_however_long_the_run_took(world: Making, hours: int) -> None:
    w = await begun(world, ACT, limits={"cool_down": "2d"})
    await w.at(1)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(5)
    run = await run_of(w)
    assert run.state is RunState.VERIFIED
    await w.store.write(things.save_run, replace(run, started_at=run.started_at - timedelta(hours=hours)))
    await w.at(40 * 60)
    await w.send(w.firing("WorkerStuck", instance="w-3"))

    assert any("and 2d have to pass (limits.cool_down)" in text for text in await w.story("HOLD-2"))
