"""Action items as the backlog looks for them, and how far each is on its way to Jira and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, or_, select, update

from incidentd.actionitems import FINISHED, UNFILED, ActionItem, ItemState, OutboxState
from incidentd.incidents import Incident
from incidentd.store.base import Tx, both, load
from incidentd.store.tables import action_item, external_ref, incident, jira_outbox, shared
from incidentd.store.tables.base import instant, micros

_SYNCED = "jira.synced"
_OVER = tuple(state.value for state in FINISHED)
_NOT_OPEN = (*_OVER, ItemState.PROPOSED.value)
_ITEMS = select(action_item.c.body).order_by(action_item.c.id)
_BY_UUID = _ITEMS.where(action_item.c.uuid == bindparam("of"))
_BY_KEY = _ITEMS.where(action_item.c.jira_key == bindparam("of"))
_UNFILED = select(action_item.c.id).where(
    action_item.c.state.in_(tuple(state.value for state in UNFILED)), action_item.c.jira_key == "",
    action_item.c.drill.is_(False),
)  # fmt: skip
_UNSEEN = (
    select(action_item.c.id)
    .where(action_item.c.jira_key != "", action_item.c.state.not_in(_OVER))
    .where(or_(action_item.c.seen_at.is_(None), action_item.c.seen_at < bindparam("before")))
    .order_by(action_item.c.seen_at, action_item.c.id)
    .limit(bindparam("most"))
)
_OPEN = _ITEMS.where(action_item.c.state.not_in(_NOT_OPEN), action_item.c.drill.is_(False))
_OPEN_OF = _OPEN.where(action_item.c.subject.in_(bindparam("subjects", expanding=True)))
_BEFORE: Select[Any] = (
    select(incident.c.id)
    .where(incident.c.source == bindparam("of_source"), incident.c.correlation_key == bindparam("key"))
    .where(incident.c.id < bindparam("before"), incident.c.drill.is_(False))
    .order_by(incident.c.id.desc())
    .limit(50)
)
_AFTER = (
    select(incident.c.body)
    .where(incident.c.source == bindparam("of_source"), incident.c.correlation_key == bindparam("key"))
    .where(incident.c.declared_at > bindparam("since"), incident.c.drill.is_(False))
    .order_by(incident.c.id)
    .limit(1)
)
_FILED_AFTER = (
    _ITEMS.where(action_item.c.source == bindparam("of_source"), action_item.c.correlation_key == bindparam("key"))
    .where(action_item.c.created_at > bindparam("since"), action_item.c.id != bindparam("but"))
    .where(action_item.c.drill.is_(False))
    .limit(1)
)
_SOURCE = select(action_item.c.source).where(action_item.c.id == bindparam("b_id"))
_OUTBOX = select(jira_outbox.c.state, jira_outbox.c.sent_at).where(jira_outbox.c.item_id == bindparam("b_id"))
_SET_OUTBOX = both(
    lambda insert: (new := insert(jira_outbox)).on_conflict_do_update(
        index_elements=["item_id"],
        set_={"state": new.excluded.state, "at": new.excluded.at,
              "sent_at": func.coalesce(new.excluded.sent_at, jira_outbox.c.sent_at)},
    )
)  # fmt: skip
_PUT = both(lambda insert: insert(jira_outbox).on_conflict_do_nothing(index_elements=["item_id"]))
_RESET = update(jira_outbox).where(jira_outbox.c.item_id == bindparam("b_id")).values(state="pending", sent_at=None)
_FORGET = delete(external_ref).where(external_ref.c.idem == bindparam("key"))
_SHARED = select(shared.c.value).where(shared.c.name == _SYNCED)
_SET_SHARED = both(
    lambda insert: (new := insert(shared)).on_conflict_do_update(
        index_elements=["name"], set_={"value": new.excluded.value}
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How far the issue of an item is on its way."""

    state: OutboxState
    sent_at: datetime | None = None
    """When a request that may have made it was sent last."""


def by_uuid(tx: Tx, uuid: str) -> ActionItem | None:
    """Find an item by its uuid; whoever changes it reads it by its id, under the lock of what it is about."""
    body = tx.conn.execute(_BY_UUID, {"of": uuid}).scalar()
    return None if body is None else load(body, ActionItem)


def by_jira_key(tx: Tx, key: str) -> ActionItem | None:
    """Find an item by its issue."""
    body = tx.conn.execute(_BY_KEY, {"of": key}).scalars().first()
    return None if body is None else load(body, ActionItem)


def unfiled(tx: Tx) -> list[int]:
    """Name the decided items that are not in Jira; those of drills stay out of it."""
    return list(tx.conn.execute(_UNFILED).scalars())


def unseen(tx: Tx, before: datetime, most: int) -> list[int]:
    """Name items in Jira of which nothing was heard since then, the longest unheard of first."""
    return list(tx.conn.execute(_UNSEEN, {"before": before, "most": most}).scalars())


def open_items(tx: Tx) -> list[ActionItem]:
    """List what somebody promised and has not done, oldest first; drills left out."""
    return [load(body, ActionItem) for body in tx.conn.execute(_OPEN).scalars()]


def open_of(tx: Tx, subjects: Iterable[str]) -> list[ActionItem]:
    """List what is open of these incidents."""
    keys = list(subjects)
    if not keys:
        return []
    return [load(body, ActionItem) for body in tx.conn.execute(_OPEN_OF, {"subjects": keys}).scalars()]


def open_of_predecessors(tx: Tx, source: str, correlation_key: str, before: int) -> list[ActionItem]:
    """List what is open of earlier incidents of the same correlation key."""
    if not correlation_key:
        return []
    key = {"of_source": source, "key": correlation_key, "before": before}
    return open_of(tx, [f"INC-{number}" for number in tx.conn.execute(_BEFORE, key).scalars()])


def came_again(tx: Tx, source: str, correlation_key: str, since: datetime) -> Incident | None:
    """Find the first incident of a correlation key that was declared after then; drills are none."""
    if not correlation_key:
        return None
    body = tx.conn.execute(_AFTER, {"of_source": source, "key": correlation_key, "since": since}).scalar()
    return None if body is None else load(body, Incident)


def filed_again(tx: Tx, ticket: ActionItem, since: datetime) -> ActionItem | None:
    """Find the first ticket of the same alerts as this `ticket` decision's that was filed after then.

    While one is open, what fires again is a comment on it: a new one says that it came again after the last was over.
    """
    source = alert_source(tx, ticket)
    if not source or not ticket.correlation_key:
        return None
    key = {"of_source": source, "key": ticket.correlation_key, "since": since, "but": ticket.id}
    body = tx.conn.execute(_FILED_AFTER, key).scalar()
    return None if body is None else load(body, ActionItem)


def alert_source(tx: Tx, item: ActionItem) -> str:
    """Say which source the alerts of a `ticket` decision's item came from; '' of any other item."""
    return str(tx.conn.execute(_SOURCE, {"b_id": item.id}).scalar() or "")


# -- the way to Jira -------------------------------------------------------------------------------------------------


def put(tx: Tx, item_id: int) -> bool:
    """Note that an item is to be filed; False when that was noted before."""
    row = {"item_id": item_id, "state": OutboxState.PENDING.value, "at": tx.now, "sent_at": None}
    return tx.conn.execute(_PUT[tx.dialect], row).rowcount == 1


def sending(tx: Tx, item_id: int) -> Sending:
    """Say how far the issue of an item is; of one that was on its way before that was noted, nothing is known."""
    return noted(tx, item_id) or Sending(state=OutboxState.UNKNOWN)


def noted(tx: Tx, item_id: int) -> Sending | None:
    """Say what was noted of the issue of an item on its way; None when nothing was."""
    row = tx.conn.execute(_OUTBOX, {"b_id": item_id}).one_or_none()
    return None if row is None else Sending(state=OutboxState(row.state), sent_at=row.sent_at)


def note(tx: Tx, item_id: int, state: OutboxState) -> None:
    """Note how far the issue of an item is now."""
    sent_at = tx.now if state is OutboxState.SENT else None
    row = {"item_id": item_id, "state": state.value, "at": tx.now, "sent_at": sent_at}
    tx.conn.execute(_SET_OUTBOX[tx.dialect], row)


def forget(tx: Tx, item: ActionItem) -> None:
    """Forget the issue of an item, which is there no more: a new one may be made."""
    tx.conn.execute(_FORGET, {"key": item.uuid})
    tx.conn.execute(_RESET, {"b_id": item.id})


def synced_at(tx: Tx) -> datetime | None:
    """Say when Jira was last asked how all items stand, and answered."""
    value = tx.conn.execute(_SHARED).scalar()
    return None if value is None else instant(int(value))


def note_synced(tx: Tx) -> None:
    """Note that Jira said how all items stand."""
    tx.conn.execute(_SET_SHARED[tx.dialect], {"name": _SYNCED, "value": str(micros(tx.now))})
