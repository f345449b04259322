"""The postmortem's machine-readable head, by which postmortems are counted."""

from __future__ import annotations

import json
import re
from datetime import datetime

from incidentd.document import IncidentFacts
from incidentd.incidents import Incident, Trigger
from incidentd.playbooks import RunState
from incidentd.text import iso, plain

TRIED = frozenset({RunState.FAILED, RunState.VERIFY_FAILED, RunState.INTERRUPTED})
"""Runs that were begun and did not help."""

# In double quotes YAML reads these only as escapes (JSON escapes fewer), or a page without heads would show them alive.
_ESCAPED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[<>&\\[\\]]")


def head(facts: IncidentFacts) -> str:
    """Write the head as YAML, whatever strangers wrote into the values."""
    incident = facts.incident
    by_alert = incident.trigger is not Trigger.MANUAL
    titles = [alert.title for alert in sorted(facts.alerts, key=lambda alert: alert.starts_at)]
    # a title is written as Prometheus writes labels: the alert's name, then the labels in braces
    first = titles[0].partition("{")[0] if titles and by_alert else ""
    lines = [
        f"incident: {incident.key}",
        f"title: {_quoted(incident.title)}",
        "status: draft",
        f"severity: {_quoted(incident.final_severity or incident.severity)}",
        f"peak: {_quoted(incident.peak_severity)}",
        f"service: [{_quoted(incident.service) if incident.service else ''}]",
        'faulty_service: ""',
        f"teams: [{', '.join(map(_quoted, incident.teams))}]",
        *(f"{name}: {_quoted(iso(at) or '')}" for name, at in _moments(incident).items()),
        f"detection: {'alert' if by_alert else 'employee'}",
        f"alert: {_quoted(first)}",
        "trigger: unknown",
        "cause_class: other",
        f"repeat_of: {_quoted(f'INC-{incident.recurrence_of}' if incident.recurrence_of else '')}",
        f"automation: {_automation_class(facts)}",
    ]
    return "\n".join(["---", *lines, "---"])


def _moments(incident: Incident) -> dict[str, datetime | None]:
    return {
        "impact_started": incident.impact_started_at,
        "detected": incident.detected_at,
        "declared": incident.declared_at,
        "acknowledged": incident.acknowledged_at,
        "identified": incident.identified_at,
        "mitigated": incident.mitigated_at,
        "resolved": incident.resolved_at,
    }


def _quoted(value: str) -> str:
    """Write a stranger's value as a string that YAML and JSON read alike, whatever is in it."""
    text = json.dumps(plain(value.encode("utf-8", "replace").decode("utf-8")), ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _automation_class(facts: IncidentFacts) -> str:
    states = {run.state for run in facts.runs}
    if RunState.VERIFIED in states:
        return "helped" if _people_acted(facts) else "resolved_it"
    if states & TRIED:
        return "tried_failed"
    return "possible" if states else "none"


def _people_acted(facts: IncidentFacts) -> bool:
    """Say whether people had a part in ending it: a change of theirs, or their word that it is over."""
    ended = ("incident.mitigated", "incident.resolved")
    said = any(entry.kind in ended and entry.actor.via in ("api", "link", "cli") for entry in facts.entries)
    return said or any(not change.run for change in facts.records.changes)
