"""Postmortems: how each stands, every version of what people wrote, comments, and what was published."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, insert, select, update

from incidentd.errors import NotFound
from incidentd.holds import Hold, Outcome
from incidentd.incidents import Status
from incidentd.postmortem import Comment, Postmortem, State
from incidentd.store import locks, subjects
from incidentd.store.base import Read, Tx, dump, load
from incidentd.store.tables import (
    hold,
    incident,
    postmortem,
    postmortem_comment,
    postmortem_edition,
    postmortem_section,
    published,
)

_it, _section, _comment, _edition = postmortem.c, postmortem_section.c, postmortem_comment.c, postmortem_edition.c
_ONE = Read(select(postmortem).where(_it.incident_id == bindparam("of")))
_SAVE = update(postmortem).where(_it.id == bindparam("b_id"))
_VERSIONS = select(postmortem_section).where(_section.postmortem_id == bindparam("of")).order_by(
    _section.name, _section.version
)  # fmt: skip
_COMMENTS = select(_comment.body).where(_comment.postmortem_id == bindparam("of")).order_by(_comment.number)
_SAVE_COMMENT = update(postmortem_comment).where(
    _comment.postmortem_id == bindparam("b_of"), _comment.number == bindparam("b_number")
)
_TEXT = func.coalesce(func.nullif(_edition.markdown, ""), published.c.markdown).label("markdown")
_EDITIONS = (
    select(_edition.version, _edition.at, _edition.by, _edition.reason, _TEXT)
    .join_from(postmortem_edition, postmortem, _it.id == _edition.postmortem_id)
    .outerjoin(published, and_(published.c.incident_id == _it.incident_id, published.c.version == _edition.version))
    .where(_edition.postmortem_id == bindparam("of"))
    .order_by(_edition.version)
)
_LIST = (
    select(
        _it.incident_id, _it.state, _it.owner, _it.due_at, _it.drafted_at, incident.c.title, incident.c.severity,
        incident.c.drill, incident.c.status,
    )
    .join_from(postmortem, incident, incident.c.id == _it.incident_id)
    .order_by(_it.id.desc())
)  # fmt: skip
_HOLDS = (
    select(hold.c.body)
    .where(hold.c.source == bindparam("source"), hold.c.correlation_key == bindparam("key"))
    .where(hold.c.ended_at >= bindparam("since"), hold.c.ended_at <= bindparam("until"))
    .order_by(hold.c.id.desc())
    .limit(100)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One version of a piece: what it said, who wrote it, and in one sentence what was changed."""

    name: str
    version: int
    at: datetime
    by: str
    said: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One published version."""

    version: int
    at: datetime
    by: str
    reason: str
    """Why it was corrected; '' of the first."""
    markdown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A postmortem in a list."""

    incident: str
    title: str
    severity: str
    state: State
    owner: str
    due_at: datetime | None
    drafted_at: datetime
    drill: bool
    merged: bool
    """Its incident is part of another one by now."""


def find(tx: Tx, incident_id: int) -> Postmortem | None:
    """Read the postmortem of an incident; None when there is none. Nobody else changes it until the unit ends."""
    locks.subject(tx, f"INC-{incident_id}")
    row = tx.execute(_ONE.of(tx), {"of": incident_id}).one_or_none()
    return None if row is None else _loaded(row)


def get(tx: Tx, incident_id: int) -> Postmortem:
    """Read the postmortem of an incident. Raises NotFound, with what is missing: the incident or its postmortem."""
    found = find(tx, incident_id)
    if found is None:
        subjects.get_incident(tx, incident_id)
        raise NotFound(f"INC-{incident_id} has no postmortem; one is drafted when it is resolved, or asked for: "
                       f"incidentd postmortem request INC-{incident_id}")  # fmt: skip
    return found


def _loaded(row: Row[Any]) -> Postmortem:
    return replace(
        load(row.body, Postmortem), id=row.id, incident_id=row.incident_id, state=State(row.state), owner=row.owner,
        due_at=row.due_at, drafted_at=row.drafted_at, markdown=row.markdown, version=row.version,
    )  # fmt: skip


def add(tx: Tx, new: Postmortem) -> Postmortem:
    """Store a first draft."""
    tx.execute(insert(postmortem), {"incident_id": new.incident_id, **_row(new)})
    return get(tx, new.incident_id)


def save(tx: Tx, changed: Postmortem) -> None:
    """Store what became of a postmortem."""
    tx.execute(_SAVE, {"b_id": changed.id, **_row(changed)})


def _row(it: Postmortem) -> dict[str, Any]:
    return {
        "state": it.state.value, "owner": it.owner, "due_at": it.due_at, "drafted_at": it.drafted_at,
        "markdown": it.markdown, "version": it.version, "body": dump(replace(it, markdown="")),
    }  # fmt: skip


def versions(tx: Tx, it: Postmortem) -> list[Written]:
    """Read every version of everything that people wrote, the first one first."""
    return [
        Written(name=row.name, version=row.version, at=row.at, by=row.by, said=row.said, text=row.text)
        for row in tx.execute(_VERSIONS, {"of": it.id})
    ]


def newest(tx: Tx, it: Postmortem) -> dict[str, Written]:
    """Read what people wrote as it stands, by the names of the pieces."""
    return {one.name: one for one in versions(tx, it)}


def write(tx: Tx, it: Postmortem, new: Written) -> None:
    """Store the next version of a piece."""
    row = {
        "postmortem_id": it.id, "name": new.name, "version": new.version, "at": new.at, "by": new.by, "said": new.said,
        "text": new.text,
    }  # fmt: skip
    tx.execute(insert(postmortem_section), row)


def comments(tx: Tx, it: Postmortem) -> tuple[Comment, ...]:
    """Read what people said about it, the first one first."""
    return tuple(load(body, Comment) for body in tx.execute(_COMMENTS, {"of": it.id}).scalars())


def add_comment(tx: Tx, it: Postmortem, new: Comment) -> Comment:
    """Store a comment and give it its number."""
    highest = select(func.max(_comment.number)).where(_comment.postmortem_id == it.id)
    made = replace(new, number=(tx.execute(highest).scalar() or 0) + 1)
    tx.execute(insert(postmortem_comment), {"postmortem_id": it.id, "number": made.number, "body": dump(made)})
    return made


def save_comment(tx: Tx, it: Postmortem, changed: Comment) -> None:
    """Store what became of a comment."""
    tx.execute(_SAVE_COMMENT, {"b_of": it.id, "b_number": changed.number, "body": dump(changed)})


def publish(tx: Tx, it: Postmortem, *, by: str, reason: str = "") -> None:
    """Note who published a version and why. Its text is the copy that `published.add` keeps in the same transaction."""
    row = {
        "postmortem_id": it.id, "version": it.edition, "at": tx.now, "by": by, "reason": reason, "markdown": "",
    }  # fmt: skip
    tx.execute(insert(postmortem_edition), row)


def editions(tx: Tx, it: Postmortem) -> list[Edition]:
    """Read what was published, the first version first."""
    return [
        Edition(version=row.version, at=row.at, by=row.by, reason=row.reason, markdown=row.markdown)
        for row in tx.execute(_EDITIONS, {"of": it.id})
    ]


def listed(tx: Tx, states: Sequence[State], limit: int) -> list[Line]:
    """List postmortems in these states, the newest first."""
    wanted = _LIST.where(_it.state.in_([one.value for one in states])).limit(limit)
    return [
        Line(
            incident=f"INC-{row.incident_id}", title=row.title, severity=row.severity, state=State(row.state),
            owner=row.owner, due_at=row.due_at, drafted_at=row.drafted_at, drill=row.drill,
            merged=row.status == Status.MERGED,
        )
        for row in tx.execute(wanted)
    ]  # fmt: skip


def holds_ended(
    tx: Tx, source: str, key: str, outcomes: Collection[Outcome], *, since: datetime, until: datetime
) -> int:  # fmt: skip
    """Count the holds of a correlation key that ended in one of these ways between two instants, both included."""
    if not key:
        return 0
    asked = {"source": source, "key": key, "since": since, "until": until}
    found = (load(body, Hold) for body in tx.execute(_HOLDS, asked).scalars())
    return sum(one.outcome in outcomes for one in found)
