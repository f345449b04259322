"""The store: memory that survives. One interface; what is asked of it are plain functions `fn(tx, ...)`.

`write` answers after the commit, `append` is the receiver's durable receipt, `read` sees a snapshot and cannot write.
Nothing here blocks the event loop: the database has threads of its own. SQLite needs nothing and serves one process;
PostgreSQL serves several replicas, which need nothing but the database between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from incidentd.errors import StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.redaction import Secret
from incidentd.store.base import Told, Tx
from incidentd.store.sqlite import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "Store", "Tx", "open_store"]

P = ParamSpec("P")
T = TypeVar("T")


class Store(Protocol):
    """What the rest of the house knows of the store."""

    takeover: timedelta
    """After this long without a word from it, others may take what a replica claimed."""

    async def write(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction and answer after the commit. Raises StoreUnavailable, or what the unit raises."""

    async def write_bulk(self, unit: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `write`, but give way to everything else that waits."""

    async def append(self, source: str, body: bytes) -> None:
        """Append a webhook body to the inbox; it is durable when this returns."""

    async def read(self, query: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on a snapshot."""

    def follow(self, told: Told | None) -> None:
        """Have this called, in the very transaction, for each entry of a timeline that is written from here on."""

    def waiter(self, name: str) -> asyncio.Event:
        """Give the event that is set when a commit left something to do for this queue."""

    async def close(self) -> None:
        """Write what has queued and let go of the database."""


async def open_store(
    url: str,
    clock: Callable[[], datetime],
    metrics: Metrics,
    *,
    password: Secret | None = None,
    me: str = "",
    adjust: Callable[[timedelta], None] | None = None,
) -> Store:
    """Open the store: bring its schema up to date, set free what a dead process held, start its threads.

    On PostgreSQL `me` is the name of this replica ('' for one that claims nothing), and `adjust` is told how far the
    database's clock is ahead of `clock`, so that every replica goes by the same time.
    Raises StoreUnavailable, in one sentence for a person, when it cannot be opened.
    """
    if url.startswith("sqlite:"):
        return await open_sqlite(url, clock, metrics)
    try:
        from incidentd.store.postgres import open_postgres  # noqa: PLC0415 - its driver is an extra
    except ImportError as error:
        raise StoreUnavailable(
            f"the driver for PostgreSQL is not here ({error}); install it with: pip install 'incidentd[postgres]'"
        ) from error
    return await open_postgres(url, clock, metrics, password=password, me=me, adjust=adjust)
