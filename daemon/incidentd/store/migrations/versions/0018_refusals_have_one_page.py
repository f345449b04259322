"""refusals have one page"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; so far each page called by itself, and messages that only told of refusals are let go."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("page", sa.Column("joined", number, nullable=True))
    joined = sa.text("joined IS NOT NULL")
    op.create_index("ix_page_joined", "page", ["joined"], sqlite_where=joined, postgresql_where=joined)
    op.add_column("refusal", sa.Column("page", number, nullable=True))
    op.create_index("ix_refusal_page", "refusal", ["policy", "urgency", "page", "at"])
    op.execute(sa.text("UPDATE job SET state = 'cancelled' WHERE kind = 'refusals' AND state = 'live'"))
