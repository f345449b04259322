"""layers may change at the same hour of their own zones, so a shift is one of its layer"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tell shifts apart by their layer, too: 09:00 in London and 09:00 in Singapore are two shifts of a day."""
    op.drop_index(op.f("ix_oncall_shift_schedule_start_wall"), "oncall_shift")
    op.create_index(
        op.f("ix_oncall_shift_schedule_layer_start_wall"), "oncall_shift", ["schedule", "layer", "start_wall"],
        unique=True,
    )  # fmt: skip
