"""Executing one statement for many rows: compiled once, with nothing per row but its values.

The library's own way looks at every value of every row again, which costs several times what the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
AT_ONCE = 500
"""Rows of one statement: a deadline is for one, and even a slow database does so many in a fraction of it."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as the driver takes it."""

    sql: str
    columns: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    """What the driver is given for a row, in its order: the name of a value, and what makes the driver's own of it."""
    constants: Mapping[str, Any]
    """Values that the statement brings itself."""
    positional: bool

    def row(self, values: Mapping[str, Any]) -> Any:
        if self.constants:
            values = {**self.constants, **values}
        made = [values[name] if make is None else make(values[name]) for name, make in self.columns]
        return tuple(made) if self.positional else {name: it for (name, _), it in zip(self.columns, made, strict=True)}


def many(conn: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement for each of these rows, which may be none; a part at a time, so that none takes long.

    The statement is a constant of its module, and all rows have the same names.
    """
    if not rows:
        return
    compiled = _compile(statement, conn.dialect, tuple(rows[0]))
    for start in range(0, len(rows), AT_ONCE):
        conn.exec_driver_sql(compiled.sql, [compiled.row(row) for row in rows[start : start + AT_ONCE]])


@lru_cache(256)
def _compile(statement: Executable, dialect: Dialect, names: tuple[str, ...]) -> _Compiled:
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
    order = compiled.positiontup
    return _Compiled(
        sql=compiled.string,
        columns=tuple((name, _maker(compiled, name, dialect)) for name in order or compiled.binds),
        constants={name: bind.value for name, bind in compiled.binds.items() if name not in names},
        positional=order is not None,
    )


def _maker(compiled: SQLCompiler, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    made: Callable[[Any], Any] | None = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
    return made


def parts(items: list[T], size: int) -> Iterator[list[T]]:
    """Give so many of these at a time."""
    return (items[i : i + size] for i in range(0, len(items), size))
