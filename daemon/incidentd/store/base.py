"""What a unit of work is handed: a transaction, its instant, and a place for what happens only after the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Executable, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

from incidentd.metrics import Metrics

T = TypeVar("T")
_first_time = threading.Lock()
_read_before: set[type] = set()


@dataclass(slots=True)
class After:
    """What a commit brings about: queues to wake, and figures to count."""

    woken: set[str] = field(default_factory=set)
    counted: list[Callable[[Metrics], object]] = field(default_factory=list)


@dataclass(slots=True)
class Tx:
    """One transaction. A unit is a plain function `fn(tx, ...)` that touches nothing but the database.

    It may be run again after a rollback, so it changes nothing else; what it wants to happen afterwards it says here.
    """

    conn: Connection
    now: datetime
    after: After = field(default_factory=After)
    writes: bool = True
    """Whether it may write; what such a unit reads of a thing it may save, so others must not change it meanwhile."""
    locked: set[str] = field(default_factory=set)
    """The locks that it took so far (locks.py); they end with it."""

    @property
    def shares(self) -> bool:
        """Whether others may write at the same time, in this process or in another; on SQLite nobody does."""
        return self.writes and self.conn.dialect.name == "postgresql"

    def wake(self, queue: str) -> None:
        """Have this queue looked at right after the commit."""
        self.after.woken.add(queue)

    def count(self, figure: Callable[[Metrics], object]) -> None:
        """Have a metric changed once this is committed."""
        self.after.counted.append(figure)


def dump(value: object) -> Any:
    """Turn a noun into what a JSON column keeps."""
    return msgspec.to_builtins(value)


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


HOW_JSON: Mapping[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}
"""What an engine is made with, so that JSON columns cost little."""


def load(body: Any, kind: type[T]) -> T:
    """Read a noun back from a JSON column; fields that it lacks take their defaults."""
    if kind in _read_before:
        return msgspec.convert(body, kind, strict=False)
    # what msgspec learns of a class it learns at its first use, and two threads that do so at once crash the process
    with _first_time:
        noun = msgspec.convert(body, kind, strict=False)
        _read_before.add(kind)
        return noun


def both(build: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """Build a statement once for each engine; `build` is given the engine's own `insert`."""
    return {"sqlite": build(sqlite.insert), "postgresql": build(postgresql.insert)}


class Read:
    """A query that a reader runs as it is, and a unit that may write runs with a lock on what it finds."""

    __slots__ = ("_locking", "_plain")

    def __init__(self, query: Select[Any]) -> None:
        self._plain = query
        self._locking = query.with_for_update()

    def of(self, tx: Tx) -> Select[Any]:
        """Give the query for this transaction."""
        return self._locking if tx.writes else self._plain


def new_id(tx: Tx, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row and give the id that it got."""
    return int(tx.conn.execute(table.insert().returning(table.c.id), row).scalar_one())
