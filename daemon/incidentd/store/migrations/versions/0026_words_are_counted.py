"""words are counted: PostgreSQL has an index of titles, and keeps the words of a text in their order as SQLite does"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema, and read the words of the texts that are there out of their index."""
    if op.get_bind().dialect.name == "sqlite":
        return
    # new texts are few: none waits beside the index, where every search would have to read it
    op.execute(
        sa.text("CREATE INDEX ix_library_words_title ON library_words USING gin (title) WITH (fastupdate = off)")
    )
    op.execute(sa.text("ALTER INDEX ix_library_words_words SET (fastupdate = off)"))
    op.execute(sa.text("SELECT gin_clean_pending_list('ix_library_words_words')"))
    op.execute(sa.text("ALTER TABLE library_words ADD COLUMN plain TEXT NOT NULL DEFAULT ''"))
    op.execute(
        sa.text(
            "UPDATE library_words w SET plain = coalesce((SELECT string_agg(u.lexeme, ' ' ORDER BY p.place)"
            " FROM unnest(w.words) u, unnest(u.positions, u.weights) AS p (place, weight) WHERE p.weight = 'D'), '')"
        )
    )
