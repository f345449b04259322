"""Engines on SQLite that share what one of them has learned: a statement is compiled once in a process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache

from sqlalchemy import Dialect, Engine, Pool, create_engine, event, util

from incidentd.store.base import HOW_JSON

_compiled: util.LRUCache[object, object] = util.LRUCache(1000)
"""Compiled statements; all of them are constants of their modules, and there are a few hundred."""


def make_engine(connect: Callable[[], sqlite3.Connection], pool: type[Pool], *, begin: str = "BEGIN") -> Engine:
    """Make an engine whose transactions start with `begin`.

    Compiling a statement takes ten times as long as executing it, and a rehearsal opens a store for every story.
    """
    engine = create_engine(
        "sqlite://", creator=connect, poolclass=pool, execution_options={"compiled_cache": _compiled}, **HOW_JSON
    )
    engine.dialect = _dialect()  # what is compiled belongs to the dialect that it was compiled for
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql(begin))
    return engine


@cache
def _dialect() -> Dialect:
    """Give the dialect of all engines, which looks at the library once."""
    engine = create_engine("sqlite://", **HOW_JSON)
    engine.connect().close()
    engine.dispose()
    return engine.dialect
