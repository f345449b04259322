"""The tables of what people outside of the work were told, and of what they were promised."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Text

from incidentd.store.tables.base import Id, Instant, Json, id_column, table, where

update_promise = table(
    "update_promise",
    Column("incident_id", Id, ForeignKey("incident.id"), primary_key=True),
    Column("audience", Text, primary_key=True),
    Column("due_at", Instant),
    Column("body", Json, nullable=False),
    Index("ix_update_promise_due_at", "due_at", **where("due_at IS NOT NULL")),
)
"""When each audience of each incident is told next; nothing is due where nothing is owed any more."""

stakeholder_update = table(
    "stakeholder_update",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("audience", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", Json, nullable=False),
    CheckConstraint("state IN ('waiting', 'sent', 'skipped', 'replaced')", name="state"),
    Index("uq_stakeholder_update_waiting", "incident_id", "audience", unique=True, **where("state = 'waiting'")),
    Index(None, "incident_id"),
    Index("ix_stakeholder_update_shown", "audience", "at", **where("state = 'sent'")),
)
"""Each text to each audience; of one audience at most one waits for approval."""
