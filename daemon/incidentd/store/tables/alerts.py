"""What came in: bodies, alerts and their groups."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Text, false

from incidentd.store.tables.base import Id, Instant, Json, id_column, table, where, while_

inbox = table(
    "inbox",
    id_column(),
    Column("source", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("done", Boolean, nullable=False, server_default=false()),
    Index("ix_inbox_new", "id", **while_("done", on=False)),
)
"""The receipt: every body that was answered 2xx, as it came."""

alert = table(
    "alert",
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", Text, nullable=False),
    Column("undecided", Boolean, nullable=False),
    Column("decision", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Index("ix_alert_undecided", "changed_at", **while_("undecided", on=True)),
    Index("ix_alert_status", "status", "changed_at"),
)
"""The known state of every alert; `undecided` is what the engine takes next."""

alert_event = table(
    "alert_event",
    id_column(),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("at", Instant, nullable=False),
    Column("inbox_id", Id, nullable=False),
    Index(None, "source", "fingerprint"),
)
"""One row per change of an alert's state."""

alert_group = table(
    "alert_group",
    id_column(),
    Column("source", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("group_key_hash", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("truncated", Integer, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("uq_alert_group_identity", "source", "receiver", "group_key_hash", unique=True),
    Index(None, "group_key_hash"),
    Index("ix_alert_group_cut", "source", **where("truncated > 0")),
)

group_member = table(
    "group_member",
    Column("group_id", Id, ForeignKey("alert_group.id"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("present", Boolean, nullable=False),
    Index(None, "fingerprint"),
)
"""Which alerts a group has held; `present` says whether the last body still had it."""

quarantine = table(
    "quarantine",
    id_column(),
    Column("source", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
)
"""Alerts that could not be read, out of bodies whose other alerts were kept."""
