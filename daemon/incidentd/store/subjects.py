"""Holds and incidents, and which alerts they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Table, Text, bindparam, delete, func, literal_column, select, true, update

from incidentd.errors import Conflict, NotFound
from incidentd.holds import OPEN, Hold
from incidentd.incidents import ACTIVE, Incident
from incidentd.store import chain, locks, roles
from incidentd.store.base import Read, Tx, both, dump, load, new_id
from incidentd.store.tables import alert, hold, incident, member, tally


@dataclass(frozen=True, slots=True)
class Membership:
    """One alert of one open hold or incident."""

    subject: str
    source: str
    fingerprint: str
    firing: bool


def find(tx: Tx, key: str) -> Hold | Incident | None:
    """Read what has this key; None when it is gone, or is neither a hold nor an incident."""
    kind, _, number = key.partition("-")
    try:
        match kind:
            case "INC":
                return get_incident(tx, int(number))
            case "HOLD":
                return get_hold(tx, int(number))
            case _:
                return None
    except NotFound:
        return None


# -- holds -----------------------------------------------------------------------------------------------------------

_HOLD = Read(select(hold.c.body).where(hold.c.id == bindparam("b_id")))
_PLAIN_HOLD = select(hold.c.body).where(hold.c.id == bindparam("b_id"), hold.c.state == "holding")
_OPEN_HOLD = select(hold.c.body).where(
    hold.c.source == bindparam("of_source"), hold.c.correlation_key == bindparam("key"), hold.c.open.is_(True)
)
_EARLIER_HOLD = (
    select(hold.c.body)
    .where(hold.c.source == bindparam("of_source"), hold.c.correlation_key == bindparam("key"), hold.c.open.is_(False))
    .order_by(hold.c.ended_at.desc())
    .limit(1)
)
_OPEN_INCIDENTS = select(incident.c.id).where(incident.c.open.is_(True)).order_by(incident.c.id)
_OPEN_HOLDS = select(hold.c.id).where(hold.c.open.is_(True)).order_by(hold.c.id)
_BY_KEYS = {
    kind: select(table.c.id).where(
        table.c.source == bindparam("of_source"), table.c.open.is_(True),
        table.c.correlation_key.in_(bindparam("keys", expanding=True)),
    )
    for kind, table in (("INC", incident), ("HOLD", hold))
}  # fmt: skip
_KEYS = 500
_INCIDENTS_AFTER = (
    select(incident.c.id, incident.c.open)
    .where(incident.c.id > bindparam("after"))
    .order_by(incident.c.id)
    .limit(bindparam("most"))
)
_SAVE_HOLD = update(hold).where(hold.c.id == bindparam("b_id"))


def insert_hold(tx: Tx, new: Hold) -> Hold:
    """Store a new hold and give it its id."""
    made = new_id(tx, hold, _hold_row(new))
    new = replace(new, id=made)
    save_hold(tx, new)
    chain.begin(tx, new.key)
    return new


def save_hold(tx: Tx, changed: Hold) -> None:
    """Store what became of a hold."""
    row = {"b_id": changed.id, **_hold_row(changed)}
    tx.later(hold, _SAVE_HOLD, changed.id, row, marks=[(changed.source, changed.correlation_key)])


def get_hold(tx: Tx, hold_id: int) -> Hold:
    """Read a hold. Raises NotFound."""
    locks.subject(tx, f"HOLD-{hold_id}")
    body = tx.execute(_HOLD.of(tx), {"b_id": hold_id}, beside=None if tx.waits(hold, hold_id) else hold).scalar()
    if body is None:
        raise NotFound(f"there is no HOLD-{hold_id}")
    return load(body, Hold)


def open_hold(tx: Tx, source: str, key: str) -> Hold | None:
    """Find the open hold of a correlation key."""
    locks.key(tx, source, key)
    body = tx.execute(_OPEN_HOLD, {"of_source": source, "key": key}, beside=_unless_waits(tx, source, key)).scalar()
    return None if body is None else load(body, Hold)


def open_holds(tx: Tx) -> list[int]:
    """Give the number of every open hold."""
    return list(tx.conn.execute(_OPEN_HOLDS).scalars())


def open_incidents(tx: Tx) -> list[int]:
    """Give the number of every active incident."""
    return list(tx.conn.execute(_OPEN_INCIDENTS).scalars())


def open_by_keys(tx: Tx, source: str, keys: Sequence[str]) -> list[str]:
    """Name what is open under any of these correlation keys, incidents first; nothing is locked by that."""
    return [
        f"{kind}-{number}"
        for kind, query in _BY_KEYS.items()
        for first in range(0, len(keys), _KEYS)
        for number in tx.conn.execute(query, {"of_source": source, "keys": keys[first : first + _KEYS]}).scalars()
    ]


def earlier_hold(tx: Tx, source: str, key: str) -> Hold | None:
    """Find the hold of a correlation key that ended last."""
    body = tx.execute(_EARLIER_HOLD, {"of_source": source, "key": key}, beside=_unless_waits(tx, source, key)).scalar()
    return None if body is None else load(body, Hold)


def _unless_waits(tx: Tx, source: str, key: str) -> Table | None:
    """Say that holds which are still to be written do not matter, unless one of this correlation key is."""
    return None if tx.waits(hold, (source, key)) else hold


def _hold_row(it: Hold) -> dict[str, Any]:
    return {
        "source": it.source, "correlation_key": it.correlation_key, "rule": it.rule, "title": it.title,
        "severity": it.severity, "state": it.state.value, "open": it.state in OPEN, "opened_at": it.opened_at,
        "ended_at": it.ended_at, "body": dump(it),
    }  # fmt: skip


# -- incidents -------------------------------------------------------------------------------------------------------

_INCIDENT = Read(select(incident.c.body).where(incident.c.id == bindparam("b_id")))
_OPEN_INCIDENT = select(incident.c.body).where(
    incident.c.source == bindparam("of_source"),
    incident.c.correlation_key == bindparam("key"),
    incident.c.open.is_(True),
    incident.c.correlation_key != literal_column("''"),
)
_NEWEST_INCIDENT = (
    select(incident.c.body)
    .where(
        incident.c.source == bindparam("of_source"),
        incident.c.correlation_key == bindparam("key"),
        incident.c.correlation_key != literal_column("''"),
    )
    .order_by(incident.c.id.desc())
    .limit(1)
)
_OF_HOLD = select(incident.c.body).where(incident.c.hold_id == bindparam("of_hold"))
_WRITE_INCIDENT = update(incident).where(incident.c.id == bindparam("b_id"))
_SAVE_INCIDENT = update(incident).where(
    incident.c.id == bindparam("b_id"), incident.c.version <= bindparam("b_version")
)


def insert_incident(tx: Tx, new: Incident) -> Incident:
    """Store a new incident and give it its id."""
    made = new_id(tx, incident, _incident_row(new))
    new = replace(new, id=made)
    tx.later(
        incident, _WRITE_INCIDENT, made, {"b_id": made, **_incident_row(new)}, marks=[(new.source, new.correlation_key)]
    )
    roles.keep(tx, new.id, new.roles)
    chain.begin(tx, new.key)
    return new


def save_incident(tx: Tx, changed: Incident) -> None:
    """Store what became of an incident. Raises Conflict when somebody else changed it meanwhile."""
    found = tx.execute(_SAVE_INCIDENT, {"b_id": changed.id, "b_version": changed.version, **_incident_row(changed)})
    if found.rowcount != 1:
        raise Conflict(f"{changed.key} was changed by somebody else meanwhile; look again")
    roles.keep(tx, changed.id, changed.roles)


def get_incident(tx: Tx, incident_id: int) -> Incident:
    """Read an incident. Raises NotFound."""
    locks.subject(tx, f"INC-{incident_id}")
    body = tx.execute(_INCIDENT.of(tx), {"b_id": incident_id}).scalar()
    if body is None:
        raise NotFound(f"there is no INC-{incident_id}")
    return load(body, Incident)


def open_incident(tx: Tx, source: str, key: str) -> Incident | None:
    """Find the active incident of a correlation key."""
    locks.key(tx, source, key)
    beside = None if tx.waits(incident, (source, key)) else incident
    body = tx.execute(_OPEN_INCIDENT, {"of_source": source, "key": key}, beside=beside).scalar()
    return None if body is None else load(body, Incident)


def newest_incident(tx: Tx, source: str, key: str) -> Incident | None:
    """Find the incident of a correlation key that was declared last, however it stands."""
    locks.key(tx, source, key)
    beside = None if tx.waits(incident, (source, key)) else incident
    body = tx.execute(_NEWEST_INCIDENT, {"of_source": source, "key": key}, beside=beside).scalar()
    return None if body is None else load(body, Incident)


def incident_of_hold(tx: Tx, hold_id: int) -> Incident | None:
    """Find the incident that a hold became."""
    body = tx.conn.execute(_OF_HOLD, {"of_hold": hold_id}).scalar()
    return None if body is None else load(body, Incident)


def _incident_row(it: Incident) -> dict[str, Any]:
    return {
        "hold_id": it.hold_id, "source": it.source, "correlation_key": it.correlation_key, "title": it.title,
        "severity": it.severity, "status": it.status.value, "open": it.status in ACTIVE, "declared_at": it.declared_at,
        "version": it.version, "drill": it.drill, "body": dump(it),
    }  # fmt: skip


# -- members ---------------------------------------------------------------------------------------------------------

_JOIN = both(
    lambda insert: (new := insert(member)).on_conflict_do_update(
        index_elements=["subject", "source", "fingerprint"],
        set_={"firing": new.excluded.firing, "open": new.excluded.open},
    )
)
_MEMBERSHIPS = select(member.c.subject, member.c.source, member.c.fingerprint, member.c.firing).where(
    member.c.source == bindparam("of_source"),
    member.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
    member.c.open.is_(True),
)
_FIRING = select(tally.c.firing).where(tally.c.subject == bindparam("of"))
_COUNTED = select(func.count()).where(member.c.subject == bindparam("of"), member.c.firing.is_(True))
_FIRED_BEFORE = select(func.count()).where(
    member.c.subject == bindparam("of"), member.c.source == bindparam("of_source"),
    member.c.fingerprint.in_(bindparam("fingerprints", expanding=True)), member.c.firing.is_(True),
)  # fmt: skip
_TALLY = both(
    lambda insert: (new := insert(tally)).on_conflict_do_update(
        index_elements=["subject"], set_={"firing": tally.c.firing + new.excluded.firing}
    )
)
_FIRING_RULES = (
    select(alert.c.rule)
    .join_from(member, alert, (member.c.source == alert.c.source) & (member.c.fingerprint == alert.c.fingerprint))
    .where(member.c.subject == bindparam("of"), member.c.firing.is_(True))
    .distinct()
)
_STATUS = (
    select(alert.c.source, alert.c.fingerprint, alert.c.status)
    .join_from(member, alert, (member.c.source == alert.c.source) & (member.c.fingerprint == alert.c.fingerprint))
    .where(member.c.subject == bindparam("of"))
)
_LEAVE = delete(member).where(
    member.c.subject == bindparam("of"), member.c.source == bindparam("of_source"),
    member.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
)  # fmt: skip
_CLOSE = update(member).where(member.c.subject == bindparam("of")).values(open=False)
_COPY = both(
    lambda insert: (
        insert(member)
        .from_select(
            ["subject", "source", "fingerprint", "firing", "open", "joined_at"],
            select(
                bindparam("to", type_=Text).label("subject"), member.c.source, member.c.fingerprint, member.c.firing,
                true().label("open"), member.c.joined_at,
            ).where(member.c.subject == bindparam("of")),
        )
        .on_conflict_do_nothing(index_elements=["subject", "source", "fingerprint"])
    )
)  # fmt: skip
_OF = select(member).where(member.c.subject == bindparam("of")).order_by(member.c.joined_at, member.c.fingerprint)


def join(tx: Tx, subject: str, alerts: Iterable[tuple[str, str, bool]], *, new: bool = False) -> None:
    """Make alerts (source, fingerprint, firing) members of a hold or incident, or say anew whether they fire.

    `new` says that the hold or incident was made in this transaction and has no members yet.
    """
    locks.subject(tx, subject)
    said = {(source, fingerprint): fires for source, fingerprint, fires in alerts}
    rows = [
        {"subject": subject, "source": s, "fingerprint": f, "firing": on, "open": True, "joined_at": tx.now}
        for (s, f), on in said.items()
    ]
    change = sum(said.values()) - (0 if new else _fired_before(tx, subject, said))
    for row, key in zip(rows, said, strict=True):
        tx.later(member, _JOIN[tx.dialect], (subject, *key), row, marks=[key])
    _count_in(tx, subject, change)


def _count_in(tx: Tx, subject: str, change: int) -> None:
    if tx.waits(tally, subject):
        tx.flush()  # of two changes the first goes first, since the last would replace it
    tx.later(tally, _TALLY[tx.dialect], subject, {"subject": subject, "firing": change})


def _fired_before(tx: Tx, subject: str, keys: Iterable[tuple[str, str]]) -> int:
    by_source: dict[str, list[str]] = {}
    for source, fingerprint in keys:
        by_source.setdefault(source, []).append(fingerprint)
    return sum(
        tx.execute(
            _FIRED_BEFORE, {"of": subject, "of_source": source, "fingerprints": its[first : first + _KEYS]}
        ).scalar_one()
        for source, its in by_source.items()
        for first in range(0, len(its), _KEYS)
    )


def memberships(tx: Tx, source: str, fingerprints: Sequence[str]) -> list[Membership]:
    """Find the open holds and incidents that alerts are members of."""
    waits = tx.waits(member, *((source, fingerprint) for fingerprint in fingerprints))
    key = {"of_source": source, "fingerprints": list(fingerprints)}
    rows = tx.execute(_MEMBERSHIPS, key, beside=None if waits else member)
    return [Membership(row.subject, row.source, row.fingerprint, row.firing) for row in rows]


def members(tx: Tx, subject: str) -> list[Membership]:
    """List the alerts of a hold or incident."""
    rows = tx.conn.execute(_OF, {"of": subject})
    return [Membership(row.subject, row.source, row.fingerprint, row.firing) for row in rows]


def firing(tx: Tx, subject: str) -> int:
    """Count the alerts of a hold or incident that fire."""
    locks.subject(tx, subject)
    return int(tx.execute(_FIRING, {"of": subject}).scalar() or 0)


def holds_of(tx: Tx, source: str, fingerprints: Sequence[str]) -> list[Hold]:
    """Read the open holds that these alerts are members of; nothing is locked by that."""
    found: set[int] = set()
    for first in range(0, len(fingerprints), _KEYS):
        rows = tx.conn.execute(
            _MEMBERSHIPS, {"of_source": source, "fingerprints": list(fingerprints[first : first + _KEYS])}
        )
        found |= {int(row.subject[5:]) for row in rows if row.subject.startswith("HOLD-") and row.firing}
    return [
        load(body, Hold) for body in (tx.conn.execute(_PLAIN_HOLD, {"b_id": one}).scalar() for one in found) if body
    ]


def incidents_after(tx: Tx, after: int, most: int) -> list[tuple[int, bool]]:
    """Give the numbers of the next incidents after this one, and whether each is open."""
    return [(row.id, row.open) for row in tx.conn.execute(_INCIDENTS_AFTER, {"after": after, "most": most})]


def firing_rules(tx: Tx, subject: str) -> list[str]:
    """Name the rules that decided about the alerts of a hold or incident that fire."""
    return list(tx.conn.execute(_FIRING_RULES, {"of": subject}).scalars())


def close_members(tx: Tx, subject: str) -> None:
    """Say that a hold or incident follows its alerts no longer."""
    tx.conn.execute(_CLOSE, {"of": subject})


def copy_members(tx: Tx, *, of: str, to: str) -> None:
    """Make an incident about the alerts that its hold was about."""
    locks.subject(tx, to)
    before = firing(tx, to)
    tx.conn.execute(_COPY[tx.dialect], {"of": of, "to": to})
    change = tx.conn.execute(_COUNTED, {"of": to}).scalar_one() - before
    _count_in(tx, to, change)


def leave(tx: Tx, subject: str, alerts: Iterable[tuple[str, str]]) -> None:
    """Take alerts (source, fingerprint) out of a hold or incident: they belong to another one from here."""
    gone = list(alerts)
    change = -_fired_before(tx, subject, gone)
    by_source: dict[str, list[str]] = {}
    for source, fingerprint in gone:
        by_source.setdefault(source, []).append(fingerprint)
    for source, its in by_source.items():
        for first in range(0, len(its), _KEYS):
            tx.execute(_LEAVE, {"of": subject, "of_source": source, "fingerprints": its[first : first + _KEYS]})
    _count_in(tx, subject, change)


def take_up_members(tx: Tx, subject: str) -> int:
    """Follow again the alerts of an incident that was over, as they stand now; gives how many of them fire."""
    rows = tx.execute(_STATUS, {"of": subject}).all()
    join(tx, subject, [(row.source, row.fingerprint, row.status != "resolved") for row in rows])
    return firing(tx, subject)
