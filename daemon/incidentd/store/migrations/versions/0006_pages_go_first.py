"""pages go first"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WAITING = "state = 'live' AND queue = 'notify'"


def upgrade() -> None:
    """Expand the schema; what waits already goes first, in the order in which it waits."""
    op.add_column("job", sa.Column("rank", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "ix_job_rank",
        "job",
        ["queue", "rank", "due_at"],
        sqlite_where=sa.text(WAITING),
        postgresql_where=sa.text(WAITING),
    )
