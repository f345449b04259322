"""Holds, incidents, and everything that happens about them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Float, ForeignKey, Index, Integer, LargeBinary, Text, false

from incidentd.store.tables.base import Id, Instant, Json, id_column, table, where, while_

hold = table(
    "hold",
    id_column(),
    Column("source", Text, nullable=False),
    Column("correlation_key", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("body", Json, nullable=False),
    Index("uq_hold_open", "source", "correlation_key", unique=True, **while_("open", on=True)),
    Index(None, "source", "correlation_key", "ended_at"),
    Index("ix_hold_counted", "state", "severity", "opened_at", **while_("open", on=True)),
)

incident = table(
    "incident",
    id_column(),
    Column("hold_id", Id, ForeignKey("hold.id"), unique=True),
    Column("source", Text, nullable=False),
    Column("correlation_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("declared_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Column("body", Json, nullable=False),
    Index(None, "source", "correlation_key", "id"),
    Index(
        "uq_incident_open",
        "source",
        "correlation_key",
        unique=True,
        **while_("open", on=True, and_also="correlation_key <> ''"),
    ),
    Index("ix_incident_counted", "status", "severity", "drill", **while_("open", on=True)),
)

member = table(
    "member",
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("firing", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("joined_at", Instant, nullable=False),
    Index("ix_member_open", "source", "fingerprint", **while_("open", on=True)),
)
"""Which alerts a hold or incident is about; `open` while the hold or incident is."""

graph = table(
    "graph",
    Column("subject", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("title", Text, nullable=False),
    Column("svg", Text, nullable=False),
    Column("last", Float),
    Column("png", LargeBinary),
)
"""What was measured about a hold or incident, as it was drawn last; `png` is for messages."""

tally = table("tally", Column("subject", Text, primary_key=True), Column("firing", Integer, nullable=False))
"""How many alerts of a hold or incident fire, kept up to date: counting a hundred thousand of them takes long."""

page = table(
    "page",
    id_column(),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("body", Json, nullable=False),
    Column("joined", Id),
    Index(None, "subject"),
    Index("ix_page_open", "id", **where("state = 'open'")),
    Index("ix_page_joined", "joined", **where("joined IS NOT NULL")),
)

playbook_run = table(
    "playbook_run",
    id_column(),
    Column("subject", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("body", Json, nullable=False),
    Index("uq_playbook_run_target", "target", unique=True, **while_("active", on=True)),
    Index(None, "started_at"),
    Index(None, "subject"),
)

playbook_step = table(
    "playbook_step",
    Column("run_id", Id, ForeignKey("playbook_run.id"), primary_key=True),
    Column("phase", Text, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("summary", Text, nullable=False, server_default=""),
    Column("output", Text, nullable=False, server_default=""),
)

postmortem = table(
    "postmortem",
    id_column(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("due_at", Instant),
    Column("drafted_at", Instant, nullable=False),
    Column("markdown", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("body", Json, nullable=False, server_default="{}"),
)

action_item = table(
    "action_item",
    id_column(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("due", Date),
    Column("source", Text, nullable=False),
    Column("correlation_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("body", Json, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("jira_key", Text, nullable=False, server_default=""),
    Column("seen_at", Instant),
    Column("drill", Boolean, nullable=False, server_default=false()),
    Index(None, "subject"),
    Index(None, "source", "correlation_key"),
    Index(None, "jira_key"),
    Index(None, "state"),
)
