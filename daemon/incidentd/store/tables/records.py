"""The table of what people put down during an incident."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from incidentd.store.tables.base import Id, Instant, Json, metadata

record = Table(
    "record",
    metadata,
    Column("incident_id", Id, ForeignKey("incident.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("body", Json, nullable=False),
)
"""Each version of each record; none is ever changed, and the highest is how it stands."""
