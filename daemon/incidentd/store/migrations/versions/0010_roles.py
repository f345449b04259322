"""who has which role, and who works on an incident"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0017"
branch_labels = None
depends_on = None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Expand the schema, and write down the roles that incidents have already."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    assignments = op.create_table(
        "role_assignment",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'accepted', 'taken', 'declined', 'timed_out', 'void')",
            name=op.f("ck_role_assignment_state"),
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_role_assignment_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_assignment")),
        sqlite_autoincrement=True,
    )
    held, asked = sa.text("until IS NULL AND state = 'accepted'"), sa.text("state = 'asked'")
    op.create_index(
        op.f("ix_role_assignment_incident_id_number"), "role_assignment", ["incident_id", "number"], unique=True
    )
    op.create_index(
        "uq_role_assignment_held", "role_assignment", ["incident_id", "role"], unique=True, sqlite_where=held,
        postgresql_where=held,
    )  # fmt: skip
    op.create_index(
        "uq_role_assignment_asked", "role_assignment", ["incident_id", "role"], unique=True, sqlite_where=asked,
        postgresql_where=asked,
    )  # fmt: skip
    op.create_index(
        "ix_role_assignment_person", "role_assignment", ["person"], sqlite_where=held, postgresql_where=held
    )
    op.create_table(
        "participant",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("body", body, nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_participant_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sqlite_autoincrement=True,
    )
    here = sa.text("released_at IS NULL")
    op.create_index(
        "uq_participant_open", "participant", ["incident_id", "person"], unique=True, sqlite_where=here,
        postgresql_where=here,
    )  # fmt: skip
    op.create_index(op.f("ix_participant_incident_id"), "participant", ["incident_id"])
    incident = sa.table("incident", sa.column("id", number), sa.column("body", body))
    conn = op.get_bind()
    for row in conn.execute(sa.select(incident.c.id, incident.c.body)).all():
        rows = [_row(row.id, place, one) for place, one in enumerate((row.body or {}).get("roles", ()))]
        if rows:
            conn.execute(sa.insert(assignments), rows)


def _row(incident_id: int, place: int, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "incident_id": incident_id, "number": place, "role": one["role"], "person": one["person"],
        "since": _micros(one["since"]), "until": _micros(one["until"]) if one.get("until") else None,
        "state": "accepted", "because": one.get("because", ""), "by": one.get("by", ""),
    }  # fmt: skip


def _micros(at: str) -> int:
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(microseconds=1)
