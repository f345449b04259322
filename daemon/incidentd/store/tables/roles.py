"""The tables of who has and who had which role in an incident, and of who works on it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Text

from incidentd.store.tables.base import Id, Instant, Json, id_column, table, where

role_assignment = table(
    "role_assignment",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("number", Integer),
    Column("role", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("state", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("by", Text, nullable=False),
    CheckConstraint("state IN ('asked', 'accepted', 'taken', 'declined', 'timed_out', 'void')", name="state"),
    Index(None, "incident_id", "number", unique=True),
    Index(
        "uq_role_assignment_held", "incident_id", "role", unique=True,
        **where("until IS NULL AND state = 'accepted'"),
    ),
    Index("uq_role_assignment_asked", "incident_id", "role", unique=True, **where("state = 'asked'")),
    Index("ix_role_assignment_person", "person", **where("until IS NULL AND state = 'accepted'")),
)  # fmt: skip
"""Each interval in which somebody had a role (accepted, numbered as the incident counts them), and each question
whether somebody takes one. A role has one holder, and one person is asked for it, whatever two replicas do at once."""

participant = table(
    "participant",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("person", Text, nullable=False),
    Column("released_at", Instant),
    Column("body", Json, nullable=False),
    Index("uq_participant_open", "incident_id", "person", unique=True, **where("released_at IS NULL")),
    Index(None, "incident_id"),
)
"""Who works on an incident; whoever was let go and comes again is another row."""
