"""a published text is kept once: in the copy that everybody reads"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget the text of an edition whose published copy says the very same; one that has no copy keeps its own."""
    op.execute(
        sa.text(
            "UPDATE postmortem_edition SET markdown = '' WHERE EXISTS (SELECT 1 FROM published c"
            " JOIN postmortem p ON p.incident_id = c.incident_id WHERE p.id = postmortem_edition.postmortem_id"
            " AND c.version = postmortem_edition.version AND c.markdown = postmortem_edition.markdown)"
        )
    )
