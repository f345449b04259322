"""Pages, playbook runs, action items, postmortems and references to other systems: stored, saved, found."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, literal_column, or_, select, union_all, update
from sqlalchemy.exc import IntegrityError

from incidentd.actionitems import ActionItem
from incidentd.errors import Conflict, NotFound
from incidentd.links import UsedLink
from incidentd.pages import Page
from incidentd.playbooks import FINISHED, Run, RunState, StepResult, StepState
from incidentd.store import locks
from incidentd.store.base import Read, Tx, both, dump, load, new_id
from incidentd.store.tables import action_item, external_ref, link_use, page, playbook_run, playbook_step, postmortem

# -- pages -----------------------------------------------------------------------------------------------------------

_PAGE = Read(select(page.c.body).where(page.c.id == bindparam("b_id")))
_PAGES_OF = Read(select(page.c.body).where(page.c.subject == bindparam("of")).order_by(page.c.id))
# not a look and then an insert: of two at once the second waits for the first here, and finds its row
_USE_LINK = both(
    lambda insert: insert(link_use).on_conflict_do_nothing(index_elements=["nonce"]).returning(literal_column("1"))
)
_LINK_USED = select(link_use.c.at).where(link_use.c.nonce == bindparam("of"))
_SAVE_PAGE = update(page).where(page.c.id == bindparam("b_id"))


def insert_page(tx: Tx, new: Page) -> Page:
    """Store a new page and give it its id."""
    made = new_id(tx, page, _page_row(new))
    new = replace(new, id=made)
    save_page(tx, new)
    return new


def save_page(tx: Tx, changed: Page) -> None:
    """Store what became of a page."""
    tx.later(page, _SAVE_PAGE, changed.id, {"b_id": changed.id, **_page_row(changed)}, marks=[changed.subject])


def get_page(tx: Tx, page_id: int) -> Page:
    """Read a page. Raises NotFound."""
    locks.about(tx, page, page_id)
    body = tx.execute(_PAGE.of(tx), {"b_id": page_id}, beside=None if tx.waits(page, page_id) else page).scalar()
    if body is None:
        raise NotFound(f"there is no PAGE-{page_id}")
    return load(body, Page)


def pages_of(tx: Tx, subject: str) -> list[Page]:
    """List the pages of a hold or incident, oldest first."""
    locks.subject(tx, subject)
    beside = None if tx.waits(page, subject) else page
    return [load(body, Page) for body in tx.execute(_PAGES_OF.of(tx), {"of": subject}, beside=beside).scalars()]


def use_link(tx: Tx, nonce: str) -> None:
    """Note that an action link acted. Raises UsedLink when it did so before."""
    if tx.conn.execute(_USE_LINK[tx.conn.dialect.name], {"nonce": nonce, "at": tx.now}).first() is None:
        raise UsedLink("this link was used already")


def was_used(tx: Tx, nonce: str) -> bool:
    """Say whether an action link acted."""
    return tx.conn.execute(_LINK_USED, {"of": nonce}).one_or_none() is not None


def _page_row(it: Page) -> dict[str, Any]:
    return {
        "subject": it.subject, "state": it.state.value, "title": it.title, "started_at": it.started_at,
        "body": dump(it), "joined": it.joined or None,
    }  # fmt: skip


# -- playbook runs ---------------------------------------------------------------------------------------------------

_RUN = Read(select(playbook_run.c.body).where(playbook_run.c.id == bindparam("b_id")))
_RUNS_OF = select(playbook_run.c.body).where(playbook_run.c.subject == bindparam("of")).order_by(playbook_run.c.id)
_SAVE_RUN = update(playbook_run).where(playbook_run.c.id == bindparam("b_id"))
_LONGEST = timedelta(days=7)
"""Of a run: what took longer, with a day for each of its questions, is found by its end no more."""
_RUN_BODIES = select(playbook_run.c.body)
# two reads in one, each by its own index; what is found by both is known by its id
_RECENT = union_all(
    _RUN_BODIES.where(
        playbook_run.c.started_at >= bindparam("reaching"),
        or_(playbook_run.c.started_at >= bindparam("since"), playbook_run.c.finished_at >= bindparam("since")),
    ),
    _RUN_BODIES.where(playbook_run.c.active.is_(True)),
)
_STALE = timedelta(hours=24)
"""A run that waited for so long is for another world by now."""
_WAITING = (
    select(playbook_run.c.body)
    .where(playbook_run.c.started_at >= bindparam("since"), playbook_run.c.state.in_(("proposed", "running")))
    .order_by(playbook_run.c.id)
)
_STEP = both(
    lambda insert: (new := insert(playbook_step)).on_conflict_do_update(
        index_elements=["run_id", "phase", "idx"],
        set_={
            name: getattr(new.excluded, name) for name in ("state", "started_at", "finished_at", "summary", "output")
        },
    )
)
_STEP_STATE = select(playbook_step.c.state).where(
    playbook_step.c.run_id == bindparam("b_run"),
    playbook_step.c.phase == bindparam("of_phase"),
    playbook_step.c.idx == bindparam("at_idx"),
)


_STEP_BEGAN = _STEP_STATE.with_only_columns(playbook_step.c.started_at)


def insert_run(tx: Tx, new: Run) -> Run:
    """Store a new run and give it its id. Raises Conflict when another run works on the same target."""
    row = _run_row(new)
    busy = select(func.count()).where(playbook_run.c.target == new.target, playbook_run.c.active.is_(True))
    if row["active"] and tx.conn.execute(busy).scalar():
        raise Conflict(f"another run works on {new.target}")
    made = new_id(tx, playbook_run, row)
    new = replace(new, id=made)
    save_run(tx, new)
    return new


def save_run(tx: Tx, changed: Run) -> None:
    """Store what became of a run. Raises Conflict when another run works on the same target."""
    conn = tx.conn
    try:
        conn.execute(_SAVE_RUN, {"b_id": changed.id, **_run_row(changed)})
    except IntegrityError:
        raise Conflict(f"another run works on {changed.target}") from None


def get_run(tx: Tx, run_id: int) -> Run:
    """Read a run. Raises NotFound."""
    locks.about(tx, playbook_run, run_id)
    body = tx.conn.execute(_RUN.of(tx), {"b_id": run_id}).scalar()
    if body is None:
        raise NotFound(f"there is no RUN-{run_id}")
    return load(body, Run)


def runs_of(tx: Tx, subject: str) -> list[Run]:
    """List the runs of a hold or incident, oldest first."""
    return [load(body, Run) for body in tx.conn.execute(_RUNS_OF, {"of": subject}).scalars()]


def recent_runs(tx: Tx, since: datetime) -> list[Run]:
    """List the runs that began or ended since then or are at work, the oldest first.

    Those that were refused before they changed anything are left out. Nobody else begins one until the unit ends.
    """
    locks.automation(tx)
    found = tx.conn.execute(_RECENT, {"since": since, "reaching": since - _LONGEST}).scalars()
    runs = {run.id: run for run in (load(body, Run) for body in found)}
    return [run for _, run in sorted(runs.items()) if run.state is not RunState.REFUSED or not run.untouched]


def waiting_runs(tx: Tx) -> list[Run]:
    """List the runs, none older than a day, that are proposed or in a step; nothing is locked by that."""
    return [load(body, Run) for body in tx.conn.execute(_WAITING, {"since": tx.now - _STALE}).scalars()]


def step_started(tx: Tx, run: Run, idx: int, name: str) -> None:
    """Say that a step begins; it stays so when a crash falls into it."""
    _write_step(tx, run, idx, {"name": name, "state": StepState.STARTED.value, "started_at": tx.now})


def step_ended(tx: Tx, run: Run, idx: int, *, name: str, state: StepState, result: StepResult, began: datetime) -> None:
    """Say how a step ended."""
    row = {
        "name": name, "state": state.value, "started_at": began, "finished_at": tx.now, "summary": result.summary,
        "output": result.output,
    }  # fmt: skip
    _write_step(tx, run, idx, row)


def step_state(tx: Tx, run: Run, idx: int) -> StepState | None:
    """Say how a step of a run stands; None when it never began."""
    found = tx.conn.execute(_STEP_STATE, {"b_run": run.id, "of_phase": run.phase, "at_idx": idx}).scalar()
    return None if found is None else StepState(found)


def step_began(tx: Tx, run: Run, idx: int) -> datetime | None:
    """Say when a step of a run began; None when it never did."""
    key = {"b_run": run.id, "of_phase": run.phase, "at_idx": idx}
    found: datetime | None = tx.conn.execute(_STEP_BEGAN, key).scalar()
    return found


def _write_step(tx: Tx, run: Run, idx: int, row: dict[str, Any]) -> None:
    blank = {"finished_at": None, "summary": "", "output": ""}
    tx.conn.execute(_STEP[tx.dialect], {**blank, **row, "run_id": run.id, "phase": run.phase, "idx": idx})


def _run_row(it: Run) -> dict[str, Any]:
    return {
        "subject": it.subject, "playbook": it.playbook, "target": it.target, "state": it.state.value,
        "active": it.state not in FINISHED and it.state != "proposed", "started_at": it.started_at,
        "finished_at": it.finished_at, "body": dump(it),
    }  # fmt: skip


# -- action items, postmortems, references ---------------------------------------------------------------------------

_ITEM = Read(select(action_item.c.body).where(action_item.c.id == bindparam("b_id")))
_ITEMS_OF = select(action_item.c.body).where(action_item.c.subject == bindparam("of")).order_by(action_item.c.id)
_TICKET = (
    select(action_item.c.body)
    .where(
        action_item.c.source == bindparam("of_source"),
        action_item.c.correlation_key == bindparam("key"),
        action_item.c.state.not_in(("done", "declined", "proposed")),
    )
    .order_by(action_item.c.id.desc())
    .limit(1)
)
_SAVE_ITEM = update(action_item).where(action_item.c.id == bindparam("b_id"))
_REF = select(external_ref.c.external_id, external_ref.c.url).where(external_ref.c.idem == bindparam("key"))
_SET_REF = both(lambda insert: insert(external_ref).on_conflict_do_nothing(index_elements=["idem"]))


def insert_item(tx: Tx, new: ActionItem, *, source: str = "") -> ActionItem:
    """Store a new action item and give it its id."""
    made = new_id(tx, action_item, {**_item_row(new), "source": source})
    new = replace(new, id=made)
    save_item(tx, new)
    return new


def save_item(tx: Tx, changed: ActionItem) -> None:
    """Store what became of an action item."""
    tx.conn.execute(_SAVE_ITEM, {"b_id": changed.id, **_item_row(changed)})


def get_item(tx: Tx, item_id: int) -> ActionItem:
    """Read an action item. Raises NotFound."""
    locks.about(tx, action_item, item_id)
    body = tx.conn.execute(_ITEM.of(tx), {"b_id": item_id}).scalar()
    if body is None:
        raise NotFound(f"there is no AI-{item_id}")
    return load(body, ActionItem)


def items_of(tx: Tx, subject: str) -> list[ActionItem]:
    """List the action items of an incident, oldest first."""
    return [load(body, ActionItem) for body in tx.conn.execute(_ITEMS_OF, {"of": subject}).scalars()]


def open_ticket(tx: Tx, source: str, key: str) -> ActionItem | None:
    """Find the backlog item of a correlation key that is not finished; one that is only proposed is in no backlog."""
    locks.key(tx, source, key)
    body = tx.conn.execute(_TICKET, {"of_source": source, "key": key}).scalar()
    return None if body is None else load(body, ActionItem)


def postmortem_state(tx: Tx, incident_id: int) -> str:
    """Say how the postmortem of an incident stands; '' when there is none."""
    state = select(postmortem.c.state).where(postmortem.c.incident_id == incident_id)
    return str(tx.conn.execute(state).scalar() or "")


def external_id(tx: Tx, idem: str) -> tuple[str, str] | None:
    """Find what an effect left in another system: its id there, and its URL."""
    row = tx.conn.execute(_REF, {"key": idem}).one_or_none()
    return None if row is None else (row.external_id, row.url)


def remember_external(tx: Tx, idem: str, *, system: str, external_id: str, url: str, subject: str) -> None:
    """Note what an effect left in another system; the first note stays."""
    row = {
        "idem": idem, "system": system, "external_id": external_id, "url": url, "subject": subject, "at": tx.now,
    }  # fmt: skip
    tx.conn.execute(_SET_REF[tx.dialect], row)


def _item_row(it: ActionItem) -> dict[str, Any]:
    return {
        "uuid": it.uuid, "subject": it.subject, "title": it.title, "state": it.state.value, "priority": it.priority,
        "due": it.due, "correlation_key": it.correlation_key, "created_at": it.created_at, "body": dump(it),
        "owner": it.owner, "jira_key": it.jira_key, "seen_at": it.seen_at, "drill": it.drill,
    }  # fmt: skip
