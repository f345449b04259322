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
from incidentd.store.base import After, Tx
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

    row: dict[str, Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class Answer:
    """What one caller is told."""

    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Writer(threading.Thread):
    """The database thread that writes."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[After], None],
    ) -> None:
        super().__init__(name="store-writer", daemon=True)
        self._engine = engine
        self._clock = clock
        self._loop = loop
        self._committed = committed
        self._ready = threading.Condition()
        self._appends: deque[Append] = deque()
        self._urgent: deque[Unit] = deque()
        self._bulk: deque[Unit] = deque()
        self._stopping = False
        self._conn: Connection | None = None

    # -- called on the event loop ------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., Any], args: tuple[Any, ...], *, bulk: bool) -> asyncio.Future[Any]:
        """Queue a unit; the future has its result after the commit. Raises StoreUnavailable when too many wait."""
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._ready:
            queue = self._bulk if bulk else self._urgent
            self._refuse_when_full(len(queue))
            queue.append(Unit(fn, args, future))
            self._ready.notify()
        return future

    def append(self, row: dict[str, Any]) -> asyncio.Future[Any]:
        """Queue a webhook body; the future is done once it is durable. Raises StoreUnavailable when too many wait."""
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._ready:
            self._refuse_when_full(len(self._appends))
            self._appends.append(Append(row, future))
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
            # a receipt never waits for the work of others: it is answered by a commit of its own
            if appends:
                self._run_batch(appends, [])
            if units:
                self._run_batch([], units)
        self._close()

    def _run_batch(self, appends: list[Append], units: list[Unit]) -> None:
        try:
            answers, after = self._commit(appends, units)
        except Exception as error:  # noqa: BLE001 - the step boundary: any unit may fail, and only its caller may learn it
            self._after_failure(error)
            if len(units) > 1:
                for unit in units:
                    self._run_batch([], [unit])
            else:
                futures = [append.future for append in appends] + [unit.future for unit in units]
                self._answer([Answer(future, error=_told(error)) for future in futures], After())
        else:
            self._answer(answers, after)

    def _commit(self, appends: list[Append], units: list[Unit]) -> tuple[list[Answer], After]:
        if self._conn is None:
            self._conn = self._engine.connect()
        began = self._loop.time()
        tx = Tx(self._conn, self._clock())
        answers = [Answer(append.future) for append in appends]
        with self._conn.begin():
            if appends:
                self._conn.execute(_APPEND, [append.row for append in appends])
                tx.wake("unpack")
            answers += [Answer(unit.future, unit.fn(tx, *unit.args)) for unit in units]
        took = self._loop.time() - began
        tx.count(lambda m: m.store_operation_duration_seconds.labels(operation="commit").observe(took))
        return answers, tx.after

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

    def _answer(self, answers: list[Answer], after: After) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, answers, after)
        except RuntimeError:
            log.debug("the loop has gone; %d answers have nobody to go to", len(answers))

    def _deliver(self, answers: list[Answer], after: After) -> None:
        for answer in answers:
            if answer.future.done():
                continue
            if answer.error is None:
                answer.future.set_result(answer.result)
            else:
                answer.future.set_exception(answer.error)
        self._committed(after)


def _take(queue: deque[Any], most: int) -> list[Any]:
    return [queue.popleft() for _ in range(min(len(queue), most))]


def _told(error: Exception) -> Exception:
    return StoreUnavailable(f"the store cannot write: {error.orig}") if isinstance(error, DBAPIError) else error
