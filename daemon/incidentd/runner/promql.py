"""Steps of kind `promql`: one query, and what its value has to be."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import StepResult
from incidentd.playbooks.numbers import is_met
from incidentd.runner.kinds import Call
from incidentd.templates import compile_template, format_number, in_promql
from incidentd.text import plain


async def run(call: Call) -> StepResult:
    """Ask the Prometheus of the run's source; without `is`, any number will do. No number is unknown, never good."""
    query = compile_template(call.step.args["query"]).render(call.context, in_promql)
    try:
        async with asyncio.timeout(call.step.timeout.total_seconds()):
            value = await call.tools.query(call.source, query)
    except TimeoutError:
        return unknown(f"no answer within {format_duration(call.step.timeout)}")
    except TemporaryError as error:
        return unknown(plain(str(error), 300))
    except PermanentError as error:
        return unknown(plain(str(error), 300), final=True)
    return judged(value, call.step.args.get("is"))


def judged(value: float | None, condition: Any) -> StepResult:
    """Hold a number against `is`."""
    if value is None or math.isnan(value):
        return unknown("no data")
    # a number that JSON cannot say is not kept for later steps
    kept = {"value": value if math.isfinite(value) else None}
    if condition is None or is_met(str(condition), value):
        return StepResult(ok=True, summary=format_number(value), value=kept)
    return StepResult(ok=False, summary=f"{format_number(value)}, wanted {condition}", value=kept)


def unknown(why: str, *, final: bool = False) -> StepResult:
    """Say of a query that nobody knows its number: nothing is half done, and later steps see no value."""
    return StepResult(ok=False, unknown=True, final=final, summary=why, value={"value": None})
