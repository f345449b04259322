"""Steps of installed kinds, in the runner: what they are handed, and what holds for them as for all."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.config.kinds import refused
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand
from incidentd.runner import Runner, adapted
from incidentd.runner import installed as running_installed
from tests.doors.runners import SECRET, Source, running
from tests.steps_of_ones_own import GOOD

ERRAND = Errand(run="RUN-7", playbook="tidy", target="w-3", key="RUN-7@17/steps/2")


@pytest.fixture
def brought(tmp_path: Path) -> Any:
    """Give the module of a package, loaded anew."""
    (tmp_path / "queue_steps.py").write_text(GOOD)
    spec = importlib.util.spec_from_file_location("queue_steps", tmp_path / "queue_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def runner(brought: Any) -> AsyncIterator[Runner]:
    kinds = {kind.name: adapted(kind, refused) for kind in (brought.drain, brought.depth)}
    async with running(Source(7.0), kinds=kinds) as it:
        yield it


async def done(runner: Runner, queue: str, kind: str = "drain", *, retries: int = 0, seconds: float = 5) -> StepResult:
    step = Step(
        name="empty", kind=kind, args={"queue": "{{ inputs.queue }}", "at_once": 5}, retries=retries,
        delay=timedelta(0), timeout=timedelta(seconds=seconds), reads=kind == "depth",
    )  # fmt: skip
    return await runner.run_step(step, {"inputs": {"queue": queue}}, source="prod", errand=ERRAND)


async def test_it_is_handed_filled_in_arguments_a_deadline_a_key_and_the_doors_that_it_asks_for(
    runner: Runner, brought: Any
) -> None:
    result = await done(runner, "q-1")
    (call,) = brought.SEEN
    assert (call.args, call.run, call.target) == ({"queue": "q-1", "at_once": 5}, "RUN-7", "w-3")
    assert call.key == ERRAND.key
    assert 0 < call.deadline - asyncio.get_running_loop().time() <= 5
    assert sorted(call.doors) == ["command", "promql"]
    assert (result.ok, result.value) == (True, {"left": 0})
    assert SECRET not in result.summary + result.output

    await done(runner, "q-1", "depth")
    assert brought.SEEN[-1].doors == {}


async def test_its_doors_are_those_of_incidentd(runner: Runner) -> None:
    ran = await done(runner, "programs")
    assert ran.value["left"].startswith("{{ x }} ")
    assert SECRET not in ran.value["left"]
    assert (await done(runner, "asks")).value == {"left": 7.0}


@pytest.mark.parametrize("value", ["UPPER", "", "a b", "x" * 21, "q\n", "{{ 7 }}"])
async def test_what_its_schema_refuses_once_filled_in_is_never_handed_over(
    runner: Runner, brought: Any, value: str
) -> None:
    result = await done(runner, value, retries=3)
    assert (result.ok, result.final, brought.SEEN) == (False, True, [])
    assert "the value of 'queue' is not what `drain` takes" in result.summary


@pytest.mark.parametrize(
    ("queue", "words", "clean"),
    [
        ("raises", "a fault of the package that brings `drain`: it raised RuntimeError", False),
        ("exits", "it raised SystemExit", False),
        ("nothing", "it gave no StepResult", False),
        ("unsaid", "it registers 'secret', which it does not say that it does", False),
        ("away", "the broker is away", False),
        ("refused", "the broker knows no ", True),
    ],
)
async def test_whatever_goes_wrong_in_it_is_a_step_that_failed(
    runner: Runner, brought: Any, queue: str, words: str, clean: bool
) -> None:
    result = await done(runner, queue, retries=2)
    assert not result.ok
    assert words in result.summary
    assert SECRET not in result.summary
    assert (result.clean, len(brought.SEEN)) == (clean, 1)  # what may be half done is not done again, nor what is final


async def test_one_that_only_reads_is_tried_again_whatever_went_wrong(runner: Runner, brought: Any) -> None:
    await done(runner, "raises", "depth", retries=2)
    assert len(brought.SEEN) == 3


async def test_one_that_takes_too_long_is_ended_and_one_that_does_not_end_is_left_behind(
    runner: Runner, brought: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_installed, "_ENDING", 0.05)
    slow = await done(runner, "slow", seconds=0.05)
    assert (slow.ok, slow.clean, slow.summary) == (False, False, "not over within 50ms")
    assert (await done(runner, "slow", "depth", seconds=0.05)).clean
    stubborn = await done(runner, "stubborn", seconds=0.05)
    assert stubborn.summary == "not over within 50ms, and it does not let itself be ended"
    brought.PATIENCE.set()  # so that no test after this one meets it
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == f"step {ERRAND.key}"))


async def test_one_that_is_cancelled_ends_what_it_does(runner: Runner, brought: Any) -> None:
    task = asyncio.create_task(done(runner, "slow"))
    while not brought.SEEN:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [it for it in asyncio.all_tasks() if it.get_name() == f"step {ERRAND.key}"]


async def test_what_it_gives_is_cut_to_size_and_harmless(runner: Runner) -> None:
    result = await done(runner, "flood")
    assert len(result.summary) <= 301
    assert len(result.output) < 70_000
    assert "bytes are left out here" in result.output
    assert "\x1b" not in result.output
    assert len(result.value["left"]) < 70_000
