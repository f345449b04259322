"""what replicas share, and indexes in the words of the queries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# name, table, columns, unique, the column that says which rows it is about, its value, and what else they are
INDEXES = (
    ("ix_inbox_new", "inbox", ["id"], False, "done", False, ""),
    ("ix_alert_undecided", "alert", ["changed_at"], False, "undecided", True, ""),
    ("uq_hold_open", "hold", ["source", "correlation_key"], True, "open", True, ""),
    ("uq_incident_open", "incident", ["source", "correlation_key"], True, "open", True, " AND correlation_key <> ''"),
    ("ix_member_open", "member", ["source", "fingerprint"], False, "open", True, ""),
    ("uq_playbook_run_target", "playbook_run", ["target"], True, "active", True, ""),
)


def upgrade() -> None:
    """Expand the schema. The indexes were there, and no query was worded so that one could be used."""
    for name, table, columns, unique, column, on, more in INDEXES:
        op.drop_index(name, table_name=table)
        op.create_index(
            name, table, columns, unique=unique,
            sqlite_where=sa.text(f"{column} IS {int(on)}{more}"),
            postgresql_where=sa.text(f"{column} IS {str(on).lower()}{more}"),
        )  # fmt: skip
    op.create_table(
        "shared",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shared")),
        sqlite_autoincrement=False,
    )
