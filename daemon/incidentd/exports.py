"""The door to the directories of documents and postmortems: files whole or not at all, and nothing outside of them.

A directory may be a git checkout, or be watched by something else: a file is written under a hidden name, flushed to
the disk and then given its own name, and one whose contents did not change is left alone. Nothing follows a symbolic
link that lies in the directory. A disk that hangs holds up nobody else: the work is done in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.text import plain

__all__ = ["DOCUMENTS", "POSTMORTEMS", "Directory", "Kind"]

T = TypeVar("T")
_DEADLINE = timedelta(seconds=15)
_LEFT_AFTER = 3600.0
"""Seconds after which a hidden file was left behind by a process that died in the middle."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ADVICE = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room in its quota",
    errno.EACCES: "let the user that incidentd runs as write there",
    errno.EPERM: "let the user that incidentd runs as write there",
    errno.EROFS: "its file system can only be read: mount it to be written",
    errno.ENOENT: "make it, or correct `{setting}`",
    errno.ENOTDIR: "it is no directory: correct `{setting}`",
    errno.EISDIR: "a directory has the name of the file: move it away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What lies in a directory."""

    what: str
    """What one of the files is, in words."""
    names: str
    """A pattern of their names."""
    setting: str
    """Which setting names the directory."""

    def has(self, name: str) -> bool:
        """Say whether this is the name of such a file."""
        return re.fullmatch(self.names, name) is not None

    def has_part(self, name: str) -> bool:
        """Say whether this is a hidden file that becomes one."""
        return re.fullmatch(rf"\.(?:{self.names})\.[0-9a-f]{{16}}\.part", name) is not None


DOCUMENTS = Kind(
    what="a document or a graph", names=r"INC-[0-9]{1,18}(?:\.md|-[0-9]{1,3}\.svg)", setting="document.export"
)
POSTMORTEMS = Kind(
    what="a postmortem, a graph or an index",
    names=r"(?:INC-[0-9]{1,18}\.v[0-9]{1,9}(?:\.md|\.html|-[0-9]{1,3}\.svg)|index\.(?:md|html))",
    setting="postmortems.publish",
)


class Directory:
    """The directory that the configuration names; it is made when only its last part is missing."""

    def __init__(self, path: Path, kind: Kind = DOCUMENTS, *, timeout: timedelta = _DEADLINE) -> None:
        self._path = path
        self._kind = kind
        self._timeout = timeout
        self._busy = False

    async def write(self, files: Mapping[str, str]) -> bool:
        """Write these files (contents by names), in their order; says whether anything had to be written.

        Raises TemporaryError when the directory cannot be written to: it may be by and by, and nothing is lost; and
        PermanentError for a name that is not one of a document or a graph.
        """
        for name in files:
            if not self._kind.has(name):
                raise PermanentError(f"{plain(name, 40)!r} is not the name of {self._kind.what}")
        return await self._run(lambda given_up: self._write(files, given_up))

    async def names(self) -> frozenset[str]:
        """List the files of its kind that lie there, and clear away what a dead process left. Raises as `write`."""
        return await self._run(lambda _: self._names())

    async def differing(self, files: Mapping[str, str]) -> frozenset[str]:
        """Name those of these files (contents by names) that do not lie there as they are given. Raises as `write`."""
        return await self._run(lambda _: self._differing(files))

    async def _run(self, job: Callable[[threading.Event], T]) -> T:
        if self._busy:  # whoever was before us was given up, and the thread is not back yet
            raise TemporaryError(f"the directory {self._path} is still busy with an earlier document")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        given_up = threading.Event()
        # a daemon: a disk that hangs must not hold up the end of the process
        thread = threading.Thread(
            target=self._do, args=(job, given_up, loop, outcome), name="document export", daemon=True
        )
        self._busy = True
        try:
            thread.start()
        except RuntimeError:
            self._busy = False
            raise TemporaryError("no thread can be started, the machine is at its limit") from None
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await outcome
        except TimeoutError:
            text = f"the directory {self._path} gave no answer within {format_duration(self._timeout)}"
            raise TemporaryError(text, maybe_done=True) from None
        finally:
            given_up.set()

    # What follows runs in the thread.

    def _do(
        self, job: Callable[[threading.Event], T], given_up: threading.Event, loop: asyncio.AbstractEventLoop,
        outcome: asyncio.Future[T],
    ) -> None:  # fmt: skip
        result: T | TemporaryError = TemporaryError(f"the directory {self._path}: it failed unexpectedly, see the log")
        try:
            result = job(given_up)
        except OSError as error:
            result = self._failure(error)
        finally:
            self._busy = False
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
                loop.call_soon_threadsafe(_settle, outcome, result)

    def _failure(self, error: OSError) -> TemporaryError:
        said = os.strerror(error.errno) if error.errno else type(error).__name__
        advice = _ADVICE.get(error.errno or 0, "see to its disk").format(setting=self._kind.setting)
        return TemporaryError(f"the directory {self._path} cannot be written to ({said}); {advice}")

    def _open(self) -> int:
        with contextlib.suppress(FileExistsError):
            self._path.mkdir(mode=0o750)
        return os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _write(self, files: Mapping[str, str], given_up: threading.Event) -> bool:
        folder = self._open()
        try:
            changed = [
                _replace(folder, name, text.encode(), given_up)
                for name, text in files.items()
                if _differs(folder, name, text.encode())
            ]
            if changed:
                os.fsync(folder)
            return bool(changed)
        finally:
            os.close(folder)

    def _differing(self, files: Mapping[str, str]) -> frozenset[str]:
        folder = self._open()
        try:
            return frozenset(name for name, text in files.items() if _differs(folder, name, text.encode()))
        finally:
            os.close(folder)

    def _names(self) -> frozenset[str]:
        folder = self._open()
        try:
            found = os.listdir(folder)
            _clear_away(folder, [name for name in found if self._kind.has_part(name)])
            return frozenset(filter(self._kind.has, found))
        finally:
            os.close(folder)


def _clear_away(folder: int, parts: list[str]) -> None:
    """Remove what was left behind, by the clock of the file system, which may be another machine's."""
    if not parts:
        return
    here = f".INC-0.md.{secrets.token_hex(8)}.part"
    os.close(os.open(here, _NEW, mode=0o640, dir_fd=folder))
    now = os.stat(here, dir_fd=folder).st_mtime
    for name in (here, *parts):
        with contextlib.suppress(FileNotFoundError):  # another replica was faster
            if name == here or now - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > _LEFT_AFTER:
                os.unlink(name, dir_fd=folder)


def _differs(folder: int, name: str, contents: bytes) -> bool:
    return _read(folder, name, len(contents)) != contents


def _read(folder: int, name: str, size: int) -> bytes | None:
    """Read a file that is as long as this; None for anything else that has the name, a symbolic link above all."""
    try:
        # without waiting, as a pipe of this name would have it
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    with open(file, "rb") as there:
        found = os.fstat(file)
        return there.read() if stat.S_ISREG(found.st_mode) and found.st_size == size else None


def _replace(folder: int, name: str, contents: bytes, given_up: threading.Event) -> str:
    part = f".{name}.{secrets.token_hex(8)}.part"
    file = os.open(part, _NEW, mode=0o640, dir_fd=folder)
    try:
        with open(file, "wb") as out:
            out.write(contents)
            out.flush()
            os.fsync(file)
        if given_up.is_set():  # another one may have written a newer one meanwhile
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
    return name


def _settle(outcome: asyncio.Future[T], result: T | TemporaryError) -> None:
    if outcome.done():
        return
    if isinstance(result, TemporaryError):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)
