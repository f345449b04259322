"""Ten minutes into a serious incident its commander is asked what nobody has time to ask: incidentd is the deputy.

Is the severity still right, and do those know who were promised to hear of it?
"""

from __future__ import annotations

from datetime import timedelta

from incidentd.durations import about
from incidentd.engine.roles.people import awaited
from incidentd.engine.roles.telling import tell
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, subjects, updates
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, Draft

CALLOUT = "role_callout"
"""The kind of the deadline."""
_HURTS = ACTIVE - {Status.MITIGATED}
_AFTER = timedelta(minutes=10)
"""When the severity was thought of for the last time in a hurry, and the first facts are known (process D.1)."""
_SETTLED = timedelta(minutes=2)
"""Whoever answered only now has looked around by then."""
_ASKED = "incident.callout"
_DOWN_TO = 2
"""Down to this rank of severity."""


def expect(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Set the clock of a serious incident that was declared, or answered, just now; it is asked about once."""
    known = settings.severities.get(incident.severity)
    serious = known is None or known.rank <= _DOWN_TO
    if not (settings.roster.people and serious) or incident.status not in _HURTS:
        return
    if any(entry.kind == _ASKED for entry in chain.entries(tx, incident.key)):
        return
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=CALLOUT, subject=incident.key, ukey=f"{CALLOUT}:{incident.key}",
        due_at=max(incident.declared_at + _AFTER, tx.now + _SETTLED),
    )  # fmt: skip


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Ask whoever commands, while there still is an impact; whom a page still calls, once they answered."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    lead = incident.commander
    if not lead or incident.status not in _HURTS or awaited(tx, incident):
        return
    long = about(tx.now - incident.declared_at)
    untold = [it.audience.value for it in updates.promises(tx, incident.id).values() if it.due_at and not it.sent]
    also = f" Nothing was said yet to: {', '.join(untold)}." if untold else ""
    text = f"It goes on for {long}. {lead}, is {incident.severity} still right?{also}"
    facts = {"person": lead, "severity": incident.severity, "untold": untold}
    chain.append(tx, incident.key, INCIDENTD, [Draft(_ASKED, text, facts)])
    title = f"{incident.key} goes on for {long}: is {incident.severity} still right?{also}"
    tell(tx, settings, incident, lead, title=title, key=f"{incident.key}/{CALLOUT}")
