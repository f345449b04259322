"""Bugs that other systems had with automation, by the names that they have there: ours are held to do it right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.engine import automation
from incidentd.holds import Outcome
from incidentd.playbooks import RunState
from incidentd.rules import CATCH_ALL
from incidentd.runner import promql
from incidentd.settings import Settings
from incidentd.store import jobs
from tests.engine.test_automation import ANA, RULE, playbook, run_of, settings
from tests.engine.world import Making, World, minutes


async def fires(w: World, number: int, instance: str = "w-3") -> None:
    """Let another alert about an instance fire, and everything happen that follows at once."""
    await w.send(w.firing("WorkerStuck", instance=instance, n=str(number)), group=f"{number}")


def each_for_itself(**changes: object) -> Settings:
    """Give settings in which each alert is a hold of its own."""
    return replace(settings(playbook(**changes)), rules=(replace(RULE, correlate_by=("n",)), CATCH_ALL))


async def refusals(w: World, holds: int) -> list[str]:
    stories = [await w.story(f"HOLD-{number}") for number in range(1, holds + 1)]
    return [text for story in stories for text in story if "may not run" in text]


async def test_kubernaut_722_a_score_of_0_is_no_success(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["verify"] = promql.judged(0.0, "> 0")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(6)

    assert (await run_of(w)).state is RunState.VERIFY_FAILED
    assert (await w.hold()).outcome is Outcome.DECLARED_PLAYBOOK_FAILED
    assert len(w.post.to("ana/mail")) == 1
    assert "run.verified" not in [*await w.kinds("HOLD-1"), *await w.kinds("INC-1")]


@pytest.mark.parametrize("value", [None, float("nan")])
@pytest.mark.slow
async def test_kubernaut_1090_what_is_inconclusive_counts_as_not_fixed_and_is_not_repeated_39_times(
    world: Making, value: float | None
) -> None:
    """Six times are enough to see it."""
    w = await world(each_for_itself(limits={"cool_down": "0s", "per_target": "99 in 1h", "total": "99 in 1h"}))
    w.hands.answers["verify"] = promql.judged(value, "> 0")
    for number in range(1, 7):
        await fires(w, number)
        await w.at(number * 6)

    # after one failed verification it does nothing more by itself: a person is asked
    assert [(await run_of(w, number)).state for number in (1, 2)] == [RunState.VERIFY_FAILED, RunState.PROPOSED]
    assert w.hands.done.count("restart") == 1
    told = [key.split("/")[0] for n in w.post.sent for key in (n.key, *n.also)]
    assert {f"PAGE-{number}" for number in range(1, 7)} <= set(told)


async def test_kubernaut_208_where_no_playbook_is_found_people_are_called(world: Making) -> None:
    w = await world(replace(settings(playbook()), playbooks={}))
    await w.send(w.firing("WorkerStuck", instance="w-3"))

    assert len(w.post.to("ana/mail")) == 1
    assert "There is no playbook restart-worker in the files, so nothing runs." in await w.story("HOLD-1")


@pytest.mark.slow
async def test_stackstorm_3607_runs_are_limited_for_each_host_and_for_each_playbook(world: Making) -> None:
    w = await world(each_for_itself(limits={"cool_down": "0s", "per_target": "2 in 30m", "total": "3 in 30m"}))
    for number, (instance, done) in enumerate([("w-1", 1), ("w-1", 2), ("w-1", 2), ("w-2", 3), ("w-3", 3)], 1):
        await fires(w, number, instance)
        await w.at(number * 4)
        assert w.hands.done.count("restart") == done, number

    host, whole = await refusals(w, 5)
    assert "per_target allows 2" in host or "is back" in host
    assert "limits.total allows 3" in whole
    assert len(w.post.sent) == 2
    await w.at(60)
    await fires(w, 6, "w-3")
    assert w.hands.done.count("restart") == 4


@pytest.mark.parametrize("idempotent", [False, True])
async def test_stackstorm_4716_a_run_whose_runner_died_does_not_run_for_ever(world: Making, idempotent: bool) -> None:
    steps = [{"name": "restart", "command": ["restart"], "idempotent": idempotent}]
    w = await world(each_for_itself(steps=steps, mode="approve"))
    await fires(w, 1)
    await w.store.write(automation.approve, w.settings, 1, actor=ANA)
    [job] = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(1), most=1)
    assert await w.store.write(automation.step_due, w.settings, job) is not None
    await w.at(0.9)
    assert (await run_of(w)).state is RunState.RUNNING

    await w.at(1.1)
    assert w.hands.done[:1] == (["restart"] if idempotent else [])
    await w.at(10)
    assert (await run_of(w)).state is (RunState.VERIFIED if idempotent else RunState.INTERRUPTED)
    w.settings = each_for_itself(steps=steps)
    await fires(w, 2)
    assert w.hands.done.count("restart") == 1 + idempotent
