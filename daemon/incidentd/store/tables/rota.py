"""The tables of who is on call: published shifts, overrides and swaps."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from incidentd.store.tables.base import Id, Instant, metadata

_A_SWAP = text("swap <> ''")

oncall_shift = Table(
    "oncall_shift",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("schedule", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("start_wall", Text, nullable=False),
    Column("end_wall", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    Index(None, "schedule", "end_at"),
    Index(None, "schedule", "layer", "start_wall", unique=True),
    sqlite_autoincrement=True,
)
"""Shifts as they were published. The clock on the wall says when they are; the instants are what it means by now.

Each layer may have a zone of its own, so that several begin at the same time on their walls.
"""

oncall_override = Table(
    "oncall_override",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("because", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("swap", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    CheckConstraint("state IN ('proposed', 'active', 'withdrawn')", name="state"),
    Index(None, "end_at"),
    Index("ix_oncall_override_swap", "swap", sqlite_where=_A_SWAP, postgresql_where=_A_SWAP),
    sqlite_autoincrement=True,
)
"""Who has the pager instead of whom the schedule names; the two halves of a swap have its name in common."""
