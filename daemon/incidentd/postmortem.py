"""The postmortem's first draft: everything that is known filled in, and a short prompt where a person has to think.

The template is of the SRE Workbook's kind; the head is YAML, so that postmortems can be counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta

from incidentd.document import (
    LONG,
    VERDICTS,
    IncidentFacts,
    alerts_table,
    answer,
    automation,
    finished,
    items_table,
    messages_table,
    ordered,
    person_in,
    said,
    sentence,
    source_link,
    table,
    todos,
    took,
)
from incidentd.durations import about
from incidentd.incidents import Incident, Trigger
from incidentd.pages import Page
from incidentd.playbooks import Run, RunState
from incidentd.roles import Role
from incidentd.rules import Severity
from incidentd.text import count, instant, iso, plain

LATE = timedelta(minutes=5)
"""An alert that fires this long after the impact began is late: the response time of the most urgent pages."""

_TRIED = frozenset({RunState.FAILED, RunState.VERIFY_FAILED, RunState.INTERRUPTED})
# In double quotes YAML reads these only as escapes (JSON escapes fewer), or a page without heads would show them alive.
_ESCAPED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[<>&\\[\\]]")


def due_for(severity: Severity, resolved_at: datetime) -> datetime | None:
    """Say when the postmortem has to be there; None when the severity asks for no full one."""
    if severity.postmortem != "full" or severity.postmortem_within is None:
        return None
    return resolved_at + severity.postmortem_within


def draft(facts: IncidentFacts, *, owner: str, due: datetime | None) -> str:
    """Write the first draft as Markdown; `owner` is the one person who sees to it, `due` when it has to be there."""
    parts = [
        _head(facts),
        f"# {said(facts.incident.title) or facts.incident.key}",
        f"## Date and people\n\n{_people(facts, owner, due)}",
        f"## Executive summary\n\n{_executive_summary(facts)}",
        f"## Problem summary\n\n{_problem_summary(facts)}",
        f"### Technical issue\n\n{_technical_issue(facts)}",
        f"### Root cause and contributing factors\n\n{_factors(facts)}",
        f"## Action items\n\n{_action_items(facts)}",
        f"## Lessons learned\n\n{_LESSONS}",
        f"## Feedback on our practice\n\n{_feedback(facts)}",
        f"## Timeline (UTC, from before the trigger, oldest first)\n\n{_timeline(facts)}",
        f"## Supporting information, glossary, external message\n\n{_supporting(facts)}",
    ]
    return finished(parts)


_LESSONS = "\n\n".join(
    (
        "### What went well",
        "_What helped, so that we keep it?_",
        "### What could be improved",
        "_What made this longer or worse? Say how and what, not who._",
        "### Where we got lucky",
        "_What would have made it worse, and did not happen?_",
    )
)

_EXTERNAL = "\n".join(
    (
        "- Summary: _one sentence for customers_",
        "- What happened: _in their words_",
        "- What we are doing: _so that it does not come back_",
    )
)


def _head(facts: IncidentFacts) -> str:
    incident = facts.incident
    by_alert = incident.trigger is not Trigger.MANUAL
    titles = [alert.title for alert in sorted(facts.alerts, key=lambda alert: alert.starts_at)]
    # a title is written as Prometheus writes labels: the alert's name, then the labels in braces
    first = titles[0].partition("{")[0] if titles and by_alert else ""
    lines = [
        f"incident: {incident.key}",
        f"title: {_quoted(incident.title)}",
        "status: draft",
        f"severity: {_quoted(incident.severity)}",
        f"peak: {_quoted(incident.peak_severity)}",
        f"service: [{_quoted(incident.service) if incident.service else ''}]",
        'faulty_service: ""',
        f"teams: [{', '.join(map(_quoted, incident.teams))}]",
        *(f"{name}: {_quoted(iso(at) or '')}" for name, at in _moments(incident).items()),
        f"detection: {'alert' if by_alert else 'employee'}",
        f"alert: {_quoted(first)}",
        "trigger: unknown",
        "cause_class: other",
        'repeat_of: ""',
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
        return "helped"
    if states & _TRIED:
        return "tried_failed"
    return "possible" if states else "none"


def _people(facts: IncidentFacts, owner: str, due: datetime | None) -> str:
    incident = facts.incident
    until = incident.resolved_at
    roles = [
        (role.title, "; then ".join(person_in(a) for a in incident.roles if a.role is role) or "not delegated")
        for role in Role
    ]
    answered = [page.acked_by for page in facts.pages if page.acked_by]
    acted = [entry.actor.name for entry in ordered(facts) if entry.actor.via in ("api", "link", "cli")]
    responders = list(dict.fromkeys([*answered, *acted]))
    rows = [
        ("Date", instant(incident.impact_started_at)),
        ("Duration", took(incident.impact_started_at, until) or "not over"),
        ("Owner", said(owner) or "_name one person who sees to it_"),
        ("Due", instant(due) if due else "no date: this severity asks for no full postmortem"),
        ("Authors", "_who wrote it?_"),
        *roles,
        ("Responders", said(", ".join(responders), LONG) or "_who worked on it?_"),
        ("Paged", said(", ".join(dict.fromkeys(p for page in facts.pages for p in page.paged)), LONG) or "nobody"),
        ("Reviewers", "_at least two, one of another team_"),
    ]
    return table(("What", "Who and when"), rows)


def _executive_summary(facts: IncidentFacts) -> str:
    incident = facts.incident
    lasted = took(incident.impact_started_at, incident.mitigated_at or incident.resolved_at)
    suggestion = f"Suggestion: {said(incident.title, 120)}" + (f", for {lasted}." if lasted else ".")
    ask = "_One sentence, at most 40 words: what broke for whom, how long, why, and that it is fixed._"
    return f"{ask}\n\n{suggestion}"


def _problem_summary(facts: IncidentFacts) -> str:
    incident = facts.incident
    start, declared = incident.impact_started_at, incident.declared_at
    rows = [
        ("Duration", took(start, incident.resolved_at) or "not over"),
        ("Time to acknowledge", took(declared, incident.acknowledged_at) or "never acknowledged"),
        ("Time to mitigate", took(start, incident.mitigated_at) or "not mitigated"),
        ("Time to resolve", took(start, incident.resolved_at) or "not resolved"),
        ("Products affected", said(incident.service) or "_which?_"),
        ("% affected", "_of users or requests; say `estimate:` when it is one_"),
        ("User impact (numbers)", "_how many users, requests, orders_"),
        ("Revenue impact", "_an amount, or none_"),
        ("Data loss", "_yes or no, and what_"),
        ("Detection", _detection(facts)),
        ("Resolution", said(incident.resolution, LONG) or "_what ended it?_"),
        ("Alerts", f"{len(facts.alerts)}"),
    ]
    return table(("What", "How much"), rows)


def _detection(facts: IncidentFacts) -> str:
    incident = facts.incident
    if incident.trigger is Trigger.MANUAL:
        return f"by hand: {said(incident.declared_by)} declared it at {instant(incident.declared_at)}"
    return f"alert, at {instant(incident.detected_at)}"


def _technical_issue(facts: IncidentFacts) -> str:
    means = f" {said(facts.incident.severity)} means: {sentence(facts.severity_means)}" if facts.severity_means else ""
    return f"_What happened, apart from how to fix it._\n\nDeclared because: {sentence(facts.incident.reason)}{means}"


def _factors(facts: IncidentFacts) -> str:
    helped = [f"{run.key} {said(run.playbook)}: {VERDICTS[run.state]}" for run in _by_id(facts)]
    lines = [
        "- Trigger: _what set it off?_",
        "- Contributing factors: _conditions, not people; at least two, or why there is only one_",
        "- What made it worse: _?_",
        f"- What limited it: {'; '.join(helped) if helped else '_?_'}",
    ]
    return "\n".join(lines)


def _action_items(facts: IncidentFacts) -> str:
    proposed = [
        ("-", said(todo.text, LONG), "", "", said(todo.by), "", "proposed: a TODO of the incident")
        for todo in todos(facts)
    ]
    ask = "_Decide them after two working days: an action, a number or state that shows the end, one owner, a date._"
    return "\n\n".join(part for part in (ask, items_table(facts.items, proposed)) if part)


def _feedback(facts: IncidentFacts) -> str:
    """Answer the questions as far as the data goes; a person confirms or corrects."""
    limits = "SLI: _?_ SLO: _?_ budget used: _?_ SLA breached: _?_"
    rows = [
        ("Is the monitoring good? Did the right alert fire, first, once, in time?", _monitoring(facts)),
        (
            "Do we need more or different metrics, logs, traces or dashboards?",
            "_What did people look for and not find?_",
        ),
        ("SLI / SLO / SLA: did one exist, was it breached, budget used, is the target right?", limits),
        (
            "Should something be automated? (detection, diagnosis, fix, communication) First step always the same?",
            _could_automate(facts),
        ),
        ("Was the hold decision right? (too long / too short / should have declared)", _hold(facts)),
        ("Did response times, roles, handovers and updates work?", _response(facts)),
        ("Was the runbook / playbook present, correct, used?", _playbooks(facts)),
    ]
    return table(("Question", "Answer", "Action item"), ((question, reply, "") for question, reply in rows))


def _monitoring(facts: IncidentFacts) -> str:
    incident = facts.incident
    if incident.trigger is Trigger.MANUAL:
        told = [alert for alert in facts.alerts if alert.starts_at <= incident.declared_at]
        verdict = (
            "late: people declared it although an alert fired" if told else "missing: people saw it before any alert"
        )
    else:
        after = took(incident.impact_started_at, incident.detected_at)
        late = incident.detected_at - incident.impact_started_at >= LATE
        verdict = f"{'late' if late else 'in time'}: detected {after} after the impact began"
    again = [
        f"{said(title)} came {times} times"
        for title, times in Counter(a.title for a in facts.alerts).items()
        if times > 1
    ]
    refired = sum(entry.kind.endswith(".refired") for entry in facts.entries)
    if refired:
        again.append(f"it fired again {count(refired, 'time')} after it seemed over")
    return verdict + (f"; noisy: {'; '.join(again)}" if again else "")


def _could_automate(facts: IncidentFacts) -> str:
    notes = sum(entry.kind == "note" for entry in facts.entries)
    if not facts.runs:
        return f"no playbook ran; the people's {count(notes, 'note')} say what they did by hand"
    return "playbooks: " + "; ".join(f"{said(run.playbook)} {VERDICTS[run.state]}" for run in _by_id(facts))


def _hold(facts: IncidentFacts) -> str:
    incident = facts.incident
    if incident.trigger is not Trigger.HOLD:
        return "it was not held" + (f": the rule {said(incident.rule)} declares at once" if incident.rule else "")
    entries = ordered(facts)
    opened = next((entry.at for entry in entries if entry.kind == "hold.opened"), incident.detected_at)
    progress = sum(entry.kind == "hold.progress" for entry in entries)
    held = took(opened, incident.declared_at)
    return f"held for {held}; progress was seen {count(progress, 'time')}; declared because: {said(incident.reason)}"


def _response(facts: IncidentFacts) -> str:
    pages = [f"{page.key} {_kept(page)}: {answer(page)}" for page in sorted(facts.pages, key=lambda page: page.id)]
    handed = sum(assignment.until is not None for assignment in facts.incident.roles)
    commander = said(facts.incident.commander) or "nobody"
    return "; ".join([*(pages or ["nobody was paged"]), f"Incident Commander: {commander}", count(handed, "handover")])


def _kept(page: Page) -> str:
    kept = page.acked_at is not None and not page.breached and page.acked_at - page.counts_from <= page.respond_within
    return f"response time of {about(page.respond_within)} {'kept' if kept else 'missed'}"


def _playbooks(facts: IncidentFacts) -> str:
    if not facts.runs:
        return "none ran: _is there a runbook, and was it right?_"
    states = {run.state for run in facts.runs}
    if RunState.VERIFIED in states:
        return "present and used: verified to have helped"
    return "present and used, and it did not help" if states & _TRIED else "present, not run to a verified end"


def _timeline(facts: IncidentFacts) -> str:
    began = facts.incident.impact_started_at
    rows = [(instant(began).removesuffix(" UTC"), "The impact began (estimated).", "")]
    rows += [
        (
            instant(entry.at).removesuffix(" UTC"),
            said(entry.text, LONG),
            source_link(entry),
        )
        for entry in ordered(facts)
    ]
    ask = "_Add what happened before the trigger, one source a line._"
    return f"{ask}\n\n{table(('Time', 'Event', 'Source link'), sorted(rows, key=lambda row: row[0]))}"


def _supporting(facts: IncidentFacts) -> str:
    nothing = "Nothing recorded."
    head = re.sub("[^0-9a-f]", "", facts.head_hash)
    parts = [
        f"### Alerts\n\n{alerts_table(facts) or nothing}",
        f"### Automation\n\n{automation(facts) or nothing}",
        f"### Messages sent\n\n{messages_table(facts) or nothing}",
        "### Glossary\n\n_Words that a reader of another team does not know._",
        "### External message\n\n" + _EXTERNAL,
        f"Drafted from {count(len(facts.entries), 'recorded event')}"
        + (f"; the last one is `{head}`." if head else "."),
    ]
    return "\n\n".join(parts)


def _by_id(facts: IncidentFacts) -> list[Run]:
    return sorted(facts.runs, key=lambda run: run.id)
