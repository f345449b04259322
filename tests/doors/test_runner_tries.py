"""What the runner does with every kind of step: tries, and failures that stay results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.runner import Call
from tests.doors.runners import SECRET, Source, command, running, shell

GOOD = StepResult(ok=True, summary="done")
BAD = StepResult(ok=False, summary="exit 1")
HALF_DONE = StepResult(ok=False, summary="killed", clean=False)
HOPELESS = StepResult(ok=False, summary="no such program", final=True)


class Scripted:
    """A kind of step that goes as the test says."""

    def __init__(self, *results: StepResult | Exception) -> None:
        self.results = list(results)
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> StepResult:
        self.calls.append(call)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


async def tried(*results: StepResult | Exception, retries: int = 2, **more: Any) -> tuple[StepResult, int]:
    kind = Scripted(*results)
    step = Step(name="step", kind="scripted", args={}, retries=retries, delay=timedelta(0), **more)
    async with running(kinds={"scripted": kind}) as runner:
        return await runner.run_step(step, {}, source="prod"), len(kind.calls)


@pytest.mark.parametrize(
    ("results", "tries", "summary"),
    [
        ((GOOD,), 1, "done"),
        ((BAD, GOOD), 2, "done (try 2)"),
        ((BAD, BAD, BAD), 3, "exit 1 (try 3)"),
        ((HALF_DONE,), 1, "killed"),
        ((BAD, HALF_DONE), 2, "killed (try 2)"),
        ((HOPELESS,), 1, "no such program"),
        ((TemporaryError("busy"), GOOD), 2, "done (try 2)"),
        ((TemporaryError("no answer", maybe_done=True),), 1, "no answer"),
        ((PermanentError("refused"),), 1, "refused"),
    ],
)
async def test_a_step_is_tried_again_only_when_that_cannot_do_it_twice(
    results: tuple[StepResult | Exception, ...], tries: int, summary: str
) -> None:
    result, done = await tried(*results)
    assert (done, result.summary) == (tries, summary)


async def test_a_half_done_step_that_is_idempotent_is_tried_again() -> None:
    assert await tried(HALF_DONE, GOOD, idempotent=True) == (StepResult(ok=True, summary="done (try 2)"), 2)


async def test_a_step_without_retries_is_tried_once() -> None:
    assert await tried(BAD, retries=0) == (BAD, 1)


async def test_a_program_is_tried_until_it_ends_well(tmp_path: Any) -> None:
    step = shell(f"echo x >> {tmp_path}/n; test $(wc -l < {tmp_path}/n) -ge 3", retries=5, delay=timedelta(0))
    async with running() as runner:
        result = await runner.run_step(step, {}, source="prod")
    assert result.ok
    assert result.summary.endswith("(try 3)")


async def test_a_query_is_tried_until_there_is_data() -> None:
    step = Step(name="step", kind="promql", args={"query": "up"}, retries=5, delay=timedelta(0))
    async with running(Source(None, TemporaryError("busy"), 1.0)) as runner:
        result = await runner.run_step(step, {}, source="prod")
    assert (result.ok, result.summary) == (True, "1 (try 3)")


async def test_a_kind_is_given_the_step_its_names_and_its_source() -> None:
    kind = Scripted(GOOD)
    step = Step(name="step", kind="scripted", args={"a": 1})
    context: Mapping[str, object] = {"inputs": {"instance": "w-3"}}
    async with running(kinds={"scripted": kind}) as runner:
        await runner.run_step(step, context, source="prod")
    assert (kind.calls[0].step, kind.calls[0].context, kind.calls[0].source) == (step, context, "prod")


async def test_a_kind_that_nobody_knows_fails_the_step_and_names_those_that_are_known() -> None:
    async with running() as runner:
        result = await runner.run_step(Step(name="step", kind="shell", args={}), {}, source="prod")
    assert (result.ok, result.final) == (False, True)
    known = "alertmanager, command, http, promql, ticket"
    assert result.summary == f"there is no kind of step called 'shell'; there are {known}"


async def test_a_secret_is_not_in_the_summary_of_a_failure() -> None:
    async with running() as runner:
        result = await runner.run_step(command(f"/no/{SECRET}/program"), {}, source="prod")
    assert SECRET not in result.summary
    assert "***" in result.summary


def value(number: float | None) -> StepResult:
    return StepResult(ok=number is not None, summary=str(number), value={"value": number})


@pytest.mark.parametrize(
    ("results", "tries", "ok", "summary"),
    [
        ((value(3),), 1, True, "3"),
        ((value(30), value(20), value(3)), 3, True, "3 (try 3)"),
        ((value(30), value(20), value(12)), 3, False, "12; `depth.value < 10` does not hold (try 3)"),
        ((BAD, value(3)), 2, True, "3 (try 2)"),
    ],
)
async def test_a_step_is_tried_until_what_it_gives_is_as_wanted(
    results: tuple[StepResult, ...], tries: int, ok: bool, summary: str
) -> None:
    result, tried_ = await tried(*results, register="depth", until=("depth.value < 10",))
    assert (tried_, result.ok, result.summary) == (tries, ok, summary)


async def test_what_nobody_knows_meets_no_until() -> None:
    result, _ = await tried(GOOD, GOOD, GOOD, register="depth", until=("depth.value < 10",))
    assert not result.ok
    assert result.unknown
    assert "cannot be told" in result.summary


async def test_a_step_that_was_killed_is_not_done_again_for_its_until() -> None:
    result, tries = await tried(HALF_DONE, GOOD, register="x", until=("x.ok",))
    assert (result.ok, tries) == (False, 1)
