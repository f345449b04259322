"""The store: memory that survives. One interface; what is asked of it are plain functions `fn(tx, ...)`.

`write` answers after the commit, `append` is the receiver's durable receipt, `read` sees a snapshot and cannot write.
Nothing here blocks the event loop: the database has threads of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.store import migrate, sqlite
from incidentd.store.base import After, Tx
from incidentd.store.writer import Writer

__all__ = ["SqliteStore", "Store", "Tx", "open_store"]

P = ParamSpec("P")
T = TypeVar("T")
READERS = 2


class Store(Protocol):
    """What the rest of the house knows of the store."""

    async def write(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction and answer after the commit. Raises StoreUnavailable, or what the unit raises."""

    async def write_bulk(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `write`, but give way to everything else that waits."""

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox; it is durable when this returns."""

    async def read(self, query: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on a snapshot."""

    def waiter(self, name: str) -> asyncio.Event:
        """Give the event that is set when a commit left something to do for this queue."""

    async def close(self) -> None:
        """Write what has queued and let go of the file."""


class SqliteStore:
    """The store in one SQLite file."""

    def __init__(self, path: Path, lock: IO[bytes], clock: Callable[[], datetime], metrics: Metrics) -> None:
        self._lock = lock
        self._metrics = metrics
        self._clock = clock
        self._waiters: dict[str, asyncio.Event] = {}
        self._write_engine = sqlite.write_engine(path)
        self._read_engine = sqlite.read_engine(path)
        self._writer = Writer(
            self._write_engine, clock=clock, loop=asyncio.get_running_loop(), committed=self._committed
        )
        self._writer.start()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._opened: list[Connection] = []

    async def write(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction and answer after the commit."""
        result: T = await self._writer.submit(_bound(unit, kwargs), args, bulk=False)
        return result

    async def write_bulk(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `write`, but give way to everything else that waits."""
        result: T = await self._writer.submit(_bound(unit, kwargs), args, bulk=True)
        return result

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox; it is durable when this returns."""
        await self._writer.append({"source": source, "at": self._clock(), "body": body})

    async def read(self, query: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on a snapshot."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await loop.run_in_executor(self._readers, self._query, _bound(query, kwargs), args)
        finally:
            self._metrics.store_operation_duration_seconds.labels(operation="read").observe(loop.time() - began)

    def waiter(self, name: str) -> asyncio.Event:
        """Give the event that is set when a commit left something to do for this queue."""
        return self._waiters.setdefault(name, asyncio.Event())

    async def close(self) -> None:
        """Write what has queued and let go of the file."""
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        for conn in self._opened:
            conn.close()
        self._write_engine.dispose()
        self._read_engine.dispose()
        self._lock.close()

    def _committed(self, after: After) -> None:
        for name in after.woken:
            self.waiter(name).set()
        for figure in after.counted:
            figure(self._metrics)

    def _query(self, query: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            conn = self._read_connection()
            with conn.begin():
                return query(Tx(conn, self._clock()), *args)
        except DBAPIError as error:
            self._forget_read_connection()
            raise StoreUnavailable(f"the store cannot read: {error.orig}") from error

    def _read_connection(self) -> Connection:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._read_engine.connect()
            self._opened.append(conn)
        return conn

    def _forget_read_connection(self) -> None:
        conn: Connection | None = getattr(self._local, "conn", None)
        self._local.conn = None
        if conn is not None:
            self._opened.remove(conn)
            with contextlib.suppress(DBAPIError):
                conn.close()


def _bound(fn: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[..., Any]:
    if not kwargs:
        return fn
    return lambda tx, *args: fn(tx, *args, **kwargs)


async def open_store(url: str, clock: Callable[[], datetime], metrics: Metrics) -> SqliteStore:
    """Open the store: take its lock, bring its schema up to date, start its threads.

    Raises StoreUnavailable, in one sentence for a person, when that cannot be.
    """
    path = sqlite.path_of(url)
    try:
        with contextlib.ExitStack() as on_failure:
            lock = on_failure.enter_context(sqlite.lock(path))
            sqlite.create_file(path)
            await asyncio.to_thread(migrate.upgrade, sqlite.write_engine(path))
            metrics.store_info.labels(engine="sqlite", version=sqlite.VERSION).set(1)
            on_failure.pop_all()
            return SqliteStore(path, lock, clock, metrics)
    except OSError as error:
        raise StoreUnavailable(f"cannot open the store at {path}: {error.strerror}") from error
    except DBAPIError as error:
        raise StoreUnavailable(f"cannot open the store at {path}: {error.orig}") from error
