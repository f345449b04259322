"""Steps that are only imagined: filled in, tried and judged as the runner does it, with answers that somebody says."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from incidentd.durations import format_duration, parse_duration
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.cases import Gives
from incidentd.playbooks.errands import Errand, order, ticket
from incidentd.runner import command, installed, promql, tries, web_request
from incidentd.runner.process import Kept
from incidentd.templates import BadTemplate, compile_template, in_promql
from incidentd.text import plain


def filled(step: Step, context: Mapping[str, object]) -> object:
    """Give what a step would do: the arguments of a program, `METHOD URL`, or a query. Raises BadTemplate."""
    match step.kind:
        case "command":
            return tuple(command.arguments(step.args, context))
        case "http":
            return web_request.shown(step.args, context)
        case "promql":
            return compile_template(step.args["query"]).render(context, in_promql)
        case "alertmanager":
            return f"{order(step.args, context, parse_duration(step.args['for']), Errand())} for {step.args['for']}"
        case "ticket":
            return str(ticket(step.args, context, Errand()))
        case _:
            return installed.filled(step.args, context)


@dataclass(slots=True)
class Imagined:
    """Does one step in the mind. `gives` is asked at each try, `sleep` lets the time between two tries pass."""

    gives: Callable[[], Gives | None]
    sleep: Callable[[float], Awaitable[None]]
    asked: object = None
    """What the step would have done last."""

    async def run_step(self, step: Step, context: Mapping[str, object]) -> StepResult:
        """Do it."""

        async def once() -> StepResult:
            try:
                self.asked = filled(step, context)
            except BadTemplate as error:
                return StepResult(ok=False, unknown=True, final=True, summary=plain(str(error), 400))
            gives = self.gives()
            if gives is None:
                return StepResult(ok=False, final=True, summary="the case does not say what it gives")
            if gives.timed_out and not gives.fails:
                await self.sleep(step.timeout.total_seconds())
            return _result(step, gives)

        return await tries.tried(step, context, once, self.sleep)


def _result(step: Step, gives: Gives) -> StepResult:
    if gives.fails:
        return StepResult(ok=False, summary=gives.fails)
    if gives.timed_out:
        return _late(step, gives)
    match step.kind:
        case "command":
            clean = gives.exit >= 0  # what a signal ended may be half done
            return StepResult(
                ok=gives.exit == 0, clean=clean, summary=f"exit {gives.exit}", value=_ended(gives, gives.exit)
            )
        case "http":
            expect = step.args.get("expect") or {}
            status = web_request.expected_status(expect) if gives.status is None else gives.status
            return web_request.answered(status, gives.body.encode(errors="replace"), expect, _as_it_is)
        case "alertmanager":
            return StepResult(ok=True, summary="it is silenced", value={"id": gives.id})
        case "ticket":
            value = {"key": "OPS-1", "url": "https://jira.example.org/browse/OPS-1", **gives.registers}
            return StepResult(ok=True, summary=f"{value['key']} is in the backlog", value=value)
        case "promql":
            return promql.judged(gives.value, step.args.get("is"))
        case _:
            return StepResult(ok=True, summary="done", value=dict(gives.registers))


def _late(step: Step, gives: Gives) -> StepResult:
    summary = f"not over within {format_duration(step.timeout)}"
    match step.kind:
        case "command":
            value = _ended(gives, gives.exit or -signal.SIGTERM)
            return StepResult(ok=False, clean=False, summary=summary, value=value)
        case "promql":
            return promql.unknown(summary)
        case _:
            return StepResult(ok=False, unknown=True, clean=False, summary=summary)


def _ended(gives: Gives, exit_status: int) -> dict[str, object]:
    return {"exit": exit_status, "stdout": _printed(gives.stdout), "stderr": _printed(gives.stderr)}


def _printed(output: str) -> str:
    """Give what a case says that a program printed as the daemon would have kept it."""
    kept = Kept()
    kept.feed(output.encode(errors="replace"))
    return command.printed(kept, _as_it_is)


def _as_it_is(text: str) -> str:
    """Nothing in a case is a secret."""
    return text
