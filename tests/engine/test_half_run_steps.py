"""A step that a crash fell into and that may not be repeated: a person is asked, whatever became of its alert since."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from incidentd.engine import automation, commands, lifecycle
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.incidents import ACTIVE
from incidentd.playbooks import RunState, StepResult, StepState
from incidentd.rules import CATCH_ALL, Decide
from incidentd.settings import AlertmanagerSettings, Settings, Source
from incidentd.store import Tx, jobs, things
from tests.engine.test_automation import ANA, RULE, playbook, run_of, settings
from tests.engine.world import Making, World, minutes

LOOK = "Look at RUN-1 (interrupted): "
ASKED = {"default": Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))}


async def cut_short(w: World) -> None:
    """Let the daemon begin the first step of the run that is due, and die in it."""
    [job] = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(600), most=1)
    assert await w.store.write(automation.step_due, w.settings, job) is not None


async def begun(world: Making, now: Settings) -> World:
    """Give a world in which a run was approved, and its first step cut short."""
    w = await world(now)
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    for page in (await w.store.read(things.pages_of, "HOLD-1"))[:1]:
        await w.do(commands.ack_page, page.id, by="ana", actor=ANA)
    await w.store.write(commands.approve_run, w.settings, 1, actor=ANA)
    await cut_short(w)
    w.post.sent.clear()
    return w


async def start_again(w: World) -> None:
    await w.store.write(jobs.release_all)
    await w.settle()
    assert (await run_of(w)).state is RunState.INTERRUPTED
    assert w.hands.done == []


def approved(**changes: object) -> Settings:
    return settings(playbook(mode="approve", **changes))


async def test_a_person_is_asked_although_the_alert_resolved_and_its_hold_closed(world: Making) -> None:
    w = await begun(world, approved())
    await w.at(1)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(10)
    assert (await w.hold()).state is HoldState.CLOSED
    w.post.sent.clear()
    await start_again(w)

    (title,) = w.post.to("ana/mail")
    assert LOOK in title


async def test_a_person_is_asked_although_the_hold_became_an_incident_that_somebody_has(world: Making) -> None:
    w = await begun(world, approved())
    await w.do(commands.declare_hold, 1, actor=ANA)
    for page in await w.store.read(things.pages_of, "INC-1"):
        await w.do(commands.ack_page, page.id, by="ana", actor=ANA)
    w.post.sent.clear()
    await start_again(w)

    assert (await w.incident()).hold_id == 1
    assert any(LOOK in title for title in w.post.to("ana/mail"))


async def test_a_person_is_asked_although_the_page_of_the_hold_was_answered(world: Making) -> None:
    patient = replace(RULE, hold=HoldPolicy(no_progress_after=minutes(20), quiet=minutes(1), declare_on=frozenset()))
    w = await begun(world, replace(approved(), rules=(patient, CATCH_ALL)))
    await start_again(w)

    assert (await w.hold()).state is HoldState.HOLDING
    (title,) = w.post.to("ana/mail")
    assert LOOK in title


async def test_a_person_is_asked_although_alertmanager_says_that_nothing_of_it_fires(world: Making) -> None:
    w = await world(replace(settings(playbook()), sources=ASKED))
    w.peer.knows(w.firing("WorkerStuck", instance="w-3"))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    await cut_short(w)
    w.peer.has.clear()
    w.clock[0] += minutes(3)  # it was down
    await start_again(w)

    assert any(text.startswith("Not declared (playbook failed)") for text in await w.story("HOLD-1"))
    assert (await w.hold()).state is HoldState.RECOVERING
    (title,) = w.post.to("ana/mail")
    assert LOOK in title
    await w.at(5)
    assert (await w.hold()).state is HoldState.CLOSED


async def test_a_person_is_asked_once_when_alertmanager_says_that_it_fires_and_it_is_declared(world: Making) -> None:
    w = await world(replace(settings(playbook()), sources=ASKED))
    w.peer.knows(w.firing("WorkerStuck", instance="w-3"))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    await cut_short(w)
    await start_again(w)

    assert (await w.hold()).outcome is Outcome.DECLARED_PLAYBOOK_FAILED
    (page,) = await w.store.read(things.pages_of, "INC-1")
    assert LOOK in page.title


async def test_the_page_that_waited_for_a_playbook_that_failed_is_sent_when_the_silence_ends(world: Making) -> None:
    w = await world(replace(settings(playbook()), sources=ASKED))
    stuck = w.firing("WorkerStuck", instance="w-3")
    w.peer.knows(stuck)
    w.hands.answers["verify"] = StepResult(ok=False, summary="0")
    await w.send(stuck)
    w.peer.knows(stuck, muted_by=("silence 51973eae",))
    await w.at(6)
    assert (await run_of(w)).state is RunState.VERIFY_FAILED
    assert (await w.hold()).state is HoldState.SNOOZED
    assert w.post.sent == []

    w.peer.knows(stuck)
    await w.at(7)
    assert (await w.hold()).state is HoldState.HOLDING
    assert len(w.post.to("ana/mail")) == 1


@pytest.mark.parametrize("page", ["platform", ""])
async def test_a_person_is_asked_although_the_incident_is_over_or_its_rule_pages_nobody(
    world: Making, page: str
) -> None:
    declares = replace(RULE, decide=Decide.DECLARE, page=page)
    w = await world(replace(approved(on_failure="note"), rules=(declares, CATCH_ALL)))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.store.write(commands.approve_run, w.settings, 1, actor=ANA)
    await cut_short(w)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert (await w.incident()).status not in ACTIVE
    w.post.sent.clear()
    await start_again(w)

    assert [title for title in w.post.to("ana/mail") if LOOK in title]


async def test_a_crash_in_a_step_that_is_left_out_interrupts_nothing(world: Making) -> None:
    left_out = [
        {"name": "other", "command": ["restart", "other"], "when": 'inputs.instance == "w-9"'},
        {"name": "restart", "command": ["restart", "{{ inputs.instance }}"]},
    ]
    w = await begun(world, approved(steps=left_out))
    assert await w.store.read(state_of, 1, 0) is None
    await w.store.write(jobs.release_all)
    await w.settle()

    assert (await run_of(w)).state is not RunState.INTERRUPTED
    assert w.hands.done == ["restart", "verify"]
    assert await w.store.read(state_of, 1, 0) is StepState.SKIPPED
    assert not [title for title in w.post.to("ana/mail") if LOOK in title]


def state_of(tx: Tx, run: int, idx: int) -> StepState | None:
    return things.step_state(tx, things.get_run(tx, run), idx)
