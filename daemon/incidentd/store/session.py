"""A thread's connection to the database: opened when it is first needed, forgotten after trouble."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)


class Session:
    """One connection that belongs to one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._conn: Connection | None = None

    def _connected(self) -> Connection:
        if self._conn is None:
            self._conn = self._engine.connect()
        return self._conn

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit when the block ends; roll back when it raises."""
        conn = self._connected()
        with conn.begin():
            yield conn

    def failed(self, error: Exception) -> None:
        """Take in that a transaction failed; what the connection believes of the database may be wrong by now."""
        if isinstance(error, DBAPIError):
            self.close()

    def may_rerun(self, error: Exception, tries: int) -> bool:
        """Say whether a transaction that failed so may simply be run again; `tries` counts those so far."""
        return False

    def close(self) -> None:
        """Let go of the connection; the next transaction opens another."""
        conn, self._conn = self._conn, None
        if conn is not None:
            try:
                conn.close()
            except DBAPIError as error:
                log.warning("closing a connection to the store failed: %s", told(error))


def told(error: DBAPIError) -> str:
    """Say in one line what the database said; what else it says may hold a stranger's words."""
    lines = str(error.orig).strip().splitlines()
    return lines[0][:300] if lines else type(error.orig).__name__
