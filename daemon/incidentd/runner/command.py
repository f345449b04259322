"""Steps of kind `command`: a program and its arguments, never a shell."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from incidentd.durations import format_duration
from incidentd.playbooks import StepResult
from incidentd.runner import folders, process
from incidentd.runner.kinds import Call, harmless
from incidentd.templates import BadTemplate, compile_template
from incidentd.text import plain

# What a program may see of the daemon's environment; its secrets are in the rest.
_VISIBLE = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})  # the machine's trouble, which may pass


async def run(call: Call) -> StepResult:
    """Run the program in an empty directory of its own, with an environment of six variables and TMPDIR."""
    return await run_program(call, arguments(call.step.args, call.context))


async def run_program(call: Call, argv: Sequence[str]) -> StepResult:
    """Run a program whose arguments are filled in, within the timeout of the step that wants it."""
    try:
        async with folders.private() as directory:
            ended = await process.run(
                argv,
                env={**call.tools.env, "TMPDIR": directory},
                cwd=directory,
                timeout=call.step.timeout.total_seconds(),
            )
    except (OSError, ValueError) as error:
        return _not_started(argv[0], error, call.tools.env)
    stdout, stderr = (printed(kept, call.tools.redact) for kept in (ended.stdout, ended.stderr))
    return StepResult(
        ok=ended.exit == 0 and not ended.timed_out,
        summary=_summary(call, ended, stderr),
        value={"exit": ended.exit, "stdout": stdout, "stderr": stderr},
        output=stdout + (f"\n[stderr]\n{stderr}" if stderr else ""),
        clean=ended.exit is not None and ended.exit >= 0 and not ended.timed_out,
    )


def printed(kept: process.Kept, redact: Callable[[str], str]) -> str:
    """Give what a program printed as later steps see it: cut, harmless, and without the line breaks at its end."""
    return harmless(kept.text(redact)).rstrip("\n")


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Bring the daemon's environment down to what a program may see."""
    return {"PATH": _PATH, **{name: env[name] for name in _VISIBLE if name in env}}


def arguments(templates: Any, context: Mapping[str, object]) -> list[str]:
    """Fill in the program and its arguments, each by itself.

    A value stays one argument and never becomes an option: an argument that begins with a value which begins with a
    minus is refused, unless a `--` was written before it. So is a value that is empty, since a program may take nothing
    for everything. The program itself is written out. Raises BadTemplate.
    """
    if not isinstance(templates, Sequence) or isinstance(templates, str) or not templates:
        raise BadTemplate("`command` needs a list: the program and its arguments, each by itself")
    done: list[str] = []
    for text in templates:
        template = compile_template(str(text))
        if template.variables() and not done:
            raise BadTemplate("the program itself may not come from a value: write it out")
        only_data = "--" in templates[: len(done)]
        done.append(template.render(context, _in_argument if only_data else _in_option))
    return done


def _in_argument(value: str, before: str) -> str:
    if not value:
        raise BadTemplate("an argument would be filled with an empty value, which a program may take for everything")
    return value


def _in_option(value: str, before: str) -> str:
    if value.startswith("-") and not before:
        raise BadTemplate(f"an argument would become an option; write `--` before it: {plain(value, 60)!r}")
    return _in_argument(value, before)


def _not_started(program: str, error: OSError | ValueError, env: Mapping[str, str]) -> StepResult:
    match error:
        case FileNotFoundError():
            why = (
                f"it, or the interpreter that its first line names, is not there: install it, or write its whole path "
                f"(PATH is {env['PATH']})"
            )
        case PermissionError():
            why = "it may not be executed by this user: check its mode and its directories"
        case OSError(errno=errno.ENOEXEC):
            why = "it is no program: a script has to name its interpreter in its first line (#!/bin/sh)"
        case OSError():
            why = error.strerror or str(error)
        case _:
            why = "an argument holds a NUL character or is no text"
    busy = isinstance(error, OSError) and error.errno in _BUSY
    return StepResult(ok=False, summary=f"{plain(program, 80)} cannot be started: {plain(why, 300)}", final=not busy)


def _summary(call: Call, ended: process.Ended, stderr: str) -> str:
    took = f"after {ended.seconds:.1f}s"
    if ended.exit is None:
        return f"still running {took}: it could not be killed, look for it on the machine"
    if ended.timed_out:
        return f"killed {took}: it had not ended within {format_duration(call.step.timeout)}"
    if ended.exit < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"ended by {names.get(-ended.exit, f'signal {-ended.exit}')} {took}"
    last = plain(stderr.rpartition("\n")[2].strip(), 200) if ended.exit else ""
    return f"exit {ended.exit} {took}" + (f": {last}" if last else "")
