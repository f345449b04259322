"""What is put into the library of postmortems, and its tags."""

from __future__ import annotations

from collections.abc import Sequence

from incidentd.errors import BadRequest, Conflict
from incidentd.incidents import Incident
from incidentd.library import MOST_TAGS, Shelved, Standing, tag_of
from incidentd.settings import Settings
from incidentd.store import Store, Tx, chain, library, subjects
from incidentd.store.base import load
from incidentd.text import plain
from incidentd.timeline import Actor, Draft

TAGGED = "postmortem.tagged"
_BATCH = 50


async def begin(store: Store) -> None:
    """Put the postmortems into the library that are not there: those from before there was one."""
    while await store.write(_missing):
        pass


def _missing(tx: Tx) -> bool:
    found = library.unshelved(tx, _BATCH)
    for row in found:
        draft(tx, load(row.body, Incident), row.markdown)
    return len(found) == _BATCH


def draft(tx: Tx, incident: Incident, markdown: str) -> None:
    """Have a draft found by those who may read drafts; called with each text that it gets."""
    library.put(tx, _shelved(incident, Standing.DRAFT, 0, markdown))


def published(tx: Tx, incident: Incident, version: int, markdown: str) -> None:
    """Have a published copy found by everybody who may read, and its draft no more."""
    library.put(tx, _shelved(incident, Standing.PUBLISHED, version, markdown))
    library.take_out(tx, incident.id, Standing.DRAFT)


def _shelved(incident: Incident, standing: Standing, version: int, markdown: str) -> Shelved:
    return Shelved(
        incident_id=incident.id, standing=standing, version=version, title=incident.title,
        severity=incident.final_severity or incident.peak_severity, service=plain(incident.service, 200),
        markdown=markdown,
    )  # fmt: skip


def tag(
    tx: Tx, _settings: Settings, incident_id: int, *, actor: Actor, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> tuple[str, ...]:  # fmt: skip
    """Add and remove tags of an incident's postmortem; gives those that it has then.

    Raises NotFound, BadRequest for what is no tag or too many, and Conflict when nothing would change.
    """
    incident = subjects.get_incident(tx, incident_id)
    before = set(library.tags_of(tx, [incident_id]).get(incident_id, ()))
    new = {tag_of(one) for one in add} - before
    gone = {tag_of(one) for one in remove} & before
    if both := new & gone or {tag_of(one) for one in add} & {tag_of(one) for one in remove}:
        raise BadRequest(f"{sorted(both)[0]} is to be added and removed; say one of them")
    if not new and not gone:
        raise Conflict(f"nothing changes: {incident.key} has {', '.join(sorted(before)) or 'no tag'}")
    after = sorted(before - gone | new)
    if len(after) > MOST_TAGS:
        raise BadRequest(f"{incident.key} would have {len(after)} tags; {MOST_TAGS} are the most: remove some")
    library.tag(tx, incident_id, sorted(new), sorted(gone), by=actor.name)
    said = [f"tags it {', '.join(sorted(new))}"] if new else []
    said += [f"takes {', '.join(sorted(gone))} away"] if gone else []
    facts = {"added": sorted(new), "removed": sorted(gone)}
    chain.append(tx, incident.key, actor, [Draft(TAGGED, f"{actor.name} {' and '.join(said)}.", facts)])
    return tuple(after)
