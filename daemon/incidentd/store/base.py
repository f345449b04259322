"""What a unit of work is handed: a transaction, its instant, and a place for what happens only after the commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from incidentd.metrics import Metrics

T = TypeVar("T")


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

    def wake(self, queue: str) -> None:
        """Have this queue looked at right after the commit."""
        self.after.woken.add(queue)

    def count(self, figure: Callable[[Metrics], object]) -> None:
        """Have a metric changed once this is committed."""
        self.after.counted.append(figure)


def dump(value: object) -> Any:
    """Turn a noun into what a JSON column keeps."""
    return msgspec.to_builtins(value)


def load(body: Any, kind: type[T]) -> T:
    """Read a noun back from a JSON column; fields that it lacks take their defaults."""
    return msgspec.convert(body, kind, strict=False)


def both(build: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """Build a statement once for each engine; `build` is given the engine's own `insert`."""
    return {"sqlite": build(sqlite.insert), "postgresql": build(postgresql.insert)}


def new_id(tx: Tx, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row and give the id that it got."""
    return int(tx.conn.execute(table.insert().returning(table.c.id), row).scalar_one())
