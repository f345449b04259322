"""The groups that Alertmanager sends: how many alerts each left out, and who is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import bindparam, select

from incidentd.alerts import AlertGroup
from incidentd.store.base import Tx, both
from incidentd.store.bulk import AT_ONCE, parts
from incidentd.store.tables import alert_group, group_member

_GROUP = both(
    lambda insert: (new := insert(alert_group)).on_conflict_do_update(
        index_elements=["source", "receiver", "group_key_hash"],
        set_={"truncated": new.excluded.truncated, "seen_at": new.excluded.seen_at},
    )
)
_GROUP_IDS = select(alert_group.c.id, alert_group.c.source, alert_group.c.receiver, alert_group.c.group_key_hash).where(
    alert_group.c.group_key_hash.in_(bindparam("digests", expanding=True))
)
_MEMBERS = select(group_member).where(group_member.c.group_id.in_(bindparam("groups", expanding=True)))
_IN_GROUP = both(
    lambda insert: (new := insert(group_member)).on_conflict_do_update(
        index_elements=["group_id", "fingerprint"], set_={"present": new.excluded.present}
    )
)
_LONGEST_RECEIVER = 500
"""Characters, of at most four bytes each: PostgreSQL takes no row of more than 2,704 bytes into an index."""


def put(tx: Tx, received: Iterable[tuple[str, datetime, AlertGroup]]) -> None:
    """Bring the groups of a source up to date that were received then: the last body of each says who is in it."""
    latest: dict[tuple[str, str, str], tuple[datetime, AlertGroup]] = {}
    for source, at, group in received:
        if group.alerts:
            digest = hashlib.sha256(group.group_key.encode()).hexdigest()
            latest[(source, _receiver(group.receiver), digest)] = (at, group)
    rows = [
        {
            "source": key[0], "receiver": key[1], "group_key_hash": key[2], "group_key": group.group_key,
            "truncated": group.truncated, "seen_at": at,
        }
        for key, (at, group) in latest.items()
    ]  # fmt: skip
    tx.many(_GROUP[tx.dialect], rows)
    ids = _group_ids(tx, [key[2] for key in latest])
    _store_members(tx, {ids[key]: group for key, (_, group) in latest.items()})


def _receiver(name: str) -> str:
    """Give the name of a receiver; of one that is too long for an index its beginning, with the hash of all."""
    if len(name) <= _LONGEST_RECEIVER:
        return name
    return f"{name[:200]}… {hashlib.sha256(name.encode()).hexdigest()}"


def _group_ids(tx: Tx, digests: list[str]) -> dict[tuple[str, str, str], int]:
    return {
        (row.source, row.receiver, row.group_key_hash): row.id
        for part in parts(digests, AT_ONCE)
        for row in tx.conn.execute(_GROUP_IDS, {"digests": part})
    }


def _store_members(tx: Tx, groups: Mapping[int, AlertGroup]) -> None:
    """Note who is in each group, and who is no longer; a group that is as it was costs nothing."""
    before: dict[int, dict[str, bool]] = {group_id: {} for group_id in groups}
    for part in parts(sorted(groups), AT_ONCE):
        for row in tx.conn.execute(_MEMBERS, {"groups": part}):
            before[row.group_id][row.fingerprint] = row.present
    changed = []
    for group_id, group in groups.items():
        present = {it.fingerprint for it in group.alerts}
        known = before[group_id]
        changed += [(group_id, fingerprint, True) for fingerprint in present if not known.get(fingerprint)]
        if not group.truncated:  # what a cut list does not hold may still be in the group
            changed += [(group_id, name, False) for name, was in known.items() if was and name not in present]
    rows = [{"group_id": group_id, "fingerprint": name, "present": on} for group_id, name, on in sorted(changed)]
    tx.many(_IN_GROUP[tx.dialect], rows)
