"""what fires is counted, and what is cut is found at once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CUT = "truncated > 0"


def upgrade() -> None:
    """Expand the schema, and count what there is."""
    op.create_table(
        "tally",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("firing", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_tally")),
    )
    op.execute(
        "INSERT INTO tally (subject, firing) "
        "SELECT subject, sum(CASE WHEN firing THEN 1 ELSE 0 END) FROM member GROUP BY subject"
    )
    op.create_index(
        "ix_alert_group_cut", "alert_group", ["source"], sqlite_where=sa.text(CUT), postgresql_where=sa.text(CUT)
    )
