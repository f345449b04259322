"""postmortems are written together"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; a draft that is there keeps its text, which is what incidentd wrote of each of its pieces."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("postmortem", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("postmortem", sa.Column("body", body, nullable=False, server_default="{}"))
    op.execute(sa.text("UPDATE postmortem SET body = '{\"quick\": true}' WHERE markdown LIKE '# Quick review:%'"))
    _of_a_postmortem(
        "postmortem_section",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        number=number, key=("name", "version"),
    )  # fmt: skip
    _of_a_postmortem(
        "postmortem_comment",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", body, nullable=False),
        number=number, key=("number",),
    )  # fmt: skip
    _of_a_postmortem(
        "postmortem_edition",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("markdown", sa.Text(), nullable=False),
        number=number, key=("version",),
    )  # fmt: skip


def _of_a_postmortem(name: str, *columns: sa.Column[object], number: object, key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        sa.Column("postmortem_id", number, nullable=False),  # type: ignore[arg-type]  # a type with a variant
        *columns,
        sa.ForeignKeyConstraint(["postmortem_id"], ["postmortem.id"], name=op.f(f"fk_{name}_postmortem_id_postmortem")),
        sa.PrimaryKeyConstraint("postmortem_id", *key, name=op.f(f"pk_{name}")),
    )
