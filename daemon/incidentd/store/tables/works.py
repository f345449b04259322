"""What keeps it going: timelines, jobs, tokens, and who else shares the database."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text

from incidentd.store.tables.base import Instant, Json, id_column, table, where

timeline = table(
    "timeline",
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
"""Append-only."""

chain_head = table(
    "chain_head",
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("follow_after", Integer, nullable=False, server_default="0"),
)
"""The newest entry of each chain; it stays when a subject is pruned. `follow_after` are the milliseconds after which
channels that follow it are told of an entry; 0 while none does."""

job = table(
    "job",
    id_column(),
    Column("queue", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("ukey", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="live"),
    Column("due_at", Instant, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("give_up_at", Instant),
    Column("leased_by", Text),
    Column("payload", Json, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("rank", Integer, nullable=False, server_default="0"),
    CheckConstraint("state IN ('live', 'done', 'dead', 'cancelled')", name="state"),
    Index("ix_job_due", "queue", "due_at", **where("state = 'live'")),
    Index("ix_job_rank", "queue", "rank", "due_at", **where("state = 'live' AND queue = 'notify'")),
    Index("uq_job_live", "ukey", unique=True, **where("state = 'live'")),
    Index("ix_job_subject", "subject", **where("state = 'live'")),
)
"""Everything that must happen later: deadlines, notifications, Jira calls, playbook steps."""

external_ref = table(
    "external_ref",
    Column("idem", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
"""What an effect left outside (a Jira key): a repeat finds it here first."""

token = table(
    "token",
    id_column(),
    Column("name", Text, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

link_use = table(
    "link_use",
    Column("nonce", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)
"""Action links that acted; each acts once."""

contact = table(
    "contact",
    Column("channel", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
)
"""Channels that were tested; `mark` is a keyed hash of the address, never the address."""

shared = table(
    "shared",
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What every replica must know alike: the key that signs links, where no file holds it."""

replica = table(
    "replica",
    Column("id", Text, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("version", Text, nullable=False),
)
