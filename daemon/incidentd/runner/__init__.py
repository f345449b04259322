"""The door to machines: does the steps of playbooks. What a step may do is in the module of its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import aiohttp

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand, Issue, SilenceOrder, TicketOrder
from incidentd.runner import command, promql, silence, ticket, tries, web_request
from incidentd.runner.installed import adapted
from incidentd.runner.kinds import Call, Kind, Tools
from incidentd.templates import BadTemplate
from incidentd.text import plain

__all__ = ["KINDS", "Call", "Kind", "Runner", "Tools", "adapted"]

KINDS: Mapping[str, Kind] = {
    "command": command.run, "http": web_request.run, "promql": promql.run, "alertmanager": silence.run,
    "ticket": ticket.run,
}  # fmt: skip
"""The kinds of steps that incidentd brings itself."""

NOBODYS = Errand()


class Runner:
    """Does steps. `env` is the daemon's environment, of which programs see six harmless variables."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        query: Callable[[str, str], Awaitable[float | None]],
        redact: Callable[[str], str],
        env: Mapping[str, str],
        *,
        silence: Callable[[str, SilenceOrder], Awaitable[str]],
        ticket: Callable[[TicketOrder, timedelta], Awaitable[Issue]],
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self._tools = Tools(
            session=session, query=query, silence=silence, ticket=ticket, redact=redact, env=command.environment(env)
        )  # fmt: skip
        self._kinds = kinds

    async def run_step(
        self, step: Step, context: Mapping[str, object], *, source: str, errand: Errand = NOBODYS
    ) -> StepResult:
        """Do one step, with its tries, and say how it went; a step that fails is a result, never an exception."""
        call = Call(step=step, context=context, source=source, tools=self._tools, errand=errand)
        result = await tries.tried(step, context, lambda: self._try(call), asyncio.sleep)
        return replace(result, summary=self._tools.redact(result.summary))

    async def _try(self, call: Call) -> StepResult:
        kind = self._kinds.get(call.step.kind)
        if kind is None:
            known = ", ".join(sorted(self._kinds))
            return _wrong(f"there is no kind of step called {call.step.kind!r}; there are {known}")
        try:
            return await kind(call)
        except BadTemplate as error:  # it was not tried
            return replace(_wrong(plain(str(error), 400)), unknown=True)
        except (PermanentError, ValueError) as error:  # among these a bad condition or pattern
            return _wrong(plain(str(error), 300))
        except TemporaryError as error:
            return StepResult(ok=False, unknown=True, clean=not error.maybe_done, summary=plain(str(error), 300))


def _wrong(why: str) -> StepResult:
    return StepResult(ok=False, final=True, summary=why)
