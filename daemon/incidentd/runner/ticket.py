"""Steps of kind `ticket`: an issue in the backlog, once, whatever gets lost on the way."""

from __future__ import annotations

from incidentd.playbooks import StepResult
from incidentd.playbooks.errands import ticket
from incidentd.runner.kinds import Call


async def run(call: Call) -> StepResult:
    """Make sure that the issue is there: one that an earlier try of this very step made is found again."""
    wanted = ticket(call.step.args, call.context, call.errand)
    made = await call.tools.ticket(wanted, call.step.timeout)
    value = {"key": made.key, "url": made.url}
    return StepResult(ok=True, summary=f"{made.key} is in the backlog: {made.url}", value=value)
