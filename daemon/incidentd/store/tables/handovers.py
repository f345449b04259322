"""The tables of the offers to take over roles."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Text

from incidentd.store.tables.base import Id, Instant, Json, id_column, table, where

handover = table(
    "handover",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("ended_at", Instant),
    Column("body", Json, nullable=False),
    CheckConstraint(
        "state IN ('offered', 'accepted', 'declined', 'timed_out', 'withdrawn', 'void')", name="state"
    ),
    Index(None, "incident_id"),
)  # fmt: skip
"""Each offer of one person to another, with the message that goes with it."""

handover_role = table(
    "handover_role",
    Column("handover_id", Id, ForeignKey("handover.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("state", Text, nullable=False),
    Index("uq_handover_role_offered", "incident_id", "role", unique=True, **where("state = 'offered'")),
    Index(None, "incident_id"),
)
"""Which roles an offer is about; of each role of an incident at most one offer waits."""
