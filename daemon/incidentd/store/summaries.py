"""Summary pages and what joined them. Nothing is locked by reading here: a page that joined has its hold's own lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select

from incidentd.holds import HoldState
from incidentd.pages import Page, PageState
from incidentd.store.base import Tx, load
from incidentd.store.tables import hold, page, timeline

_PAGE = select(page.c.body).where(page.c.id == bindparam("b_id"))
_JOINED = (
    select(page.c.id, page.c.subject, page.c.state)
    .where(page.c.joined == bindparam("of_page"), page.c.joined.is_not(None))
    .order_by(page.c.id)
)
_WAITS = _JOINED.with_only_columns(page.c.id).where(page.c.state == PageState.OPEN.value).limit(1)
_HOLDS = select(hold.c.id, hold.c.state, hold.c.severity, hold.c.title).where(
    hold.c.id.in_(bindparam("ids", expanding=True))
)
_LAST_OF = select(func.max(timeline.c.at)).where(
    timeline.c.subject.in_(bindparam("of", expanding=True)), timeline.c.kind.in_(bindparam("kinds", expanding=True))
)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A page that joined a summary page, and the hold that it is about."""

    page: int
    subject: str
    state: PageState
    """Of the page."""
    hold: HoldState
    severity: str
    title: str


def page_as_it_is(tx: Tx, page_id: int) -> Page | None:
    """Read a page, and let others change it; None when there is none."""
    body = tx.conn.execute(_PAGE, {"b_id": page_id}).scalar()
    return None if body is None else load(body, Page)


def pages_of(tx: Tx, summary: int) -> list[tuple[int, str]]:
    """List what joined a summary page: the number of each page, and what it is about."""
    return [(row.id, row.subject) for row in tx.conn.execute(_JOINED, {"of_page": summary})]


def waits(tx: Tx, summary: int) -> bool:
    """Say whether any page that joined a summary waits for an answer."""
    return tx.conn.execute(_WAITS, {"of_page": summary}).first() is not None


def joined_to(tx: Tx, summary: int) -> list[Joined]:
    """List what joined a summary page, with the holds that are still kept."""
    pages = tx.conn.execute(_JOINED, {"of_page": summary}).all()
    ids = [int(row.subject.removeprefix("HOLD-")) for row in pages]
    holds = {
        f"HOLD-{row.id}": row
        for first in range(0, len(ids), _AT_ONCE)
        for row in tx.conn.execute(_HOLDS, {"ids": ids[first : first + _AT_ONCE]})
    }
    return [
        Joined(
            page=row.id, subject=row.subject, state=PageState(row.state), hold=HoldState(of.state),
            severity=of.severity, title=of.title,
        )
        for row in pages
        if (of := holds.get(row.subject)) is not None
    ]  # fmt: skip


def last_of(tx: Tx, subjects: Sequence[str], kinds: Sequence[str]) -> datetime | None:
    """Say when something of these kinds was written about any of these subjects the last time."""
    found = [
        tx.conn.execute(_LAST_OF, {"of": list(subjects[first : first + _AT_ONCE]), "kinds": list(kinds)}).scalar()
        for first in range(0, len(subjects), _AT_ONCE)
    ]
    return max((at for at in found if at is not None), default=None)
