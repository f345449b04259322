"""Steps of kinds that installed packages bring, held to what holds for all: time, secrets, sizes, half done or not."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import StepResult
from incidentd.playbooks.kinds import Door, StepCall, StepKind
from incidentd.runner import command
from incidentd.runner.kinds import Call, Kind, harmless
from incidentd.runner.process import Kept
from incidentd.templates import BadTemplate, compile_template
from incidentd.text import plain

_ENDING = 4.0  # seconds that it has to end after it was cancelled
Refused = Callable[[StepKind, object], str]


def adapted(kind: StepKind, refused: Refused) -> Kind:
    """Make a kind of the runner of an installed one; `refused` says what is wrong with filled in arguments."""

    async def run(call: Call) -> StepResult:
        args = filled(call.step.args, call.context)
        if why := refused(kind, args):
            return StepResult(ok=False, final=True, summary=why)
        task = asyncio.create_task(_once(kind, call, args), name=f"step {call.errand.key}")
        try:
            done, _ = await asyncio.wait({task}, timeout=call.step.timeout.total_seconds())
        except asyncio.CancelledError:
            await _end(task)
            raise
        if not done:
            return await _late(kind, call, task)
        return _tidy(kind, task.result(), call.tools.redact)

    return run


def filled(args: Any, context: Mapping[str, object]) -> Any:
    """Fill in every text of a step's arguments, as deep as they go. Raises BadTemplate."""
    match args:
        case str():
            return compile_template(args).render(context)
        case Mapping():
            return {str(key): filled(one, context) for key, one in args.items()}
        case list() | tuple():
            return [filled(one, context) for one in args]
        case _:
            return args


async def _once(kind: StepKind, call: Call, args: Any) -> StepResult:
    deadline = asyncio.get_running_loop().time() + call.step.timeout.total_seconds()
    handed = StepCall(
        args=args, timeout=call.step.timeout, deadline=deadline, run=call.errand.run, target=call.errand.target,
        key=call.errand.key, doors={door.value: _door(door, call) for door in Door if door in kind.doors},
    )  # fmt: skip
    try:
        result = await kind.run(handed)
    except TemporaryError as error:
        return StepResult(ok=False, unknown=True, clean=not error.maybe_done, summary=plain(str(error), 300))
    except (PermanentError, BadTemplate) as error:
        return StepResult(ok=False, final=True, summary=plain(str(error), 300))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the step boundary
        return _fault(kind, f"it raised {type(error).__name__}: {error}")
    return result if isinstance(result, StepResult) else _fault(kind, "it gave no StepResult")


def _fault(kind: StepKind, what: str) -> StepResult:
    why = f"a fault of the package that brings `{kind.name}`: {what}"
    return StepResult(ok=False, unknown=True, clean=False, summary=plain(why, 300))


def _door(door: Door, call: Call) -> Any:
    match door:
        case Door.HTTP:
            return call.tools.session
        case Door.PROMQL:
            return lambda query: call.tools.query(call.source, query)
        case Door.COMMAND:
            return _command(call)


def _command(call: Call) -> Callable[[list[str]], Awaitable[StepResult]]:
    async def run(argv: list[str]) -> StepResult:
        # no template: what is filled in already is not filled in again
        return await command.run_program(call, [str(one) for one in argv])

    return run


async def _late(kind: StepKind, call: Call, task: asyncio.Task[StepResult]) -> StepResult:
    ended = await _end(task)
    late = f"not over within {format_duration(call.step.timeout)}"
    late += "" if ended else ", and it does not let itself be ended"
    return StepResult(ok=False, unknown=True, clean=kind.reads, summary=late)


async def _end(task: asyncio.Task[StepResult]) -> bool:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait({task}, timeout=_ENDING)
    if not task.done():
        task.add_done_callback(lambda it: it.cancelled() or it.exception())
    return task.done()


def _tidy(kind: StepKind, result: StepResult, redact: Callable[[str], str]) -> StepResult:
    """Take of what a package gives what its kind registers, without secrets and control characters, and cut to size."""
    value: dict[str, Any] = {}
    for name, one in result.value.items():
        if name not in kind.registers or not isinstance(one, str | int | float | None):
            return _fault(kind, f"it registers {name!r}, which it does not say that it does, or which is not one value")
        is_odd = isinstance(one, float) and not math.isfinite(one)  # a number that JSON cannot say
        value[name] = _cut(one, redact) if isinstance(one, str) else None if is_odd else one
    return replace(
        result, value=value, output=_cut(result.output, redact), summary=plain(redact(result.summary), 300),
        clean=result.clean or kind.reads, skipped=False,
    )  # fmt: skip


def _cut(text: str, redact: Callable[[str], str]) -> str:
    kept = Kept()
    kept.feed(text.encode(errors="replace"))
    return harmless(kept.text(redact))
