"""drills and recurrence"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; no incident so far was a drill, and each is found by its correlation key."""
    op.add_column("incident", sa.Column("drill", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_incident_source_correlation_key_id", "incident", ["source", "correlation_key", "id"])
