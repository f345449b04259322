"""A store that lives in memory and is gone when it is closed: for rehearsals, where nothing has to outlast the process.

The same units run on the same schema as in `sqlite`; only durability and threads are missing. One connection does
everything, on the event loop, so a unit takes as long as its statements and nothing waits for a disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.pool import NullPool, StaticPool

from incidentd.metrics import Metrics
from incidentd.store import migrate
from incidentd.store.base import Told, Tx, working
from incidentd.store.engines import make_engine
from incidentd.store.tables import inbox

P = ParamSpec("P")
T = TypeVar("T")


class MemoryStore:
    """The store in the memory of this process."""

    takeover: timedelta = timedelta.max
    """Nobody else can claim anything here."""

    def __init__(self, clock: Callable[[], datetime], metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._told: Told | None = None
        self._waiters: dict[str, asyncio.Event] = {}
        self._engine = make_engine(_connect, StaticPool)
        self._conn = self._engine.connect()

    async def write(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction; what it wakes and counts happens after the commit."""
        with self._conn.begin(), working(self._conn, self._clock(), self._told) as tx:
            result = unit(tx, *args, **kwargs)
        for name in tx.after.woken:
            self.waiter(name).set()
        for figure in tx.after.counted:
            figure(self._metrics)
        return result

    async def write_bulk(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `write`: nothing waits here."""
        return await self.write(unit, *args, **kwargs)

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox."""
        with self._conn.begin():
            self._conn.execute(inbox.insert(), {"source": source, "at": self._clock(), "body": body})

    async def read(self, query: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query."""
        with self._conn.begin():
            return query(Tx(self._conn, self._clock(), writes=False), *args, **kwargs)

    def follow(self, told: Told | None) -> None:
        """Have this called for each entry of a timeline that is written from here on."""
        self._told = told

    def waiter(self, name: str) -> asyncio.Event:
        """Give the event that is set when a commit left something to do for this queue."""
        return self._waiters.setdefault(name, asyncio.Event())

    async def close(self) -> None:
        """Forget everything."""
        self._conn.close()
        self._engine.dispose()


def _connect() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    conn.deserialize(empty())
    conn.execute("PRAGMA foreign_keys=ON")
    return conn


@cache
def empty() -> bytes:
    """Give an empty store: the schema is made once in a process, by the migrations, and copied from then on."""
    with tempfile.TemporaryDirectory(prefix="incidentd-") as folder:
        path = Path(folder) / "empty.db"
        migrate.upgrade(make_engine(lambda: sqlite3.connect(path, isolation_level=None), NullPool))
        conn = sqlite3.connect(path)
        try:
            return conn.serialize()
        finally:
            conn.close()
