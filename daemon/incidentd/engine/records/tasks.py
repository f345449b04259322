"""Tasks: one named person and a time box, acknowledged, and asked about when the time is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from incidentd.durations import about
from incidentd.engine import paging
from incidentd.engine.records.common import KEY, current, ended, keep, line, more, person, told, writable
from incidentd.errors import NotFound
from incidentd.handoff import channels_for
from incidentd.incidents import Incident, Status
from incidentd.records import Task, TaskState, moves
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, records, subjects
from incidentd.store.jobs import Job
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Actor, Draft

KIND = "task"
"""The kind of the deadlines, and of the messages to the owners."""
_GIVEN, _OVER = "given", "over"
_NO_MORE = frozenset({Status.STOOD_DOWN, Status.MERGED, Status.CLOSED})


def add_task(
    tx: Tx, settings: Settings, incident_id: int, *, text: str, owner: str, box: timedelta | None, actor: Actor
) -> Task:  # fmt: skip
    """Give one person one thing to do until a time.

    Raises NotFound, BadRequest without a person or a time box, and Conflict when the incident is final.
    """
    incident = writable(tx, incident_id)
    owner, box = person(settings, owner, "the owner of the task"), moves.boxed(box)
    new = Task(
        number=0, by=actor.name, at=tx.now, text=line(text, "the task"), owner=owner, box=box, given_by=actor.name,
        given_at=tx.now, due_at=tx.now + box, acked_at=tx.now if owner == actor.name else None,
    )  # fmt: skip
    said = f"Task {KEY} by {told(actor.name)}: {owner}, please, back in {about(box)}: {ended(new.text)}"
    return _given(tx, settings, incident, new, actor=actor, said=Draft("task.given", said))


def reassign_task(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, owner: str, actor: Actor,
    box: timedelta | None = None, expected_version: int | None = None,
) -> Task:  # fmt: skip
    """Give a task to somebody else, or the same person more time; without a `box` as much time as before."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Task, number, expected_version)
    new = moves.reassigned(before, person(settings, owner, "the owner of the task"), box, by=actor.name, now=tx.now)
    after = f", after {before.owner}" if new.owner != before.owner else ""
    said = f"{told(actor.name)} gives {KEY} to {new.owner}{after}, back in {about(new.box)}: {ended(new.text)}"
    return _given(tx, settings, incident, new, actor=actor, said=Draft("task.reassigned", said))


def acknowledge_task(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, expected_version: int | None = None
) -> Task:  # fmt: skip
    """Say that you have the task that you were given. Raises Conflict for anybody but its owner."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Task, number, expected_version)
    new = moves.acknowledged(before, by=actor.name, now=tx.now)
    return keep(
        tx,
        incident,
        new,
        actor,
        Draft("task.acked", f"{new.owner} has {KEY} until {clock(new.due_at)}: {ended(new.text)}"),
    )


def end_task(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, result: str = "",
    dropped: bool = False, expected_version: int | None = None,
) -> Task:  # fmt: skip
    """Say that a task is done, and what came of it; or drop it, with the reason."""
    incident = writable(tx, incident_id)
    before = current(tx, incident, Task, number, expected_version)
    state = TaskState.DROPPED if dropped else TaskState.DONE
    new = moves.ended(before, state, more(result, "what came of it"), by=actor.name, now=tx.now)
    jobs.cancel(tx, _key(incident, number))
    by = "" if actor.name == new.owner else f", says {told(actor.name)}"
    came = f": {told(new.result)}" if new.result else ""
    said = f"{KEY} of {new.owner} is {new.state}{by}{came} ({told(new.text)})."
    return keep(tx, incident, new, actor, Draft(f"task.{new.state}", said))


def box_is_over(tx: Tx, settings: Settings, job: Job) -> None:
    """Ask the owner of a task whose time is over how it stands, once."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    found = records.find(tx, incident.id, Task, int(job.payload["task"]))
    new = None if found is None else moves.reminded(found, by=INCIDENTD.name, now=tx.now)
    if new is None or incident.status in _NO_MORE:
        return
    said = f"The {about(new.box)} of {KEY} are over; {new.owner}, how does it stand? ({told(new.text)})"
    keep(tx, incident, new, INCIDENTD, Draft("task.overdue", said))
    _tell(tx, settings, incident, new, _OVER)


def _given(tx: Tx, settings: Settings, incident: Incident, task: Task, *, actor: Actor, said: Draft) -> Task:
    task = keep(tx, incident, task, actor, said)
    _watch(tx, incident, task)
    if task.acked_at is None:
        _tell(tx, settings, incident, task, _GIVEN)
    return task


def stop(tx: Tx, incident: Incident, task: Task) -> None:
    """Watch the time of a task no longer."""
    jobs.cancel(tx, _key(incident, task.number))


def go_on(tx: Tx, settings: Settings, incident: Incident, task: Task) -> None:
    """Watch the time of a task that was another incident's until now, and tell its owner what it is called here."""
    if task.reminded_at is None:
        _watch(tx, incident, task)
    _tell(
        tx, settings, incident, task, _GIVEN, once=f"/{int(tx.now.timestamp())}"
    )  # its version may be told of already


def _watch(tx: Tx, incident: Incident, task: Task) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=incident.key, ukey=_key(incident, task.number), due_at=task.due_at,
        payload={"task": task.number},
    )  # fmt: skip


def _tell(tx: Tx, settings: Settings, incident: Incident, task: Task, why: str, *, once: str = "") -> None:
    owner = settings.roster.people.get(task.owner)
    for channel in channels_for(owner) if owner else ():
        payload = {
            "person": task.owner, "channel": channel.name, "purpose": "update", "task": task.number, "why": why,
            "version": task.version,
        }  # fmt: skip
        jobs.schedule(
            tx, queue=jobs.NOTIFY, kind=KIND, subject=incident.key, due_at=tx.now, payload=payload,
            ukey=f"{incident.key}/{task.key}/{task.version}{once}/{channel.name}",
            give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """What a message to the owner of a task is about."""

    incident: Incident
    task: Task


def known(tx: Tx, job: Job) -> TaskMessage | None:
    """Read what a message is about; None when the task is over or somebody else's, so that nobody needs it."""
    incident_id = int(job.subject.removeprefix("INC-"))
    try:
        incident = subjects.get_incident(tx, incident_id)
        task = records.get(tx, incident_id, Task, int(job.payload["task"]))
    except NotFound:
        return None
    over = task.state is not TaskState.OPEN or task.owner != job.payload["person"] or incident.status in _NO_MORE
    return None if over else TaskMessage(incident, task)


def message(it: TaskMessage, why: str, url: str) -> tuple[str, str]:
    """Write a message to the owner of a task: its title and its body."""
    task, incident = it.task, it.incident
    head = f"{incident.key} {task.key}"
    asks = "Its time is over: how does it stand?" if why == _OVER else f"{plain(task.given_by, 60)} asks you to do it."
    title = f"{head} {'is due' if why == _OVER else f'for you until {clock(task.due_at)}'}: {plain(task.text, 100)}"
    lines = (
        plain(task.text, 1000),
        "",
        f"{asks} You have {about(task.box)}, until {clock(task.due_at)}.",
        f"Incident: {plain(incident.title, 200)}",
        f"Say so: incidentd task ack {incident.key} {task.key}; when it is done: incidentd task done {incident.key} "
        f"{task.key} --result '...'",
        f"{url}/incidents/{incident.key}",
    )
    return title, "\n".join(lines)


def _key(incident: Incident, number: int) -> str:
    return f"task:{incident.key}/{number}"
