"""How playbooks stand, beside what their files say: the switches that are off, and what their runs earned them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text

from incidentd.store.tables.base import Id, Instant, Json, id_column, table

automation_switch = table(
    "automation_switch",
    Column("playbook", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
"""A row is a switch that is off; the one of all playbooks has no name. Who switched it on again is on the timeline."""

version_standing = table(
    "version_standing",
    Column("playbook", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("verified", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("why", Text, nullable=False),
)
"""How each version of a playbook stands, known by its text: replicas may read different files for a while."""

refusal = table(
    "refusal",
    id_column(),
    Column("playbook", Text, nullable=False),
    Column("guard", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("page", Id),
    Index("ix_refusal_urgency_at", "urgency", "at"),
    Index("ix_refusal_page", "policy", "urgency", "page", "at"),
)
"""Runs that a guard did not let begin; `page` is the summary page that tells of it, if there is one."""

refusal_window = table(
    "refusal_window",
    Column("policy", Text, primary_key=True),
    Column("urgency", Text, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("channels", Json, nullable=False),
)
"""Written by earlier versions, and read no more; the next one removes it."""
