"""The one writer: what has queued is run in one commit, and a caller is answered only after it.

Group commit without any waiting: a batch is whatever queued while the commit before it ran. A unit that raises is
rolled back alone. Bodies to append come first, then urgent units (decisions, pages, answers), then bulk (unpacking).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.store.base import Tx
from incidentd.store.tables import inbox

log = logging.getLogger(__name__)

BATCH = 128
APPENDS = 2000
QUEUE = 4000

_APPEND = inbox.insert()


@dataclass(slots=True)
class Unit:
    """One unit of work that waits for its commit."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class Append:
    """One webhook body that waits for its commit."""

    source: str
    at: datetime
    body: bytes
    future: asyncio.Future[Any]


class Writer(threading.Thread):
    """The database thread that writes."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
        woken: Callable[[set[str]], None],
    ) -> None:
        super().__init__(name="store-writer", daemon=True)
        self._engine = engine
        self._clock = clock
        self._loop = loop
        self._woken = woken
        self._ready = threading.Condition()
        self._appends: deque[Append] = deque()
        self._urgent: deque[Unit] = deque()
        self._bulk: deque[Unit] = deque()
        self._stopping = False
        self._conn: Connection | None = None

    # -- called on the event loop ------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., Any], args: tuple[Any, ...], *, bulk: bool) -> asyncio.Future[Any]:
        """Queue a unit; the future has its result after the commit."""
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._ready:
            queue = self._bulk if bulk else self._urgent
            self._refuse_when_full(len(queue))
            queue.append(Unit(fn, args, future))
            self._ready.notify()
        return future

    def append(self, source: str, at: datetime, body: bytes) -> asyncio.Future[Any]:
        """Queue a webhook body; the future is done once it is durable."""
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._ready:
            self._refuse_when_full(len(self._appends))
            self._appends.append(Append(source, at, body, future))
            self._ready.notify()
        return future

    def _refuse_when_full(self, waiting: int) -> None:
        if self._stopping:
            raise StoreUnavailable("the store is closing")
        if waiting >= QUEUE:
            raise StoreUnavailable(f"the store has {waiting} things waiting to be written")

    def stop(self) -> None:
        """Write what has queued, then end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()

    # -- the thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Take batches until stopped and empty."""
        while True:
            with self._ready:
                while not (self._appends or self._urgent or self._bulk or self._stopping):
                    self._ready.wait()
                appends = _take(self._appends, APPENDS)
                units = _take(self._urgent, BATCH) or _take(self._bulk, 1)
                if not appends and not units:
                    break
            self._run_batch(appends, units)
        self._close()

    def _run_batch(self, appends: list[Append], units: list[Unit]) -> None:
        try:
            done = self._commit(appends, units)
        except DBAPIError as error:
            self._after_failure(error)
            if len(appends) + len(units) == 1 or not units:
                self._answer([(item.future, None, _unavailable(error)) for item in (*appends, *units)], set())
                return
            self._run_apart(appends, units)
        except Exception as error:  # noqa: BLE001 - the step boundary: any unit may fail, and only its caller may learn it
            self._after_failure(error)
            if not appends and len(units) == 1:
                self._answer([(units[0].future, None, error)], set())
                return
            self._run_apart(appends, units)
        else:
            self._answer(*done)

    def _run_apart(self, appends: list[Append], units: list[Unit]) -> None:
        if appends:
            self._run_batch(appends, [])
        for unit in units:
            self._run_batch([], [unit])

    def _commit(self, appends: list[Append], units: list[Unit]) -> tuple[list[Any], set[str]]:
        conn = self._connection()
        tx = Tx(conn, self._clock())
        answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        with conn.begin():
            if appends:
                conn.execute(_APPEND, [{"source": a.source, "at": a.at, "body": a.body} for a in appends])
                tx.wake("unpack")
                answers += [(a.future, None, None) for a in appends]
            for unit in units:
                answers.append((unit.future, unit.fn(tx, *unit.args), None))
        return answers, tx.woken

    def _connection(self) -> Connection:
        if self._conn is None:
            self._conn = self._engine.connect()
        return self._conn

    def _after_failure(self, error: Exception) -> None:
        """Forget the connection after trouble of the database's own: what it believes of the file may be wrong."""
        if isinstance(error, DBAPIError):
            log.warning("a write failed: %s", error.orig)
            self._close()

    def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            try:
                conn.close()
            except DBAPIError as error:
                log.warning("closing the write connection failed: %s", error.orig)

    def _answer(self, answers: list[Any], woken: set[str]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, answers, woken)
        except RuntimeError:
            log.debug("the loop has gone; %d answers have nobody to go to", len(answers))

    def _deliver(self, answers: list[Any], woken: set[str]) -> None:
        for future, result, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if woken:
            self._woken(woken)


def _take(queue: deque[Any], most: int) -> list[Any]:
    return [queue.popleft() for _ in range(min(len(queue), most))]


def _unavailable(error: DBAPIError) -> StoreUnavailable:
    return StoreUnavailable(f"the store cannot write: {error.orig}")
