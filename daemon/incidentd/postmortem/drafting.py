"""The postmortem's first draft: everything that is known filled in, and a short prompt where a person has to think.

The template is of the SRE Workbook's kind; the head is YAML, so that postmortems can be counted.
"""

from __future__ import annotations

import re
from datetime import datetime

from incidentd.document import (
    LONG,
    VERDICTS,
    IncidentFacts,
    alerts_table,
    alike_table,
    automation,
    events,
    finished,
    graphs_shown,
    items_table,
    messages_table,
    said,
    sentence,
    source_link,
    table,
    todos,
    took,
)
from incidentd.library import STANDARD, Layout
from incidentd.library.layouts import SECTIONS, VALUES
from incidentd.playbooks import RunState
from incidentd.postmortem import prompts
from incidentd.postmortem.feedback import feedback, in_order
from incidentd.postmortem.head import head
from incidentd.postmortem.markup import Page
from incidentd.postmortem.people import people_table, problem_table
from incidentd.postmortem.policy import due as due_of
from incidentd.postmortem.sections import MANDATORY
from incidentd.records import Belief, SectionName
from incidentd.rules import Severity
from incidentd.text import count, instant
from incidentd.timeline import Entry


def due_for(severity: Severity, resolved_at: datetime) -> datetime | None:
    """Say when the postmortem has to be there; None when the severity asks for no full one."""
    if severity.postmortem != "full":
        return None
    dated = severity.postmortem_within is not None or severity.postmortem_business_days is not None
    return due_of(severity, resolved_at) if dated else None


def draft(facts: IncidentFacts, *, owner: str, due: datetime | None, layout: Layout = STANDARD) -> str:
    """Write the first draft as Markdown; `owner` is the one person who sees to it, `due` when it has to be there."""
    incident = facts.incident
    sections = {
        "head": head(facts), "people": people_table(facts, owner, due), "executive_summary": _executive_summary(facts),
        "problem_summary": problem_table(facts), "technical_issue": _technical_issue(facts), "factors": _factors(facts),
        "action_items": _action_items(facts), "went_well": prompts.WENT_WELL,
        "could_be_improved": prompts.COULD_BE_IMPROVED, "lucky": prompts.LUCKY, "feedback": feedback(facts),
        "timeline": _timeline(facts), "supporting": _supporting(facts),
    }  # fmt: skip
    values = {
        "title": said(incident.title) or incident.key, "incident": incident.key, "severity": said(incident.severity),
        "service": said(incident.service), "owner": said(owner),
    }  # fmt: skip
    return finished([layout.fill(sections, values)])


def missing_in(layout: Layout) -> list[str]:
    """Name the mandatory sections that a layout has no heading for, and `head` when that does not come first."""
    sections = {**dict.fromkeys(SECTIONS, "x"), "head": "---\nincident: x\n---"}
    page = Page(layout.fill(sections, dict.fromkeys(VALUES, "x")))
    missing = [title for title in MANDATORY if page.section(title) is None]
    return missing if page.head is not None else ["head", *missing]


def quick_review(facts: IncidentFacts, *, owner: str) -> str:
    """Write the quick review of what was stood down: five fields, since it called people all the same."""
    incident = facts.incident
    fired = "; ".join(dict.fromkeys(said(alert.title) for alert in facts.alerts)) or "no alert: people declared it"
    code = incident.stand_down.value.replace("_", " ") if incident.stand_down else ""
    rule = said(incident.rule) or "-"
    rows = [
        ("What fired", fired),
        ("Why it looked real", f"{sentence(incident.reason)} It was: {code or prompts.STOOD_DOWN_AS}."),
        ("Cost (people x minutes)", _cost(facts)),
        ("Change to the alert or the rule", f"{prompts.KEEPS_FROM_CALLING} (rule {rule})"),
        ("Owner", said(owner) or prompts.QUICK_OWNER),
    ]
    head = f"# Quick review: {incident.key} {said(incident.title)}"
    return finished([head, table(("Question", "Answer"), rows)])


def _cost(facts: IncidentFacts) -> str:
    incident = facts.incident
    people = {handle for page in facts.pages for handle in page.paged} | {one.person for one in incident.roles}
    minutes = round(((incident.ended_at or incident.declared_at) - incident.declared_at).total_seconds() / 60)
    who = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
    return f"at most {who} x {minutes} minutes = {len(people) * minutes} minutes, since it was declared"


_EXTERNAL = "\n".join(
    (
        f"- Summary: {prompts.EXTERNAL_SUMMARY}",
        f"- What happened: {prompts.EXTERNAL_WHAT}",
        f"- What we are doing: {prompts.EXTERNAL_DOING}",
    )
)


def _executive_summary(facts: IncidentFacts) -> str:
    incident = facts.incident
    lasted = took(incident.impact_started_at, incident.mitigated_at or incident.resolved_at)
    suggestion = f"{prompts.SUGGESTION} {said(incident.title, 120)}" + (f", for {lasted}." if lasted else ".")
    written = facts.records.text_of(SectionName.SUMMARY).strip().partition("\n")[0]
    document = f" The document says: {sentence(written)}" if written else ""
    return f"{prompts.EXECUTIVE_SUMMARY}\n\n{suggestion}{document}"


def _technical_issue(facts: IncidentFacts) -> str:
    means = f" {said(facts.incident.severity)} means: {sentence(facts.severity_means)}" if facts.severity_means else ""
    return f"{prompts.TECHNICAL_ISSUE}\n\nDeclared because: {sentence(facts.incident.reason)}{means}"


def _factors(facts: IncidentFacts) -> str:
    helped = [
        f"{run.key} {said(run.playbook)} {VERDICTS[run.state]}"
        for run in in_order(facts)
        if run.state is RunState.VERIFIED
    ]
    changed = [f"{it.key} {said(it.what)}" for it in facts.records.changes if not it.run]
    supported = [
        f"{it.key}, supported: {said(it.text)}" for it in facts.records.hypotheses if it.state is Belief.SUPPORTED
    ]
    named = [said(facts.incident.cause)] if facts.incident.cause else []
    known = f" {prompts.SUGGESTION} {'; '.join([*named, *supported])}" if named or supported else ""
    lines = [
        f"- Trigger: {prompts.TRIGGER}",
        f"- Contributing factors: {prompts.FACTORS}{known}",
        f"- What made it worse: {prompts.SOMETHING}",
        f"- What limited it: {'; '.join([*helped, *changed]) or prompts.SOMETHING}",
    ]
    return "\n".join(lines)


def _action_items(facts: IncidentFacts) -> str:
    proposed = [
        ("-", said(todo.text, LONG), "", "", said(todo.by), "", "proposed: a TODO of the incident")
        for todo in todos(facts)
    ]
    return items_table(facts.items, proposed) or prompts.ACTION_ITEMS


def _timeline(facts: IncidentFacts) -> str:
    began = facts.incident.impact_started_at
    rows = [(instant(began).removesuffix(" UTC"), "The impact began (estimated).", prompts.RECORDED)]
    rows += [
        (
            instant(entry.at).removesuffix(" UTC"),
            said(entry.text, LONG),
            _source(entry),
        )
        for entry in events(facts)
        if not entry.kind.startswith("postmortem.")  # of itself it does not tell
    ]
    ask = prompts.TIMELINE
    return f"{ask}\n\n{table(('Time', 'Event', 'Source link'), sorted(rows, key=lambda row: row[0]))}"


def _source(entry: Entry) -> str:
    """Say where an event can be looked up: what people saw stands for itself, the rest incidentd recorded."""
    link = source_link(entry)
    if entry.kind == "note":
        return link or prompts.OBSERVED
    return f"{prompts.RECORDED}, {link}" if link else prompts.RECORDED


def _supporting(facts: IncidentFacts) -> str:
    nothing = "Nothing recorded."
    head = re.sub("[^0-9a-f]", "", facts.head_hash)
    parts = [
        f"### Alerts\n\n{alerts_table(facts) or nothing}",
        *([f"### Graphs\n\n{graphs_shown(facts)}"] if facts.graphs else []),
        f"### Automation\n\n{automation(facts) or nothing}",
        f"### Messages sent\n\n{messages_table(facts) or nothing}",
        f"### Similar incidents\n\n{_similar(facts) or nothing}",
        f"### Glossary\n\n{prompts.GLOSSARY}",
        "### External message\n\n" + _EXTERNAL,
        f"Drafted from {count(len(facts.entries), 'recorded event')}"
        + (f"; the last one is `{head}`." if head else "."),
    ]
    return "\n\n".join(parts)


def _similar(facts: IncidentFacts) -> str:
    incident = facts.incident
    before = f"INC-{incident.recurrence_of} was the same before it." if incident.recurrence_of else ""
    again = f"It came back {count(incident.reopened, 'time')} after it was resolved." if incident.reopened else ""
    said_of_it = " ".join(one for one in (before, again) if one)
    return "\n\n".join(part for part in (said_of_it, alike_table(facts.alike)) if part)
