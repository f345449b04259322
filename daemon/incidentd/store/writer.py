"""The writers: what has queued is run in a commit, and a caller is answered only after it.

On SQLite there is one, with group commit and without any waiting: a batch is whatever queued while the commit before it
ran. On PostgreSQL there are several, with one unit a transaction. A unit that raises is rolled back alone. Bodies to
append come first, all that wait in one commit; then urgent units (decisions, pages, answers); then bulk (unpacking).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.store.base import After, Told, working
from incidentd.store.session import Session, told
from incidentd.store.tables import inbox

log = logging.getLogger(__name__)

BATCH = 128
APPENDS = 2000
QUEUE = 4000
LATE = 1.0
"""Seconds that a body may wait for its commit before no more are taken: who comes then is told so at once."""
TURN = 0.01
"""Seconds after which units leave the database to bodies that wait for their receipt."""

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
    since: float


@dataclass(slots=True)
class Answer:
    """What one caller is told."""

    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class Work:
    """What one writer took from the queues."""

    appends: list[Append] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    bulk: bool = False

    def __bool__(self) -> bool:
        return bool(self.appends or self.units)


class Waiting:
    """What waits for a writer. At most one writer at a time appends, and at most one does bulk work.

    With more writers than one (`group` is 1 then) a writer takes either bodies or one unit, so that nobody's unit waits
    behind the bodies; with one writer it takes both, so that neither keeps the other waiting for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, group: int) -> None:
        self._loop = loop
        self._group = group
        self._ready = threading.Condition()
        self._appends: deque[Append] = deque()
        self._urgent: deque[Unit] = deque()
        self._bulk: deque[Unit] = deque()
        self._appending = False
        self._in_bulk = False
        self._stopping = False

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
        now = self._loop.time()
        with self._ready:
            self._refuse_when_full(len(self._appends))
            if self._appends and now - self._appends[0].since > LATE:
                raise StoreUnavailable(f"the store did not take a delivery for {now - self._appends[0].since:.1f} s")
            self._appends.append(Append(row, future, now))
            self._ready.notify()
        return future

    def _refuse_when_full(self, waiting: int) -> None:
        if self._stopping:
            raise StoreUnavailable("the store is closing")
        if waiting >= QUEUE:
            raise StoreUnavailable(f"the store has {waiting} things waiting to be written")

    def stop(self) -> None:
        """Let the writers end once nothing waits."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()

    # -- called by the writers ---------------------------------------------------------------------------------------

    def take(self) -> Work:
        """Wait for work and take it; empty when the writers are to end."""
        with self._ready:
            while not (work := self._next()):
                if self._stopping and not (self._appends or self._urgent or self._bulk):
                    return work
                self._ready.wait()
            return work

    def _next(self) -> Work:
        work = Work()
        if not self._appending:
            # who has given up waiting is not served: it was told so, and sends again
            work.appends = [it for it in _take(self._appends, APPENDS) if not it.future.done()]
            self._appending = bool(work.appends)
        if self._group > 1 or not work.appends:
            work.units = _take(self._urgent, self._group)
            if not work.units and not self._in_bulk:
                work.units = _take(self._bulk, 1)
                work.bulk = self._in_bulk = bool(work.units)
        return work

    def bodies_wait(self) -> bool:
        """Say whether somebody waits for a receipt."""
        return bool(self._appends)

    def give_back(self, units: list[Unit]) -> None:
        """Take back units that were not run, to be the next."""
        with self._ready:
            self._urgent.extendleft(reversed(units))

    def done(self, work: Work) -> None:
        """Let others append, or do bulk work, when that is what was done."""
        with self._ready:
            if work.appends:
                self._appending = False
            if work.bulk:
                self._in_bulk = False
            self._ready.notify_all()


class Writer(threading.Thread):
    """A database thread that writes."""

    def __init__(
        self,
        waiting: Waiting,
        session: Session,
        *,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[After], None],
        told: Callable[[], Told | None],
    ) -> None:
        super().__init__(name="store-writer", daemon=True)
        self._waiting = waiting
        self._session = session
        self._clock = clock
        self._loop = loop
        self._committed = committed
        self._told = told

    def run(self) -> None:
        """Take work until stopped and nothing waits."""
        while work := self._waiting.take():
            # a receipt never waits for the work of others: it is answered by a commit of its own
            if work.appends:
                self._run_batch(work.appends, [])
            if work.units:
                self._waiting.give_back(self._run_batch([], work.units))
            self._waiting.done(work)
        self._session.close()

    def _run_batch(self, appends: list[Append], units: list[Unit]) -> list[Unit]:
        """Run what a commit has room for; gives the units that were not run."""
        tries = 0
        while True:
            tries += 1
            try:
                answers, after = self._commit(appends, units, tries)
            except Exception as error:  # noqa: BLE001 - the step boundary: any unit may fail, and only its caller may learn it
                self._session.failed(error)
                if self._session.may_rerun(error, tries):
                    continue
                self._fail(appends, units, error)
                return []
            self._answer(answers, after)
            return units[len(answers) - len(appends) :]

    def _fail(self, appends: list[Append], units: list[Unit], error: Exception) -> None:
        """Run those who failed together each alone, so that only the culprit fails; tell one who was alone."""
        if len(units) > 1:
            for unit in units:
                self._run_batch([], [unit])
            return
        if isinstance(error, DBAPIError):
            log.warning("a write failed: %s", told(error))
        futures = [append.future for append in appends] + [unit.future for unit in units]
        self._answer([Answer(future, error=_told(error)) for future in futures], After())

    def _commit(self, appends: list[Append], units: list[Unit], tries: int) -> tuple[list[Answer], After]:
        began = self._loop.time()
        answers = [Answer(append.future) for append in appends]
        with self._session.transaction() as conn, working(conn, self._clock(), self._told()) as tx:
            if appends:
                conn.execute(_APPEND, [append.row for append in appends])
                tx.wake("unpack")
            for unit in units:
                answers.append(Answer(unit.future, unit.fn(tx, *unit.args)))
                if self._waiting.bodies_wait() and self._loop.time() - began > TURN:
                    break
        took = self._loop.time() - began
        tx.count(lambda m: m.store_operation_duration_seconds.labels(operation="commit").observe(took))
        if tries > 1:
            tx.count(lambda m: m.store_reruns_total.inc(tries - 1))
        return answers, tx.after

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
    if isinstance(error, DBAPIError):
        return StoreUnavailable(f"the store cannot write: {told(error)}")
    if isinstance(error, StopIteration):
        # a future takes no StopIteration, and whoever waits for it would wait for ever
        told_so = RuntimeError("a unit of work raised StopIteration")
        told_so.__cause__ = error
        return told_so
    return error
