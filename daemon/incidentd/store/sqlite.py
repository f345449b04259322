"""SQLite as the store: one file, one process, one write connection, readers that cannot write.

WAL with `synchronous=FULL`: a commit is on the disk before it is answered, at a power cut too. One write connection is
a matter of correctness, not only of speed: SQLite 3.7.0 to 3.51.2 can corrupt a WAL database that two connections write
or checkpoint at the same moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from incidentd.errors import StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.store import jobs, migrate, sound
from incidentd.store.engines import make_engine
from incidentd.store.session import Session
from incidentd.store.threaded import ThreadedStore
from incidentd.store.writer import BATCH

VERSION = sqlite3.sqlite_version
BUSY_TIMEOUT_MS = 900
"""Nobody else should ever lock the file; who waits for a receipt is told within a second that somebody does."""
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA journal_size_limit=67108864",
)


def path_of(url: str) -> Path:
    """Give the file that a `sqlite:///PATH` URL names."""
    return Path(url.removeprefix("sqlite:///"))


def lock(path: Path) -> IO[bytes]:
    """Take the lock that says one process owns the file; closing what is given lets go of it.

    Raises StoreUnavailable when another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.fdopen(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "rb+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StoreUnavailable(
            f"{path} belongs to a running incidentd; talk to it over its API, or give this one another --store"
        ) from None
    return handle


def create_file(path: Path) -> None:
    """Make the file, readable by its owner alone, when there is none yet."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def write_engine(path: Path) -> Engine:
    """Make the engine of the one write connection."""
    return make_engine(lambda: _connect(path, read_only=False), NullPool, begin="BEGIN IMMEDIATE")


def read_engine(path: Path) -> Engine:
    """Make the engine of the readers; what they open cannot write."""
    return make_engine(lambda: _connect(path, read_only=True), NullPool)


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    conn = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    for pragma in _PRAGMAS[2:4] if read_only else _PRAGMAS:
        conn.execute(pragma)
    return conn


class SqliteStore(ThreadedStore):
    """The store in one SQLite file: one writer with group commit."""

    def __init__(self, path: Path, lock: IO[bytes], clock: Callable[[], datetime], metrics: Metrics) -> None:
        self._path = path
        self._lock = lock
        self._write_engine = write_engine(path)
        self._read_engine = read_engine(path)
        super().__init__(
            clock=clock, metrics=metrics, group=BATCH, writing=[Session(self._write_engine)],
            reading=lambda: Session(self._read_engine),
        )  # fmt: skip

    async def close(self) -> None:
        """Write what has queued and let go of the file."""
        if self._lock.closed:
            return
        await super().close()
        self._write_engine.dispose()
        self._read_engine.dispose()
        sound.closed(self._path, self._lock)
        self._lock.close()


async def open_sqlite(url: str, clock: Callable[[], datetime], metrics: Metrics) -> SqliteStore:
    """Take the file's lock, bring its schema up to date, start its threads.

    Raises StoreUnavailable, in one sentence for a person, when that cannot be.
    """
    path = path_of(url)
    try:
        with contextlib.ExitStack() as on_failure:
            held = on_failure.enter_context(lock(path))
            await asyncio.to_thread(sound.look, path, held)
            create_file(path)
            await asyncio.to_thread(migrate.upgrade, write_engine(path))
            sound.opened(held)
            metrics.store_info.labels(engine="sqlite", version=VERSION).set(1)
            on_failure.pop_all()
    except OSError as error:
        raise StoreUnavailable(f"cannot open the store at {path}: {error.strerror}") from error
    except (DBAPIError, UnicodeDecodeError) as error:  # what is damaged may not be text
        raise StoreUnavailable(f"cannot open the store at {path}: {getattr(error, 'orig', error)}") from error
    store = SqliteStore(path, held, clock, metrics)
    try:
        await store.write(jobs.release_all)  # the lock proves that nobody else lives who could be at them
    except StoreUnavailable:
        await store.close()
        raise
    return store
