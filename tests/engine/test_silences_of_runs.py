"""Silences that runs make: lifted whatever ends the run, and nobody's snooze."""

from __future__ import annotations

import json
from dataclasses import replace

from incidentd.engine import automation, stopping
from incidentd.errors import PermanentError, TemporaryError
from incidentd.holds import HoldState
from incidentd.playbooks import RunState, StepResult
from incidentd.playbooks.errands import mark_of
from incidentd.settings import AlertmanagerSettings, Settings, Source
from incidentd.store import jobs, things
from tests.engine.test_automation import ANA, playbook, run_of, settings
from tests.engine.world import Making, World, minutes

QUIET = {"name": "quiet", "alertmanager": {"silence": ['instance="{{ inputs.instance }}"'], "for": "30m"}}
ACT = {"name": "act", "command": ["true"]}


def silencing(*steps: object, **changes: object) -> Settings:
    source = Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))
    return replace(settings(playbook(steps=[*steps], **changes)), sources={"default": source})


async def begun(world: Making, *steps: object) -> World:
    w = await world(silencing(*steps))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    return w


async def test_a_silence_is_lifted_when_the_run_is_verified_and_looked_for_once_more(world: Making) -> None:
    w = await begun(world, QUIET, ACT)
    assert w.hands.done[:2] == ["quiet", "act"]
    await w.at(1.5)
    assert w.peer.lifted == []
    await w.at(5)
    assert w.peer.lifted == [mark_of(await run_of(w))] * 2
    assert "RUN-1: 1 silence that it made is lifted." in await w.story("HOLD-1")


async def test_a_silence_is_lifted_when_a_later_step_fails_and_alertmanager_was_away(world: Making) -> None:
    w = await world(silencing(QUIET, ACT))
    w.hands.answers["act"] = StepResult(ok=False, summary="exit 1")
    w.peer.failure = TemporaryError("Alertmanager at http://am cannot be reached")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert w.peer.lifted == []
    w.peer.failure = None
    await w.at(10)
    assert w.peer.lifted


async def test_what_cannot_be_lifted_is_said_with_its_end(world: Making) -> None:
    w = await world(silencing(QUIET, ACT))
    w.hands.answers["act"] = StepResult(ok=False, summary="exit 1")
    w.peer.failure = PermanentError("Alertmanager refuses these credentials")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert any("could not be lifted" in text and "at the latest" in text for text in await w.story("HOLD-1"))


async def test_a_crash_while_a_silence_is_made_has_it_made_once_and_lifted(world: Making) -> None:
    w = await world(silencing(QUIET, ACT))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    job = (await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(1), most=1))[0]
    await w.store.write(automation.step_due, w.settings, job)
    await w.store.write(jobs.release_all)
    await w.at(6)
    assert w.hands.done.count("quiet") == 1
    assert w.peer.lifted


async def test_a_run_that_vanished_without_its_end_being_taken_in_is_lifted_within_a_minute(world: Making) -> None:
    w = await begun(world, QUIET, {"name": "settle", "wait": "30m"})
    run = await run_of(w)
    ended = replace(run, state=RunState.FAILED, finished_at=w.now)
    await w.store.write(things.save_run, ended)
    await w.at(1)
    assert w.peer.lifted == [mark_of(run)]


async def test_a_silence_is_lifted_when_its_playbook_is_switched_off(world: Making) -> None:
    w = await begun(world, QUIET, {"name": "settle", "wait": "30m"})
    run = await run_of(w)
    await w.store.write(stopping.disable, w.settings, run.playbook, actor=ANA, reason="it is not what it seems")
    await w.engine.watch_one()
    (lift,) = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="test", lease=minutes(1), most=8)
    assert await w.store.read(stopping.lost, [lift]) == []
    await w.at(1.5)

    assert w.peer.lifted == [mark_of(run)]
    ended = await run_of(w)
    assert ended.state is RunState.STOPPED
    assert "at the step `settle`, of which nothing can be half done" in ended.reason


async def test_a_run_that_silences_nothing_asks_alertmanager_for_nothing(world: Making) -> None:
    w = await begun(world, ACT, {**QUIET, "when": "inputs.instance == 'w-9'"})
    await w.at(6)
    assert w.peer.lifted == []


async def test_a_run_s_silence_is_no_snooze_and_keeps_new_alerts_away(world: Making) -> None:
    w = await begun(world, QUIET, {"name": "settle", "wait": "30m"})
    await w.engine.begin()
    alert, other = w.firing("WorkerStuck", instance="w-3"), w.firing("WorkerSlow", instance="w-3")
    w.peer.receivers = frozenset({"incidentd"})
    w.peer.knows(alert, other, muted_by=("silence 51973eae",), by_runs=True)
    await w.at(4)
    assert (await w.hold()).state is HoldState.HOLDING
    assert "hold" not in {await kind_of(w, 2)}

    w.peer.knows(alert, muted_by=("silence 8a", "silence 51973eae"))
    await w.at(6)
    assert (await w.hold()).state is HoldState.SNOOZED
    w.peer.knows(alert, muted_by=("silence 51973eae",), by_runs=True)
    await w.at(8)
    assert (await w.hold()).state is HoldState.HOLDING


async def kind_of(w: World, number: int) -> str:
    return "hold" if await w.kinds(f"HOLD-{number}") else ""
