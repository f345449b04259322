"""The private directory of a program: locked while its daemon lives, and cleared away when that was killed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from incidentd.runner import process

_PREFIX = "incidentd-step-"


@asynccontextmanager
async def private() -> AsyncIterator[str]:
    """Give an empty directory that only this user may look into, until the block ends."""
    making = asyncio.ensure_future(asyncio.to_thread(_make))
    try:
        directory, lock = await asyncio.shield(making)
    except asyncio.CancelledError:
        # left alone, one that was half made would stay as long as the daemon lives
        await asyncio.wait([making])
        if not making.exception():
            await asyncio.to_thread(_remove, *making.result())
        raise
    try:
        yield directory
    finally:
        await asyncio.to_thread(_remove, directory, lock)


def _make() -> tuple[str, int]:
    while True:
        directory = tempfile.mkdtemp(prefix=_PREFIX)
        with suppress(FileNotFoundError):
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # where nothing can be locked, nothing is cleared away either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.exists(directory):
                return directory, lock
            os.close(lock)
        # another daemon, which starts just now, took it for one that was left behind


def _remove(directory: str, lock: int) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


def clear_away() -> int:
    """Remove what killed daemons left in the temporary directory; gives how many directories that were.

    A program that was given one is ended first, with its group: nobody would hold it to its deadline any more, and a
    step that may be repeated would be done beside it. What belongs to a living daemon or to another user stays.
    """
    removed = 0
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with _left_behind(directory) as is_so:
            if is_so:
                process.end_those_with(str(directory))
                shutil.rmtree(directory, ignore_errors=True)
                removed += 1
    return removed


@contextmanager
def _left_behind(directory: Path) -> Iterator[bool]:
    """Say whether nobody has a directory, and have it."""
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield os.fstat(lock).st_uid == os.geteuid() and _locked(lock)
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
