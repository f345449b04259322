"""The first two tables of a draft: who had which part, and how large the problem was."""

from __future__ import annotations

import re
from datetime import datetime

from incidentd.document import LONG, IncidentFacts, ordered, person_in, said, table, took
from incidentd.incidents import Trigger
from incidentd.postmortem import prompts
from incidentd.records import SectionName
from incidentd.roles import MAIN, Role
from incidentd.text import instant

_SHARE = re.compile(r"\b\d{1,3}(?:[.,]\d{1,3})?[ ]?(?:%|percent\b)(?: of(?: all| the)? [^\W\d_]{1,30})?")
"""A share, and of what: `42% of all payments`."""
_READ = 2000


def people_table(facts: IncidentFacts, owner: str, due: datetime | None) -> str:
    """List the dates, and who owned, wrote, led, answered and was paged."""
    incident = facts.incident
    roles = [
        (role.title, "; then ".join(person_in(a) for a in incident.roles if a.role is role) or "not delegated")
        for role in Role
        if role in MAIN or any(a.role is role for a in incident.roles)
    ]
    answered = [page.acked_by for page in facts.pages if page.acked_by]
    acted = [entry.actor.name for entry in ordered(facts) if entry.actor.via in ("api", "link", "cli")]
    responders = list(dict.fromkeys([*answered, *acted]))
    rows = [
        ("Date", instant(incident.impact_started_at)),
        ("Duration", took(incident.impact_started_at, incident.resolved_at) or "not over"),
        ("Owner", said(owner) or prompts.OWNER),
        ("Due", instant(due) if due else "no date: this severity asks for no full postmortem"),
        ("Authors", said(owner) or prompts.AUTHORS),
        *roles,
        ("Responders", said(", ".join(responders), LONG) or prompts.RESPONDERS),
        ("Paged", said(", ".join(dict.fromkeys(p for page in facts.pages for p in page.paged)), LONG) or "nobody"),
        ("Reviewers", prompts.REVIEWERS),
    ]
    return table(("What", "Who and when"), rows)


def problem_table(facts: IncidentFacts) -> str:
    """List how long it took, whom it hit and how much, how it was detected and what ended it."""
    incident = facts.incident
    start = incident.impact_started_at
    rows = [
        ("Duration", _duration(facts)),
        ("Products affected", said(incident.service) or prompts.PRODUCTS),
        ("% affected", _share(facts)),
        ("User impact (numbers)", said(facts.records.text_of(SectionName.IMPACT), LONG) or prompts.USERS),
        ("Revenue impact", prompts.REVENUE),
        ("Data loss", prompts.DATA_LOSS),
        ("Detection", _detection(facts)),
        ("Resolution", said(incident.resolution, LONG) or prompts.RESOLUTION),
        ("Time to detect", f"{took(start, incident.detected_at)} after the impact began"),
        ("Time to acknowledge", _since(took(incident.declared_at, incident.acknowledged_at), "never acknowledged")),
        ("Time to mitigate", _since(took(incident.declared_at, incident.mitigated_at), "not mitigated")),
        ("Time to resolve", _since(took(incident.declared_at, incident.resolved_at), "not resolved")),
        ("Alerts", f"{len(facts.alerts)}"),
    ]
    return table(("What", "How much"), rows)


def _since(after: str, otherwise: str) -> str:
    return f"{after} after it was declared" if after else otherwise


def _duration(facts: IncidentFacts) -> str:
    incident = facts.incident
    impact = took(incident.impact_started_at, incident.mitigated_at)
    whole = took(incident.impact_started_at, incident.resolved_at)
    if not whole:
        return "not over"
    return f"{whole}, of which the impact lasted {impact}" if impact else whole


def _share(facts: IncidentFacts) -> str:
    """Take the share that somebody wrote down, or that the title names; it is an estimate all the same."""
    for text in (facts.records.text_of(SectionName.IMPACT), facts.incident.title):
        if found := _SHARE.search(text[:_READ]):
            return f"estimate: {said(found[0])}"
    return prompts.PERCENT


def _detection(facts: IncidentFacts) -> str:
    incident = facts.incident
    if incident.trigger is Trigger.MANUAL:
        return f"by hand: {said(incident.declared_by)} declared it at {instant(incident.declared_at)}"
    return f"alert, at {instant(incident.detected_at)}"
