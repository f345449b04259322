"""action items on their way to Jira and back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; what is in Jira already keeps its key where it is looked up by it, and is looked at soon."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("action_item", sa.Column("owner", sa.Text(), nullable=False, server_default=""))
    op.add_column("action_item", sa.Column("jira_key", sa.Text(), nullable=False, server_default=""))
    op.add_column("action_item", sa.Column("seen_at", sa.BigInteger(), nullable=True))
    op.add_column("action_item", sa.Column("drill", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_action_item_jira_key"), "action_item", ["jira_key"])
    op.create_index(op.f("ix_action_item_state"), "action_item", ["state"])
    op.create_table(
        "jira_outbox",
        sa.Column("item_id", number, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sent', 'unknown', 'done')", name=op.f("ck_jira_outbox_state")),
        sa.ForeignKeyConstraint(["item_id"], ["action_item.id"], name=op.f("fk_jira_outbox_item_id_action_item")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_jira_outbox")),
    )
    item = sa.table(
        "action_item", sa.column("id", number), sa.column("body", body), sa.column("jira_key", sa.Text()),
        sa.column("owner", sa.Text()),
    )  # fmt: skip
    connection = op.get_bind()
    for row in connection.execute(sa.select(item.c.id, item.c.body)).all():
        said = {"jira_key": row.body.get("jira_key", ""), "owner": row.body.get("owner", "")}
        connection.execute(sa.update(item).where(item.c.id == row.id).values(**said))
