"""What a hold brings along that declares into an incident which is open: the one that took its earlier incident in."""

from __future__ import annotations

from incidentd.engine import paging
from incidentd.engine.course.incident import incident_changed
from incidentd.engine.course.severity import as_severe
from incidentd.holds import Hold
from incidentd.incidents import Incident, Status
from incidentd.pages import Ending, PageState
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things
from incidentd.text import plain
from incidentd.timeline import Actor, Draft


def take_in(tx: Tx, settings: Settings, hold: Hold, into: Incident, *, why: str, actor: Actor) -> Incident:
    """Take the alerts, the pages and the severity of a hold into an incident that is active; gives it as it is then.

    What was mitigated is back when they fire. Whoever has the incident hears no second page of the same kind.
    """
    fires = subjects.firing(tx, hold.key)
    alerts = len(subjects.members(tx, hold.key))
    subjects.copy_members(tx, of=hold.key, to=into.key)
    taken = f"{hold.key} ({plain(hold.title, 120)}) is part of this from here. {why}"
    chain.append(tx, into.key, actor, [Draft("incident.took_in", taken, {"merged": hold.key, "alerts": alerts})])
    _call(tx, settings, hold, into)
    after = as_severe(
        tx, settings, into, severity=hold.severity, peak=hold.severity, of=hold.key, actor=actor
    )  # fmt: skip
    subjects.save_incident(tx, after)
    firing = subjects.firing(tx, into.key)
    if fires or (alerts and not firing and into.status is not Status.MITIGATED):
        incident_changed(tx, settings, into.id, firing=firing, refired=0, joined=fires)
    return subjects.get_incident(tx, into.id)


def _call(tx: Tx, settings: Settings, hold: Hold, into: Incident) -> None:
    """See to it that those whom the hold pages have a page of the incident; an answer to the hold proves nothing."""
    paging.move(tx, settings, of=hold.key, to=into.key, but=_called(tx, into))
    if (hold.page_policy, hold.urgency) not in _called(tx, into):
        paging.start(
            tx, settings, subject=into.key, policy=hold.page_policy, urgency=hold.urgency, title=hold.title
        )  # fmt: skip
    paging.end_all(tx, settings, hold.key, ending=Ending.MERGED)


def _called(tx: Tx, incident: Incident) -> set[tuple[str, str]]:
    pages = things.pages_of(tx, incident.key)
    return {(page.policy, page.urgency) for page in pages if page.state is not PageState.RESOLVED}
