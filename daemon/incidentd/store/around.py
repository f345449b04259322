"""What stands around an incident: where to look, and past incidents that are like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from incidentd.document import Alike, Pointer, Span, alike, helped, query_link, within
from incidentd.holds import Hold, Watch
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import merged, subjects, things
from incidentd.store.base import Tx, load
from incidentd.store.tables import incident, member
from incidentd.text import plain

_ANNOTATED = (
    ("Runbook", ("runbook_url", "runbook")),
    ("Dashboard", ("dashboard_url", "dashboard")),
)
_MOST_OF_A_KIND, _MOST_ALERTS = 10, 50
_LATEST, _OF_KEY = 200, 20
"""How many past incidents are looked at: the latest ones, and those of the same correlation however old."""

_ANY = 2**31 - 1
_BEFORE = (incident.c.id < bindparam("before"), incident.c.open.is_(False))
_PAST = select(incident.c.id, incident.c.body).where(*_BEFORE).order_by(incident.c.id.desc()).limit(_LATEST)
_SAME_KEY = (
    select(incident.c.id, incident.c.body)
    .where(*_BEFORE, incident.c.source == bindparam("of_source"), incident.c.correlation_key == bindparam("key"))
    .order_by(incident.c.id.desc())
    .limit(_OF_KEY)
)
_LAST_OF_KEY = _SAME_KEY.limit(1)
_LAST_BEFORE_HOLD = _LAST_OF_KEY.where(incident.c.declared_at < bindparam("opened"))
_SHARED = (
    select(member.c.subject, func.count().label("number"))
    .where(member.c.subject.in_(bindparam("keys", expanding=True)))
    .where(member.c.fingerprint.in_(bindparam("fingerprints", expanding=True)))
    .group_by(member.c.subject)
)


def pointers(
    tx: Tx, settings: Settings, about: Incident | Hold, span: Span, alerts: Iterable[Row[Any]]
) -> tuple[Pointer, ...]:  # fmt: skip
    """List where to look: what the alerts name in their annotations, their sources, and what the hold measures."""
    found: dict[tuple[str, str], Pointer] = {}
    for row in alerts:
        what = plain(row.labels.get("alertname", ""), 200)
        named = [(kind, row.annotations.get(key, "")) for kind, keys in _ANNOTATED for key in keys]
        for kind, url in (*named, ("Query", row.generator_url)):
            if url.startswith(("http://", "https://")):
                found.setdefault((kind, url), Pointer(kind=kind, what=what, url=within(url, span)))
    source = settings.sources.get(about.source)
    if source is not None and source.prometheus is not None:
        for watch in _watches(tx, about):
            if watch.promql:
                url = query_link(source.prometheus.url, watch.promql, span)
                found[("Progress", url)] = Pointer(kind="Progress", what=plain(watch.promql, 200), url=url)
    return tuple(
        one
        for kind in ("Runbook", "Dashboard", "Query", "Progress")
        for one in [it for it in found.values() if it.kind == kind][:_MOST_OF_A_KIND]
    )


def _watches(tx: Tx, about: Incident | Hold) -> tuple[Watch, ...]:
    if isinstance(about, Hold):
        return about.watches
    return subjects.get_hold(tx, about.hold_id).watches if about.hold_id is not None else ()


def similar(tx: Tx, it: Incident) -> tuple[Alike, ...]:
    """Find past incidents that are like this one, with what fixed them."""
    bodies = {row.id: row.body for row in tx.conn.execute(_PAST, {"before": it.id})}
    if it.correlation_key:
        key = {"before": it.id, "of_source": it.source, "key": it.correlation_key}
        bodies |= {row.id: row.body for row in tx.conn.execute(_SAME_KEY, key)}
    if not bodies:
        return ()
    past = [load(body, Incident) for body in bodies.values()]
    found = alike(it, past, _shared(tx, it, [one.key for one in past]))
    return tuple(_with_what_helped(tx, one) for one in found)


def before(tx: Tx, about: Incident | Hold) -> Alike | None:
    """Find the last incident of the same correlation that is over, from before this; None when there was none."""
    if not about.correlation_key:
        return None
    key = {"of_source": about.source, "key": about.correlation_key}
    if isinstance(about, Incident):
        row = tx.conn.execute(_LAST_OF_KEY, {**key, "before": about.id}).one_or_none()
    else:
        row = tx.conn.execute(_LAST_BEFORE_HOLD, {**key, "before": _ANY, "opened": about.opened_at}).one_or_none()
    return None if row is None else Alike(incident=load(row.body, Incident), why=("the same correlation",))


def _shared(tx: Tx, it: Incident, keys: list[str]) -> dict[str, int]:
    ours = [one.fingerprint for one in subjects.members(tx, it.key)[:_MOST_ALERTS]]
    if not ours:
        return {}
    rows = tx.conn.execute(_SHARED, {"keys": keys, "fingerprints": ours})
    return {row.subject: row.number for row in rows}


def _with_what_helped(tx: Tx, one: Alike) -> Alike:
    it = one.incident
    runs = [*things.runs_of(tx, f"HOLD-{it.hold_id}")] if it.hold_id is not None else []
    return replace(one, helped=helped([*runs, *things.runs_of(tx, it.key)]), items=tuple(merged.items_of(tx, it)))
