"""Steps of kind `promql`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from tests.doors.hostile import HOSTILE
from tests.doors.runners import Source, running

CONTEXT: dict[str, object] = {"inputs": {"instance": "w-3"}}


def promql(query: str = "up", condition: str | None = None, seconds: float = 5) -> Step:
    args = {"query": query} if condition is None else {"query": query, "is": condition}
    return Step(name="step", kind="promql", args=args, timeout=timedelta(seconds=seconds))


async def ran(step: Step, prometheus: Source, context: dict[str, object] | None = None) -> StepResult:
    async with running(prometheus) as runner:
        return await runner.run_step(step, context or CONTEXT, source="prod")


async def test_the_prometheus_of_the_source_is_asked_and_its_number_is_kept() -> None:
    prometheus = Source(812.0)
    result = await ran(promql('queue_depth{instance="{{ inputs.instance }}"}'), prometheus)
    assert prometheus.asked == [("prod", 'queue_depth{instance="w-3"}')]
    assert (result.ok, result.summary, result.value) == (True, "812", {"value": 812.0})


@pytest.mark.parametrize(
    ("value", "ok", "summary"),
    [
        (4.2, True, "4.2"),
        (0.0, False, "0, wanted > 0"),
        (float("inf"), True, "+Inf"),
        (float("-inf"), False, "-Inf, wanted > 0"),
    ],
)
async def test_a_condition_decides(value: float, ok: bool, summary: str) -> None:
    result = await ran(promql(condition="> 0"), Source(value))
    assert (result.ok, result.unknown, result.summary) == (ok, False, summary)


@pytest.mark.parametrize("value", [None, float("nan")])
@pytest.mark.parametrize("condition", [None, "> 0", "!= 0", "< 5"])
async def test_no_number_is_unknown_and_never_good(value: float | None, condition: str | None) -> None:
    result = await ran(promql(condition=condition), Source(value))
    assert (result.ok, result.unknown, result.summary, result.value) == (False, True, "no data", {"value": None})


async def test_a_number_that_cannot_be_stored_is_not_kept() -> None:
    assert (await ran(promql(), Source(float("inf")))).value == {"value": None}


async def test_an_error_is_unknown_and_told() -> None:
    later = await ran(promql(), Source(TemporaryError("Prometheus cannot be reached")))
    assert (later.ok, later.unknown, later.final, later.summary) == (False, True, False, "Prometheus cannot be reached")
    never = await ran(promql(), Source(PermanentError("parse error")))
    assert (never.ok, never.unknown, never.final, never.summary) == (False, True, True, "parse error")


async def test_no_answer_in_time_is_unknown() -> None:
    async def hangs(source: str, promql: str) -> float | None:
        await asyncio.Event().wait()
        return None

    result = await ran(promql(seconds=0.05), hangs)  # type: ignore[arg-type]  # a source too
    assert (result.ok, result.unknown, result.summary) == (False, True, "no answer within 50ms")


async def test_a_condition_that_cannot_be_read_fails_it() -> None:
    result = await ran(promql(condition="enough"), Source(1.0))
    assert (result.ok, result.final) == (False, True)
    assert "'enough' is no condition" in result.summary


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_stays_inside_its_string_or_is_not_asked_about(value: str) -> None:
    prometheus = Source(1.0)
    result = await ran(promql('up{instance="{{ x }}"}'), prometheus, {"x": value})
    if any(sign in value for sign in "\"'`\\") or any(ord(sign) < 32 for sign in value):
        assert (result.ok, prometheus.asked) == (False, [])
    else:
        assert prometheus.asked == [("prod", f'up{{instance="{value}"}}')]
