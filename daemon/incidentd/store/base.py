"""What a unit of work is handed: a transaction, its instant, and a way to wake who waits for the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, TypeVar

import msgspec
from sqlalchemy import Connection

T = TypeVar("T")


@dataclass(slots=True)
class Tx:
    """One transaction. A unit is a plain function `fn(tx, ...)` that touches nothing but the database.

    It may be run again after a rollback, so it changes nothing else.
    """

    conn: Connection
    now: datetime
    woken: set[str] = field(default_factory=set)
    """Queues (and `decide`) that have something to do once this is committed."""

    def wake(self, queue: str) -> None:
        """Have this queue looked at right after the commit."""
        self.woken.add(queue)


type_of_unit = Callable[Concatenate[Tx, ...], Any]


def dump(value: object) -> Any:
    """Turn a noun into what a JSON column keeps."""
    return msgspec.to_builtins(value)


def load(body: Any, kind: type[T]) -> T:
    """Read a noun back from a JSON column; fields that it lacks take their defaults."""
    return msgspec.convert(body, kind, strict=False)
