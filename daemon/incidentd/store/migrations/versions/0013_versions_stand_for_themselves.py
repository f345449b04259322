"""versions stand for themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let each version of a playbook stand for itself; no release had the table that this one takes the place of."""
    op.create_table(
        "version_standing",
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("verified", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("playbook", "sha256", name=op.f("pk_version_standing")),
    )
    op.execute(
        "INSERT INTO version_standing (playbook, sha256, mode, verified, at, why) "
        "SELECT playbook, sha256, mode, verified, at, why FROM playbook_standing"
    )
    op.drop_table("playbook_standing")
