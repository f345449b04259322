"""What a unit of work is handed: a transaction, its instant, and a place for what happens only after the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import ClauseElement, ColumnClause, Connection, CursorResult, Executable, Insert, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import visitors

from incidentd.metrics import Metrics
from incidentd.store import bulk

T = TypeVar("T")
_first_time = threading.Lock()
_read_before: set[type] = set()


@dataclass(slots=True)
class After:
    """What a commit brings about: queues to wake, and figures to count."""

    woken: set[str] = field(default_factory=set)
    counted: list[Callable[[Metrics], object]] = field(default_factory=list)


@dataclass(slots=True)
class _Later:
    """Rows of one table that were not written yet, all with one statement."""

    statement: Executable
    rows: dict[object, Mapping[str, Any]] = field(default_factory=dict)
    """By what they are about: of several for the same thing the last one counts."""
    marks: set[object] = field(default_factory=set)
    """What would have to be read anew after they are written."""


Told = Callable[["Tx", str, str], None]
"""What follows the timelines: given the transaction, the subject and the kind of an entry."""


@dataclass(slots=True)
class Tx:
    """One transaction. A unit is a plain function `fn(tx, ...)` that touches nothing but the database.

    It may be run again after a rollback, so it changes nothing else; what it wants to happen afterwards it says here.

    Rows that nobody has to look at in between are written `later`: all of a table with one statement, at the end of the
    transaction, for all units that share it. Whoever executes something that reads or writes such a table has it
    written first, so nobody sees a difference.
    """

    bare: Connection
    """The connection; what is still to be written is not there yet."""
    now: datetime
    after: After = field(default_factory=After)
    writes: bool = True
    """Whether it may write; what such a unit reads of a thing it may save, so others must not change it meanwhile."""
    locked: set[str] = field(default_factory=set)
    """The locks that it took so far (locks.py); they end with it."""
    told: Told | None = None
    """Called for each entry of a timeline that is written; None while nobody follows them."""
    heads: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    """The ends of the chains that it appended to, those of entries that are still to be written too (chain.py)."""
    _later: dict[Table, _Later] = field(default_factory=dict)

    @property
    def conn(self) -> Connection:
        """The connection, once everything is written: whatever is done with it finds the database as it should be."""
        self.flush()
        self.heads.clear()
        return self.bare

    @property
    def dialect(self) -> str:
        """The engine: `sqlite` or `postgresql`."""
        return self.bare.dialect.name

    @property
    def shares(self) -> bool:
        """Whether others may write at the same time, in this process or in another; on SQLite nobody does."""
        return self.writes and self.dialect == "postgresql"

    def wake(self, queue: str) -> None:
        """Have this queue looked at right after the commit."""
        self.after.woken.add(queue)

    def count(self, figure: Callable[[Metrics], object]) -> None:
        """Have a metric changed once this is committed."""
        self.after.counted.append(figure)

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None, *, beside: Table | None = None
    ) -> CursorResult[Any]:
        """Execute a statement that is a constant of its module; what waits for the tables that it names goes first.

        What waits for the table `beside` does not: the caller knows that the statement has nothing to do with it.
        """
        if self._later:
            self._write(table for table in _tables(statement) if table is not beside)
        return self.bare.execute(statement, values)

    def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each of these rows at once (bulk.py)."""
        self._write(_tables(statement))
        bulk.many(self.bare, statement, rows)

    def later(
        self,
        table: Table,
        statement: Executable,
        about: object,
        values: Mapping[str, Any],
        *,
        marks: Iterable[object] = (),
    ) -> None:
        """Write a row at the end, or when somebody looks. `about` names the thing, of which the last row counts."""
        waiting = self._later.get(table)
        if waiting is not None and waiting.statement is not statement:
            self._write((table,))
            waiting = None
        if waiting is None:
            waiting = self._later[table] = _Later(statement)
        waiting.rows.pop(about, None)  # so that it keeps the order in which things happened last
        waiting.rows[about] = values
        waiting.marks.add(about)
        waiting.marks.update(marks)

    def waits(self, table: Table, *marks: object) -> bool:
        """Say whether something of this table that bears one of these marks is still to be written."""
        waiting = self._later.get(table)
        return waiting is not None and not waiting.marks.isdisjoint(marks)

    def flush(self) -> None:
        """Write what is still to be written."""
        if self._later:
            self._write(tuple(self._later))

    def _write(self, tables: Iterable[Table]) -> None:
        for table in tables:
            waiting = self._later.pop(table, None)
            if waiting is not None:
                bulk.many(self.bare, waiting.statement, tuple(waiting.rows.values()))


@contextmanager
def working(conn: Connection, now: datetime, told: Told | None = None) -> Iterator[Tx]:
    """Give a transaction that may write, with everything written when the block ends; the commit is the caller's."""
    tx = Tx(conn, now, told=told)
    yield tx
    tx.flush()


@lru_cache(512)
def _tables(statement: Executable) -> frozenset[Table]:
    """Name the tables that a statement reads or writes."""
    found = set()
    for part in visitors.iterate(cast("ClauseElement", statement)):
        table = part.table if isinstance(part, ColumnClause) else part
        if isinstance(table, Table):
            found.add(table)
    return frozenset(found)


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
    return int(tx.execute(_inserting(table), row, beside=table).scalar_one())


@cache
def _inserting(table: Table) -> Insert:
    return table.insert().returning(table.c.id)
