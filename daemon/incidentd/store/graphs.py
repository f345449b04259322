"""Graphs of holds and incidents as they were drawn last: kept here, since their source may be gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, select, update

from incidentd.errors import NotFound
from incidentd.store.base import Tx, both
from incidentd.store.tables import graph

_SAVE = both(
    lambda insert: (new := insert(graph)).on_conflict_do_update(
        index_elements=["subject", "number"],
        set_={name: getattr(new.excluded, name) for name in ("at", "title", "svg", "png")},
    )
)
_NAMES = (
    select(graph.c.number, graph.c.at, graph.c.title, graph.c.last)
    .where(graph.c.subject == bindparam("of"))
    .order_by(graph.c.number)
)  # fmt: skip
_LAST = update(graph).where(graph.c.subject == bindparam("of"), graph.c.number == bindparam("b_number"))
_ONE = select(graph.c.svg).where(graph.c.subject == bindparam("of"), graph.c.number == bindparam("b_number"))
_WITH_PNG = (
    select(graph.c.number)
    .where(graph.c.subject == bindparam("of"), graph.c.png.is_not(None), graph.c.at >= bindparam("since"))
    .order_by(graph.c.number)
)  # fmt: skip
_PNGS = select(graph.c.number, graph.c.png).where(
    graph.c.subject == bindparam("of"), graph.c.number.in_(bindparam("numbers", expanding=True)),
    graph.c.png.is_not(None),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is kept of a graph."""

    title: str
    svg: str
    png: bytes | None = field(default=None, repr=False)
    """The same picture for messages; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A graph that there is."""

    number: int
    at: datetime
    """When it was drawn last."""
    title: str
    last: float | None = None
    """The newest number in it."""


def save(tx: Tx, subject: str, pictures: Mapping[int, Drawing]) -> list[int]:
    """Keep pictures by their numbers, in the place of earlier ones; says which are new."""
    there = {it.number for it in of(tx, subject)}
    for number, it in sorted(pictures.items()):
        row = {"subject": subject, "number": number, "at": tx.now, "title": it.title, "svg": it.svg, "png": it.png}
        tx.conn.execute(_SAVE[tx.conn.dialect.name], row)
    return sorted(set(pictures) - there)


def note_lasts(tx: Tx, subject: str, lasts: Mapping[int, float]) -> None:
    """Keep the newest number of each graph that was drawn."""
    for number, value in sorted(lasts.items()):
        tx.execute(_LAST, {"of": subject, "b_number": number, "last": value})


def of(tx: Tx, subject: str) -> tuple[Drawn, ...]:
    """List the graphs of a hold or incident."""
    rows = tx.conn.execute(_NAMES, {"of": subject})
    return tuple(Drawn(number=row.number, at=row.at, title=row.title, last=row.last) for row in rows)


def picture(tx: Tx, subject: str, number: int) -> str:
    """Give one picture, as SVG. Raises NotFound."""
    found = tx.conn.execute(_ONE, {"of": subject, "b_number": number}).scalar_one_or_none()
    if found is None:
        raise NotFound(f"{subject} has no graph {number}")
    return str(found)


def with_png(tx: Tx, subject: str, since: datetime) -> tuple[int, ...]:
    """Name the graphs that can go with a message and that were drawn at that instant or later."""
    return tuple(tx.execute(_WITH_PNG, {"of": subject, "since": since}).scalars())


def pngs(tx: Tx, subject: str, numbers: Collection[int]) -> dict[int, bytes]:
    """Give pictures as PNG, by their numbers; those that are gone are left out."""
    rows = tx.execute(_PNGS, {"of": subject, "numbers": list(numbers)})
    return {row.number: bytes(row.png) for row in rows}
