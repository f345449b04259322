"""Changes made to production, which somebody has to undo or to accept; and what has to hold before the end."""

from __future__ import annotations

from incidentd.engine.records.common import FINAL, KEY, current, ended, keep, line, more, person, told, writable
from incidentd.errors import BadRequest, NotFound
from incidentd.incidents import Incident
from incidentd.playbooks import FINISHED, Playbook, Run, StepState
from incidentd.playbooks.walk import changes
from incidentd.records import Change, Criterion, CriterionState, moves
from incidentd.settings import Settings
from incidentd.store import Tx, subjects, things
from incidentd.timeline import Actor, Draft

_NOT_DONE = (None, StepState.SKIPPED)


def add_change(
    tx: Tx, settings: Settings, incident_id: int, *, what: str, actor: Actor, undo: str = "", by: str = ""
) -> Change:  # fmt: skip
    """Write down what was changed in production, by whom (whoever says so, if not said), and how it is undone."""
    incident = writable(tx, incident_id)
    new = Change(
        number=0, by=actor.name, at=tx.now, what=line(what, "the change"), undo=more(undo, "how it is undone"),
        made_by=person(settings, by, "who made it") if by else actor.name, made_at=tx.now,
    )  # fmt: skip
    how = f" To undo: {ended(new.undo)}" if new.undo else " How it is undone is not known yet."
    said = f"Change to production {KEY} by {told(new.made_by)}: {ended(new.what)}{how}"
    return keep(tx, incident, new, actor, Draft("change.made", said))


def explain_change(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, undo: str, actor: Actor,
    expected_version: int | None = None,
) -> Change:  # fmt: skip
    """Say how a change is undone."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Change, number, expected_version)
    new = moves.explained(before, line(undo, "how it is undone"), by=actor.name, now=tx.now)
    said = f"{told(actor.name)} says how {KEY} ({told(new.what)}) is undone: {ended(new.undo)}"
    return keep(tx, incident, new, actor, Draft("change.explained", said))


def undo_change(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, expected_version: int | None = None
) -> Change:  # fmt: skip
    """Say that a change is undone."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Change, number, expected_version)
    new = moves.undone(before, "", by=actor.name, now=tx.now)
    return keep(
        tx, incident, new, actor, Draft("change.undone", f"{told(actor.name)} has undone {KEY}: {ended(new.what)}")
    )


def accept_change(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, reason: str, actor: Actor,
    expected_version: int | None = None,
) -> Change:  # fmt: skip
    """Say that a change stays for good, and why; it blocks closing no longer."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Change, number, expected_version)
    if not reason.strip():
        raise BadRequest(f"say why {before.key} stays")
    outcome = f"stays: {line(reason, 'the reason')}"
    new = moves.undone(before, outcome, by=actor.name, now=tx.now)
    said = f"{told(actor.name)}: {KEY} ({told(new.what)}) {ended(new.outcome)}"
    return keep(tx, incident, new, actor, Draft("change.accepted", said))


def note_run(tx: Tx, incident: Incident, run: Run, playbook: Playbook) -> None:
    """Put what a finished playbook run changed, and cannot roll back, among the changes of an incident."""
    if not _leaves_something(tx, run, playbook):
        return
    new = Change(
        number=0, by=run.playbook, at=tx.now, what=f"{run.playbook} on {told(run.target)}", run=run.key,
        made_by=run.playbook, made_at=run.started_at,
    )  # fmt: skip
    said = (
        f"Change to production {KEY}, put down by itself: {run.key} ({told(run.playbook)} on {told(run.target)}, "
        f"{run.state.replace('_', ' ')}) has no rollback. How it is undone is not known yet."
    )
    keep(tx, incident, new, Actor(name=run.playbook, via="playbook"), Draft("change.made", said))


def run_ended(tx: Tx, run: Run, playbook: Playbook) -> None:
    """Take what the end of a run means for the changes of its incident, or of the one that its hold became."""
    number = int(run.subject.partition("-")[2])
    try:
        of_hold = run.subject.startswith("HOLD-")
        incident = subjects.incident_of_hold(tx, number) if of_hold else subjects.get_incident(tx, number)
    except NotFound:
        return
    while incident is not None and incident.merge is not None:  # what it changed is the survivor's to undo
        incident = subjects.get_incident(tx, incident.merge.into)
    if incident is not None and incident.status not in FINAL:
        note_run(tx, incident, run, playbook)


def _leaves_something(tx: Tx, run: Run, playbook: Playbook) -> bool:
    return (
        run.state in FINISHED
        and not playbook.rollback
        and any(
            changes(step) and things.step_state(tx, run, index) not in _NOT_DONE
            for index, step in enumerate(playbook.steps)
        )
    )


# -- exit criteria ---------------------------------------------------------------------------------------------------


def add_criterion(tx: Tx, settings: Settings, incident_id: int, *, text: str, actor: Actor) -> Criterion:
    """Write down what has to hold before the incident counts as resolved."""
    incident = writable(tx, incident_id)
    new = Criterion(number=0, by=actor.name, at=tx.now, text=line(text, "the exit criterion"))
    said = f"Exit criterion {KEY} by {told(actor.name)}: {ended(new.text)}"
    return keep(tx, incident, new, actor, Draft("criterion.added", said))


def settle_criterion(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, state: CriterionState, actor: Actor,
    reason: str = "", expected_version: int | None = None,
) -> Criterion:  # fmt: skip
    """Say that an exit criterion is met, waived with a reason, or open again."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Criterion, number, expected_version)
    new = moves.settled(before, state, more(reason, "the reason"), by=actor.name, now=tx.now)
    because = f" Because: {ended(new.reason)}" if new.reason else ""
    said = f"{told(actor.name)}: exit criterion {KEY} is {new.state} ({told(new.text)}).{because}"
    return keep(tx, incident, new, actor, Draft(f"criterion.{new.state}", said))
