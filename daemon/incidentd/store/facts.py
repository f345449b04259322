"""Everything that is known of an incident, gathered for its document and its postmortem."""

from __future__ import annotations

from incidentd.document import AlertLine, IncidentFacts
from incidentd.settings import Settings
from incidentd.store import chain, inbox, subjects, things
from incidentd.store.base import Tx
from incidentd.text import labels_line


def incident_facts(tx: Tx, settings: Settings, incident_id: int) -> IncidentFacts:
    """Gather what is known of an incident, and of the hold that it was before. Raises NotFound."""
    incident = subjects.get_incident(tx, incident_id)
    hold_key = f"HOLD-{incident.hold_id}" if incident.hold_id is not None else ""
    own = chain.entries(tx, incident.key)
    before = chain.entries(tx, hold_key) if hold_key else ()
    severity = settings.severities.get(incident.severity)
    keys = [key for key in (hold_key, incident.key) if key]
    return IncidentFacts(
        incident=incident,
        entries=tuple(sorted((*before, *own), key=lambda entry: (entry.at, entry.subject != hold_key, entry.seq))),
        alerts=_alerts(tx, incident.key),
        pages=tuple(page for key in keys for page in things.pages_of(tx, key)),
        runs=tuple(run for key in keys for run in things.runs_of(tx, key)),
        items=tuple(things.items_of(tx, incident.key)),
        severity_means=severity.means if severity else "",
        external_url=settings.external_url,
        head_hash=own[-1].hash if own else "",
    )


def _alerts(tx: Tx, subject: str) -> tuple[AlertLine, ...]:
    lines = []
    for member in subjects.members(tx, subject):
        for row in inbox.alerts_of(tx, member.source, [member.fingerprint]):
            lines.append(
                AlertLine(
                    title=labels_line(row.labels), status=row.status, starts_at=row.starts_at, ends_at=row.ends_at,
                    link=row.generator_url,
                )
            )  # fmt: skip
    return tuple(lines)
