"""The tries of a step: when it is done again, and what its `until` says of what it gave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.walk import may_repeat
from incidentd.playbooks.when import parse_test
from incidentd.templates import BadTemplate
from incidentd.text import plain


async def tried(
    step: Step, context: Mapping[str, object], once: Callable[[], Awaitable[StepResult]],
    sleep: Callable[[float], Awaitable[None]],
) -> StepResult:  # fmt: skip
    """Do a step with its tries.

    It is tried again up to `retries` times, `delay` apart, while it fails in a way that is safe to repeat: it only
    reads, or is marked idempotent, or ended by itself and said so (an exit status, an HTTP status). A step that was
    killed or got no answer may be half done, and is left for a person. `playbooks.walk.longest` bounds all of it.
    """
    done = 1
    result = _until(step, context, await once())
    while not result.ok and done <= step.retries and not result.final and (result.clean or may_repeat(step)):
        await sleep(step.delay.total_seconds())
        done += 1
        result = _until(step, context, await once())
    return replace(result, summary=f"{result.summary} (try {done})") if done > 1 else result


def _until(step: Step, context: Mapping[str, object], result: StepResult) -> StepResult:
    """Hold what a step gave against its `until`; a value that is not there does not meet it, and may be there later."""
    if not result.ok or not step.until:
        return result
    names = {**context, **({step.register: {**result.value, "ok": True}} if step.register else {})}
    for condition in step.until:
        try:
            met = parse_test(condition).holds(names)
        except BadTemplate as error:
            why = f"`{condition}` cannot be told: {error}"
            return replace(result, ok=False, unknown=True, summary=f"{result.summary}; {plain(why, 300)}")
        if not met:
            return replace(result, ok=False, summary=f"{result.summary}; `{condition}` does not hold")
    return result
