"""Where alerts of a known key belong: the incident that is open, its survivor, or one that they take up again."""

from __future__ import annotations

from incidentd import incidents
from incidentd.engine import postmortems, roles, stale, updates
from incidentd.engine.course.common import measure
from incidentd.engine.course.incident import on_call_for, page
from incidentd.errors import Conflict, NotFound
from incidentd.incidents import ACTIVE, SYSTEM, Incident, Standing, Status
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, subjects
from incidentd.text import count, plain
from incidentd.timeline import ALERTMANAGER, Actor, Draft


def root_of(tx: Tx, incident: Incident) -> Incident:
    """Follow merges to the incident that survived them; itself when it is no part of another.

    Where the survivor was pruned meanwhile, the last one that is left.
    """
    while incident.status is Status.MERGED and incident.merge is not None:
        try:
            incident = subjects.get_incident(tx, incident.merge.into)
        except NotFound:
            break
    return incident


def surviving(tx: Tx, source: str, key: str) -> Incident | None:
    """Find the active incident of a correlation key, or the active one that the last of this key went into."""
    found = subjects.open_incident(tx, source, key)
    if found is not None:
        return found
    last = subjects.newest_incident(tx, source, key)
    root = None if last is None else root_of(tx, last)
    return root if root is not None and root.status in ACTIVE else None


def home_of(tx: Tx, settings: Settings, source: str, key: str) -> Incident | None:
    """Find the incident that alerts of a key belong to; one that ended a moment ago is taken up again."""
    found = subjects.open_incident(tx, source, key)
    if found is not None:
        return found
    last = subjects.newest_incident(tx, source, key)
    if last is None:
        return None
    root = root_of(tx, last)
    if root.status in ACTIVE:
        return root
    if not incidents.reopens_alone(root, tx.now) or _taken(tx, root):
        return None
    text = f"Reopened: the same thing fires again while it was {root.status.value.replace('_', ' ')}."
    return reopen(tx, settings, root, actor=ALERTMANAGER, who=SYSTEM, text=text)


def reopen(
    tx: Tx, settings: Settings, incident: Incident, *, actor: Actor, who: Standing, text: str
) -> Incident:  # fmt: skip
    """Take an incident up again that was over: its alerts, its clocks, its postmortem's draft, and a page.

    Raises what `incidents.move` raises, and Conflict when something else of the same key is open meanwhile.
    """
    if _taken(tx, incident):
        raise Conflict(f"something else of the same correlation key is open; merge it with {incident.key} instead")
    back = incidents.move(incident, Status.INVESTIGATING, tx.now, who=who)
    back, commands = _commanded(tx, settings, back, actor)
    subjects.save_incident(tx, back)
    jobs.cancel(tx, f"draft:{back.key}")
    firing = subjects.take_up_members(tx, back.key)
    kept = " Its postmortem is a draft again." if postmortems.reopened(tx, back) else ""
    facts = {"was": incident.status.value, "firing": firing}
    said = f"{plain(text, 10_000)} ({count(firing, 'alert')} firing now.){kept}" if firing else f"{text}{kept}"
    chain.append(tx, back.key, actor, [Draft("incident.reopened", said, facts), *commands])
    measure(tx, back, lambda m: m.incidents_reopened_total.labels(severity=back.severity).inc())
    updates.changed(tx, settings, incident, back, actor=actor)
    stale.watch(tx, settings, back)
    roles.again(tx, incident, back)
    roles.watch(tx, back)
    page(tx, settings, back)
    roles.attend(tx, settings, back)
    return back


def _commanded(tx: Tx, settings: Settings, back: Incident, actor: Actor) -> tuple[Incident, list[Draft]]:
    """Give what nobody commands any more to whoever took it up, else to whoever is on call for it."""
    if back.commander:
        return back, []
    person, because = on_call_for(tx, settings, back)
    if actor.name in settings.roster.people:
        person, because = actor.name, "took it up again"
    if not person:
        return back, []
    back, said = roles.taken_by(tx, back, person, because=because)
    return back, [said]


def _taken(tx: Tx, incident: Incident) -> bool:
    """Say whether its correlation key belongs to something else that is open by now."""
    if not incident.correlation_key:
        return False
    return bool(subjects.open_by_keys(tx, incident.source, [incident.correlation_key]))
