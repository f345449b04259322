"""The tables of published postmortems, of their tags, and of the texts that are looked through.

Beside them each engine has `library_words`, the index of its own kind: a virtual table of FTS5 on SQLite, a table with
`tsvector` on PostgreSQL. The migration makes it, and only `store.library` speaks to it.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, UniqueConstraint

from incidentd.store.tables.base import Id, Instant, id_column, table

published = table(
    "published",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("markdown", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    UniqueConstraint("incident_id", "version"),
)

published_reading = table(
    "published_reading",
    Column("incident_id", Id, ForeignKey("incident.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("reader", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)

postmortem_tag = table(
    "postmortem_tag",
    Column("incident_id", Id, ForeignKey("incident.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("added_by", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    Index(None, "tag"),
)

library = table(
    "library",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False),
    Column("standing", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("incident_id", "standing"),
    Index(None, "at"),
)
