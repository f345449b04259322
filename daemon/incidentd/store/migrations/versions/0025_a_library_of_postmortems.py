"""a library of postmortems: published copies, tags, and an index of words"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the daemon puts the postmortems that there are into the library when it starts."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "published",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("markdown", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_published_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published")),
        sa.UniqueConstraint("incident_id", "version", name=op.f("uq_published_incident_id_version")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "published_reading",
        sa.Column("incident_id", number, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_published_reading_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("incident_id", "version", "reader", name=op.f("pk_published_reading")),
    )
    op.create_table(
        "postmortem_tag",
        sa.Column("incident_id", number, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_postmortem_tag_incident_id_incident")),
        sa.PrimaryKeyConstraint("incident_id", "tag", name=op.f("pk_postmortem_tag")),
    )
    op.create_index(op.f("ix_postmortem_tag_tag"), "postmortem_tag", ["tag"])
    op.create_table(
        "library",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", number, nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_library_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_library")),
        sa.UniqueConstraint("incident_id", "standing", name=op.f("uq_library_incident_id_standing")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_library_at"), "library", ["at"])
    _words()


def _words() -> None:
    """Make the index of words, which each engine has of its own kind."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            sa.text(
                "CREATE VIRTUAL TABLE library_words USING fts5(title, tags, body, "
                "tokenize='unicode61 remove_diacritics 0', prefix='2 3')"
            )
        )
        return
    op.execute(
        sa.text(
            "CREATE TABLE library_words (id BIGINT PRIMARY KEY REFERENCES library (id) ON DELETE CASCADE, "
            "title TSVECTOR NOT NULL, words TSVECTOR NOT NULL)"
        )
    )
    op.execute(sa.text("CREATE INDEX ix_library_words_words ON library_words USING gin (words)"))
