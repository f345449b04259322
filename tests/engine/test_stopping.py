"""The kill switch and the stopping of single runs: at once, inside a step too, durable, and paging goes on."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from incidentd.engine import commands, stopping
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.holds import HoldState
from incidentd.playbooks import Mode, RunState, Step, StepResult
from incidentd.playbooks.errands import Errand
from incidentd.playbooks.standing import ALL
from incidentd.store import jobs, switching, things
from incidentd.timeline import SYSTEM, Actor
from tests.engine.test_automation import playbook, run_of, settings
from tests.engine.world import Making, World, make_world

BEN = Actor(name="ben", via="cli")


class Stuck:
    """A runner whose steps never end by themselves."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = 0
        self.over = asyncio.Event()

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str, errand: Errand) -> StepResult:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1
            self.over.set()
        raise AssertionError


async def in_the_middle_of_a_step(w: World) -> Stuck:
    stuck = w.doors.runner = Stuck()
    body = {"alerts": [w.firing("WorkerStuck", instance="w-3", service="a")]}
    await w.store.append("default", json.dumps(body).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    assert await w.engine.act_one(jobs.PLAYBOOK)
    await stuck.began.wait()
    return stuck


async def test_a_switch_stops_what_runs_inside_a_step_and_says_what_is_half_done(world: Making) -> None:
    w = await world(settings(playbook()))
    stuck = await in_the_middle_of_a_step(w)
    assert w.post.sent == []

    done = await w.store.write(stopping.disable, w.settings, ALL, actor=BEN, reason="it restarts the wrong ones")
    assert done.stops == ("RUN-1",)
    await w.engine.stop_lost()
    await w.engine.acted()
    assert stuck.ended == 1, "the step, with its processes, ends before anything else is looked at"
    await w.settle()

    run = await run_of(w)
    assert run.state is RunState.STOPPED
    assert run.reason == (
        "ben switched every playbook off: it restarts the wrong ones; the step `restart` was at work and may be half "
        "done: look at w-3, and go on by hand"
    )
    ends = [it for it in await w.entries("HOLD-1") if it.kind == "run.stopped"]
    assert [(it.actor.name, it.actor.via) for it in ends] == [("ben", "cli")]
    assert (await w.hold()).state is HoldState.HOLDING, "a run that was stopped proves nothing, and declares nothing"
    assert len(w.post.to("ana/mail")) == 1, "the page that waited for the playbook goes out"


async def test_a_switch_is_off_after_a_restart_until_somebody_turns_it_on(world: Making, store_url: str) -> None:
    first = await world(settings(playbook()))
    await first.do(stopping.disable, "restart-worker", actor=BEN, reason="a new version comes")
    await first.store.close()

    w = await make_world(store_url, settings(playbook()), clock=first.clock)
    try:
        await w.send(w.firing("WorkerStuck", instance="w-3", service="a"))
        assert w.hands.done == []
        assert any("ben switched restart-worker off: a new version comes" in it for it in await w.story("HOLD-1"))
        assert len(w.post.to("ana/mail")) == 1

        await w.do(stopping.enable, "restart-worker", actor=BEN)
        await w.send(w.firing("WorkerStuck", instance="w-4", service="b"))
        assert w.hands.done[:1] == ["restart"]
        kinds = [it.kind for it in await w.entries(SYSTEM) if it.kind.startswith("automation.")]
        assert kinds == ["automation.disabled", "automation.enabled"], "who and why is kept"
    finally:
        await w.store.close()


async def test_no_step_begins_once_the_switch_is_off_even_before_its_run_is_stopped(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    await w.store.write(stopping.disable, w.settings, "restart-worker", actor=BEN, reason="no")
    await w.engine.act_one(jobs.PLAYBOOK)
    await w.engine.acted()
    assert w.hands.done == []
    await w.settle()
    assert (await run_of(w)).reason.endswith(
        "it was between two steps, before the step `restart`, and nothing is half done"
    )


async def test_another_replica_ends_its_step_when_it_looks(world: Making) -> None:
    w = await world(settings(playbook()))
    stuck = await in_the_middle_of_a_step(w)
    other = World(w.store, w.settings, w.clock, w.metrics, me="other")
    await other.store.write(stopping.disable, w.settings, ALL, actor=BEN, reason="no")
    await other.engine.watch_one()
    assert (await run_of(w)).state is RunState.STOPPED
    await w.engine.stop_lost()
    await w.engine.stop_lost()
    await w.engine.acted()
    assert stuck.ended == 1


async def test_a_person_stops_one_run(world: Making) -> None:
    w = await world(settings(playbook(rollback=[{"name": "back", "command": ["back"]}])))
    await in_the_middle_of_a_step(w)
    with pytest.raises(BadRequest, match="the reason is empty"):
        await w.store.write(stopping.stop, w.settings, 1, actor=BEN, reason=" ")
    run = await w.store.write(stopping.stop, w.settings, 1, actor=BEN, reason="I do it by hand")
    await w.engine.stop_lost()
    await w.engine.acted()
    await w.settle()
    assert run.reason.startswith("ben stopped it: I do it by hand; the step `restart` was at work")
    assert run.reason.endswith("and nothing was rolled back")
    with pytest.raises(Conflict, match="RUN-1 is over: stopped"):
        await w.store.write(stopping.stop, w.settings, 1, actor=BEN, reason="again")


async def test_a_run_that_waits_for_approval_cannot_begin_while_its_playbook_is_off(world: Making) -> None:
    w = await world(settings(playbook(), mode=Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.do(stopping.disable, ALL, actor=BEN, reason="no")
    with pytest.raises(Conflict, match="RUN-1 may not run now: ben switched every playbook off: no"):
        await w.do(commands.approve_run, 1, actor=BEN)
    stopped = await w.do(stopping.stop, 1, actor=BEN, reason="not needed")
    assert stopped.reason == "ben stopped it: not needed; it had not begun"


async def test_a_switch_takes_a_reason_and_a_name_that_is_known(world: Making) -> None:
    w = await world(settings(playbook()))
    with pytest.raises(BadRequest, match="say why"):
        await w.do(stopping.disable, ALL, actor=BEN, reason="")
    with pytest.raises(NotFound, match="there is no playbook 'restrat'; there are restart-worker"):
        await w.do(stopping.disable, "restrat", actor=BEN, reason="no")
    with pytest.raises(Conflict, match="restart-worker is not switched off"):
        await w.do(stopping.enable, "restart-worker", actor=BEN)
    await w.do(stopping.disable, ALL, actor=BEN, reason="one")
    await w.do(stopping.disable, ALL, actor=replace(BEN, name="cho"), reason="two")
    assert (await w.store.read(switching.switches))[ALL].said() == "cho switched every playbook off: two"


async def test_a_run_whose_playbook_is_gone_from_the_files_is_stopped_too(world: Making) -> None:
    w = await world(settings(playbook()))
    await in_the_middle_of_a_step(w)
    w.settings = replace(w.settings, playbooks={})
    done = await w.store.write(stopping.disable, w.settings, "restart-worker", actor=BEN, reason="no")
    assert done.stops == ("RUN-1",)
    await w.engine.stop_lost()
    await w.engine.acted()
    await w.settle()
    assert (await w.store.read(things.get_run, 1)).state is RunState.STOPPED


async def test_the_loop_hears_of_a_switch_and_ends_the_step(world: Making) -> None:
    w = await world(settings(playbook()))
    stuck = w.doors.runner = Stuck()
    w.engine.start()
    try:
        await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
        await stuck.began.wait()
        await w.store.write(stopping.disable, w.settings, ALL, actor=BEN, reason="no")
        await stuck.over.wait()
    finally:
        await w.engine.stop(5)
    await w.settle()
    assert (await run_of(w)).state is RunState.STOPPED
