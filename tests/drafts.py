"""Postmortems as texts of one piece, as drafts were kept before they had sections."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select

from incidentd.store import Tx
from incidentd.store.tables import postmortem


def put_draft(tx: Tx, incident_id: int, *, owner: str, markdown: str, due_at: datetime | None = None) -> None:
    """Store a draft, in the place of what there is."""
    tx.conn.execute(delete(postmortem).where(postmortem.c.incident_id == incident_id))
    row = {"owner": owner, "due_at": due_at, "drafted_at": tx.now, "markdown": markdown, "state": "draft"}
    tx.conn.execute(insert(postmortem), {"incident_id": incident_id, **row})


def text_of(tx: Tx, incident_id: int) -> str:
    """Give the text of a postmortem; '' when there is none."""
    text = select(postmortem.c.markdown).where(postmortem.c.incident_id == incident_id)
    return str(tx.conn.execute(text).scalar() or "")
