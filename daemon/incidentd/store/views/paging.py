"""Pages of a list: rows in the order of a key, so that nothing is skipped or repeated while things arrive."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row, Select

from incidentd.errors import BadRequest
from incidentd.store.base import Tx

MOST = 1000
"""Items that one page may have."""
LOOKED_AT = 10_000
"""Rows that one request looks at: a filter that finds little gives a short page with a cursor to go on from."""
_CHUNK = 500
_LARGEST = 2**63 - 1
"""The databases keep whole numbers in 64 bits."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a list is asked for."""

    state: str = ""
    q: str = ""
    """Text that must occur somewhere in the item's words, in any case."""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page, and the cursor of the next one (None: there is no more)."""

    items: list[dict[str, Any]]
    next: str | None


def write_cursor(key: object) -> str:
    """Write where a page ended as one opaque word."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(cursor: str, kind: type[K]) -> K:
    """Read where the page before ended. Raises BadRequest for a word that is no cursor of this list."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=kind)
        if isinstance(key, int) and abs(key) > _LARGEST:
            raise ValueError("no number of a row")
        return key
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadRequest("this cursor is not one that this list gave; leave it out to start at the beginning") from None


def holds_text(q: str, *texts: str) -> bool:
    """Say whether any of the texts has `q` in it, whatever the case."""
    wanted = q.casefold()
    return any(wanted in text.casefold() for text in texts)


def scan(
    tx: Tx,
    after: Callable[[Any], Select[Any]],
    *,
    start: Any,
    key: Callable[[Row[Any]], Any],
    keep: Callable[[Row[Any]], bool] | None,
    limit: int,
) -> tuple[list[Row[Any]], Any]:
    """Collect up to `limit` rows that `keep` wants, from `start` on; and the key to go on from, None at the end."""
    kept: list[Row[Any]] = []
    chunk = _CHUNK if keep else limit + 1
    looked = 0
    while True:
        rows = tx.conn.execute(after(start).limit(chunk)).all()
        for number, row in enumerate(rows, start=1):
            looked += 1
            start = key(row)
            if keep is None or keep(row):
                kept.append(row)
            if len(kept) == limit or looked == LOOKED_AT:
                ended = number == len(rows) < chunk
                return kept, None if ended else start
        if len(rows) < chunk:
            return kept, None
