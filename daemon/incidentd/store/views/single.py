"""One of each by its id, with what belongs to it; and what is happening now, in one look."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Table, bindparam, select

from incidentd.errors import NotFound
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.pages import Page
from incidentd.playbooks.refusals import title
from incidentd.store import merged, refusals, subjects, summaries, switching, things
from incidentd.store import tables as t
from incidentd.store.around import before
from incidentd.store.base import Tx, load
from incidentd.store.views import lists
from incidentd.store.views.alerts import written
from incidentd.store.views.paging import Ask
from incidentd.store.views.shapes import shape
from incidentd.text import iso

_ID = re.compile(r"(?:([A-Za-z]{2,5})-)?([0-9]{1,18})")
_LAST = 10

_MEMBERS = (
    select(t.alert, t.member.c.firing.label("member_firing"))
    .join_from(
        t.member, t.alert, (t.member.c.source == t.alert.c.source) & (t.member.c.fingerprint == t.alert.c.fingerprint)
    )
    .where(t.member.c.subject == bindparam("about"))
    .order_by(t.member.c.joined_at, t.member.c.fingerprint)
    .limit(1000)
)
_STEPS = (
    select(t.playbook_step)
    .where(t.playbook_step.c.run_id == bindparam("run_id"))
    .order_by(t.playbook_step.c.started_at, t.playbook_step.c.phase.desc(), t.playbook_step.c.idx)
)
_POSTMORTEM = select(t.postmortem).where(t.postmortem.c.incident_id == bindparam("incident_id"))
_INCIDENT_OF_HOLD = select(t.incident.c.id).where(t.incident.c.hold_id == bindparam("hold_id"))


def _ids_about(table: Table) -> Any:
    return select(table.c.id).where(table.c.subject == bindparam("about")).order_by(table.c.id)


_PAGES_ABOUT, _RUNS_ABOUT = (_ids_about(table) for table in (t.page, t.playbook_run))


def speakable(text: str, prefix: str) -> int:
    """Read an id as people say it (`INC-12`, or just `12`). Raises NotFound for anything else, saying how ids look."""
    found = _ID.fullmatch(text)
    if found is None or (found[1] or prefix).upper() != prefix:
        raise NotFound(f"there is no {text[:40]!r} here; ids look like {prefix}-12")
    return int(found[2])


def hold(tx: Tx, hold_id: int) -> dict[str, Any]:
    """Give a hold with its alerts, pages and runs. Raises NotFound."""
    key = f"HOLD-{hold_id}"
    incident_id = tx.conn.execute(_INCIDENT_OF_HOLD, {"hold_id": hold_id}).scalar()
    became = f"INC-{incident_id}" if incident_id else None
    joined = next((f"PAGE-{it.joined}" for it in reversed(things.pages_of(tx, key)) if it.joined), None)
    found = subjects.get_hold(tx, hold_id)
    last = before(tx, found)
    return {
        **shape(found), "incident": became, **_about(tx, key), "joined": joined,
        "before": last.line if last else "",
    }  # fmt: skip


def incident(tx: Tx, incident_id: int) -> dict[str, Any]:
    """Give an incident with its alerts, pages, runs, action items and how its postmortem stands. Raises NotFound."""
    key = f"INC-{incident_id}"
    it = subjects.get_incident(tx, incident_id)
    row = tx.conn.execute(_POSTMORTEM, {"incident_id": incident_id}).first()
    learned = None if row is None else {"state": row.state, "owner": row.owner, "due_at": iso(row.due_at)}
    items = [item.key for item in merged.items_of(tx, it)]
    return {**shape(it), **_about(tx, key), "action_items": items, "postmortem": learned}


def page(tx: Tx, page_id: int) -> dict[str, Any]:
    """Give a page; of a summary page also what guards refused and which holds it calls for. Raises NotFound."""
    found = things.get_page(tx, page_id)
    if not found.is_summary:
        return shape(found)
    sums = refusals.sums(tx, found.policy, found.urgency, page_id)
    refused = [
        {
            "playbook": it.playbook, "guard": it.guard, "runs": it.number, "reason": it.reason,
            "targets": list(it.targets),
        }
        for it in sums
    ]  # fmt: skip
    calls_for = [
        {
            "page": f"PAGE-{it.page}", "subject": it.subject, "state": it.state.value, "hold": it.hold.value,
            "severity": it.severity, "title": it.title,
        }
        for it in summaries.joined_to(tx, page_id)
    ]  # fmt: skip
    named = {"title": title(sums)} if sums else {}
    return {**shape(found), **named, "refused": refused, "calls_for": calls_for}


def page_with_subject(tx: Tx, page_id: int) -> tuple[Page, str]:
    """Give a page and the severity of what it is about. Raises NotFound."""
    found = things.get_page(tx, page_id)
    if found.is_summary:
        return found, ""
    about = t.hold if found.subject.startswith("HOLD-") else t.incident
    number = int(found.subject.rpartition("-")[2])
    severity = tx.conn.execute(select(about.c.severity).where(about.c.id == number)).scalar()
    return found, severity or ""


def run(tx: Tx, run_id: int) -> dict[str, Any]:
    """Give a playbook run with its steps, and how its version stands where runs changed that. Raises NotFound."""
    made = things.get_run(tx, run_id)
    stands = switching.standing(tx, made.playbook, made.sha256)
    found = {**shape(made), "version_stands": stands.mode.value if stands else None}
    found["version_because"] = stands.why if stands else ""
    steps = [
        {
            "phase": row.phase, "index": row.idx, "name": row.name, "state": row.state,
            "started_at": iso(row.started_at), "finished_at": iso(row.finished_at), "summary": row.summary,
            "output": row.output,
        }
        for row in tx.conn.execute(_STEPS, {"run_id": run_id})
    ]  # fmt: skip
    return {**found, "steps": steps}


def action_item(tx: Tx, item_id: int) -> dict[str, Any]:
    """Give an action item. Raises NotFound."""
    return shape(things.get_item(tx, item_id))


def postmortem(tx: Tx, incident_id: int) -> dict[str, Any]:
    """Give the postmortem of an incident. Raises NotFound, with what is missing: the incident or its postmortem."""
    row = tx.conn.execute(_POSTMORTEM, {"incident_id": incident_id}).first()
    if row is None:
        subjects.get_incident(tx, incident_id)
        raise NotFound(f"INC-{incident_id} has no postmortem; one is drafted when it is resolved, if its severity asks")
    return {
        "incident": f"INC-{incident_id}", "state": row.state, "owner": row.owner, "due_at": iso(row.due_at),
        "drafted_at": iso(row.drafted_at), "markdown": row.markdown,
    }  # fmt: skip


def overview(tx: Tx) -> dict[str, list[dict[str, Any]]]:
    """Say what is happening now: what is open, and what ended last."""
    now = Ask(state="open", limit=200)
    ended = (
        select(t.hold).where(t.hold.c.open.is_(False)).order_by(t.hold.c.ended_at.desc()).limit(_LAST),
        select(t.incident).where(t.incident.c.open.is_(False)).order_by(t.incident.c.id.desc()).limit(_LAST),
    )
    done_holds, done_incidents = (tx.conn.execute(statement).all() for statement in ended)
    return {
        "incidents": lists.incidents(tx, now).items,
        "holds": lists.holds(tx, now).items,
        "pages": lists.pages(tx, now, joined=False).items,
        "runs": lists.runs(tx, Ask(state="active", limit=200)).items,
        "ended_incidents": [shape(load(row.body, Incident)) for row in done_incidents],
        "ended_holds": [shape(load(row.body, Hold)) for row in done_holds],
    }


def _about(tx: Tx, key: str) -> dict[str, Any]:
    members = tx.conn.execute(_MEMBERS, {"about": key}).all()
    return {
        "alerts": written(tx, members),
        "pages": _keys(tx, _PAGES_ABOUT, "PAGE", key),
        "runs": _keys(tx, _RUNS_ABOUT, "RUN", key),
    }


def _keys(tx: Tx, statement: Any, prefix: str, about: str) -> list[str]:
    return [f"{prefix}-{row.id}" for row in tx.conn.execute(statement, {"about": about})]
