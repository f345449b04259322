"""How much there is of what lasts, for the gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, select

from incidentd.metrics import StateCounts
from incidentd.playbooks import RunState
from incidentd.roles import MAIN
from incidentd.store import items, switching
from incidentd.store import tables as t
from incidentd.store.base import Tx


def _by(table: Table, *columns: str, where: ColumnElement[bool] | None = None) -> Select[Any]:
    groups = [table.c[column] for column in columns]
    statement = select(*groups, func.count().label("number")).group_by(*groups)
    return statement if where is None else statement.where(where)


_HOLDS = _by(t.hold, "state", "severity", where=t.hold.c.open.is_(True)).add_columns(
    func.min(t.hold.c.opened_at).label("oldest")
)
_INCIDENTS = _by(t.incident, "status", "severity", where=t.incident.c.open.is_(True) & t.incident.c.drill.is_(False))
_DRILLS = select(t.incident.c.id).where(t.incident.c.drill.is_(True))
_POSTMORTEMS = _by(t.postmortem, "state", where=t.postmortem.c.incident_id.not_in(_DRILLS))
# of each late one its incident is looked up: a join would go through all incidents instead; what is part of another
# incident owes no postmortem of its own
_SEVERITY = (
    select(t.incident.c.severity)
    .where(t.incident.c.id == t.postmortem.c.incident_id, t.incident.c.drill.is_(False))
    .where(t.incident.c.status != "merged")
    .scalar_subquery()
)
_POSTMORTEMS_LATE = (
    select(_SEVERITY.label("of_severity"), func.count().label("number"))
    .where(t.postmortem.c.due_at < bindparam("now"), t.postmortem.c.state.not_in(("published", "closed")))
    .group_by("of_severity")
)
_ITEMS = _by(t.action_item, "state", "priority", where=t.action_item.c.drill.is_(False))
_ITEMS_OVERDUE = _by(
    t.action_item, "priority",
    where=t.action_item.c.drill.is_(False)
    & t.action_item.c.state.not_in(("proposed", "done", "declined"))
    & (t.action_item.c.due < bindparam("today")),
)  # fmt: skip
_OVERDUE = (
    select(t.update_promise.c.audience, t.incident.c.severity, func.count().label("number"))
    .join_from(t.update_promise, t.incident, t.incident.c.id == t.update_promise.c.incident_id)
    .where(t.update_promise.c.due_at < bindparam("now"), t.incident.c.drill.is_(False))
    .group_by(t.update_promise.c.audience, t.incident.c.severity)
)
_HELD = (
    select(t.role_assignment.c.role, t.incident.c.severity, func.count().label("number"))
    .join_from(t.role_assignment, t.incident, t.incident.c.id == t.role_assignment.c.incident_id)
    .where(t.incident.c.open.is_(True), t.incident.c.drill.is_(False))
    .where(t.role_assignment.c.until.is_(None), t.role_assignment.c.state == "accepted")
    .group_by(t.role_assignment.c.role, t.incident.c.severity)
)
_RUNS = select(func.count()).where(t.playbook_run.c.state.in_([RunState.RUNNING, RunState.VERIFYING]))
# what asks Jira how things stand is no write that waits
_JOBS = _by(t.job, "queue", where=(t.job.c.state == "live") & t.job.c.kind.not_in(("sync", "look")))
_INBOX = select(func.count(), func.min(t.inbox.c.at)).where(t.inbox.c.done.is_(False))


def state_counts(tx: Tx) -> StateCounts:
    """Count holds, incidents, action items, postmortems, runs and what waits in the inbox and the outboxes."""
    run = tx.conn.execute
    jobs = {row.queue: row.number for row in run(_JOBS)}
    waiting, oldest_received = run(_INBOX).one()
    holds = run(_HOLDS).all()
    incidents = {(row.status, row.severity): row.number for row in run(_INCIDENTS)}
    return StateCounts(
        holds={(row.state, row.severity): row.number for row in holds},
        hold_oldest_start=_unix(min((row.oldest for row in holds), default=None)),
        incidents=incidents,
        roles_vacant=_vacant(tx, incidents),
        updates_overdue={(row.audience, row.severity): row.number for row in run(_OVERDUE, {"now": tx.now})},
        action_items={(row.state, row.priority): row.number for row in run(_ITEMS)},
        items_overdue={row.priority: row.number for row in run(_ITEMS_OVERDUE, {"today": tx.now.date()})},
        jira_synced=_unix(items.synced_at(tx)),
        postmortems={row.state: row.number for row in run(_POSTMORTEMS)},
        postmortems_overdue={
            row.of_severity: row.number for row in run(_POSTMORTEMS_LATE, {"now": tx.now}) if row.of_severity
        },
        playbook_runs=run(_RUNS).scalar_one(),
        switched_off=frozenset(switching.switches(tx)),
        notification_outbox=jobs.get("notify", 0),
        jira_outbox=jobs.get("jira", 0),
        document_outbox=jobs.get("export", 0),
        inbox=waiting,
        inbox_oldest_received=_unix(oldest_received),
    )


def _vacant(tx: Tx, incidents: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Count by role and severity the incidents that have nobody in it; drills are in no metric."""
    held = {(row.role, row.severity): row.number for row in tx.conn.execute(_HELD)}
    active: Counter[str] = Counter()
    for (_, severity), number in incidents.items():
        active[severity] += int(number)
    return {
        (role.short, severity): number - held.get((role.value, severity), 0)
        for severity, number in active.items()
        for role in MAIN
    }


def _unix(at: datetime | None) -> float:
    return 0 if at is None else at.timestamp()
