"""graphs go with messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; a graph that is there goes with messages once it is drawn anew."""
    op.add_column("graph", sa.Column("png", sa.LargeBinary(), nullable=True))
    op.create_table(
        "attached",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "channel", "moment", name=op.f("pk_attached")),
    )
