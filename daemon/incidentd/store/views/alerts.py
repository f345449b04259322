"""The known state of the alerts, found by state, matchers and text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, select, tuple_

from incidentd.errors import BadRequest
from incidentd.matchers import Matcher
from incidentd.store.base import Tx
from incidentd.store.tables import alert, alert_group, group_member
from incidentd.store.views.paging import Ask, Listed, holds_text, read_cursor, scan, write_cursor
from incidentd.text import iso

STATES = ("firing", "resolved", "suppressed", "unknown")

_GROUPS = (
    select(group_member.c.fingerprint, alert_group.c.receiver, alert_group.c.group_key, group_member.c.present)
    .join_from(group_member, alert_group, group_member.c.group_id == alert_group.c.id)
    .where(
        alert_group.c.source == bindparam("source"),
        group_member.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
    )
    .order_by(alert_group.c.id)
)


def alerts(tx: Tx, ask: Ask, matchers: Sequence[Matcher] = ()) -> Listed:
    """List alerts by source and fingerprint, those that all matchers match; `q` looks at labels and annotations."""
    if ask.state and ask.state not in STATES:
        raise BadRequest(f"there is no state {ask.state[:40]!r} here; there are {', '.join(STATES)}")
    start = read_cursor(ask.cursor, tuple[str, str]) if ask.cursor else None
    rows, last = scan(
        tx,
        lambda key: _after(key, ask.state),
        start=start,
        key=lambda row: (row.source, row.fingerprint),
        keep=(lambda row: _wanted(row, matchers, ask.q)) if matchers or ask.q else None,
        limit=ask.limit,
    )
    return Listed(written(tx, rows), None if last is None else write_cursor(last))


def written(tx: Tx, rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Write rows of the alert table for the API, each with the groups that it came in."""
    rows = list(rows)
    groups = _groups(tx, rows)
    return [{**_alert(row), "groups": groups[row.source, row.fingerprint]} for row in rows]


def _after(key: tuple[str, str] | None, state: str) -> Select[Any]:
    statement = select(alert).order_by(alert.c.source, alert.c.fingerprint)
    if state:
        statement = statement.where(alert.c.status == state)
    if key:
        statement = statement.where(tuple_(alert.c.source, alert.c.fingerprint) > tuple_(*key))
    return statement


def _wanted(row: Row[Any], matchers: Sequence[Matcher], q: str) -> bool:
    if not all(matcher.matches(row.labels) for matcher in matchers):
        return False
    return not q or holds_text(q, *row.labels, *row.labels.values(), *row.annotations, *row.annotations.values())


def _alert(row: Row[Any]) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint, "status": row.status, "labels": row.labels, "annotations": row.annotations,
        "starts_at": iso(row.starts_at), "ends_at": iso(row.ends_at), "source": row.source,
        "generator_url": row.generator_url, "seen_at": iso(row.seen_at), "changed_at": iso(row.changed_at),
        "decided": not row.undecided, "decision": row.decision, "rule": row.rule, "reason": row.reason,
        "subject": row.subject,
    }  # fmt: skip


def _groups(tx: Tx, rows: Sequence[Row[Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    of_source: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        of_source[row.source].append(row.fingerprint)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for source, fingerprints in of_source.items():
        for found in tx.conn.execute(_GROUPS, {"source": source, "fingerprints": fingerprints}):
            group = {"receiver": found.receiver, "group_key": found.group_key, "present": found.present}
            groups[source, found.fingerprint].append(group)
    return groups
