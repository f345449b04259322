"""The questions about our practice, with the answers that the data suggests; a person confirms or corrects them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

from incidentd.document import VERDICTS, IncidentFacts, answer, link, ordered, said, table, took
from incidentd.durations import about
from incidentd.incidents import Incident, Trigger
from incidentd.pages import Page
from incidentd.playbooks import Run, RunState
from incidentd.postmortem import prompts
from incidentd.postmortem.head import TRIED
from incidentd.text import count

LATE = timedelta(minutes=5)
"""An alert that fires this long after the impact began is late: the response time of the most urgent pages."""
SOON = timedelta(minutes=10)
"""An impact that ended this soon after the declaration might have ended without it."""
_OBJECTIVE = re.compile(r'\b(?:slo|sli|slo_name|sloth_slo|sloth_id|objective)="([^"]{1,200})"')
"""How the labels are called that rules for objectives have: Sloth's, Pyrra's, and those that people write."""


def feedback(facts: IncidentFacts) -> str:
    """Answer the questions as far as the data goes; a person confirms or corrects."""
    rows = [
        (prompts.MONITORING_Q, _monitoring(facts)),
        (prompts.METRICS_Q, _metrics(facts)),
        (prompts.SLO_Q, _objectives(facts)),
        (prompts.AUTOMATE_Q, _could_automate(facts)),
        (prompts.HOLD_Q, _hold(facts)),
        (prompts.RESPONSE_Q, _response(facts)),
        (prompts.PLAYBOOK_Q, _playbooks(facts)),
    ]
    return table(("Question", "Answer", "Action item"), ((question, reply, "") for question, reply in rows))


def _monitoring(facts: IncidentFacts) -> str:
    incident = facts.incident
    verdict = _seen_by_people(facts) if incident.trigger is Trigger.MANUAL else _seen_by_alerts(incident)
    again = [
        f"{said(title)} came {times} times"
        for title, times in Counter(a.title for a in facts.alerts).items()
        if times > 1
    ]
    refired = sum(entry.kind.endswith(".refired") for entry in facts.entries)
    if refired:
        again.append(f"it fired again {count(refired, 'time')} after it seemed over")
    answers = [verdict, f"noisy: {'; '.join(again)}" if again else ""]
    if incident.peak_severity != incident.declared_severity:
        was, peak = said(incident.declared_severity), said(incident.peak_severity)
        answers.append(f"wrong severity: declared as {was}, and {peak} at its peak")
    return "; ".join(one for one in answers if one)


def _seen_by_alerts(incident: Incident) -> str:
    late = incident.detected_at - incident.impact_started_at >= LATE
    after = took(incident.impact_started_at, incident.detected_at)
    return f"{'late' if late else 'yes'}: detected {after} after the impact began"


def _seen_by_people(facts: IncidentFacts) -> str:
    declared_at = facts.incident.declared_at
    first = min((alert.starts_at for alert in facts.alerts), default=None)
    if first is None:
        return "missing: people saw it, and no alert ever fired"
    if first <= declared_at:
        return "late: people declared it although an alert fired"
    return f"missing: people saw it {took(declared_at, first)} before the first alert"


def _metrics(facts: IncidentFacts) -> str:
    """Name what was thought and could not be looked up: there may be a graph to draw."""
    thought = facts.records.hypotheses
    bare = [f"{it.key} {said(it.text)}" for it in thought if not it.evidence]
    if bare:
        return f"yes: nothing to look at was named for {'; '.join(bare)}"
    return "no: each hypothesis had its evidence" if thought else "not known: no hypothesis was written down"


def _objectives(facts: IncidentFacts) -> str:
    """Name the objectives that the alerts' labels name; whether one was breached no alert says."""
    named = list(dict.fromkeys(value for alert in facts.alerts for value in _OBJECTIVE.findall(alert.title) if value))
    known = said("; ".join(named)) if named else "none named by an alert"
    return f"SLI: {'of the SLO' if named else known}; SLO: {known}; budget %: not known; SLA breached: not known"


def _could_automate(facts: IncidentFacts) -> str:
    runs = [f"{said(run.playbook)} {VERDICTS[run.state]}" for run in in_order(facts)]
    by_hand = [f"{it.key} {said(it.what)}" for it in facts.records.changes if not it.run]
    notes = sum(entry.kind == "note" for entry in facts.entries)
    ran = f"playbooks: {'; '.join(runs)}" if runs else "no playbook ran"
    if by_hand:
        return f"{ran}; by hand: {'; '.join(by_hand)}"
    return ran if runs or not notes else f"{ran}; the people's {count(notes, 'note')} say what they did by hand"


def _hold(facts: IncidentFacts) -> str:
    incident = facts.incident
    if incident.trigger is not Trigger.HOLD:
        return "it was not held" + (f": the rule {said(incident.rule)} declares at once" if incident.rule else "")
    entries = ordered(facts)
    opened = next((entry.at for entry in entries if entry.kind == "hold.opened"), incident.detected_at)
    progress = sum(entry.kind == "hold.progress" for entry in entries)
    held = took(opened, incident.declared_at)
    seen = f"held for {held}; progress was seen {count(progress, 'time')}; declared because: {said(incident.reason)}"
    return seen + _verdict_of_the_hold(incident, progress)


def _verdict_of_the_hold(incident: Incident, progress: int) -> str:
    ended = incident.mitigated_at or incident.resolved_at
    if progress == 0:
        return "; perhaps too long: nothing got better while it was held"
    if ended is not None and ended - incident.declared_at <= SOON:
        return f"; perhaps too short: the impact ended {took(incident.declared_at, ended)} after it was declared"
    return ""


def _response(facts: IncidentFacts) -> str:
    pages = [f"{page.key} {_kept(page)}: {answer(page)}" for page in sorted(facts.pages, key=lambda page: page.id)]
    handed = sum(assignment.until is not None for assignment in facts.incident.roles)
    commander = said(facts.incident.commander) or "nobody"
    answers = [*(pages or ["nobody was paged"]), f"Incident Commander: {commander}", count(handed, "handover")]
    sent = sum(entry.kind == "update.sent" for entry in facts.entries)
    late = sum(entry.kind == "updates.overdue" for entry in facts.entries)
    if sent or late:
        answers.append(f"{count(sent, 'update')} sent, {count(late, 'reminder')} that one was late")
    return "; ".join(answers)


def _kept(page: Page) -> str:
    kept = page.acked_at is not None and not page.breached and page.acked_at - page.counts_from <= page.respond_within
    return f"response time of {about(page.respond_within)} {'kept' if kept else 'missed'}"


def _playbooks(facts: IncidentFacts) -> str:
    if not facts.runs:
        named = [link(f"the runbook of {said(it.what)}", it.url) for it in facts.pointers if it.kind == "Runbook"]
        where = f"{', '.join(named)} was named; whether it was right is not known" if named else ""
        return f"no playbook ran; {where or 'missing: no alert names a runbook'}"
    states = {run.state for run in facts.runs}
    if RunState.VERIFIED in states:
        return "present and used: verified to have helped"
    return "present and used, and it did not help" if states & TRIED else "present, not run to a verified end"


def in_order(facts: IncidentFacts) -> list[Run]:
    """Give the playbook runs in the order in which they began."""
    return sorted(facts.runs, key=lambda run: run.id)
