"""A program and everything that it starts: run in a group of its own, read with a limit, and ended as a group."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from incidentd.runner.kinds import EDGE

HEAD = TAIL = 32 * 1024
"""Bytes that are kept of the beginning and of the end of each output."""
_TERM = _KILL = 2.0  # seconds that a group has to end after SIGTERM, and after SIGKILL
_PIPES = 1.0  # seconds in which what was written has to arrive after the end
_POLL = 0.02  # seconds between two looks whether a group is gone
_LOOKS = 5  # at a process without an environment: it may have become another program between two of them


class Kept:
    """The beginning and the end of what was written, and how much was left out between them."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take in what comes next."""
        room = max(HEAD + EDGE - len(self._head), 0)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - (TAIL + EDGE)
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self, clean: Callable[[str], str]) -> str:
        """Give what was kept, cleaned of secrets, with a mark where something is left out."""
        if not self._dropped:
            return clean((self._head + self._tail).decode(errors="replace"))
        head, tail = (clean(part.decode(errors="replace")) for part in (self._head, self._tail))
        left_out = self._dropped + 2 * EDGE
        return f"{head[:-EDGE]}\n[... {left_out} bytes are left out here ...]\n{tail[EDGE:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    exit: int | None
    """Its exit status, the negative number of the signal that ended it, or None when it could not be ended."""
    timed_out: bool
    stdout: Kept
    stderr: Kept
    seconds: float


class _Watch(asyncio.SubprocessProtocol):
    """Notes the exit when it happens. (Process.wait() would wait for the pipes too, which a grandchild may hold.)"""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.kept = {1: Kept(), 2: Kept()}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.kept[fd].feed(data)

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)


async def run(argv: Sequence[str], *, env: Mapping[str, str], cwd: str, timeout: float) -> Ended:  # noqa: ASYNC109
    """Run a program to its end, or until its timeout (seconds); nothing of its group is left either way.

    What leaves the group on purpose (setsid, as daemons do) stays when the program ends by itself, and its output is
    not waited for; when the program has to be ended, so is that, known by the TMPDIR that nobody else has.
    Raises OSError when it cannot be started, and ValueError for an argument that no program can be given.
    Cancelled, it ends the group first.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    transport, watch = await _start(argv, env, cwd)
    timed_out = False
    try:
        async with asyncio.timeout(timeout):
            await asyncio.shield(watch.exited)
    except TimeoutError:
        timed_out = True
    finally:
        seconds = loop.time() - begun
        by_itself = watch.exited.done()
        await _end_group(transport, watch)
        if not by_itself:
            await _end_strays(env["TMPDIR"])
    stdout, stderr = watch.kept[1], watch.kept[2]
    return Ended(exit=transport.get_returncode(), timed_out=timed_out, stdout=stdout, stderr=stderr, seconds=seconds)


async def _start(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> tuple[asyncio.SubprocessTransport, _Watch]:
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            _Watch, *argv, stdin=asyncio.subprocess.DEVNULL, cwd=cwd, env=dict(env), start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # left alone, a start that was half done would leave a group behind that nobody knows; and the program may have
        # come far by the time that asyncio knows of it
        await asyncio.wait([starting])
        if not starting.exception():
            await _end_group(*starting.result())
            await _end_strays(env["TMPDIR"])
        raise


async def _end_group(transport: asyncio.SubprocessTransport, watch: _Watch) -> None:
    # the group's id is the program's, and the kernel gives it to nobody else while the group has a member
    group = transport.get_pid() or 0
    try:
        if _signal(group, signal.SIGTERM):
            await _gone(group, watch, _TERM)
    finally:
        try:
            if _signal(group, signal.SIGKILL):
                await _gone(group, watch, _KILL)
            await asyncio.wait([watch.closed], timeout=_PIPES)
        finally:
            _reap(group, watch)
            with suppress(PermissionError):  # another user's program, sudo for one, cannot be killed
                transport.close()


async def _end_strays(directory: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PIPES):
            while await asyncio.to_thread(end_those_with, directory):  # noqa: ASYNC110  # as below
                await asyncio.sleep(_POLL)


def end_those_with(directory: str) -> bool:
    """End the groups that were given this directory for their TMPDIR, and say whether there were any, or may be."""
    given = f"TMPDIR={directory}".encode()
    return any([_end_one_with(given, process) for process in Path("/proc").glob("[0-9]*")])


def _end_one_with(given: bytes, process: Path) -> bool:
    with suppress(OSError):  # it ended since it was listed, or is another user's
        for _ in range(_LOOKS):
            known = (process / "environ").read_bytes()
            if given in known.split(b"\0"):
                os.killpg(os.getpgid(int(process.name)), signal.SIGKILL)
                return True
            if known:
                return False
            if _is_between_programs(process):
                return True
            # it has no environment, or it was between two programs and is in the second one by now
    return False


def _is_between_programs(process: Path) -> bool:
    """Say whether execve has taken a process's words away and not given it the new ones yet. Raises OSError.

    Neither a kernel's thread nor a zombie has a program, and what has an empty environment has a command line.
    """
    return not (process / "cmdline").read_bytes() and bool((process / "exe").readlink())


async def _gone(group: int, watch: _Watch, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await asyncio.to_thread(_lives, group):  # noqa: ASYNC110  # the kernel tells nobody
                await asyncio.sleep(_POLL)
            await asyncio.shield(watch.exited)


def _signal(group: int, which: int) -> bool:
    """Send a signal to a group, and say whether there was anybody."""
    try:
        os.killpg(group, which)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody is there, who may not be signalled
        return True
    return True


def _lives(group: int) -> bool:
    """Say whether somebody in the group still runs; a zombie, which its parent may never collect, does not."""
    return _signal(group, 0) and any(_runs_in(group, stat) for stat in Path("/proc").glob("[0-9]*/stat"))


def _runs_in(group: int, stat: Path) -> bool:
    try:
        # after the name, which is in brackets and may hold anything: state, parent, group
        state, _, of, *_ = stat.read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended since it was listed
        return False
    return int(of) == group and state not in {b"Z", b"X"}


def _reap(group: int, watch: _Watch) -> None:
    """Collect what became our children when their parent died, as it does where incidentd is process 1."""
    if watch.exited.done():  # else the program itself would be taken from under asyncio
        with suppress(ChildProcessError):
            while os.waitpid(-group, os.WNOHANG) != (0, 0):
                pass
