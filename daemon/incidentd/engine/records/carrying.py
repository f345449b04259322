"""What is open of an incident that becomes part of another goes on there under new numbers; and comes back, as it then
stands, when the two are taken apart.
"""

from __future__ import annotations

from incidentd.engine.records import decisions, tasks
from incidentd.engine.records.common import KEY, ended, keep
from incidentd.incidents import Incident, Merge
from incidentd.records import Decision, Kind, Section, Task
from incidentd.records.leaving import Open, copied, is_open, left, open_records, same, words
from incidentd.settings import Settings
from incidentd.store import Tx, records, subjects
from incidentd.timeline import Actor, Draft

Carried = tuple[str, int, int]
"""The kind of a record, its number where it was, and its number where it went."""


def carry(tx: Tx, settings: Settings, gone: Incident, root: Incident, *, actor: Actor) -> tuple[Carried, ...]:
    """Let tasks, changes in place, hypotheses, proposals and exit criteria go on in the survivor, with their deadlines.

    What stood in the document of the other one stays there as it was.
    """
    went = []
    for it in open_records(records.records_of(tx, gone.id)):
        _stop(tx, gone, it)
        kind = records.kind_of(it)
        new = copied(it, number=0, version=1, origin=f"{gone.key} {it.key}", by=actor.name, now=tx.now)
        said = f"{KEY} is {it.key} of {gone.key}, which goes on here{_whose(it)}: {ended(words(it))}"
        new = keep(tx, root, new, actor, Draft(f"{kind}.carried", said), always=True)
        _go_on(tx, settings, root, new)
        went.append((kind.value, it.number, new.number))
    return tuple(went)


def bring_back(tx: Tx, settings: Settings, gone: Incident, merge: Merge, *, actor: Actor) -> None:
    """Give back what went along, as it stands now, and end it where it was meanwhile."""
    for kind, was, there in merge.records:
        holder, number = _where(tx, merge.into, kind, there)
        theirs, mine = _found(tx, holder, kind, number), _found(tx, gone, kind, was)
        if not same(theirs, mine):
            mine = copied(
                theirs, number=was, version=mine.version + 1, origin=mine.origin, by=actor.name, now=tx.now
            )  # fmt: skip
            said = f"{KEY} comes back from {holder.key} {theirs.key} as it stands there: {ended(words(mine))}"
            keep(tx, gone, mine, actor, Draft(f"{kind}.returned", said), always=True)
        if is_open(theirs):
            _stop(tx, holder, theirs)
            why = f"goes on as {mine.key} of {gone.key}"
            ending = left(theirs, why, by=actor.name, now=tx.now)
            keep(tx, holder, ending, actor, Draft(f"{kind}.left", f"{KEY} {why}: {ended(words(mine))}"), always=True)
        if is_open(mine):
            _go_on(tx, settings, gone, mine)


def _where(tx: Tx, into: int, kind: str, number: int) -> tuple[Incident, int]:
    """Follow a record through incidents that became part of others themselves."""
    holder = subjects.get_incident(tx, into)
    while holder.merge is not None:
        further = [there for what, was, there in holder.merge.records if (what, was) == (kind, number)]
        if not further:  # it was over before they became one
            break
        number, holder = further[0], subjects.get_incident(tx, holder.merge.into)
    return holder, number


def _found(tx: Tx, incident: Incident, kind: str, number: int) -> Open:
    found = records.get(tx, incident.id, records.KINDS[Kind(kind)], number)
    if isinstance(found, Section):
        raise TypeError("a section is never open")
    return found


def _whose(it: Open) -> str:
    return f" ({it.owner})" if isinstance(it, Task) else ""


def _stop(tx: Tx, incident: Incident, it: Open) -> None:
    match it:
        case Task():
            tasks.stop(tx, incident, it)
        case Decision():
            decisions.stop(tx, incident, it)
        case _:
            pass


def _go_on(tx: Tx, settings: Settings, incident: Incident, it: Open) -> None:
    match it:
        case Task():
            tasks.go_on(tx, settings, incident, it)
        case Decision():
            decisions.go_on(tx, incident, it)
        case _:
            pass
