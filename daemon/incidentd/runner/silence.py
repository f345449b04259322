"""Steps of kind `alertmanager`: a silence for as long as the run lasts. Lifting it is the engine's part."""

from __future__ import annotations

import asyncio

from incidentd.durations import format_duration, parse_duration
from incidentd.playbooks import StepResult
from incidentd.playbooks.errands import order
from incidentd.runner.kinds import Call


async def run(call: Call) -> StepResult:
    """Make sure that the silence is there: one that an earlier try of this very step made is found again."""
    args = call.step.args
    wanted = order(args, call.context, parse_duration(args["for"]), call.errand)
    try:
        async with asyncio.timeout(call.step.timeout.total_seconds()):
            made = await call.tools.silence(call.source, wanted)
    except TimeoutError:
        late = f"no answer within {format_duration(call.step.timeout)}"
        return StepResult(ok=False, unknown=True, clean=False, summary=late)
    return StepResult(ok=True, summary=f"{wanted} is silenced, for {args['for']} at most ({made})", value={"id": made})
