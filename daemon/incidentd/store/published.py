"""Published copies of postmortems in the store: they are only ever added, and who read one counts once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select

from incidentd.errors import NotFound
from incidentd.store.base import Tx, both
from incidentd.store.tables import published, published_reading

_ADD = insert(published)
_OF = select(published).where(published.c.incident_id == bindparam("of")).order_by(published.c.version)
_READERS = (
    select(published_reading.c.version, func.count().label("number"))
    .where(published_reading.c.incident_id == bindparam("of"))
    .group_by(published_reading.c.version)
)
_READ = both(lambda insert: insert(published_reading).on_conflict_do_nothing())
_VERSIONS = (
    select(
        published.c.incident_id, published.c.version, published.c.title, published.c.severity, published.c.service,
        published.c.published_at,
    ).order_by(published.c.incident_id.desc(), published.c.version.desc())
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A published postmortem, as it stays."""

    incident_id: int
    version: int
    title: str
    severity: str
    service: str
    markdown: str
    published_at: datetime

    @property
    def key(self) -> str:
        """The id of its incident."""
        return f"INC-{self.incident_id}"


def add(tx: Tx, it: Copy) -> None:
    """Add a copy; the caller knows that there is none of this version."""
    row = {
        "incident_id": it.incident_id, "version": it.version, "title": it.title, "severity": it.severity,
        "service": it.service, "markdown": it.markdown, "published_at": it.published_at,
    }  # fmt: skip
    tx.conn.execute(_ADD, row)


def copies(tx: Tx, incident_id: int) -> list[Copy]:
    """Give all copies of an incident's postmortem, the oldest first."""
    return [_copy(row) for row in tx.conn.execute(_OF, {"of": incident_id})]


def copy(tx: Tx, incident_id: int, version: int | None = None) -> Copy:
    """Give a copy, without a version the newest. Raises NotFound, saying what there is."""
    found = copies(tx, incident_id)
    if not found:
        raise NotFound(f"no postmortem of INC-{incident_id} is published")
    for one in found if version is not None else found[-1:]:
        if version in (None, one.version):
            return one
    there = ", ".join(str(one.version) for one in found[-20:])
    raise NotFound(f"the postmortem of INC-{incident_id} has no version {version}; published are {there}")


def listed(tx: Tx) -> list[Any]:
    """List all copies without their texts: the newest incidents first, of each the newest version first."""
    return list(tx.conn.execute(_VERSIONS))


def readers(tx: Tx, incident_id: int) -> dict[int, int]:
    """Count by version how many people said that they have read it."""
    return {row.version: row.number for row in tx.conn.execute(_READERS, {"of": incident_id})}


def read_by(tx: Tx, incident_id: int, version: int, reader: str) -> None:
    """Note that somebody has read a version; once, however often they say so. `reader` is a digest, never a name."""
    row = {"incident_id": incident_id, "version": version, "reader": reader, "at": tx.now}
    tx.conn.execute(_READ[tx.dialect], row)


def _copy(row: Row[Any]) -> Copy:
    return Copy(
        incident_id=row.incident_id, version=row.version, title=row.title, severity=row.severity, service=row.service,
        markdown=row.markdown, published_at=row.published_at,
    )  # fmt: skip
