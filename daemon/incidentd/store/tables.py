"""The tables. A row is the columns that something is looked up by, and the thing itself as a JSON `body`.

Times are whole microseconds since 1970 in UTC, so that an instant comes back exactly as it went in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Write an instant as the store keeps it: microseconds since 1970, UTC."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Read an instant back."""
    return _EPOCH + value * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A datetime with a zone, kept as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write it."""
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Read it."""
        return None if value is None else instant(value)


Json = JSON().with_variant(JSONB(), "postgresql")
Id = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[Any]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _table(name: str, *parts: Any) -> Table:
    # an id is spoken aloud and written into tickets, so SQLite must never give it out twice
    return Table(name, metadata, *parts, sqlite_autoincrement=any(getattr(p, "name", "") == "id" for p in parts))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _while(column: str, on: bool, and_also: str = "") -> dict[str, Any]:
    """Say for an index which rows it is about, in the words of the queries: else it would be there and not used."""
    more = f" AND {and_also}" if and_also else ""
    return {
        "sqlite_where": text(f"{column} IS {int(on)}{more}"),
        "postgresql_where": text(f"{column} IS {str(on).lower()}{more}"),
    }


inbox = _table(
    "inbox",
    _id(),
    Column("source", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("done", Boolean, nullable=False, server_default=false()),
    Index("ix_inbox_new", "id", **_while("done", on=False)),
)
"""The receipt: every body that was answered 2xx, as it came."""

alert = _table(
    "alert",
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", Text, nullable=False),
    Column("undecided", Boolean, nullable=False),
    Column("decision", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Index("ix_alert_undecided", "changed_at", **_while("undecided", on=True)),
    Index("ix_alert_status", "status", "changed_at"),
)
"""The known state of every alert; `undecided` is what the engine takes next."""

alert_event = _table(
    "alert_event",
    _id(),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("at", Instant, nullable=False),
    Column("inbox_id", Id, nullable=False),
    Index(None, "source", "fingerprint"),
)
"""One row per change of an alert's state."""

alert_group = _table(
    "alert_group",
    _id(),
    Column("source", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("group_key_hash", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("truncated", Integer, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("uq_alert_group_identity", "source", "receiver", "group_key_hash", unique=True),
    Index(None, "group_key_hash"),
    Index("ix_alert_group_cut", "source", **_where("truncated > 0")),
)

group_member = _table(
    "group_member",
    Column("group_id", Id, ForeignKey("alert_group.id"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("present", Boolean, nullable=False),
    Index(None, "fingerprint"),
)
"""Which alerts a group has held; `present` says whether the last body still had it."""

quarantine = _table(
    "quarantine",
    _id(),
    Column("source", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
)
"""Alerts that could not be read, out of bodies whose other alerts were kept."""

hold = _table(
    "hold",
    _id(),
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
    Index("uq_hold_open", "source", "correlation_key", unique=True, **_while("open", on=True)),
    Index(None, "source", "correlation_key", "ended_at"),
)

incident = _table(
    "incident",
    _id(),
    Column("hold_id", Id, ForeignKey("hold.id"), unique=True),
    Column("source", Text, nullable=False),
    Column("correlation_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("declared_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Json, nullable=False),
    Index(
        "uq_incident_open",
        "source",
        "correlation_key",
        unique=True,
        **_while("open", on=True, and_also="correlation_key <> ''"),
    ),
)

member = _table(
    "member",
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("firing", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("joined_at", Instant, nullable=False),
    Index("ix_member_open", "source", "fingerprint", **_while("open", on=True)),
)
"""Which alerts a hold or incident is about; `open` while the hold or incident is."""

tally = _table("tally", Column("subject", Text, primary_key=True), Column("firing", Integer, nullable=False))
"""How many alerts of a hold or incident fire, kept up to date: counting a hundred thousand of them takes long."""

page = _table(
    "page",
    _id(),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("body", Json, nullable=False),
    Index(None, "subject"),
    Index("ix_page_open", "id", **_where("state = 'open'")),
)

playbook_run = _table(
    "playbook_run",
    _id(),
    Column("subject", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("body", Json, nullable=False),
    Index("uq_playbook_run_target", "target", unique=True, **_while("active", on=True)),
    Index(None, "started_at"),
    Index(None, "subject"),
)

playbook_step = _table(
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

postmortem = _table(
    "postmortem",
    _id(),
    Column("incident_id", Id, ForeignKey("incident.id"), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("due_at", Instant),
    Column("drafted_at", Instant, nullable=False),
    Column("markdown", Text, nullable=False),
)

action_item = _table(
    "action_item",
    _id(),
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
    Index(None, "subject"),
    Index(None, "source", "correlation_key"),
)

timeline = _table(
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

chain_head = _table(
    "chain_head",
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)
"""The newest entry of each chain; it stays when a subject is pruned."""

job = _table(
    "job",
    _id(),
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
    Index("ix_job_due", "queue", "due_at", **_where("state = 'live'")),
    Index("ix_job_rank", "queue", "rank", "due_at", **_where("state = 'live' AND queue = 'notify'")),
    Index("uq_job_live", "ukey", unique=True, **_where("state = 'live'")),
    Index("ix_job_subject", "subject", **_where("state = 'live'")),
)
"""Everything that must happen later: deadlines, notifications, Jira calls, playbook steps."""

external_ref = _table(
    "external_ref",
    Column("idem", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
"""What an effect left outside (a Jira key): a repeat finds it here first."""

token = _table(
    "token",
    _id(),
    Column("name", Text, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

link_use = _table(
    "link_use",
    Column("nonce", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)
"""Action links that acted; each acts once."""

shared = _table(
    "shared",
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What every replica must know alike: the key that signs links, where no file holds it."""

replica = _table(
    "replica",
    Column("id", Text, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("version", Text, nullable=False),
)
