"""The keeper: a thread that watches over the connection to PostgreSQL.

It says regularly that this replica lives, takes over from those that do not, keeps the clock with the database's, tells
other replicas of new work and hears of theirs (a kindness: they look by themselves each second), and knows whether the
database can be reached: while it cannot, everybody is refused at once instead of waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.store import replicas
from incidentd.store.base import After, Tx, working
from incidentd.store.session import Session, told

log = logging.getLogger(__name__)

AGAIN_AFTER = 0.5
"""Seconds between two tries to reach a database that is down."""
LOSSES = 3
"""So many connections lost one after the other say that the database cannot be reached."""
TELL_EVERY = 0.05
"""Seconds in which what there is to tell other replicas is put together into one message."""
CHANNEL = "incidentd"
_LISTEN = text(f"LISTEN {CHANNEL}")
_TELL = text(f"SELECT pg_notify('{CHANNEL}', :queues)")
_NOISE = timedelta(milliseconds=5)
_WORTH_SAYING = timedelta(seconds=1)


class Gate:
    """Whether the database can be used, as far as anybody knows: reached, and written to; '' says that it can."""

    def __init__(self) -> None:
        self.why = ""
        self.era = 0
        """Grows when another server is to be looked for: connections of an era before are given up, readers' too."""
        self.doubt: Callable[[], None] = lambda: None
        """Have the keeper look whether the database is there."""

    def shut(self, why: str) -> None:
        """Say that the database cannot be used."""
        if not self.why:
            log.warning("the database cannot be used: %s", why)
        self.why = f"the database cannot be used: {why}"
        self.doubt()

    def next_era(self, after: int) -> None:
        """Begin another era after this one, unless somebody did."""
        if self.era == after:
            self.era += 1

    def open(self) -> None:
        """Say that it can."""
        if self.why:
            log.info("the database can be used again")
        self.why = ""


def follow(tx: Tx, clock: Callable[[], datetime], adjust: Callable[[timedelta], None]) -> None:
    """Have the clock go by the database's: measured in one round trip, and left alone where it differs by noise."""
    before = clock()
    there = replicas.time_of_database(tx)
    took = clock() - before
    ahead = there - before - took / 2
    adjust(ahead if abs(ahead) > took / 2 + _NOISE else timedelta(0))
    if abs(ahead) > _WORTH_SAYING:
        log.warning("the database's clock is ahead by %s (minus: behind); time is the database's from here", ahead)


class Keeper(threading.Thread):
    """The thread. `me` is the replica's name; without one it claims nothing, and nobody has to know that it lives."""

    def __init__(
        self, session: Session, gate: Gate, *, me: str, version: str, clock: Callable[[], datetime],
        adjust: Callable[[timedelta], None] | None, loop: asyncio.AbstractEventLoop,
        committed: Callable[[After], None], heard: Callable[[set[str]], None],
    ) -> None:  # fmt: skip
        super().__init__(name="store-keeper", daemon=True)
        self._session = session
        self._gate = gate
        self._me = me
        self._version = version
        self._clock = clock
        self._adjust = adjust
        self._loop = loop
        self._committed = committed
        self._heard = heard
        self._stopping = threading.Event()
        self._in_a_row = 0
        self._to_tell: set[str] = set()
        self._telling = threading.Lock()
        self._poked, self._poke = socket.socketpair()
        self._poked.setblocking(False)
        self._poke.setblocking(False)
        gate.doubt = self.poke

    # -- called by others --------------------------------------------------------------------------------------------

    def tell(self, queues: set[str]) -> None:
        """Let other replicas know that there is something to do for these queues."""
        with self._telling:
            news = not self._to_tell and bool(queues)
            self._to_tell |= queues
        if news:
            self.poke()

    def poke(self) -> None:
        """Have it look at once."""
        with contextlib.suppress(OSError):  # full: it is poked already; closed: it ends
            self._poke.send(b"!")

    def stop(self) -> None:
        """Hand back what this replica has in hand, and end."""
        self._stopping.set()
        self.poke()

    # -- the thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Keep the connection, and begin anew whenever it is lost."""
        while not self._stopping.is_set():
            try:
                self._keep()
            except DBAPIError as error:
                self._lost(error, told(error))
            except (psycopg.Error, OSError, StoreUnavailable) as error:
                self._lost(error, str(error).partition("\n")[0])
            if self._gate.why:
                self._stopping.wait(AGAIN_AFTER)
        if self._me and not self._gate.why:
            with contextlib.suppress(DBAPIError, psycopg.Error, OSError):  # else its leases run out
                self._run(replicas.leave, self._me)
        self._session.close()
        self._poke.close()
        self._poked.close()

    def _lost(self, error: Exception, why: str) -> None:
        """Take that a connection was lost; that alone does not yet say that the database is unreachable."""
        self._session.failed(error)
        self._session.close()
        self._in_a_row += 1
        if self._in_a_row >= LOSSES:
            self._gate.shut(why)

    def _keep(self) -> None:
        connection = self._listen()
        since = self._loop.time()
        next_beat = since
        while not self._stopping.is_set():
            now = self._loop.time()
            if now >= next_beat or self._gate.why:
                self._beat(may_judge=now - since >= replicas.TAKEOVER.total_seconds())
                self._gate.open()
                self._in_a_row = 0
                next_beat = now + replicas.BEAT.total_seconds()
            told_any = self._tell()
            self._wait(connection, TELL_EVERY if told_any else max(next_beat - self._loop.time(), 0))

    def _listen(self) -> psycopg.Connection[Any]:
        with self._session.transaction() as conn:
            conn.execute(_LISTEN)
            connection = conn.connection.driver_connection
        assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the engine is made for this driver
        return connection

    def _beat(self, *, may_judge: bool) -> None:
        """Say that this replica lives.

        It judges others only after a whole such time with the database at hand: when that was away nobody could speak.
        """
        if self._me:
            self._run(replicas.beat, self._me, self._version)
            if may_judge:
                self._run(replicas.take_over, self._me)
        else:
            self._run(replicas.want_to_write)
        if self._adjust is not None:
            self._run(follow, self._clock, self._adjust)

    def _run(self, unit: Callable[..., object], *args: object) -> None:
        with self._session.transaction() as conn, working(conn, self._clock()) as tx:
            unit(tx, *args)
        with contextlib.suppress(RuntimeError):  # the loop has gone, and with it whoever wanted to know
            self._loop.call_soon_threadsafe(self._committed, tx.after)

    def _tell(self) -> bool:
        with self._telling:
            queues, self._to_tell = self._to_tell, set()
        if not queues:
            return False
        with self._session.transaction() as conn:
            conn.execute(_TELL, {"queues": ",".join(sorted(queues))})
        return True

    def _wait(self, connection: psycopg.Connection[Any], timeout: float) -> None:
        """Wait until it is poked or something is heard, and pass that on."""
        poll = select.poll()
        for descriptor in (connection.fileno(), self._poked.fileno()):
            poll.register(descriptor, select.POLLIN)
        poll.poll(timeout * 1000)
        with contextlib.suppress(BlockingIOError):
            self._poked.recv(4096)
        connection.pgconn.consume_input()
        heard: set[str] = set()
        while (notice := connection.pgconn.notifies()) is not None:
            if notice.be_pid != connection.info.backend_pid:
                heard.update(notice.extra.decode("ascii", "replace").split(","))
        if heard:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._heard, heard)
