"""What people put down during an incident: every version kept, the newest read, of two at once one refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, func, insert, select, tuple_

from incidentd.errors import NotFound
from incidentd.records import (
    Change,
    Criterion,
    Decision,
    Hypothesis,
    Kind,
    Record,
    Records,
    Section,
    Task,
    gathered,
)
from incidentd.store import locks
from incidentd.store.base import Tx, dump, load
from incidentd.store.tables import record

R = TypeVar("R", bound=Record)

KINDS: dict[Kind, type[Record]] = {
    Kind.SECTION: Section, Kind.HYPOTHESIS: Hypothesis, Kind.DECISION: Decision, Kind.TASK: Task, Kind.CHANGE: Change,
    Kind.CRITERION: Criterion,
}  # fmt: skip
_KIND_OF: dict[type, Kind] = {noun: kind for kind, noun in KINDS.items()}

_OF = record.c.incident_id == bindparam("of")
_ONE = (_OF, record.c.kind == bindparam("of_kind"), record.c.number == bindparam("of_number"))
_NEWEST = (
    select(record.c.kind, record.c.number, func.max(record.c.version))
    .where(_OF)
    .group_by(record.c.kind, record.c.number)
)
_ALL = (
    select(record.c.kind, record.c.body)
    .where(_OF, tuple_(record.c.kind, record.c.number, record.c.version).in_(_NEWEST))
    .order_by(record.c.kind, record.c.number)
)
_EVERY = select(record.c.kind, record.c.body).where(_OF).order_by(record.c.kind, record.c.number, record.c.version)
_CURRENT = select(record.c.body).where(*_ONE).order_by(record.c.version.desc()).limit(1)
_HISTORY = select(record).where(*_ONE).order_by(record.c.version)
_HIGHEST = select(func.max(record.c.number)).where(_OF, record.c.kind == bindparam("of_kind"))
_INSERT = insert(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a record: what it said, and in one sentence what was changed."""

    version: int
    at: datetime
    by: str
    said: str
    record: Record


def kind_of(it: Record) -> Kind:
    """Say of which kind a record is."""
    return _KIND_OF[type(it)]


def records_of(tx: Tx, incident_id: int) -> Records:
    """Read all records of an incident as they stand."""
    rows = tx.execute(_ALL, {"of": incident_id})
    return gathered(load(row.body, KINDS[Kind(row.kind)]) for row in rows)


def records_then(tx: Tx, incident_id: int, versions: Mapping[str, int]) -> Records:
    """Read the records of an incident in these versions, by their ids; one that is not named was not there yet."""
    every = [load(row.body, KINDS[Kind(row.kind)]) for row in tx.execute(_EVERY, {"of": incident_id})]
    return gathered(one for one in every if versions.get(one.key) == one.version)


def add(tx: Tx, incident_id: int, new: R) -> R:
    """Give a new record its number, for `save` to store it; a section has its own."""
    locks.subject(tx, f"INC-{incident_id}")
    if new.number:
        return new
    key = {"of": incident_id, "of_kind": _KIND_OF[type(new)].value}
    return replace(new, number=(tx.execute(_HIGHEST, key).scalar() or 0) + 1)


def save(tx: Tx, incident_id: int, changed: Record, said: str) -> None:
    """Store the next version of a record, and in one sentence what was changed."""
    locks.subject(tx, f"INC-{incident_id}")
    row = {
        "incident_id": incident_id, "kind": _KIND_OF[type(changed)].value, "number": changed.number,
        "version": changed.version, "at": changed.at, "by": changed.by, "said": said, "body": dump(changed),
    }  # fmt: skip
    tx.execute(_INSERT, row)


def find(tx: Tx, incident_id: int, kind: type[R], number: int) -> R | None:
    """Read a record as it stands; None when there is none. Nobody else changes it until the unit ends."""
    locks.subject(tx, f"INC-{incident_id}")
    body = tx.execute(_CURRENT, _key(incident_id, _KIND_OF[kind], number)).scalar()
    return None if body is None else load(body, kind)


def get(tx: Tx, incident_id: int, kind: type[R], number: int) -> R:
    """Read a record as it stands. Raises NotFound."""
    found = find(tx, incident_id, kind, number)
    if found is None:
        raise NotFound(f"INC-{incident_id} has no {_KIND_OF[kind].letter}{number}")
    return found


def history(tx: Tx, incident_id: int, kind: Kind, number: int) -> Sequence[Version]:
    """Read every version of a record, the first one first."""
    return [
        Version(version=row.version, at=row.at, by=row.by, said=row.said, record=load(row.body, KINDS[kind]))
        for row in tx.execute(_HISTORY, _key(incident_id, kind, number))
    ]


def _key(incident_id: int, kind: Kind, number: int) -> dict[str, object]:
    return {"of": incident_id, "of_kind": kind.value, "of_number": number}
