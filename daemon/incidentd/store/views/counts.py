"""How much there is of what lasts, for the gauges."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select

from incidentd.metrics import StateCounts
from incidentd.playbooks import RunState
from incidentd.store import switching
from incidentd.store import tables as t
from incidentd.store.base import Tx


def _by(table: Table, *columns: str, where: ColumnElement[bool] | None = None) -> Select[Any]:
    groups = [table.c[column] for column in columns]
    statement = select(*groups, func.count().label("number")).group_by(*groups)
    return statement if where is None else statement.where(where)


_HOLDS = _by(t.hold, "state", "severity", where=t.hold.c.open.is_(True))
_OLDEST_HOLD = select(func.min(t.hold.c.opened_at)).where(t.hold.c.open.is_(True))
_INCIDENTS = _by(t.incident, "status", "severity", where=t.incident.c.open.is_(True))
_ITEMS = _by(t.action_item, "state", "priority")
_POSTMORTEMS = _by(t.postmortem, "state")
_RUNS = select(func.count()).where(t.playbook_run.c.state.in_([RunState.RUNNING, RunState.VERIFYING]))
_JOBS = _by(t.job, "queue", where=t.job.c.state == "live")
_INBOX = select(func.count(), func.min(t.inbox.c.at)).where(t.inbox.c.done.is_(False))


def state_counts(tx: Tx) -> StateCounts:
    """Count holds, incidents, action items, postmortems, runs and what waits in the inbox and the outboxes."""
    run = tx.conn.execute
    jobs = {row.queue: row.number for row in run(_JOBS)}
    waiting, oldest_received = run(_INBOX).one()
    return StateCounts(
        holds={(row.state, row.severity): row.number for row in run(_HOLDS)},
        hold_oldest_start=_unix(run(_OLDEST_HOLD).scalar()),
        incidents={(row.status, row.severity): row.number for row in run(_INCIDENTS)},
        action_items={(row.state, row.priority): row.number for row in run(_ITEMS)},
        postmortems={row.state: row.number for row in run(_POSTMORTEMS)},
        playbook_runs=run(_RUNS).scalar_one(),
        switched_off=frozenset(switching.switches(tx)),
        notification_outbox=jobs.get("notify", 0),
        jira_outbox=jobs.get("jira", 0),
        inbox=waiting,
        inbox_oldest_received=_unix(oldest_received),
    )


def _unix(at: datetime | None) -> float:
    return 0 if at is None else at.timestamp()
