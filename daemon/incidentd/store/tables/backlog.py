"""Action items on their way to Jira."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Text

from incidentd.store.tables.base import Id, Instant, table

jira_outbox = table(
    "jira_outbox",
    Column("item_id", Id, ForeignKey("action_item.id"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("sent_at", Instant),
    CheckConstraint("state IN ('pending', 'sent', 'unknown', 'done')", name="state"),
)
"""How far the issue of each item is; `sent_at` is when a request that may have made it was sent last."""
