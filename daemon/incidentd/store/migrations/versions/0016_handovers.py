"""offers to take over roles, and the last figure of each graph"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; nothing was handed over before, and each graph gets its figure as it is drawn again."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "handover",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("body", body, nullable=False),
        sa.CheckConstraint(
            "state IN ('offered', 'accepted', 'declined', 'timed_out', 'withdrawn', 'void')",
            name=op.f("ck_handover_state"),
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_handover_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_handover_incident_id"), "handover", ["incident_id"])
    op.create_table(
        "handover_role",
        sa.Column("handover_id", number, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"], name=op.f("fk_handover_role_handover_id_handover")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_handover_role_incident_id_incident")),
        sa.PrimaryKeyConstraint("handover_id", "role", name=op.f("pk_handover_role")),
    )
    offered = sa.text("state = 'offered'")
    op.create_index(
        "uq_handover_role_offered", "handover_role", ["incident_id", "role"], unique=True, sqlite_where=offered,
        postgresql_where=offered,
    )  # fmt: skip
    op.create_index(op.f("ix_handover_role_incident_id"), "handover_role", ["incident_id"])
    op.add_column("graph", sa.Column("last", sa.Float(), nullable=True))
