"""Programs that do all they can to outlive their deadline (F40): over within five seconds of it, and nobody is left."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from incidentd.playbooks.walk import ENDING
from incidentd.runner.process import HEAD, TAIL
from tests.doors.runners import running, shell

pytestmark = pytest.mark.slow

DEADLINE = 0.5
LONG = "exec sleep 600"
ROUNDS = 40 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 5
STUBBORN = {
    "hangs": LONG,
    "forks": f"{LONG} & {LONG} & wait",
    "forks twice": f"(({LONG}) & ) & {LONG}",
    "forks while it is ended": "trap 'sleep 600 & sleep 600' TERM; while :; do sleep 0.05; done",
    "leaves its group": f"setsid sh -c '{LONG}' & {LONG}",
    "leaves its group, twice, for another directory": f"(cd /; setsid sh -c '(setsid {LONG[5:]}) & {LONG}' &) ; {LONG}",
    "leaves its group and ignores SIGTERM": f"trap '' TERM; setsid sh -c 'while :; do sleep 0.1; done' & {LONG}",
    "ignores every signal that can be": "trap '' HUP INT QUIT TERM USR1 USR2; while :; do sleep 0.1; done",
    "floods": "exec yes",
    "floods both outputs from several": "yes & yes >&2 & yes yes yes & exec yes >&2",
    "floods from out of its group": f"setsid yes & {LONG}",
    "closes its outputs": f"exec >&- 2>&-; {LONG}",
    "stops itself": "kill -STOP $$",
}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a temporary directory by which every process of this test is known."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def started_here(temporary: Path) -> list[str]:
    """Give what runs, or waits to be collected, of what was given a directory in this one."""
    mark = f"TMPDIR={temporary}/incidentd-step-".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


async def nobody_is_left(temporary: Path) -> None:
    """Wait for what was killed to be gone: a busy machine takes its time, and five seconds are promised."""
    until = asyncio.get_running_loop().time() + ENDING.total_seconds()
    while (left := started_here(temporary)) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.05)
    assert left == []


async def is_gone(pid: int) -> None:
    """Wait for one process, which may be between two programs: within the five seconds it has none any more."""
    until = asyncio.get_running_loop().time() + ENDING.total_seconds()
    while (alive := pid and (Path("/proc") / str(pid) / "exe").exists()) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.05)
    assert not alive


def peak(*, anew: bool = False) -> int:
    """Give the most memory that this process had, in KiB; anew counts from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


async def test_f40_whatever_a_program_does_it_is_over_five_seconds_after_its_deadline_and_nobody_is_left(
    temporary: Path,
) -> None:
    memory = peak(anew=True)
    async with running() as runner:
        for some in (list(STUBBORN)[::2], list(STUBBORN)[1::2]):
            async with asyncio.timeout(DEADLINE + ENDING.total_seconds()):
                steps = [shell(STUBBORN[name], seconds=DEADLINE) for name in some]
                results = await asyncio.gather(*(runner.run_step(step, {}, source="prod") for step in steps))
            for name, result in zip(some, results, strict=True):
                assert (result.ok, result.clean) == (False, False), name
                assert result.summary.startswith("killed after "), name
                assert len(result.output) < 2 * (HEAD + TAIL + 100), name
    assert started_here(temporary) == []
    assert os.listdir(temporary) == []
    assert peak() - memory < 64 * 1024  # what a flood of half a second is, is some hundred times that


async def test_f40_a_step_that_is_called_off_takes_along_what_left_its_group(temporary: Path) -> None:
    async with running() as runner:
        step = asyncio.create_task(
            runner.run_step(shell(f"setsid sh -c 'echo $$ > {temporary}/pid; {LONG}' & {LONG}"), {}, source="prod")
        )
        async with asyncio.timeout(20):
            while not (temporary / "pid").exists():
                await asyncio.sleep(0.01)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    await nobody_is_left(temporary)


async def test_f40_a_step_that_is_called_off_while_it_starts_takes_along_what_left_its_group(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    start = loop.subprocess_exec

    async def late(*args: Any, **kwargs: Any) -> Any:
        started = await start(*args, **kwargs)  # the program runs before it is known that it does
        async with asyncio.timeout(20):
            while not (temporary / "pid").exists():
                await asyncio.sleep(0.01)
        step.cancel()
        await asyncio.sleep(0.01)
        return started

    monkeypatch.setattr(loop, "subprocess_exec", late)
    async with running() as runner:
        step = asyncio.create_task(
            runner.run_step(shell(f"setsid sh -c 'echo $$ > {temporary}/pid; {LONG}' & {LONG}"), {}, source="prod")
        )
        with pytest.raises(asyncio.CancelledError):
            await step
    await nobody_is_left(temporary)


async def test_f40_what_left_its_group_is_found_while_it_becomes_another_program(temporary: Path) -> None:
    # execve takes the old environment away before it gives the new one
    (temporary / "again.sh").write_text(f'echo $$ > {temporary}/pid; exec sh "$0"\n')
    async with running() as runner:
        for _ in range(ROUNDS):
            (temporary / "pid").unlink(missing_ok=True)
            step = asyncio.create_task(
                runner.run_step(shell(f"setsid sh {temporary}/again.sh & {LONG}"), {}, source="prod")
            )
            async with asyncio.timeout(20):
                while not (temporary / "pid").exists():
                    await asyncio.sleep(0.01)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
            pid = int((temporary / "pid").read_text() or "0")
            await is_gone(pid)
