"""Steps of kinds that installed packages bring, held to what holds for all: time, secrets, sizes, half done or not."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
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
_CHUNK = 64 * 1024  # characters of an output that are looked at at once
_LARGEST = 2**63
Refused = Callable[[StepKind, object], str]
_FIELDS: Mapping[str, type] = {
    "ok": bool, "unknown": bool, "clean": bool, "final": bool, "summary": str, "output": str, "value": Mapping,
}  # fmt: skip
"""What a result has to be made of."""


def adapted(kind: StepKind, refused: Refused) -> Kind:
    """Make a kind of the runner of an installed one; `refused` says what is wrong with filled in arguments.

    Whatever the package does is a result of the step. Only who stops it is heard beyond: cancelled, it ends what the
    package does, and is cancelled.
    """

    async def run(call: Call) -> StepResult:
        args = filled(call.step.args, call.context)
        if why := _refusal(kind, args, refused):
            return StepResult(ok=False, final=True, summary=why)
        task = asyncio.create_task(_once(kind, call, args), name=f"step {call.errand.key}")
        try:
            done, _ = await asyncio.wait({task}, timeout=call.step.timeout.total_seconds())
        except asyncio.CancelledError:
            await _end(task)
            raise
        if not done:
            return await _late(kind, call, task)
        if task.cancelled():
            return _as_it_may_be(kind, _fault(kind, "it cancelled itself", call))
        return task.result()

    return run


def _refusal(kind: StepKind, args: Any, refused: Refused) -> str:
    try:
        return refused(kind, args)
    except Exception as error:  # noqa: BLE001 - a schema is a stranger's too
        return plain(f"nobody can say whether `{kind.name}` takes this: {type(error).__name__}", 300)


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
    """Have the package do one try. Raises CancelledError, whoever means it."""
    deadline = asyncio.get_running_loop().time() + call.step.timeout.total_seconds()
    handed = StepCall(
        args=args, timeout=call.step.timeout, deadline=deadline, run=call.errand.run, target=call.errand.target,
        key=call.errand.key, doors={door.value: _door(door, call) for door in Door if door in kind.doors},
    )  # fmt: skip
    try:
        given: object = await kind.run(handed)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - the step boundary; what ends a program would end the daemon
        return _as_it_may_be(kind, _failed(kind, error, call))
    try:
        return _as_it_may_be(kind, _tidy(kind, given, call))
    except BaseException as error:  # noqa: BLE001 - what it gives may be of its own making, and do anything when looked at
        return _as_it_may_be(kind, _fault(kind, f"nobody can read what it gave: {type(error).__name__}", call))


def _failed(kind: StepKind, error: BaseException, call: Call) -> StepResult:
    try:
        why = str(error)
    except BaseException:  # noqa: BLE001 - an error of its own making
        why = "it does not say why"
    match error:
        case TemporaryError():
            unsure = error.maybe_done is not False
            return StepResult(ok=False, unknown=True, clean=not unsure, summary=_line(why, call))
        case PermanentError() | BadTemplate():
            return StepResult(ok=False, final=True, summary=_line(why, call))
        case _:
            return _fault(kind, f"it raised {type(error).__name__}: {why}", call)


def _fault(kind: StepKind, what: str, call: Call) -> StepResult:
    why = f"a fault of the package that brings `{kind.name}`: {what}"
    return StepResult(ok=False, unknown=True, clean=False, summary=_line(why, call))


def _as_it_may_be(kind: StepKind, result: StepResult) -> StepResult:
    """Say of what only reads that nothing is half done."""
    return replace(result, clean=True) if kind.reads else result


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
    """End what a package does, and say whether it ended. Whoever is stopped meanwhile is so when that is over."""
    task.cancel()
    loop = asyncio.get_running_loop()
    until, stopped = loop.time() + _ENDING, None
    while not task.done() and (left := until - loop.time()) > 0:
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError as error:
            stopped = error
    if not task.done():
        task.add_done_callback(lambda it: it.cancelled() or it.exception())
    if stopped is not None:
        raise stopped
    return task.done()


def _tidy(kind: StepKind, result: object, call: Call) -> StepResult:
    """Take of what a package gives what its kind registers, without secrets and control characters, and cut to size."""
    if not isinstance(result, StepResult):
        return _fault(kind, "it gave no StepResult", call)
    odd = next((name for name, of in _FIELDS.items() if not isinstance(getattr(result, name), of)), None)
    if odd is not None:
        return _fault(kind, f"the `{odd}` of its StepResult is no {_FIELDS[odd].__name__}", call)
    value: dict[str, Any] = {}
    for name, one in result.value.items():
        if name not in kind.registers:
            return _fault(kind, f"it registers {name!r}, which it does not say that it does", call)
        if not isinstance(one, str | int | float | None) or (isinstance(one, int) and abs(one) >= _LARGEST):
            return _fault(kind, f"what it registers as {name!r} is not one value, or a number too large", call)
        value[str(name)] = _value(one, call)
    return StepResult(
        ok=result.ok, unknown=result.unknown, clean=result.clean, final=result.final, value=value,
        output=_cut(result.output, call), summary=_line(result.summary, call),
    )  # fmt: skip


def _value(one: str | float | None, call: Call) -> str | float | None:
    """Give a value as what it is, and nothing beyond: a package may have kinds of numbers of its own."""
    match one:
        case str():
            return _cut(one, call)
        case bool() | None:
            return one
        case int():
            return int.__add__(one, 0)
        case float():
            return float.__add__(one, 0.0) if math.isfinite(one) else None  # a number that JSON can say


def _line(text: str, call: Call) -> str:
    return plain(_cut(text, call), 300)


def _cut(text: str, call: Call) -> str:
    kept = Kept()
    for at in range(0, len(text), _CHUNK):
        kept.feed(text[at : at + _CHUNK].encode(errors="replace"))
    return harmless(kept.text(call.tools.redact))
