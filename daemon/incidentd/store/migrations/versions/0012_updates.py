"""what people outside of the work are told, and when they are told next"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; incidents that go on have promised nothing."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "update_promise",
        sa.Column("incident_id", number, nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("body", body, nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_update_promise_incident_id_incident")),
        sa.PrimaryKeyConstraint("incident_id", "audience", name=op.f("pk_update_promise")),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_update_promise_due_at", "update_promise", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.create_table(
        "stakeholder_update",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", body, nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'skipped', 'replaced')", name=op.f("ck_stakeholder_update_state")
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_stakeholder_update_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stakeholder_update")),
        sqlite_autoincrement=True,
    )
    waits, sent = sa.text("state = 'waiting'"), sa.text("state = 'sent'")
    op.create_index(
        "uq_stakeholder_update_waiting", "stakeholder_update", ["incident_id", "audience"], unique=True,
        sqlite_where=waits, postgresql_where=waits,
    )  # fmt: skip
    op.create_index(op.f("ix_stakeholder_update_incident_id"), "stakeholder_update", ["incident_id"])
    op.create_index(
        "ix_stakeholder_update_shown",
        "stakeholder_update",
        ["audience", "at"],
        sqlite_where=sent,
        postgresql_where=sent,
    )
