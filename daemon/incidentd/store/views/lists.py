"""Lists of holds, incidents, pages, runs and action items, newest first; of what was quarantined; and a timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, select

from incidentd.actionitems import FINISHED as FINISHED_ITEMS
from incidentd.actionitems import ActionItem, ItemState
from incidentd.errors import BadRequest
from incidentd.holds import OPEN, Hold, HoldState
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.pages import Page, PageState
from incidentd.playbooks import FINISHED, Run, RunState
from incidentd.store import tables as t
from incidentd.store.base import Tx, load
from incidentd.store.views.paging import Ask, Listed, holds_text, read_cursor, scan, write_cursor
from incidentd.store.views.shapes import shape
from incidentd.text import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """How one table becomes a list."""

    table: Table
    noun: type[Any]
    states: Mapping[str, tuple[str, ...]]
    """What may be asked for as `state`, and the values of the column that it means."""
    column: str = "state"
    words: tuple[str, ...] = ("title",)


def _states(states: type[Any], **words: Any) -> dict[str, tuple[str, ...]]:
    return {state.value: (state.value,) for state in states} | {word: tuple(values) for word, values in words.items()}


_HOLDS = _List(table=t.hold, noun=Hold, states=_states(HoldState, open=OPEN))
_INCIDENTS = _List(table=t.incident, noun=Incident, states=_states(Status, open=ACTIVE), column="status")
_PAGES = _List(table=t.page, noun=Page, states=_states(PageState))
_RUNS = _List(
    table=t.playbook_run,
    noun=Run,
    words=("playbook", "target"),
    states=_states(RunState, active=set(RunState) - FINISHED),
)
_ITEMS = _List(
    table=t.action_item,
    noun=ActionItem,
    states=_states(ItemState, active=set(ItemState) - FINISHED_ITEMS - {ItemState.PROPOSED}, over=FINISHED_ITEMS),
)


def holds(tx: Tx, ask: Ask) -> Listed:
    """List holds; `state` is one of theirs, or `open`."""
    return _listed(tx, _HOLDS, ask)


def incidents(tx: Tx, ask: Ask) -> Listed:
    """List incidents; `state` is one of their statuses, or `open` for those that somebody works on."""
    return _listed(tx, _INCIDENTS, ask)


def pages(tx: Tx, ask: Ask, *, joined: bool = True) -> Listed:
    """List pages; without those that `joined` a summary, if that is enough."""
    return _listed(tx, _PAGES, ask, None if joined else t.page.c.joined.is_(None))


def runs(tx: Tx, ask: Ask) -> Listed:
    """List playbook runs; `state` is one of theirs, or `active`; `q` looks at the playbook's name and the target."""
    return _listed(tx, _RUNS, ask)


def action_items(tx: Tx, ask: Ask) -> Listed:
    """List action items; `state` is one of theirs, `active` for what is promised and not done, or `over`."""
    return _listed(tx, _ITEMS, ask)


def quarantine(tx: Tx, ask: Ask) -> Listed:
    """List alerts that could not be read, newest first; `q` looks at the reason and the excerpt."""
    if ask.state:
        raise BadRequest("what is quarantined has no state")
    rows, following = _newest_first(tx, t.quarantine, None, ask, ("reason", "excerpt"))
    items = [
        {"id": row.id, "source": row.source, "at": iso(row.at), "reason": row.reason, "excerpt": row.excerpt}
        for row in rows
    ]
    return Listed(items, following)


def timeline(tx: Tx, subject: str, ask: Ask) -> Listed:
    """Give the timeline of a hold or incident (or `SYSTEM`), oldest first."""
    entries = t.timeline
    mine = select(entries).where(entries.c.subject == subject).order_by(entries.c.seq)
    rows, last = scan(
        tx,
        lambda seq: mine.where(entries.c.seq > seq),
        start=read_cursor(ask.cursor, int) if ask.cursor else 0,
        key=lambda row: row.seq,
        keep=_keeps(ask.q, ("text", "kind")),
        limit=ask.limit,
    )
    return Listed([_entry(row) for row in rows], None if last is None else write_cursor(last))


def _listed(tx: Tx, what: _List, ask: Ask, only: ColumnElement[bool] | None = None) -> Listed:
    wanted = only
    if ask.state:
        column: Column[Any] = what.table.c[what.column]
        values = what.states.get(ask.state)
        if values is None:
            known = ", ".join(what.states)
            raise BadRequest(f"there is no state {ask.state[:40]!r} here; there are {known}")
        wanted = column.in_(values) if only is None else and_(column.in_(values), only)
    rows, following = _newest_first(tx, what.table, wanted, ask, what.words)
    return Listed([shape(load(row.body, what.noun)) for row in rows], following)


def _newest_first(
    tx: Tx, table: Table, wanted: ColumnElement[bool] | None, ask: Ask, words: tuple[str, ...]
) -> tuple[list[Row[Any]], str | None]:
    def after(row_id: int | None) -> Select[Any]:
        statement = select(table).order_by(table.c.id.desc())
        conditions = [wanted] if wanted is not None else []
        return statement.where(*conditions, *([table.c.id < row_id] if row_id is not None else []))

    start = read_cursor(ask.cursor, int) if ask.cursor else None
    keep = _keeps(ask.q, words)
    rows, last = scan(tx, after, start=start, key=lambda row: row.id, keep=keep, limit=ask.limit)
    return rows, None if last is None else write_cursor(last)


def _keeps(q: str, words: tuple[str, ...]) -> Callable[[Row[Any]], bool] | None:
    if not q:
        return None
    return lambda row: holds_text(q, *(getattr(row, word) for word in words))


def _entry(row: Row[Any]) -> dict[str, Any]:
    return {
        "subject": row.subject, "seq": row.seq, "at": iso(row.at), "actor": row.actor, "via": row.via, "key": row.key,
        "kind": row.kind, "text": row.text, "data": row.data, "prev_hash": row.prev_hash, "hash": row.hash,
    }  # fmt: skip
