"""Steps of installed kinds, in the runner: what they are handed, and what holds for them as for all."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from types import NoneType
from typing import Any

import pytest

from incidentd.config.kinds import refused
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand
from incidentd.playbooks.kinds import StepCall, StepKind
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


class Hostile(BaseException):
    """An error that nobody can read."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Level(IntEnum):
    LOW = 3


class Trap(dict[str, Any]):
    def items(self) -> Any:
        raise asyncio.CancelledError


class Text(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise SystemExit(3)


def raising(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


def cancelling() -> StepResult:
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    return StepResult(ok=True, summary="fine")


def giving(given: Any = None, **fields: Any) -> Callable[[], Any]:
    """Give this; or a result of these fields, whatever they are."""
    return lambda: StepResult(**{"ok": True, "summary": "fine", **fields}) if fields else given


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (raising(KeyboardInterrupt()), "it raised KeyboardInterrupt"),
        (raising(SystemExit(3)), "it raised SystemExit"),
        (raising(GeneratorExit()), "it raised GeneratorExit"),
        (raising(StopIteration()), "it raised RuntimeError"),
        (raising(BaseExceptionGroup("all", [KeyboardInterrupt()])), "it raised BaseExceptionGroup"),
        (raising(Hostile()), "it raised Hostile: it does not say why"),
        (raising(asyncio.CancelledError()), "it cancelled itself"),
        (raising(RuntimeError(f"{'x' * 225} {SECRET}")), "it raised RuntimeError"),
        (cancelling, "it cancelled itself"),
        (giving(7), "it gave no StepResult"),
        (giving(value=None), "the `value` of its StepResult is no Mapping"),
        (giving(value=["left"]), "the `value` of its StepResult is no Mapping"),
        (giving(value=Trap()), "nobody can read what it gave: CancelledError"),
        (giving(value={7: 1}), "it registers 7, which it does not say"),
        (giving(value={"left": object()}), "what it registers as 'left' is not one value"),
        (giving(value={"left": 10**5000}), "what it registers as 'left' is not one value, or a number too large"),
        (giving(value={"left": Text("x")}), "nobody can read what it gave: SystemExit"),
        (giving(ok="no"), "the `ok` of its StepResult is no bool"),
        (giving(clean=None), "the `clean` of its StepResult is no bool"),
        (giving(summary=None), "the `summary` of its StepResult is no str"),
        (giving(output=b"x"), "the `output` of its StepResult is no str"),
        (giving(summary=f"{'x' * 290} {SECRET}"), ""),
        (giving(output="x" * 5_000_000 + SECRET, value={"left": "y\n" * 1_000_000}), ""),
        (giving(value={"left": Level.LOW}), ""),
        (giving(value={"left": float("nan")}), ""),
        (giving(value={"left": None}), ""),
    ],
)
async def test_whatever_a_package_does_is_a_result_that_can_be_kept(act: Callable[[], Any], words: str) -> None:
    async def run(call: StepCall) -> Any:
        await asyncio.sleep(0)
        return act()

    kind = StepKind(name="odd", schema={}, run=run, registers=("left",))
    async with running(kinds={"odd": adapted(kind, lambda *_: "")}) as it:
        result = await it.run_step(Step(name="x", kind="odd", args={}), {}, source="prod", errand=ERRAND)
    assert words in result.summary
    assert (result.ok, result.clean) == (not words, not words)
    assert len(result.summary) <= 300
    assert len(json.dumps(dict(result.value)) + result.output) < 250_000
    assert not {type(one) for one in result.value.values()} - {str, int, NoneType}
    assert "sesame" not in result.summary + result.output


async def test_a_schema_that_fails_when_it_is_looked_at_hands_nothing_over() -> None:
    async def run(call: StepCall) -> Any:
        raise AssertionError

    def deep(*_: object) -> str:
        raise RecursionError

    kind = StepKind(name="odd", schema={}, run=run)
    async with running(kinds={"odd": adapted(kind, deep)}) as it:
        result = await it.run_step(Step(name="x", kind="odd", args={}), {}, source="prod", errand=ERRAND)
    assert (result.ok, result.final) == (False, True)
    assert result.summary == "nobody can say whether `odd` takes this: RecursionError"


async def test_one_that_is_stopped_while_it_is_late_is_not_tried_again() -> None:
    told, enough, calls = asyncio.Event(), asyncio.Event(), []

    async def run(call: StepCall) -> Any:
        calls.append(call)
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                told.set()

    kind = StepKind(name="odd", schema={}, run=run, reads=True)
    step = Step(name="x", kind="odd", args={}, retries=3, reads=True, timeout=timedelta(0), delay=timedelta(0))
    async with running(kinds={"odd": adapted(kind, lambda *_: "")}) as it:
        task = asyncio.create_task(it.run_step(step, {}, source="prod", errand=ERRAND))
        await told.wait()
        task.cancel()
        asyncio.get_running_loop().call_soon(enough.set)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(calls) == 1


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
