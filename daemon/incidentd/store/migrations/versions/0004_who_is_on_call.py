"""who is on call: published shifts, overrides and swaps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SWAP = "swap <> ''"


def upgrade() -> None:
    """Expand the schema."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "oncall_shift",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("start_wall", sa.Text(), nullable=False),
        sa.Column("end_wall", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oncall_shift")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_oncall_shift_schedule_end_at"), "oncall_shift", ["schedule", "end_at"])
    op.create_index(
        op.f("ix_oncall_shift_schedule_start_wall"), "oncall_shift", ["schedule", "start_wall"], unique=True
    )
    op.create_table(
        "oncall_override",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("swap", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('proposed', 'active', 'withdrawn')", name=op.f("ck_oncall_override_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oncall_override")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_oncall_override_end_at"), "oncall_override", ["end_at"])
    op.create_index(
        "ix_oncall_override_swap", "oncall_override", ["swap"], sqlite_where=sa.text(SWAP),
        postgresql_where=sa.text(SWAP),
    )  # fmt: skip
