"""What all commands about records share: who may still write, who is meant, and what a loser is told."""

from __future__ import annotations

from datetime import timedelta

from incidentd.engine.worded import checked
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import Incident, Status
from incidentd.records import Kind, Record
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, records, subjects
from incidentd.store.records import R
from incidentd.text import clock, count, plain
from incidentd.timeline import Actor, Draft

LONGEST_LINE = 1000
"""Characters of what stands in one cell of the document."""
KEY = "\x00"
"""Where the id of a record goes in a sentence about it; what people type never holds it there."""
MOST = 500
"""Records of one kind that an incident may have."""
FINAL = frozenset({Status.CLOSED, Status.MERGED})
"""What nothing is written about any more."""
LEARNED_FROM = frozenset({Status.RESOLVED, Status.POSTMORTEM})
"""What has a postmortem already, which is drafted again with what is put down now unless somebody has edited it."""
_TOGETHER = timedelta(seconds=30)
"""What is put down within this time is drafted once."""
_TOLD = 300


def writable(tx: Tx, incident_id: int) -> Incident:
    """Read an incident that may still be written about. Raises NotFound, and Conflict for a final one."""
    incident = subjects.get_incident(tx, incident_id)
    if incident.status in FINAL:
        where = f"; what is open goes on in INC-{incident.merge.into}" if incident.merge is not None else ""
        raise Conflict(f"{incident.key} is {incident.status}; its document does not change any more{where}")
    return incident


def line(text: str, what: str) -> str:
    """Check a text of one line that has to be there. Raises BadRequest."""
    return checked(text, what, LONGEST_LINE)


def more(text: str, what: str) -> str:
    """Check a text that may be left out. Raises BadRequest for one that is too long."""
    return checked(text, what, LONGEST_LINE) if text.strip() else ""


def told(text: str) -> str:
    """Write what somebody typed for the middle of a sentence."""
    return plain(text, _TOLD)


def ended(text: str) -> str:
    """Write what somebody typed as the end of a sentence."""
    said = told(text)
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def person(settings: Settings, handle: str, what: str) -> str:
    """Check the name of a person. Raises BadRequest for nobody, and for a stranger where people are known."""
    handle = handle.strip().removeprefix("@")
    people = settings.roster.people
    if not handle:
        raise BadRequest(f"{what} is missing: name one person")
    if len(handle) > 100 or not handle.isprintable():
        raise BadRequest(f"{what} is a name of 1 to 100 printable characters")
    if people and handle not in people:
        raise BadRequest(
            f"there is nobody called {plain(handle, 40)!r}; people stand in the documents of `kind: people`"
        )
    return handle


def number_of(kind: Kind, text: str) -> int:
    """Read the id of a record as people say it: `T3`, `t3` or just `3`. Raises NotFound for anything else."""
    digits = text.upper().removeprefix(kind.letter)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        raise NotFound(f"there is no {plain(text, 40)!r}; ids of a {kind} look like {kind.letter}3")
    return int(digits)


def current(tx: Tx, incident: Incident, kind: type[R], number: int, expected: int | None) -> R:
    """Read a record that is about to be changed. Raises NotFound, and Conflict when `expected` is not its version."""
    found = records.get(tx, incident.id, kind, number)
    refuse_stale(tx, incident, found, expected)
    return found


def refuse_stale(tx: Tx, incident: Incident, it: Record, expected: int | None) -> None:
    """Tell whoever saw an older version what was changed since. Raises Conflict."""
    if expected is None or expected == it.version:
        return
    if expected > it.version:
        raise Conflict(f"{it.key} of {incident.key} has only {count(it.version, 'version')}; look again")
    later = [one for one in records.history(tx, incident.id, records.kind_of(it), it.number) if one.version > expected]
    meanwhile = " ".join(f"{clock(one.at)}: {one.said}" for one in later[-5:])
    raise Conflict(f"{it.key} of {incident.key} was changed meanwhile (version {it.version}): {meanwhile}")


def keep(tx: Tx, incident: Incident, it: R, actor: Actor, draft: Draft, *, always: bool = False) -> R:
    """Store the next version of a record, and the sentence about it on the timeline; KEY in it becomes its id.

    Raises Conflict for one too many, unless it is kept `always`.
    """
    it = records.add(tx, incident.id, it)
    if it.number > MOST and actor.via != "playbook" and not always:  # what a run changed is put down whatever there is
        raise Conflict(f"{incident.key} has {MOST} of these already; that is the most")
    said = draft.text.replace(KEY, it.key)
    records.save(tx, incident.id, it, said)
    data = {"record": it.key, "version": it.version}
    chain.append(tx, incident.key, actor, [Draft(draft.kind, said, data)])
    if incident.status in LEARNED_FROM:
        jobs.soon(
            tx, queue=jobs.TIMER, kind="draft", subject=incident.key, ukey=f"draft:{incident.key}",
            due_at=tx.now + _TOGETHER,
        )  # fmt: skip
    return it
