"""PostgreSQL as the store: several writers, several replicas, and a deadline on whatever waits for the database.

A statement that hangs is ended by the server (`statement_timeout`, `lock_timeout`). A client that hangs in the middle
of a transaction is thrown out by the server, so that its locks go (`idle_in_transaction_session_timeout`). A server
that hangs, or a network that swallows, is cut off here: the socket is shut down under the thread that waits on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from incidentd import __version__
from incidentd.errors import StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.redaction import Secret
from incidentd.store import keeper, migrate, replicas
from incidentd.store.base import HOW_JSON, After, Tx
from incidentd.store.keeper import Gate, Keeper
from incidentd.store.session import Session, told
from incidentd.store.threaded import ThreadedStore

logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of, it raises as well

WRITERS = 4
GROUP = 1
"""Units in a transaction: docs/decisions/0007 says why not more."""
OLDEST = 150000
"""The oldest server that is supported, as it writes its version itself: 15."""

# Seconds. Nobody waits for the database longer than that.
CONNECT = 3
ANSWER = 3.0
"""A webhook is answered within this, with 503 if need be."""
LOCK = 3
STATEMENT = 5
CUT = 6.0
"""A statement that was not answered by then never will be: the server itself would have ended it."""
READ = 10.0
"""A whole query with everything that is made of it."""
IDLE_IN_TRANSACTION = 10
_LOOK_EVERY = 0.25

RERUNS = 8
"""So often a unit is run at most that others came in between of."""
_RACES = frozenset({"40001", "40P01", "23505"})  # serialization failure, deadlock, unique violation
_LOST = ("08", "57P", "25P03", "53")  # connection trouble, shutdown, thrown out while idle, out of something
_READ_ONLY = "25006"  # another server is the primary now, or nobody may write
_SESSION = (
    f"-c statement_timeout={STATEMENT}s -c lock_timeout={LOCK}s "
    f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}s "
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
)
_MIGRATING = "-c lock_timeout=60s -c idle_in_transaction_session_timeout=60s"
_CONNECTING: dict[str, str | int] = {
    "application_name": "incidentd", "client_encoding": "utf8", "connect_timeout": CONNECT,
    "target_session_attrs": "read-write",
    "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 5000,
}  # fmt: skip
# a database where commits may be lost is made to keep them; a stricter setting than `on` stays
_DURABLE = text(
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


def make_engine(url: str, password: Secret | None, *, session: str = _SESSION, read_only: bool = False) -> Engine:
    """Make an engine for a `postgresql://` URL. Raises StoreUnavailable when the URL is none."""
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except ArgumentError as error:
        raise StoreUnavailable("the store's URL cannot be read; write postgresql://user@host:port/database") from error
    if password is not None:
        parsed = parsed.set(password=password.reveal())
    arguments = {name: value for name, value in _CONNECTING.items() if name not in parsed.query}
    arguments["options"] = f"{session} {_text(parsed.query.get('options', ''))}".strip()
    reading: dict[str, Any] = {"execution_options": {"postgresql_readonly": True}, "isolation_level": "REPEATABLE READ"}
    engine = create_engine(
        parsed, connect_args=arguments, poolclass=NullPool, **HOW_JSON, **(reading if read_only else {})
    )
    event.listen(engine, "before_cursor_execute", _statement_begins)
    event.listen(engine, "after_cursor_execute", _statement_ended)
    return engine


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _statement_begins(conn: Connection, *_: object) -> None:
    if (session := conn.info.get("session")) is not None:
        session.waits()


def _statement_ended(conn: Connection, *_: object) -> None:
    if (session := conn.info.get("session")) is not None:
        session.goes_on()


class PostgresSession(Session):
    """One thread's connection, which the event loop can cut off when the database does not answer."""

    def __init__(
        self, engine: Engine, gate: Gate, now: Callable[[], float], *, whole: bool = False, keeps: bool = False
    ) -> None:
        super().__init__(engine)
        self._gate = gate
        self._now = now
        self._whole = whole  # a reader's time is limited as a whole, since it fetches between statements
        self._keeps = keeps  # the keeper's own connection is how one finds out that the database is there again
        self._era = 0
        self._is_new = False
        self._lock = threading.Lock()
        self._waits_since: float | None = None
        self._was_cut = False
        self._committing = False
        self._lost = False

    def waits(self) -> None:
        """Say that the thread waits for the database from here."""
        with self._lock:
            if self._waits_since is None:
                self._waits_since = self._now()

    def goes_on(self) -> None:
        """Say that the database answered."""
        if not self._whole:
            self._rests()

    def _rests(self) -> None:
        with self._lock:
            self._waits_since = None

    def cut_when_late(self) -> None:
        """End a wait that takes too long. Called on the event loop."""
        with self._lock:
            since, conn = self._waits_since, self._conn
            if since is None or conn is None or self._now() - since < (READ if self._whole else CUT):
                return
            self._was_cut, self._waits_since = True, None
            with contextlib.suppress(OSError, psycopg.Error, DBAPIError):
                descriptor = os.dup(driver_of(conn).fileno())
                with socket.socket(fileno=descriptor) as same:
                    same.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> Connection:
        if self._gate.why and not self._keeps:
            raise StoreUnavailable(self._gate.why)
        if self._era != self._gate.era:
            self.close()
        self._is_new = self._conn is None
        if self._conn is None:
            self._era = self._gate.era
            try:
                conn = self._engine.connect()
            except DBAPIError as error:
                self._gate.shut(told(error))
                if self._keeps:
                    raise
                raise StoreUnavailable(self._gate.why) from error  # said once, and not by everybody who waited
            conn.info["session"] = self
            self._conn = conn
            with conn.begin():
                conn.execute(_DURABLE)
        return self._conn

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit when the block ends; roll back when it raises."""
        self._was_cut = self._committing = self._lost = False
        conn = self._connected()
        if self._whole:
            self.waits()
        transaction = conn.begin()
        try:
            yield conn
            self.waits()
            if driver_of(conn).info.transaction_status == TransactionStatus.INERROR:
                # the server would answer a commit with a silent rollback
                raise StoreUnavailable("a statement failed and its unit went on; nothing was written")
            self._committing = True
            transaction.commit()
            self._committing = False
        except BaseException:
            self.waits()
            with contextlib.suppress(DBAPIError):
                transaction.rollback()
            raise
        finally:
            self._rests()

    def close(self) -> None:
        """Let go of the connection; of one that is lost there is nothing to say goodbye to."""
        conn = self._conn
        if conn is not None and not conn.invalidated and driver_of(conn).closed:
            conn.invalidate()
        super().close()

    def failed(self, error: Exception) -> None:
        """Take in that a transaction failed. A connection that was lost is forgotten, and another one is good."""
        state = _state(error)
        demoted = state == _READ_ONLY and not self._whole  # what a reader asks for is read-only by itself
        self._lost = isinstance(error, DBAPIError) and (
            demoted or error.connection_invalidated or not state or state.startswith(_LOST)
        )
        if demoted:
            self._demoted()
        if self._lost:
            self.close()
            if self._was_cut:
                self._gate.shut(f"no answer within {CUT:.0f} seconds")
            else:
                self._gate.doubt()

    def _demoted(self) -> None:
        """Take in that the server lets nobody write: whoever is connected to it is to look for its successor."""
        if self._is_new:
            self._gate.shut("the server lets nobody write (read-only)")
        else:
            self._gate.next_era(self._era)

    def may_rerun(self, error: Exception, tries: int) -> bool:
        """Say whether to run it again: after a race, and once after a connection was lost before the commit began."""
        if _state(error) in _RACES and tries < RERUNS:
            threading.Event().wait(0.005 * tries)
            return True
        return self._lost and tries == 1 and not (self._committing or self._was_cut or self._gate.why)


def _state(error: Exception) -> str:
    return getattr(error.orig, "sqlstate", None) or "" if isinstance(error, DBAPIError) else ""


def driver_of(conn: Connection) -> psycopg.Connection[Any]:
    """Give the driver's own connection."""
    driver = conn.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the engine is made for this driver
    return driver


class PostgresStore(ThreadedStore):
    """The store in a PostgreSQL database, which other replicas may share."""

    takeover = replicas.TAKEOVER

    def __init__(
        self, url: str, clock: Callable[[], datetime], metrics: Metrics, *, password: Secret | None, me: str,
        adjust: Callable[[timedelta], None] | None,
    ) -> None:  # fmt: skip
        self._gate = Gate()
        self._write_engine = make_engine(url, password)
        self._read_engine = make_engine(url, password, read_only=True)
        self._sessions: list[PostgresSession] = []
        loop = asyncio.get_running_loop()
        self._keeper = Keeper(
            self._session(self._write_engine, loop.time, keeps=True), self._gate, me=me, version=__version__,
            clock=clock, adjust=adjust, loop=loop, committed=self._committed, heard=self._wake,
        )  # fmt: skip
        super().__init__(
            clock=clock, metrics=metrics, group=GROUP,
            writing=[self._session(self._write_engine, loop.time) for _ in range(WRITERS)],
            reading=lambda: self._session(self._read_engine, loop.time, whole=True),
        )  # fmt: skip
        self._keeper.start()
        self._watching = asyncio.create_task(self._watch(), name="store-watch")

    def _session(
        self, engine: Engine, now: Callable[[], float], *, whole: bool = False, keeps: bool = False
    ) -> PostgresSession:
        session = PostgresSession(engine, self._gate, now, whole=whole, keeps=keeps)
        self._sessions.append(session)
        return session

    async def _watch(self) -> None:
        """Cut off what waits too long."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for session in tuple(self._sessions):
                session.cut_when_late()

    def refusal(self) -> str:
        """Say why nothing can be asked of the database at this moment; '' when it can."""
        return self._gate.why

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox; it is durable when this returns."""
        try:
            async with asyncio.timeout(ANSWER):
                await super().append(source, body)
        except TimeoutError:
            raise StoreUnavailable(f"the database did not take it within {ANSWER:.0f} seconds") from None

    def _committed(self, after: After) -> None:
        super()._committed(after)
        self._keeper.tell(after.woken - {"unpack"})  # whoever appended a body unpacks it

    async def close(self) -> None:
        """Write what has queued, hand back what this replica has in hand, and let go of the database."""
        await super().close()
        self._keeper.stop()
        await asyncio.to_thread(self._keeper.join)
        self._watching.cancel()
        self._write_engine.dispose()
        self._read_engine.dispose()


async def open_postgres(
    url: str,
    clock: Callable[[], datetime],
    metrics: Metrics,
    *,
    password: Secret | None,
    me: str,
    adjust: Callable[[timedelta], None] | None,
) -> PostgresStore:
    """Look whether the database will do, bring its schema and the clock up to date, start the threads.

    Raises StoreUnavailable, in one sentence for a person, when that cannot be.
    """
    try:
        version = await asyncio.to_thread(_prepare, url, password, clock, adjust)
    except DBAPIError as error:
        raise StoreUnavailable(f"cannot open the store at {_shown(url)}: {told(error)}") from error
    metrics.store_info.labels(engine="postgresql", version=version).set(1)
    return PostgresStore(url, clock, metrics, password=password, me=me, adjust=adjust)


def _shown(url: str) -> str:
    return url.partition("?")[0]


def _prepare(
    url: str, password: Secret | None, clock: Callable[[], datetime], adjust: Callable[[timedelta], None] | None
) -> str:
    engine = make_engine(url, password, session=_MIGRATING)
    with engine.connect() as conn, conn.begin():
        info = driver_of(conn).info
        if info.server_version < OLDEST:
            raise StoreUnavailable(f"the server of {_shown(url)} is too old; PostgreSQL 15 or newer is needed")
        if info.parameter_status("server_encoding") != "UTF8":
            raise StoreUnavailable(f"the database of {_shown(url)} does not keep UTF-8; make one with ENCODING 'UTF8'")
        if adjust is not None:
            keeper.follow(Tx(conn, clock()), clock, adjust)
        version = info.parameter_status("server_version") or ""
    migrate.upgrade(engine)
    return version.partition(" ")[0]
