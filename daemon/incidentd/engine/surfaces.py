"""What a role of an incident sees: its board with the promised updates, what fires, and the drafts. It only reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from incidentd.board import Board, Course, Due, Known, Surface, board, commands, course
from incidentd.document import Alike, Pointer
from incidentd.engine import updates
from incidentd.engine.updates.common import lead
from incidentd.incidents import ACTIVE, Incident
from incidentd.records import Records, Task, TaskState, blocks
from incidentd.roles import Participant
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts, graphs, participants, views
from incidentd.store import updates as stored
from incidentd.store.around import before, similar
from incidentd.store.graphs import Drawn
from incidentd.text import labels_line
from incidentd.updates import Promise, State, Update

MOST_FIRING = 50
"""Alerts that are shown; the others are counted."""
MOST_FITTING = 5
"""Playbooks that are said to fit, the last ones."""
MOST_TRIED = 10
"""Ended tasks that are shown, the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert of the incident that fires."""

    line: str
    """Its labels in one harmless line."""
    since: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A board, and what stands around it."""

    at: datetime
    """When it was looked at."""
    incident: Incident
    board: Board
    records: Records
    blocks: dict[str, tuple[str, ...]]
    """What keeps it from its next states, in sentences."""
    promises: tuple[Promise, ...]
    """How each audience stands, in the order of its deadline; what is owed nothing comes last."""
    commands: tuple[str, ...] = ()
    """What whoever commands can type now; for the Incident Commander."""
    people: tuple[Participant, ...] = ()
    """Who was called and who came, those of one team together; for the Incident Commander."""
    firing: tuple[Firing, ...] = ()
    pointers: tuple[Pointer, ...] = ()
    """Where to look, with the time of the incident in the links."""
    alike: tuple[Alike, ...] = ()
    """Past incidents that are like it, with what fixed them."""
    course: Course = Course(counts=())  # noqa: RUF009 - frozen
    """How many alerts fired over time; for the Operations Lead."""
    drawn: tuple[Drawn, ...] = ()
    """The graphs of the incident; for the Operations Lead."""
    fits: tuple[str, ...] = ()
    """What was said of playbooks that fit, the last ones; for the Operations Lead."""
    tried: tuple[Task, ...] = ()
    """The tasks that ended last, the last one first."""
    before: Alike | None = None
    """The last incident of the same correlation; for the Operations Lead it is among those that are alike."""
    waiting: tuple[Update, ...] = ()
    """Texts that wait for the Incident Commander."""
    drafts: tuple[dict[str, Any], ...] = ()
    """One for each audience that is owed an update, with its findings; for the Communications Lead."""


def known(tx: Tx, settings: Settings, incident_id: int) -> Known:
    """Gather what a board is made of, with what each audience was promised. Raises NotFound."""
    found = facts.board_facts(tx, incident_id, settings)
    return replace(found, others=(*found.others, *_promised(tx, settings, found.incident)))


def _promised(tx: Tx, settings: Settings, incident: Incident) -> list[Due]:
    """List the promised updates to audiences that the files name still; to others nothing is owed."""
    who = lead(incident)
    return [
        Due(at=one.due_at, kind="update", id=one.audience.value, what=f"update to {one.audience}, as promised", who=who)
        for one in stored.promises(tx, incident.id).values()
        if one.due_at is not None and one.audience in settings.updates.audiences
    ]


def seen(tx: Tx, settings: Settings, incident_id: int, whose: Surface) -> Seen:
    """Gather what somebody in a role has to see. Raises NotFound."""
    found = known(tx, settings, incident_id)
    it = found.incident
    promises = sorted(
        stored.promises(tx, it.id).values(), key=lambda one: (one.due_at is None, one.due_at or tx.now, one.audience)
    )
    common = Seen(
        at=tx.now, incident=it, board=board(found, whose, tx.now), records=found.records, blocks=_still_blocked(found),
        promises=tuple(promises),
        waiting=tuple(one for one in stored.of_incident(tx, it.id) if one.state is State.WAITING),
    )  # fmt: skip
    match whose:
        case Surface.IC:
            people = sorted(participants.everybody(tx, it.id), key=lambda one: (one.team == "", one.team))
            return replace(common, commands=commands(it), people=tuple(people), before=before(tx, it))
        case Surface.OL:
            entries = chain.entries(tx, it.key)
            fits = [entry.text for entry in entries if entry.kind == "run.proposed"]
            return replace(
                common, firing=_firing(tx, it), tried=_tried(found.records), alike=similar(tx, it),
                pointers=facts.pointers_of(tx, settings, it), drawn=tuple(graphs.of(tx, it.key)),
                course=course(entries, found.firing), fits=tuple(fits[-MOST_FITTING:]),
            )  # fmt: skip
        case Surface.CL:
            owed = [one.audience for one in promises if one.due_at is not None]
            named = [audience for audience in owed if audience in settings.updates.audiences]
            drafts = tuple(updates.prepared(tx, settings, it.id, audience) for audience in named)
            return replace(common, drafts=drafts, before=before(tx, it))


def _still_blocked(found: Known) -> dict[str, tuple[str, ...]]:
    """Say what keeps it from the states that are ahead of it."""
    it, why = found.incident, blocks(found.records)
    past = set() if it.status in ACTIVE else {"identified", "resolved"}
    if it.identified_at is not None:
        past.add("identified")
    return {state: said for state, said in why.items() if said and state not in past}


def _firing(tx: Tx, incident: Incident) -> tuple[Firing, ...]:
    alerts = [one for one in views.incident(tx, incident.id)["alerts"] if one["status"] == "firing"]
    return tuple(Firing(line=labels_line(one["labels"]), since=one["starts_at"]) for one in alerts[:MOST_FIRING])


def _tried(records: Records) -> tuple[Task, ...]:
    ended = [(one.ended_at, one.number, one) for one in records.tasks if one.state is not TaskState.OPEN]
    return tuple(one for _, _, one in sorted(ended, key=lambda it: (str(it[0]), it[1]), reverse=True)[:MOST_TRIED])
