"""The door to machines: does the steps of playbooks. What a step may do is in the module of its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import aiohttp

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.walk import may_repeat
from incidentd.playbooks.when import parse_test
from incidentd.runner import command, promql, web_request
from incidentd.runner.kinds import Call, Kind, Tools
from incidentd.templates import BadTemplate
from incidentd.text import plain

__all__ = ["KINDS", "Call", "Kind", "Runner", "Tools"]

KINDS: Mapping[str, Kind] = {"command": command.run, "http": web_request.run, "promql": promql.run}
"""The kinds of steps that incidentd brings itself."""


class Runner:
    """Does steps. `env` is the daemon's environment, of which programs see six harmless variables."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        query: Callable[[str, str], Awaitable[float | None]],
        redact: Callable[[str], str],
        env: Mapping[str, str],
        *,
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self._tools = Tools(session=session, query=query, redact=redact, env=command.environment(env))
        self._kinds = kinds

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str) -> StepResult:
        """Do one step, with its tries, and say how it went; a step that fails is a result, never an exception.

        It is tried again up to `retries` times, `delay` apart, while it fails in a way that is safe to repeat: it only
        reads, or is marked idempotent, or ended by itself and said so (an exit status, an HTTP status). A step that was
        killed or got no answer may be half done, and is left for a person. `playbooks.walk.longest` bounds all of it.
        """
        call = Call(step=step, context=context, source=source, tools=self._tools)
        tries = 1
        result = await self._try(call)
        while not result.ok and tries <= step.retries and not result.final and (result.clean or may_repeat(step)):
            await asyncio.sleep(step.delay.total_seconds())
            tries += 1
            result = await self._try(call)
        result = replace(result, summary=self._tools.redact(result.summary))
        return replace(result, summary=f"{result.summary} (try {tries})") if tries > 1 else result

    async def _try(self, call: Call) -> StepResult:
        kind = self._kinds.get(call.step.kind)
        if kind is None:
            known = ", ".join(sorted(self._kinds))
            return _wrong(f"there is no kind of step called {call.step.kind!r}; there are {known}")
        try:
            return _until(call, await kind(call))
        except (PermanentError, ValueError) as error:  # among these a bad template, condition or pattern
            return _wrong(plain(str(error), 300))
        except TemporaryError as error:
            return StepResult(ok=False, unknown=True, clean=not error.maybe_done, summary=plain(str(error), 300))


def _until(call: Call, result: StepResult) -> StepResult:
    """Hold what a step gave against its `until`; a value that is not there does not meet it, and may be there later."""
    step = call.step
    if not result.ok or not step.until:
        return result
    names = {**call.context, **({step.register: {**result.value, "ok": True}} if step.register else {})}
    for condition in step.until:
        try:
            met = parse_test(condition).holds(names)
        except BadTemplate as error:
            why = f"`{condition}` cannot be told: {error}"
            return replace(result, ok=False, unknown=True, summary=f"{result.summary}; {plain(why, 300)}")
        if not met:
            return replace(result, ok=False, summary=f"{result.summary}; `{condition}` does not hold")
    return result


def _wrong(why: str) -> StepResult:
    return StepResult(ok=False, final=True, summary=why)
