"""The tables of what people write into postmortems, say about them, and publish."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from incidentd.store.tables.base import Id, Instant, Json, metadata

postmortem_section = Table(
    "postmortem_section",
    metadata,
    Column("postmortem_id", Id, ForeignKey("postmortem.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("text", Text, nullable=False),
)
"""Each version of each piece that people wrote; none is ever changed, and the highest is how it stands."""

postmortem_comment = Table(
    "postmortem_comment",
    metadata,
    Column("postmortem_id", Id, ForeignKey("postmortem.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", Json, nullable=False),
)

postmortem_edition = Table(
    "postmortem_edition",
    metadata,
    Column("postmortem_id", Id, ForeignKey("postmortem.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("markdown", Text, nullable=False),
)
"""What was published, and each correction of it; none is ever changed.

The text is that of the copy in `published`; `markdown` is '' but for editions from before there were copies.
"""
