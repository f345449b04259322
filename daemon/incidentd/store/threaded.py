"""What both engines have in common: the event loop hands work to database threads and is told when it is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.store.base import After, Told, Tx
from incidentd.store.session import Session, told
from incidentd.store.writer import Waiting, Writer

P = ParamSpec("P")
T = TypeVar("T")
READERS = 2


class ThreadedStore:
    """A store whose units run on threads of their own."""

    takeover: timedelta = timedelta.max
    """After this long without a word from it, others may take what a replica claimed; never, where there is but one."""

    def __init__(
        self, *, clock: Callable[[], datetime], metrics: Metrics, writing: Sequence[Session],
        reading: Callable[[], Session], group: int,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._metrics = metrics
        self._reading = reading
        self._waiters: dict[str, asyncio.Event] = {}
        self._loop = asyncio.get_running_loop()
        self._told: Told | None = None
        self._waiting = Waiting(self._loop, group=group)
        self._writers = [
            Writer(self._waiting, session, clock=clock, loop=self._loop, committed=self._committed, told=self._follower)
            for session in writing
        ]
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._opened: list[Session] = []
        for writer in self._writers:
            writer.start()

    def refusal(self) -> str:
        """Say why nothing can be asked of the database at this moment; '' when it can."""
        return ""

    async def write(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction and answer after the commit."""
        result: T = await self._submit(unit, args, kwargs, bulk=False)
        return result

    async def write_bulk(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `write`, but give way to everything else that waits."""
        result: T = await self._submit(unit, args, kwargs, bulk=True)
        return result

    def _submit(
        self, unit: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, bulk: bool
    ) -> asyncio.Future[Any]:
        self._refuse()
        return self._waiting.submit(_bound(unit, kwargs), args, bulk=bulk)

    def _refuse(self) -> None:
        if why := self.refusal():
            raise StoreUnavailable(why)

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox; it is durable when this returns."""
        self._refuse()
        await self._waiting.append({"source": source, "at": self._clock(), "body": body})

    async def read(self, query: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on a snapshot."""
        self._refuse()
        began = self._loop.time()
        try:
            return await self._loop.run_in_executor(self._readers, self._query, _bound(query, kwargs), args)
        finally:
            self._metrics.store_operation_duration_seconds.labels(operation="read").observe(self._loop.time() - began)

    def follow(self, told: Told | None) -> None:
        """Have this called, in the very transaction, for each entry of a timeline that is written from here on."""
        self._told = told

    def _follower(self) -> Told | None:
        return self._told

    def waiter(self, name: str) -> asyncio.Event:
        """Give the event that is set when a commit left something to do for this queue."""
        return self._waiters.setdefault(name, asyncio.Event())

    async def close(self) -> None:
        """Write what has queued and let go of the database."""
        self._waiting.stop()
        for writer in self._writers:
            await asyncio.to_thread(writer.join)
        await asyncio.to_thread(self._readers.shutdown, wait=True)
        for session in self._opened:
            session.close()

    def _committed(self, after: After) -> None:
        self._wake(after.woken)
        for figure in after.counted:
            figure(self._metrics)

    def _wake(self, names: set[str]) -> None:
        for name in names:
            self.waiter(name).set()

    def _query(self, query: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._reading()
            self._opened.append(session)
        tries = 0
        while True:
            tries += 1
            try:
                with session.transaction() as conn:
                    return query(Tx(conn, self._clock(), writes=False), *args)
            except DBAPIError as error:
                session.failed(error)
                if not session.may_rerun(error, tries):
                    raise StoreUnavailable(f"the store cannot read: {told(error)}") from error
            except StopIteration as error:
                # a future takes no StopIteration, and whoever waits for it would wait for ever
                raise RuntimeError("a query raised StopIteration") from error


def _bound(fn: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[..., Any]:
    if not kwargs:
        return fn
    return lambda tx, *args: fn(tx, *args, **kwargs)
