"""How playbooks stand, beside what their files say: the switches that are off, and what their runs earned them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Text

from incidentd.store.tables.base import Instant, table

automation_switch = table(
    "automation_switch",
    Column("playbook", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
"""A row is a switch that is off; the one of all playbooks has no name. Who switched it on again is on the timeline."""

playbook_standing = table(
    "playbook_standing",
    Column("playbook", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("verified", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("why", Text, nullable=False),
)
